/** A video whose container the browser does not know, in one that it does: read and rewritten by a worker, piece by piece. */
import { type RemuxType, remuxType } from "./codecs";
import type { FileTracks, FromRemuxWorker, ToRemuxWorker } from "./remuxMessages";
import { PlayFailure, type SegmentSource } from "./segments";

/** A worker that has not said a word for so many seconds hangs. */
const MAX_SILENT_SECONDS = 10;

export interface Remuxed extends SegmentSource {
  readonly tracks: FileTracks;
  /** It has sound that cannot be heard here, and was left out. */
  readonly silent: boolean;
}

/**
 * @param decodes whether sound with such a codecs string can be heard; one that cannot is left out
 * Errors: PlayFailure.
 */
export async function openRemuxed(
  url: string,
  decodes: (codec: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<Remuxed> {
  let first: Reader | undefined = await Reader.start(url, signal);
  const { tracks } = first;
  const { picture, sound } = tracks;
  const audible = sound !== undefined && (await decodes(sound.codec));
  const takes = (type: RemuxType | undefined) => type !== undefined && MediaSource.isTypeSupported(type.type);
  const both = picture && audible ? remuxType(picture, sound) : undefined;
  const withSound = takes(both);
  const type = withSound ? both : picture && remuxType(picture, undefined);
  if (!type || !takes(type)) {
    first.end();
    throw new PlayFailure("unsupported", `This editor does not play ${picture?.codec || "this video"}.`);
  }
  return {
    tracks,
    silent: sound !== undefined && !withSound,
    type: type.type,
    duration: tracks.duration,
    async *segments(at, ofRun) {
      const reader = first ?? (await Reader.start(url, AbortSignal.any([signal, ofRun])));
      first = undefined;
      ofRun.addEventListener("abort", () => reader.end(), { once: true });
      yield* reader.read({ type: "begin", from: at, container: type.container, withSound });
    },
  };
}

/** What a file is made of, without playing it. Errors: PlayFailure. */
export async function lookInto(url: string, signal: AbortSignal): Promise<FileTracks> {
  const reader = await Reader.start(url, signal);
  reader.end();
  return reader.tracks;
}

let script: Promise<string> | undefined;

/** A worker has to be of the page's own origin, which its files are not: its text becomes an address of the page. */
function workerScript(): Promise<string> {
  script ??= fetch(new URL("remuxWorker.js", document.documentElement.dataset.scripts ?? import.meta.url))
    .then((response) => response.text())
    .then((text) => URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  script.catch(() => {
    script = undefined;
  });
  return script;
}

class Reader {
  private readonly messages: FromRemuxWorker[] = [];
  private silentSeconds = 0;
  private ended = false;
  private wake: (() => void) | undefined;
  private readonly watch = setInterval(() => {
    this.silentSeconds++;
    if (this.silentSeconds < MAX_SILENT_SECONDS) return;
    this.onMessage({ type: "failed", reason: "unsupported", message: "The file cannot be read in a reasonable time." });
    this.end();
  }, 1_000);
  tracks: FileTracks = { duration: 0 };

  static async start(url: string, signal: AbortSignal): Promise<Reader> {
    const address = await workerScript().catch((cause) => {
      throw new PlayFailure("interrupted", "The player is not complete.", { cause });
    });
    const reader = new Reader(new Worker(address));
    signal.addEventListener("abort", () => reader.end(), { once: true });
    if (signal.aborted) reader.end();
    reader.send({ type: "open", url });
    const opened = await reader.next();
    if (opened?.type !== "opened") throw new PlayFailure("interrupted", "It was ended.");
    reader.tracks = opened.tracks;
    return reader;
  }

  private constructor(private readonly worker: Worker) {
    worker.addEventListener("message", ({ data }: MessageEvent<FromRemuxWorker>) => this.onMessage(data));
    worker.addEventListener("error", (event) => {
      this.onMessage({ type: "failed", reason: "unsupported", message: event.message });
    });
  }

  async *read(begin: ToRemuxWorker): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    try {
      this.send(begin);
      for (;;) {
        this.send({ type: "more" });
        const message = await this.next();
        if (message?.type !== "segment") return;
        yield message.bytes;
      }
    } finally {
      this.end();
    }
  }

  end(): void {
    this.ended = true;
    this.worker.terminate();
    clearInterval(this.watch);
    this.wake?.();
  }

  private send(message: ToRemuxWorker): void {
    this.worker.postMessage(message);
  }

  private onMessage(message: FromRemuxWorker): void {
    this.silentSeconds = 0;
    if (message.type === "alive") return;
    this.messages.push(message);
    this.wake?.();
  }

  /** Undefined once it was ended. Errors: PlayFailure. */
  private async next(): Promise<FromRemuxWorker | undefined> {
    while (this.messages.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const message = this.messages.shift();
    if (message?.type !== "failed") return message;
    this.end();
    throw new PlayFailure(message.reason, message.message);
  }
}
