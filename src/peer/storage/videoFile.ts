import { type FileHandle, open, stat } from "node:fs/promises";
import { extname } from "node:path";
import { StreamletError } from "../../wire/errors";
import { fileError } from "./fileErrors";

export type Container = "mp4" | "mov" | "matroska" | "webm" | "avi" | "flv";

export interface VideoFile {
  /** Bytes. */
  size: number;
  /** By content; the extension only has to be one of those known. */
  container: Container;
  mtimeMs: number;
}

export const VIDEO_EXTENSIONS = [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv"] as const;

/** Everything that tells a container lies in the first few dozen bytes; an EBML header may carry padding before its DocType. */
const HEAD_BYTES = 4096;
/** Boxes that a QuickTime file from before `ftyp` may begin with (QuickTime File Format, "Overview of atoms"). */
const QUICKTIME_ATOMS = new Set(["moov", "mdat", "free", "skip", "wide", "pnot"]);

/**
 * Checks that a file counts as a video: by extension and container signature; whether its content decodes is not asked.
 * Errors: file-missing, file-unreadable (a folder, no permission), unsupported-format, empty-file, not-a-video.
 */
export async function checkVideoFile(path: string): Promise<VideoFile> {
  const refuse = (code: "file-unreadable" | "unsupported-format" | "empty-file" | "not-a-video", says: string) =>
    new StreamletError(code, `${path} ${says}`, { data: { path } });
  let head: Uint8Array;
  let size: number;
  let mtimeMs: number;
  try {
    const found = await stat(path); // before opening: a named pipe would block there
    if (!found.isFile()) {
      throw refuse("file-unreadable", `is ${found.isDirectory() ? "a folder" : "not a file"}. Choose a video file.`);
    }
    const extension = extname(path).toLowerCase();
    if (!(VIDEO_EXTENSIONS as readonly string[]).includes(extension)) {
      const which = extension ? `${extension} files are` : "Files without an extension are";
      const known = VIDEO_EXTENSIONS.join(" ");
      throw refuse("unsupported-format", `cannot be shared: ${which} not supported. Supported are ${known}.`);
    }
    if (found.size === 0) throw refuse("empty-file", "is empty (0 bytes). Choose another file.");
    ({ size, mtimeMs } = found);
    const file = await open(path, "r");
    try {
      head = await readHead(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, "read", path);
  }
  const container = containerOf(head);
  if (!container)
    throw refuse("not-a-video", "is not a video: its content is of another kind, whatever its name says.");
  return { size, container, mtimeMs };
}

async function readHead(file: FileHandle): Promise<Uint8Array> {
  const buffer = new Uint8Array(HEAD_BYTES);
  const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}

/** Container of a file by its first bytes (4 KiB are enough), or undefined. */
export function containerOf(head: Uint8Array): Container | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length < 12) return undefined;
  const tag = (at: number) => bytes.toString("latin1", at, at + 4);
  if (tag(4) === "ftyp") return tag(8) === "qt  " ? "mov" : "mp4"; // ISO/IEC 14496-12, 4.3
  if (QUICKTIME_ATOMS.has(tag(4)) && isAtomSize(bytes.readUInt32BE(0))) return "mov";
  if (tag(0) === "RIFF" && tag(8) === "AVI ") return "avi";
  if (tag(0) === "FLV\x01") return "flv";
  if (bytes.readUInt32BE(0) === 0x1a45dfa3) return docTypeOf(bytes);
  return undefined;
}

/** 0: to the end of the file; 1: a 64-bit size follows; else the size with its own 8 bytes. */
function isAtomSize(size: number): boolean {
  return size === 0 || size === 1 || size >= 8;
}

/** DocType of an EBML header (RFC 8794, 11.2). */
function docTypeOf(bytes: Buffer): "matroska" | "webm" | undefined {
  const header = readVint(bytes, 4);
  if (!header) return undefined;
  const end = Math.min(bytes.length, header.next + header.value);
  for (let at = header.next; at + 2 <= end; ) {
    const docType = bytes.readUInt16BE(at) === 0x4282;
    const idBytes = Math.clz32(bytes[at] as number) - 23; // an id keeps its length marker
    const size = readVint(bytes, at + idBytes);
    if (!size) return undefined;
    if (docType) {
      const name = bytes.toString("latin1", size.next, Math.min(end, size.next + size.value)).replace(/\0+$/, "");
      return name === "matroska" || name === "webm" ? name : undefined;
    }
    at = size.next + size.value;
  }
  return undefined;
}

/** A variable-size integer (RFC 8794, 4). */
function readVint(bytes: Buffer, at: number): { value: number; next: number } | undefined {
  const first = bytes[at];
  if (!first || at + 8 > bytes.length) return undefined;
  const length = Math.clz32(first) - 23;
  let value = first & (0xff >> length);
  for (let i = 1; i < length; i++) value = value * 256 + (bytes[at + i] as number);
  return { value, next: at + length };
}
