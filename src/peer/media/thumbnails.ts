/** Pictures of videos. Whoever made one, it is shown, kept and signed only after its header was checked. */
import { readThumbnail } from "../../wire/thumbnail";
import type { Thumbnail } from "../status";

/** The picture as it may be shown; null for one that may not. */
export function toThumbnail(picture: Uint8Array | undefined): Thumbnail | null {
  const header = picture && readThumbnail(picture);
  return header ? { type: header.type, data: Buffer.from(picture).toString("base64") } : null;
}

/** The same of a picture that comes as base64: from the library or from a form. */
export function thumbnailOf(base64: string | undefined): Thumbnail | null {
  return toThumbnail(base64 === undefined ? undefined : Buffer.from(base64, "base64"));
}
