/** Smaller copies of videos that are shared in their place: H.264 and AAC, which play everywhere, with the index in front. */
import { StreamletError } from "../../wire/errors";
import { OPTIMISED_AUDIO_BITS, type OptimisedHeight, optimisedVideoBits } from "../smallerCopy";
import type { Ffmpeg } from "./ffmpeg";
import type { MediaInfo } from "./mediaInfo";
import { inputArguments } from "./thumbnails";

/** It tells of its progress twice a second; while it moves the index of a large file to the front it is silent. */
const STALL_MS = 5 * 60_000;
/** Quality of x264, of which the size of simple pictures (screens) follows; the limit of the rate bounds that of others. */
const QUALITY = "23";
/** Where the duration is not known, the rate cannot follow the original's. */
const UNKNOWN_DURATION_RATE = { size: Number.MAX_SAFE_INTEGER, duration: 1 };

export interface OptimiseJob {
  /** Absolute; it is only read. */
  source: string;
  /** Absolute; it is overwritten. The caller removes it where this fails. */
  target: string;
  height: OptimisedHeight;
  /** Of the source, bytes. */
  size: number;
  info: MediaInfo;
}

export interface OptimiseOptions {
  signal?: AbortSignal;
  /** 0 to 1; never called where the duration is not known. */
  onProgress?(part: number): void;
  stallMs?: number;
}

/** Errors: ffmpeg-missing, ffmpeg-failed, disk-full, cancelled. */
export async function optimiseVideo(ffmpeg: Ffmpeg, job: OptimiseJob, options: OptimiseOptions = {}): Promise<void> {
  const { duration } = job.info;
  const { signal, onProgress, stallMs = STALL_MS } = options;
  const report = progressReader((seconds) => {
    if (duration) onProgress?.(Math.min(1, seconds / duration));
  });
  try {
    await ffmpeg.run(argumentsFor(job), { stallMs, onOutput: report, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (error instanceof StreamletError && /no space left on device|disk full/i.test(error.message)) {
      throw new StreamletError("disk-full", "The disk is full: free some space, then resume.", { cause: error });
    }
    throw error;
  }
}

function argumentsFor({ source, target, height, size, info }: OptimiseJob): string[] {
  const rate = optimisedVideoBits(height, info.duration ? { size, duration: info.duration } : UNKNOWN_DURATION_RATE);
  // Square pixels first; then even numbers, which the format of the pixels needs.
  const scale = [
    "scale=trunc(iw*sar/2)*2:ih",
    `scale=-2:trunc(min(${height}\\,ih)/2)*2`,
    "setsar=1",
    "format=yuv420p",
  ].join(",");
  return [
    ...["-loglevel", "error", "-nostats", "-progress", "pipe:1", ...inputArguments(source, info.container)],
    // Neither where it was recorded nor with what: only picture and sound go on.
    ...["-map", "0:v:0", "-map", "0:a:0?", "-map_metadata", "-1", "-map_chapters", "-1"],
    ...["-vf", scale, "-c:v", "libx264", "-preset", "veryfast", "-crf", QUALITY],
    ...["-maxrate", String(rate), "-bufsize", String(rate * 2)],
    ...["-c:a", "aac", "-b:a", String(OPTIMISED_AUDIO_BITS), "-ac", "2"],
    ...["-movflags", "+faststart", "-f", "mp4", "-y", `file:${target}`],
  ];
}

/** Reads `out_time_us=1234567` lines, in whatever portions they come. */
function progressReader(onSeconds: (seconds: number) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, 200);
    for (const line of lines) {
      const time = /^out_time_us=(\d+)/.exec(line);
      if (time) onSeconds(Number(time[1]) / 1e6);
    }
  };
}
