/** Takes a `<video>` up the ladder (playLadder.ts): tries a rung, sees what comes of it, goes on to the next one. */
import type { Conversion } from "../rpc/playerPanel";
import { playSegments } from "./bufferedPlayer";
import { hasSound, type Sound, soundOf } from "./codecs";
import { openConverted } from "./converted";
import { nextStep, type Rung, SilenceWatch, type Step } from "./playLadder";
import { lookInto, openRemuxed } from "./remuxed";
import { asPlayFailure, PlayFailure, type SegmentSource } from "./segments";
import type { SoundSupport } from "./soundSupport";

/** Chromium tells how much sound it has decoded; a standard for it does not exist. */
export type WithByteCount = HTMLVideoElement & { webkitAudioDecodedByteCount?: number };

export interface LadderOptions {
  /** In the order in which they are tried: where VS Code runs in a browser of the same computer, the first may lead nowhere. */
  urls: string[];
  /** The element loads the first of them already. */
  isLoading: boolean;
  /** Resolves once requests of the page's own may read them; a `<video>` need not wait for that. */
  mayFetch: Promise<void>;
  /** Of the file's name, in small letters. */
  extension: string;
  /** As the record says; undefined where it does not. */
  codecs: string | undefined;
  /** Seconds. */
  position: number;
  speed: number;
  onStep(step: Step, state: { sound: Sound | undefined; conversion: Conversion | undefined }): void;
  /** The bytes do not come any more; `load` tries again. */
  onInterrupted(): void;
}

/** Whether what is being played should be heard. */
type Expected = "sound" | "silence" | "unknown";

export class LadderPlayer {
  private readonly failed = new Set<Rung>();
  private conversion: Conversion | undefined;
  private position: number;
  private silent = false;
  private sound: Sound | undefined;
  private rung: Rung | undefined;
  private expected: Expected = "unknown";
  private begun = false;
  private interrupted = false;
  private closed = false;
  private isLoading: boolean;
  /** Of `urls`. */
  private tried = 0;
  /** Ends what belongs to the current rung. */
  private attempt = new AbortController();

  constructor(
    private readonly video: WithByteCount,
    private readonly support: SoundSupport,
    private readonly options: LadderOptions,
  ) {
    this.position = options.position;
    this.isLoading = options.isLoading;
    this.sound = soundOf(options.codecs ?? "");
  }

  get isInterrupted(): boolean {
    return this.interrupted;
  }

  /** Begins, or begins again where it was. */
  async load(): Promise<void> {
    this.attempt.abort();
    this.rung = undefined;
    this.interrupted = false;
    this.begun = true;
    this.advance();
    // To find out takes a while, in which the first frame may come.
    if (!this.sound || (await this.support.has(this.sound)) !== false || this.closed) return;
    this.silent = true;
    this.advance();
  }

  /** The person has decided, or something came of it. */
  setConversion(conversion: Conversion): void {
    this.conversion = conversion;
    if (this.begun) this.advance();
  }

  close(): void {
    this.closed = true;
    this.attempt.abort();
  }

  private get step(): Step {
    const { failed, silent, conversion } = this;
    return nextStep({ extension: this.options.extension, failed, silent, conversion });
  }

  private advance(): void {
    const { step } = this;
    this.options.onStep(step, { sound: this.sound, conversion: this.conversion });
    if (step.rung && step.rung !== this.rung) void this.play(step.rung);
  }

  private async play(rung: Rung): Promise<void> {
    this.rung = rung;
    this.attempt.abort();
    this.attempt = new AbortController();
    const { signal } = this.attempt;
    try {
      if (rung === "native") return this.playNative(signal);
      const url = await this.reach(signal);
      const source = rung === "remuxed" ? await this.remuxed(url, signal) : await this.converted(url, signal);
      if (signal.aborted || !source) return;
      this.listen(signal);
      const end = playSegments(this.video, source, this.position, (failure) => this.fail(failure));
      signal.addEventListener("abort", end, { once: true });
      this.start();
    } catch (error) {
      if (!signal.aborted) this.fail(asPlayFailure(error));
    }
  }

  private playNative(signal: AbortSignal): void {
    const { video, options } = this;
    this.expected = options.codecs === undefined ? "unknown" : hasSound(options.codecs) ? "sound" : "silence";
    const onMetadata = this.listen(signal);
    if (this.isLoading) {
      this.isLoading = false;
      // What has come of that already is not said again.
      if (video.error) return void this.onError(signal);
      if (video.readyState > 0) onMetadata();
    } else {
      video.src = options.urls[this.tried] ?? "";
      video.load();
    }
    this.start();
  }

  /** Undefined: what was found leads to another rung. */
  private async remuxed(url: string, signal: AbortSignal): Promise<SegmentSource | undefined> {
    const decodes = async (codec: string) => {
      const sound = soundOf(codec);
      return sound !== undefined && (await this.support.has(sound)) !== false;
    };
    const source = await openRemuxed(url, decodes, signal);
    if (signal.aborted) return undefined;
    const { sound } = source.tracks;
    this.sound = sound ? soundOf(sound.codec) : undefined;
    this.expected = sound && !source.silent ? "sound" : "silence";
    this.silent = source.silent;
    this.advance();
    return this.rung === "remuxed" ? source : undefined;
  }

  private async converted(url: string, signal: AbortSignal): Promise<SegmentSource> {
    const source = await openConverted(url, this.position, signal);
    this.expected = soundOf(/codecs="([^"]*)"/.exec(source.type)?.[1] ?? "") ? "sound" : "silence";
    return source;
  }

  private start(): void {
    void this.video.play().catch(() => undefined); // where playing needs a click, the controls are there for it
  }

  /** Returns what is done when the size is known. */
  private listen(signal: AbortSignal): () => void {
    const { video } = this;
    const watch = new SilenceWatch();
    const on = (name: string, listener: () => void) => video.addEventListener(name, listener, { signal });
    const onMetadata = () => {
      if (this.rung === "native" && this.position > 0 && this.position < video.duration)
        video.currentTime = this.position;
      video.playbackRate = this.options.speed;
      // Only sound, or nothing that this browser knows: a black rectangle is not an answer.
      if (video.videoWidth === 0) this.fail(new PlayFailure("unsupported", "There is no picture."));
    };
    on("loadedmetadata", onMetadata);
    on("ratechange", () => {
      if (video.readyState > 0) this.options.speed = video.playbackRate;
    });
    on("timeupdate", () => {
      if (video.readyState > 0 && !video.ended) this.position = video.currentTime;
      const plays = !video.paused && !video.seeking && !video.muted;
      const bytes = video.webkitAudioDecodedByteCount;
      if (watch.look(plays ? video.currentTime : undefined, bytes)) void this.onSilence(signal);
      else if (this.silent && this.rung !== "converted" && bytes !== undefined && bytes > 0) {
        // Decoded after all.
        this.silent = false;
        this.advance();
      }
    });
    on("ended", () => {
      this.position = 0; // another rung does not begin at the end
    });
    on("error", () => void this.onError(signal));
    return onMetadata;
  }

  private async onSilence(signal: AbortSignal): Promise<void> {
    if (this.silent && this.rung !== "converted") return;
    if (this.expected === "unknown") {
      this.expected = "silence"; // until it is known better
      const tracks = await this.reach(signal)
        .then((url) => lookInto(url, signal))
        .catch(() => undefined);
      if (signal.aborted || !tracks?.sound) return;
      this.sound = soundOf(tracks.sound.codec);
      this.expected = "sound";
    }
    if (this.expected !== "sound") return;
    this.expected = "silence";
    if (this.rung === "converted") this.conversion = "failed";
    this.silent = true;
    this.advance();
  }

  private async onError(signal: AbortSignal): Promise<void> {
    const { video, options } = this;
    const { code } = video.error ?? {};
    const shown = video.getVideoPlaybackQuality().totalVideoFrames > 0;
    const refused =
      (code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && video.readyState === 0) ||
      (code === MediaError.MEDIA_ERR_DECODE && !shown);
    if (!refused) return this.fail(new PlayFailure("interrupted", video.error?.message ?? ""));
    const before = options.urls[this.tried];
    try {
      const url = await this.reach(signal);
      if (signal.aborted) return;
      if (this.rung === "native" && url !== before) return void this.play("native");
      this.fail(new PlayFailure("unsupported", video.error?.message ?? ""));
    } catch (error) {
      if (!signal.aborted) this.fail(asPlayFailure(error));
    }
  }

  private fail({ reason }: PlayFailure): void {
    const { rung } = this;
    if (!rung || this.interrupted) return;
    if (reason === "interrupted") {
      this.interrupted = true;
      this.attempt.abort();
      return this.options.onInterrupted();
    }
    if (reason === "no-ffmpeg") this.conversion = "missing";
    else if (rung === "converted") this.conversion = "failed";
    else this.failed.add(rung);
    this.advance();
  }

  /** The address at which the gateway answers. Errors: PlayFailure (interrupted). */
  private async reach(signal: AbortSignal): Promise<string> {
    const { urls, mayFetch } = this.options;
    await mayFetch;
    for (let i = 0; i < urls.length; i++) {
      const at = (this.tried + i) % urls.length;
      const url = urls[at];
      if (url === undefined) continue;
      const answer = await fetch(url, { method: "HEAD", signal }).catch(() => undefined);
      if (!answer?.ok) continue;
      this.tried = at;
      return url;
    }
    throw new PlayFailure("interrupted", "The peer does not answer.");
  }
}
