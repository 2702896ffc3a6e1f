/**
 * Videos of one's own: what an upload or an edit must be like, and the entry that comes of it. What then happens to the file is
 * decided by uploads.ts, who may have it by sharing.
 */
import { basename, resolve } from "node:path";
import type { EditedInfo, UploadRequest } from "../rpc/peerService";
import { MAX_DESCRIPTION_CHARS, MAX_TITLE_CHARS } from "../wire/constants";
import { StreamletError } from "../wire/errors";
import { charCount, cleanText } from "../wire/text";
import { thumbnailOf } from "./media/thumbnails";
import type { RunningPeer } from "./runningPeer";
import { safeFileName } from "./storage/fileNames";
import type { LibraryEntry } from "./storage/libraryEntry";
import { checkVideoFile } from "./storage/videoFile";

type Owner = Pick<
  RunningPeer,
  | "uploads"
  | "library"
  | "peerId"
  | "identity"
  | "assertRunning"
  | "runtime"
  | "sharing"
  | "runtimes"
  | "changed"
  | "flush"
>;

/** See PeerService.upload. A file that is in the library as it is gets what the request says. */
export async function uploadVideo(peer: Owner, request: UploadRequest): Promise<{ key: string }> {
  const path = resolve(request.path);
  const file = await checkVideoFile(path);
  const { optimise } = request;
  if (optimise && !(await peer.uploads.ffmpeg.tools()).ffmpeg) {
    throw new StreamletError("ffmpeg-missing", "A smaller copy needs ffmpeg: install it, or share the video as it is.");
  }
  const isSame = (e: LibraryEntry) => e.path === path && e.size === file.size && e.mtimeMs === file.mtimeMs;
  const known = optimise ? undefined : peer.library.entries().find((e) => isSame(e) && e.state === "ready");
  const title = request.title?.trim() || basename(path).replace(/\.[^.]+$/, "");
  checkDescription(request.description ?? "");
  peer.assertRunning(); // it may have been stopped while the file was looked at
  const picture = thumbnailOf(request.thumbnail)?.data;
  if (known) {
    const description = request.description ?? known.description;
    const thumbnail = picture ?? known.thumbnail;
    const info = { title: request.title ? title : known.title, description, thumbnail };
    if (peer.library.update(known.key, info) !== known) peer.sharing.invalidateRecord(known.key);
    peer.sharing.set(peer.runtime(known.key), request.share || known.shared, request.audience);
    await peer.flush();
    return { key: known.key };
  }
  const entry = peer.library.add({
    origin: "uploaded",
    title: cleanText(title).slice(0, MAX_TITLE_CHARS) || safeFileName(basename(path)),
    description: request.description ?? "",
    fileName: safeFileName(basename(path)),
    path,
    size: file.size,
    container: file.container,
    audience: request.audience,
    shared: request.share,
    ...(picture ? { thumbnail: picture } : {}),
    state: optimise ? "optimising" : "hashing",
    ...(optimise ? { optimise } : {}),
    owner: peer.peerId,
    ownerFingerprint: peer.identity.fingerprint,
  });
  peer.uploads.begin(peer.runtimes.adopt(entry.key));
  peer.changed();
  return { key: entry.key };
}

/** See PeerService.editInfo. */
export function editVideo(peer: Owner, key: string, info: EditedInfo): void {
  const title = info.title.trim();
  if (!cleanText(title)) {
    throw new StreamletError("invalid-argument", "A video needs a name: type at least one character.");
  }
  if (charCount(title) > MAX_TITLE_CHARS) {
    throw new StreamletError("invalid-argument", `A video's name has at most ${MAX_TITLE_CHARS} characters.`);
  }
  checkDescription(info.description);
  const picture = thumbnailOf(info.thumbnail)?.data;
  if (info.thumbnail !== undefined && !picture) {
    throw new StreamletError(
      "invalid-argument",
      "The picture is no JPEG or WebP of at most 16 KiB and 640 x 640 pixels.",
    );
  }
  const { entry } = peer.runtime(key);
  const { was } = info;
  if (was && (was.title !== entry.title || was.description !== entry.description)) {
    throw new StreamletError(
      "edit-conflict",
      "Somebody else has changed the video meanwhile: look at it, then save again.",
    );
  }
  peer.library.update(key, { title, description: info.description, ...(picture ? { thumbnail: picture } : {}) });
  peer.sharing.invalidateRecord(key);
  peer.changed();
}

function checkDescription(description: string): void {
  if (charCount(description) <= MAX_DESCRIPTION_CHARS) return;
  throw new StreamletError("invalid-argument", `A description has at most ${MAX_DESCRIPTION_CHARS} characters.`);
}
