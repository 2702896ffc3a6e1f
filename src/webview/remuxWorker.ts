/**
 * Reads a file of the gateway and writes its tracks into a container that Media Source Extensions take, without touching
 * picture or sound. A worker of its own: files come from strangers, and a page can end a worker that hangs.
 */
import {
  AppendOnlyStreamTarget,
  EncodedAudioPacketSource,
  type EncodedPacket,
  EncodedPacketSink,
  EncodedVideoPacketSource,
  Input,
  type InputAudioTrack,
  type InputVideoTrack,
  MATROSKA,
  MP4,
  Mp4OutputFormat,
  Output,
  QTFF,
  UrlSource,
  WEBM,
  WebMOutputFormat,
} from "mediabunny";
import type { Track } from "./codecs";
import type { FileTracks, FromRemuxWorker, ToRemuxWorker } from "./remuxMessages";

/** Of what was read, for the small reads of a parser; the video itself passes through. */
const CACHE_BYTES = 16 * 1024 * 1024;
/** A loopback address that does not answer three times has gone. */
const MAX_RETRIES = 2;
const RETRY_SECONDS = 0.5;
/** A segment is no shorter, so that little of it is overhead. */
const SEGMENT_SECONDS = 0.5;
const ALIVE_MS = 1_000;

interface WorkerScope {
  postMessage(message: FromRemuxWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToRemuxWorker>) => void) | null;
}
const scope = globalThis as unknown as WorkerScope;

let picture: InputVideoTrack | null = null;
let sound: InputAudioTrack | null = null;
let cutOff = false;
let credit = 0;
let onCredit: (() => void) | undefined;

setInterval(() => scope.postMessage({ type: "alive" }), ALIVE_MS);
scope.onmessage = ({ data }) => {
  if (data.type === "more") {
    credit++;
    onCredit?.();
  } else {
    (data.type === "open" ? open(data.url) : begin(data)).catch((error) => {
      scope.postMessage({ type: "failed", reason: cutOff ? "interrupted" : "unsupported", message: String(error) });
    });
  }
};

async function open(url: string): Promise<void> {
  const source = new UrlSource(url, {
    maxCacheSize: CACHE_BYTES,
    getRetryDelay: (attempts) => {
      cutOff = attempts > MAX_RETRIES;
      return cutOff ? null : RETRY_SECONDS;
    },
    fetchFn: async (input, init) => {
      const response = await fetch(input, init);
      if (!response.ok) cutOff = true;
      return response;
    },
    // What was read ahead in vain is read again when it is wanted.
    handleUnhandledError: () => undefined,
  });
  const input = new Input({ source, formats: [MATROSKA, WEBM, MP4, QTFF] });
  picture = await input.getPrimaryVideoTrack();
  sound = await input.getPrimaryAudioTrack();
  const known = [picture, sound].filter((track) => track !== null);
  const duration = (await input.getDurationFromMetadata(known)) ?? (await input.computeDuration(known));
  const tracks: FileTracks = { duration };
  if (picture) tracks.picture = await describe(picture);
  if (sound) tracks.sound = await describe(sound);
  scope.postMessage({ type: "opened", tracks });
}

async function describe(track: InputVideoTrack | InputAudioTrack): Promise<Track> {
  return { name: (await track.getCodec()) ?? "", codec: (await track.getCodecParameterString()) ?? "" };
}

async function begin(message: Extract<ToRemuxWorker, { type: "begin" }>): Promise<void> {
  const { from, container, withSound } = message;
  const videoCodec = await picture?.getCodec();
  if (!picture || !videoCodec) throw new Error("there is no picture");
  const target = new AppendOnlyStreamTarget(new WritableStream({ write: send }, { highWaterMark: 0 }));
  const format =
    container === "webm"
      ? new WebMOutputFormat({ appendOnly: true, minimumClusterDuration: SEGMENT_SECONDS })
      : new Mp4OutputFormat({ fastStart: "fragmented", minimumFragmentDuration: SEGMENT_SECONDS });
  const output = new Output({ format, target });
  const pictures = new EncodedVideoPacketSource(videoCodec);
  output.addVideoTrack(pictures, { rotation: await picture.getRotation() });
  const audioCodec = withSound ? await sound?.getCodec() : undefined;
  const sounds = audioCodec ? new EncodedAudioPacketSource(audioCodec) : undefined;
  if (sounds) output.addAudioTrack(sounds);
  await output.start();

  const sink = new EncodedPacketSink(picture);
  const first = (await sink.getKeyPacket(from)) ?? (await sink.getFirstKeyPacket());
  if (!first) throw new Error("there is no key frame");
  const lanes = [
    lane(sink.packets(first), pictures, { decoderConfig: (await picture.getDecoderConfig()) ?? undefined }),
  ];
  if (sound && sounds) {
    const soundSink = new EncodedPacketSink(sound);
    const start = (await soundSink.getPacket(first.timestamp)) ?? (await soundSink.getFirstPacket());
    const meta = { decoderConfig: (await sound.getDecoderConfig()) ?? undefined };
    lanes.push(lane(start ? soundSink.packets(start) : undefined, sounds, meta));
  }
  await interleave(lanes);
  await output.finalize();
  scope.postMessage({ type: "end" });
}

/** Packets of one track on their way into the output. */
interface Lane {
  /** Seconds; infinite once there are no more. */
  timestamp(): number;
  /** Writes the packet and looks at the next one. */
  step(): Promise<void>;
  look(): Promise<void>;
}

function lane<Meta>(
  packets: AsyncGenerator<EncodedPacket, void, unknown> | undefined,
  output: { add(packet: EncodedPacket, meta?: Meta): Promise<void>; close(): void },
  meta: Meta,
): Lane {
  let next: EncodedPacket | undefined;
  let isFirst = true;
  const look = async () => {
    const read = await packets?.next();
    next = read?.value ?? undefined;
    if (!next) output.close();
  };
  return {
    look,
    timestamp: () => next?.timestamp ?? Number.POSITIVE_INFINITY,
    async step() {
      if (!next) return;
      await output.add(next, isFirst ? meta : undefined);
      isFirst = false;
      await look();
    },
  };
}

/** In the order of their times, as a player needs them: nothing piles up in the output. */
async function interleave(lanes: Lane[]): Promise<void> {
  for (const each of lanes) await each.look();
  for (;;) {
    const earliest = lanes.reduce((a, b) => (b.timestamp() < a.timestamp() ? b : a));
    if (earliest.timestamp() === Number.POSITIVE_INFINITY) return;
    await earliest.step();
  }
}

async function send(bytes: Uint8Array): Promise<void> {
  while (credit === 0) {
    await new Promise<void>((resolve) => {
      onCredit = resolve;
    });
  }
  credit--;
  const copy = bytes.slice();
  scope.postMessage({ type: "segment", bytes: copy }, [copy.buffer]);
}
