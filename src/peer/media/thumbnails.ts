/** Pictures of videos. Whoever made one, it is shown, kept and signed only after its header was checked. */
import { MAX_THUMBNAIL_BYTES } from "../../wire/constants";
import { readThumbnail } from "../../wire/thumbnail";
import type { Thumbnail } from "../status";
import type { Ffmpeg } from "./ffmpeg";
import type { MediaInfo } from "./mediaInfo";

/** The picture as it may be shown; null for one that may not. */
export function toThumbnail(picture: Uint8Array | undefined): Thumbnail | null {
  const header = picture && readThumbnail(picture);
  return header ? { type: header.type, data: Buffer.from(picture).toString("base64") } : null;
}

/** The same of a picture that comes as base64: from the library or from a form. */
export function thumbnailOf(base64: string | undefined): Thumbnail | null {
  return toThumbnail(base64 === undefined ? undefined : Buffer.from(base64, "base64"));
}

/** The box that a picture fits into; a smaller video is not enlarged. */
const MAX_WIDTH = 320;
const MAX_HEIGHT = 180;
/** Quality of ffmpeg's JPEG encoder, best first (2 to 31): mostly the first gives 8 to 14 kB. */
const QUALITIES = [5, 9, 16, 31];
/** How far in the frame is taken: the beginning is often black. */
const POSITION = 0.1;
/** A sound file takes half a second. */
const TIMEOUT_MS = 10_000;

/** How ffmpeg is to read a file: as what its first bytes say, from nowhere else than the disk. */
export function inputArguments(path: string, container: MediaInfo["container"]): string[] {
  const format = container ? ["-f", container === "webm" ? "matroska" : container] : [];
  return ["-protocol_whitelist", "file", ...format, "-i", `file:${path}`];
}

/** A JPEG of a frame of the person's own file, made by ffmpeg; null where that does not work. Never rejects. */
export async function makeThumbnail(
  ffmpeg: Ffmpeg,
  path: string,
  info: MediaInfo,
  signal?: AbortSignal,
): Promise<Thumbnail | null> {
  const seek = ["-ss", ((info.duration ?? 0) * POSITION).toFixed(3)];
  const fit = [
    "scale=trunc(iw*sar):ih",
    `scale=min(${MAX_WIDTH}\\,iw):min(${MAX_HEIGHT}\\,ih):force_original_aspect_ratio=decrease`,
    "setsar=1",
    "format=yuvj420p",
  ].join(",");
  for (const quality of QUALITIES) {
    const args = [
      ...["-loglevel", "error", ...seek, ...inputArguments(path, info.container)],
      ...["-map", "0:v:0", "-frames:v", "1", "-vf", fit, "-map_metadata", "-1"],
      ...["-c:v", "mjpeg", "-q:v", String(quality), "-f", "image2pipe", "pipe:1"],
    ];
    try {
      const { output } = await ffmpeg.run(args, { timeoutMs: TIMEOUT_MS, ...(signal ? { signal } : {}) });
      if (output.length <= MAX_THUMBNAIL_BYTES) return toThumbnail(output);
    } catch {
      return null;
    }
  }
  return null;
}
