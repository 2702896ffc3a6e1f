/**
 * Plays a `SegmentSource` in a `<video>`: keeps a bounded part of it around the position in one SourceBuffer, and begins anew
 * wherever somebody seeks to what is not there. One run at a time appends; a new one empties the buffer, so that there is
 * never more than one stretch of the video in it.
 */
import { asPlayFailure, PlayFailure, type SegmentSource } from "./segments";

/** So far ahead is read: long enough for hiccups, short enough that little is read in vain. */
const AHEAD_SECONDS = 60;
/** So much stays behind, for going back a little. */
const BEHIND_SECONDS = 30;
/** Behind the position is cleared in steps, not with every segment. */
const BEHIND_STEP_SECONDS = 10;
/** Where the buffer is full sooner (browsers bound its bytes), only this stays behind. */
const BEHIND_WHEN_FULL_SECONDS = 10;
/** First frames begin a little after zero, and tracks have small holes; a longer one is waited for. */
const MAX_GAP_SECONDS = 1;
const EDGE_SECONDS = 0.05;
/** How often room is looked for while nothing happens. */
const LOOK_MS = 500;

/** One way through the source, from `from` on. */
interface Run {
  from: number;
  abort: AbortController;
  done: Promise<void>;
  /** What is in the buffer is of this run. */
  appended: boolean;
}

/** @returns what ends it and frees the buffer; the `<video>` is left without a source */
export function playSegments(
  video: HTMLVideoElement,
  source: SegmentSource,
  startAt: number,
  onFailure: (failure: PlayFailure) => void,
): () => void {
  const player = new BufferedPlayer(video, source, onFailure);
  player.start(startAt);
  return () => player.close();
}

class BufferedPlayer {
  private readonly media = new MediaSource();
  private readonly closing = new AbortController();
  private buffer: SourceBuffer | undefined;
  private run: Run | undefined;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly source: SegmentSource,
    private readonly onFailure: (failure: PlayFailure) => void,
  ) {}

  start(at: number): void {
    const { media, video } = this;
    const { signal } = this.closing;
    const url = URL.createObjectURL(media);
    const opened = () => {
      URL.revokeObjectURL(url);
      try {
        this.buffer = media.addSourceBuffer(this.source.type);
        media.duration = this.source.duration;
      } catch (error) {
        return this.fail(error);
      }
      this.begin(at);
    };
    media.addEventListener("sourceopen", opened, { once: true, signal });
    for (const name of ["waiting", "stalled", "timeupdate"])
      video.addEventListener(name, () => this.mend(), { signal });
    video.addEventListener("seeking", () => this.onSeeking(), { signal });
    video.src = url;
    video.currentTime = at;
  }

  close(): void {
    this.closing.abort();
    this.run?.abort.abort();
  }

  private fail(error: unknown): void {
    if (this.closing.signal.aborted) return;
    this.close();
    this.onFailure(asPlayFailure(error));
  }

  private onSeeking(): void {
    const { buffer, run, video } = this;
    if (!buffer || !run) return;
    const at = video.currentTime;
    const nothingYet = buffer.buffered.length === 0 && Math.abs(at - run.from) < EDGE_SECONDS;
    const atTheEnd = this.media.readyState === "ended" && at >= this.end - EDGE_SECONDS && at >= this.begins;
    if (!nothingYet && !atTheEnd && this.stretchAt(at) === undefined) this.begin(at);
  }

  private begin(from: number): void {
    const before = this.run;
    before?.abort.abort();
    const abort = new AbortController();
    const done = this.append(from, abort.signal, before?.done).catch((error) => {
      if (!abort.signal.aborted) this.fail(error);
    });
    this.run = { from, abort, done, appended: false };
  }

  private async append(from: number, signal: AbortSignal, before: Promise<void> | undefined): Promise<void> {
    await before;
    const { buffer, media } = this;
    if (!buffer || signal.aborted) return;
    // Also forgets half a segment.
    if (media.readyState === "open") buffer.abort();
    if (buffer.buffered.length > 0) await this.change(() => buffer.remove(0, Number.POSITIVE_INFINITY));
    for await (const segment of this.source.segments(from, signal)) {
      await this.room(signal);
      if (signal.aborted) return;
      await this.put(segment, signal);
      if (this.run && !signal.aborted) this.run.appended = true;
      this.mend();
    }
    if (!signal.aborted && media.readyState === "open") media.endOfStream();
  }

  private async put(segment: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    const { buffer, video } = this;
    if (!buffer) return;
    while (!signal.aborted) {
      try {
        return await this.change(() => buffer.appendBuffer(segment));
      } catch (error) {
        if (!(error instanceof DOMException) || error.name !== "QuotaExceededError") throw error;
      }
      const behind = video.currentTime - BEHIND_WHEN_FULL_SECONDS;
      if (behind > this.begins) await this.change(() => buffer.remove(0, behind));
      else if (this.ahead > EDGE_SECONDS) await this.pause(signal);
      else throw new PlayFailure("unsupported", "A part of the video is too large for the browser.");
    }
  }

  /** Waits until there is less than enough ahead, and clears what lies far behind. */
  private async room(signal: AbortSignal): Promise<void> {
    const { buffer, video } = this;
    while (!signal.aborted && this.ahead > AHEAD_SECONDS) await this.pause(signal);
    if (!buffer || signal.aborted) return;
    const behind = video.currentTime - BEHIND_SECONDS;
    if (behind > this.begins + BEHIND_STEP_SECONDS) await this.change(() => buffer.remove(0, behind));
  }

  /** One change of the buffer, until it has taken effect. */
  private change(begin: () => void): Promise<void> {
    const { buffer } = this;
    if (!buffer) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const listeners = new AbortController();
      const settle = (then: () => void) => () => {
        listeners.abort();
        then();
      };
      const { signal } = listeners;
      const refused = () => reject(new PlayFailure("unsupported", "The browser does not take this video."));
      buffer.addEventListener("updateend", settle(resolve), { signal });
      buffer.addEventListener("error", settle(refused), { signal });
      // A new source in the `<video>` takes the buffer away.
      this.closing.signal.addEventListener("abort", settle(resolve), { signal });
      try {
        begin();
      } catch (error) {
        settle(() => reject(error))();
      }
    });
  }

  /** Until somebody seeks, some time has been played, or half a second has passed. */
  private pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const listeners = new AbortController();
      const end = () => {
        clearTimeout(timer);
        listeners.abort();
        resolve();
      };
      const timer = setTimeout(end, LOOK_MS);
      signal.addEventListener("abort", end, { signal: listeners.signal });
      this.video.addEventListener("seeking", end, { signal: listeners.signal });
    });
  }

  /** Goes over what is missing between the position and what is there, or fetches it. */
  private mend(): void {
    const { buffer, run, video } = this;
    const at = video.currentTime;
    if (!buffer || !run?.appended || this.closing.signal.aborted || this.stretchAt(at) !== undefined) return;
    for (let i = 0; i < buffer.buffered.length; i++) {
      const begin = buffer.buffered.start(i);
      const isFirstThere = i === 0 && Math.abs(run.from - at) < EDGE_SECONDS;
      if (begin > at && (begin - at < MAX_GAP_SECONDS || isFirstThere)) {
        video.currentTime = begin + EDGE_SECONDS / 10;
        return;
      }
    }
    // Clearing took more than was asked for: browsers clear whole groups of pictures.
    if (this.begins > at && this.begins < Number.POSITIVE_INFINITY) this.begin(at);
  }

  private get begins(): number {
    return this.buffer?.buffered.length ? this.buffer.buffered.start(0) : Number.POSITIVE_INFINITY;
  }

  private get end(): number {
    const ranges = this.buffer?.buffered;
    return ranges?.length ? ranges.end(ranges.length - 1) : 0;
  }

  private get ahead(): number {
    return this.end - this.video.currentTime;
  }

  /** End of the stretch that holds `at`, if one does. */
  private stretchAt(at: number): number | undefined {
    const ranges = this.buffer?.buffered;
    for (let i = 0; ranges && i < ranges.length; i++) {
      if (ranges.start(i) <= at + EDGE_SECONDS && at < ranges.end(i) - EDGE_SECONDS) return ranges.end(i);
    }
    return undefined;
  }
}
