import { execFile, spawnSync } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Tests run as flat bundles in out/test (or elsewhere), started from the project's root. */
const FIXTURES = join(process.cwd(), "test", "fixtures");

/** 4 s, H.264 + AAC, 320x180, moov in front; made by `makeClip`. */
export const CLIP_MP4 = join(FIXTURES, "clip.mp4");
/** 3 s, VP9 + Opus, 160x90. */
export const CLIP_WEBM = join(FIXTURES, "clip.webm");

export interface ClipOptions {
  /** Default 4. */
  seconds?: number;
  width?: number;
  height?: number;
  /** A tone beside the picture; default true. */
  audio?: boolean;
  /** Seconds between key frames; default 1. */
  keyEvery?: number;
}

function answers(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8" });
  return result.status === 0 ? result.stdout : "";
}

export function hasFfmpeg(): boolean {
  return answers("ffmpeg", "-version") !== "";
}

/** Codec arguments for the container that the name of the file asks for. */
function codecs(path: string): string[] {
  if (extname(path) === ".webm") {
    return [
      "-c:v",
      "libvpx-vp9",
      "-b:v",
      "60k",
      "-deadline",
      "realtime",
      "-cpu-used",
      "8",
      "-c:a",
      "libopus",
      "-b:a",
      "24k",
    ];
  }
  const h264 = answers("ffmpeg", "-hide_banner", "-encoders").includes("libx264");
  const video = h264 ? ["-c:v", "libx264", "-preset", "veryfast", "-crf", "30"] : ["-c:v", "mpeg4", "-q:v", "12"];
  const mp4 = [".mp4", ".m4v", ".mov"].includes(extname(path)) ? ["-movflags", "+faststart"] : [];
  return [...video, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "48k", ...mp4];
}

/**
 * Makes a small real video (moving test pattern and a tone) at `path`; container and codecs follow the extension.
 * Without ffmpeg the committed clip of that container (.mp4 family or .webm) is copied there instead. Returns `path`.
 */
export async function makeClip(path: string, options: ClipOptions = {}): Promise<string> {
  const { seconds = 4, width = 320, height = 180, audio = true, keyEvery = 1 } = options;
  if (!hasFfmpeg()) {
    await copyFile(extname(path) === ".webm" ? CLIP_WEBM : CLIP_MP4, path);
    return path;
  }
  const rate = 25;
  const sources = ["-f", "lavfi", "-i", `testsrc2=size=${width}x${height}:rate=${rate}:duration=${seconds}`];
  if (audio) sources.push("-f", "lavfi", "-i", `sine=frequency=440:sample_rate=48000:duration=${seconds}`);
  const head = ["-hide_banner", "-loglevel", "error", "-y"];
  await run("ffmpeg", [...head, ...sources, "-g", String(rate * keyEvery), "-shortest", ...codecs(path), path]);
  return path;
}
