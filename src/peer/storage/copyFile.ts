import {
  copyFile as cloneFile,
  constants,
  type FileHandle,
  link,
  open,
  rename,
  rm,
  stat,
  statfs,
} from "node:fs/promises";
import { dirname } from "node:path";
import { nanoid } from "nanoid";
import { StreamletError } from "../../wire/errors";
import { fileError, systemCode } from "./fileErrors";

/** One read and one write of this size at a time: progress and cancel are prompt, memory is small. */
const CHUNK_BYTES = 1024 * 1024;

export interface CopyOptions {
  /** Replace an existing file. */
  force?: boolean;
  signal?: AbortSignal;
  /** Bytes copied so far and in all. */
  onProgress?(done: number, total: number): void;
}

/**
 * Copies a file; `destination` appears (or, with `force`, is replaced) only when the copy is whole, and a half copy is removed.
 * Errors: file-missing, file-unreadable, file-exists, file-changed, disk-full (before anything is written where that can be told), write-failed, cancelled.
 */
export async function copyFile(source: string, destination: string, options: CopyOptions = {}): Promise<void> {
  const { force = false, signal, onProgress } = options;
  throwIfCancelled(signal);
  const from = await open(source, "r").catch((error) => {
    throw fileError(error, "read", source);
  });
  const half = `${destination}.${nanoid(8)}.tmp`;
  try {
    const before = await from.stat();
    if (!before.isFile())
      throw new StreamletError("file-unreadable", `${source} is not a file.`, { data: { path: source } });
    const existing = await stat(destination).catch(() => undefined);
    if (existing?.isDirectory()) throw fileError(Object.assign(new Error(), { code: "EISDIR" }), "write", destination);
    const itself = existing && existing.ino === before.ino && existing.dev === before.dev;
    if (itself || (existing && !force)) throw exists(destination);
    await throwIfNoSpace(destination, before.size);
    if (!(await clone(source, half))) await copyBytes(from, { source, destination, half, size: before.size }, options);
    const after = await from.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw changed(source);
    throwIfCancelled(signal);
    await putInPlace(half, destination, force);
    onProgress?.(before.size, before.size);
  } catch (error) {
    await rm(half, { force: true }).catch(() => undefined); // the error that led here says more
    throw error;
  } finally {
    await from.close();
  }
}

/** Where the file system can share the data (APFS, Btrfs, XFS, ReFS) a copy costs nothing. */
async function clone(source: string, half: string): Promise<boolean> {
  try {
    await cloneFile(source, half, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    await rm(half, { force: true }).catch(() => undefined); // copyBytes meets, and reports, whatever is really wrong
    return false;
  }
}

async function copyBytes(
  from: FileHandle,
  { source, destination, half, size }: { source: string; destination: string; half: string; size: number },
  options: CopyOptions,
) {
  const to = await open(half, "wx").catch((error) => {
    throw fileError(error, "write", destination);
  });
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, size)));
    for (let done = 0; done < size; ) {
      throwIfCancelled(options.signal);
      const { bytesRead } = await from.read(buffer, 0, buffer.length, done).catch((error) => {
        throw fileError(error, "read", source);
      });
      if (bytesRead === 0) throw changed(source);
      await writeFully(to, buffer.subarray(0, bytesRead), done).catch((error) => {
        throw fileError(error, "write", destination);
      });
      done += bytesRead;
      if (done < size) options.onProgress?.(done, size);
    }
  } finally {
    await to.close();
  }
}

/** A disk that fills up writes less than asked, and says so only at the next try. */
async function writeFully(to: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await to.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

async function putInPlace(half: string, destination: string, force: boolean): Promise<void> {
  try {
    if (!force) {
      try {
        await link(half, destination); // unlike a rename it never replaces what has appeared meanwhile
        await rm(half, { force: true });
        return;
      } catch (error) {
        // A file system without hard links (FAT): the look before the start has to do.
        if (systemCode(error) === "EEXIST") throw error;
      }
    }
    await rename(half, destination);
  } catch (error) {
    throw fileError(error, "write", destination);
  }
}

async function throwIfNoSpace(destination: string, size: number): Promise<void> {
  const folder = dirname(destination);
  const disk = await statfs(folder).catch((error) => {
    throw fileError(error, "write", destination);
  });
  const free = disk.bavail * disk.bsize;
  if (free >= size) return;
  const missing = Math.ceil((size - free) / 1e6);
  const message = `The disk of ${folder} lacks ${missing} MB for this copy. Free some space, or choose another folder.`;
  throw new StreamletError("disk-full", message, { data: { path: destination, needed: size, free } });
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new StreamletError("cancelled", "The copy was cancelled.");
}

function exists(path: string): StreamletError {
  return new StreamletError("file-exists", `${path} exists already. Choose another name.`, { data: { path } });
}

function changed(path: string): StreamletError {
  const message = `${path} changed while it was copied. Wait until it is no longer written to, then try again.`;
  return new StreamletError("file-changed", message, { data: { path } });
}
