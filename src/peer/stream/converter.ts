/**
 * Videos as a page can play them that cannot decode them: ffmpeg reads one through an address of its own, so that what it reads
 * next is what is fetched next, and what it makes goes to the page as fast as the page takes it. Keeps track of how many run.
 */
import { StreamletError } from "../../wire/errors";
import { type ConfinedRun, startConfined } from "../media/confined";
import {
  convertArguments,
  type Described,
  describeArguments,
  readDescribed,
  videoArguments,
} from "../media/conversion";
import { type Ffmpeg, lastWords } from "../media/ffmpeg";
import { codecsOf, endOfHead } from "../media/initSegment";
import { ConvertedInput } from "./convertedInput";
import type { StreamAddress, StreamSource } from "./gateway";

/** Each takes a core, more or less. */
const MAX_CONVERSIONS = 3;
/** A page that seeks ends one and begins another in the same moment. */
const SLOT_WAIT_MS = 2_000;
/** Nothing read, nothing made, and neither of them waiting for somebody: it will not come to an end. */
const IDLE_MS = 60_000;
const IDLE_CHECK_MS = 1_000;
/** Two tracks, each of which describes its codec in some hundred bytes. */
const MAX_HEAD_BYTES = 256 * 1024;

/** Where one goes. */
export interface ConversionSink {
  /** Before the first bytes. @param duration seconds, if known */
  begin(codecs: string, duration: number | undefined): void;
  /** Resolves when it takes more. */
  write(bytes: Buffer): Promise<void>;
}

/** What makes a video readable for ffmpeg. */
export interface Serving {
  open(source: StreamSource): Promise<StreamAddress>;
  close(id: string): void;
}

export class Converter {
  private running = 0;
  private waiting: (() => void)[] = [];
  private readonly described = new WeakMap<StreamSource, Described>();

  constructor(
    private readonly ffmpeg: () => Ffmpeg,
    private readonly serving: Serving,
  ) {}

  /**
   * Resolves when all from the key frame at or before `from` was written. @param from seconds
   * Errors: ffmpeg-missing, too-many, not-a-video, unsupported-format, ffmpeg-failed, cancelled, and what keeps it from being read.
   */
  async convert(source: StreamSource, from: number, sink: ConversionSink, signal: AbortSignal): Promise<void> {
    const { ffmpeg } = await this.ffmpeg().tools();
    if (!ffmpeg) throw new StreamletError("ffmpeg-missing", "Converting a video needs ffmpeg: install it.");
    await this.takeSlot(signal);
    const input = new ConvertedInput(source);
    let address: StreamAddress | undefined;
    try {
      address = await this.serving.open(input);
      await this.run(source, input, address.url, from, sink, signal);
    } finally {
      if (address) this.serving.close(address.id);
      this.leaveSlot();
    }
  }

  private async takeSlot(signal: AbortSignal): Promise<void> {
    if (this.running < MAX_CONVERSIONS) {
      this.running++;
      return;
    }
    const taken = await new Promise<boolean>((resolve) => {
      const settle = (isTaken: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        this.waiting = this.waiting.filter((other) => other !== take);
        resolve(isTaken);
      };
      const take = () => settle(true);
      const giveUp = () => settle(false);
      const timer = setTimeout(giveUp, SLOT_WAIT_MS);
      signal.addEventListener("abort", giveUp, { once: true });
      this.waiting.push(take);
    });
    if (taken) return;
    if (signal.aborted) throw cancelled();
    throw new StreamletError("too-many", `${MAX_CONVERSIONS} videos are being converted already: close a player.`);
  }

  /** Whoever waits for longest has it at once, before anybody who comes now. */
  private leaveSlot(): void {
    const next = this.waiting[0];
    if (next) next();
    else this.running--;
  }

  private async run(
    source: StreamSource,
    input: ConvertedInput,
    url: string,
    from: number,
    sink: ConversionSink,
    signal: AbortSignal,
  ): Promise<void> {
    const described = this.described.get(source) ?? (await this.describe(input, url, signal));
    this.described.set(source, described);
    const video = videoArguments(described.copies, described.copies ? new Set() : await this.ffmpeg().encoders());
    if (!video) throw failed("This ffmpeg has none of the encoders libx264, libopenh264 and libvpx-vp9.");
    const { duration } = described;
    const begin = duration === undefined ? from : Math.min(from, Math.max(0, duration - 1));
    const args = convertArguments(url, begin, described, video);
    await this.watched(args, input, signal, async ({ output, ended }) => {
      const head = new HeadReader();
      for await (const chunk of output as AsyncIterable<Buffer>) {
        input.onOutput();
        const bytes = head.isDone ? chunk : head.add(chunk);
        if (!bytes) continue;
        if (head.codecs) sink.begin(head.takeCodecs(), duration);
        input.pageIsBusy = true;
        await sink.write(bytes);
        input.pageIsBusy = false;
      }
      const { code, complaints } = await ended;
      if (code !== 0 || !head.isDone) throw input.failure ?? failureOf(complaints);
      // ffmpeg takes a connection that breaks for the end of the video.
      if (input.failure) throw input.failure;
    });
  }

  private describe(input: ConvertedInput, url: string, signal: AbortSignal): Promise<Described> {
    return this.watched(describeArguments(url), input, signal, async ({ output, ended }) => {
      output.resume();
      const { complaints } = await ended;
      const described = readDescribed(complaints);
      if (input.failure) throw input.failure;
      if (described === "unreadable") throw unsupported();
      if (described) return described;
      throw complaints.includes("Input #0") ? notAVideo() : failureOf(complaints);
    });
  }

  /** Runs it; ends it when nobody wants it any more, or when it gets nowhere. */
  private async watched<T>(
    args: readonly string[],
    input: ConvertedInput,
    signal: AbortSignal,
    follow: (run: ConfinedRun) => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw cancelled();
    const run = await startConfined(this.ffmpeg(), args);
    let stuck: StreamletError | undefined;
    let idleMs = 0;
    const guard = setInterval(() => {
      idleMs = input.hasMoved() ? 0 : idleMs + IDLE_CHECK_MS;
      if (idleMs < IDLE_MS && !input.readsInVain()) return;
      stuck = failed("It came to no end.");
      run.kill();
    }, IDLE_CHECK_MS);
    signal.addEventListener("abort", run.kill, { once: true });
    if (signal.aborted) run.kill();
    try {
      return await follow(run);
    } catch (error) {
      throw signal.aborted ? cancelled() : (stuck ?? error);
    } finally {
      clearInterval(guard);
      signal.removeEventListener("abort", run.kill);
      run.kill();
      await run.ended;
    }
  }
}

/** Holds back what comes until its head is whole. */
class HeadReader {
  isDone = false;
  codecs: string | undefined;
  private bytes = Buffer.alloc(0);

  /** All that has come, once the head is among it. */
  add(chunk: Buffer): Buffer | undefined {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    const end = endOfHead(this.bytes);
    if (end === undefined && this.bytes.length <= MAX_HEAD_BYTES) return undefined;
    this.codecs = end === undefined ? undefined : codecsOf(this.bytes.subarray(0, end));
    if (!this.codecs) throw failed("It wrote something else than was asked for.");
    this.isDone = true;
    return this.bytes;
  }

  takeCodecs(): string {
    const codecs = this.codecs as string;
    this.codecs = undefined;
    return codecs;
  }
}

function failureOf(complaints: string): StreamletError {
  if (/Format not on whitelist|Invalid data found when processing input|moov atom not found/.test(complaints)) {
    return notAVideo();
  }
  if (/not on whitelist|Decoder .*not found|Unknown decoder/.test(complaints)) return unsupported();
  return failed(lastWords(complaints));
}

function notAVideo(): StreamletError {
  return new StreamletError("not-a-video", "There is no video in it that ffmpeg reads.");
}

function unsupported(): StreamletError {
  return new StreamletError("unsupported-format", "ffmpeg does not read this kind of picture.");
}

function failed(why: string): StreamletError {
  return new StreamletError("ffmpeg-failed", `ffmpeg could not convert it. ${why}`);
}

function cancelled(): StreamletError {
  return new StreamletError("cancelled", "The player has gone.");
}
