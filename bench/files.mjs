// Files that the rows move about, and the memory that they are written into.
import { createHash, randomFillSync } from "node:crypto";
import { closeSync, createReadStream, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
const HEAD_BYTES = 48;

/** What makes a file count as a video: `ftyp`, then an `mdat` that is the rest of it. */
function head(size) {
  const bytes = Buffer.alloc(HEAD_BYTES);
  bytes.writeUInt32BE(32, 0);
  bytes.write("ftypisom\0\0\x02\0isomiso2avc1mp41", 4, "latin1");
  bytes.writeUInt32BE(1, 32);
  bytes.write("mdat", 36, "latin1");
  bytes.writeBigUInt64BE(BigInt(size - 32), 40);
  return bytes;
}

/** Random bytes behind the head of an MP4. Returns `path`. */
export function makeVideo(path, size) {
  const file = openSync(path, "w");
  const chunk = Buffer.alloc(MIB);
  for (let written = 0; written < size; written += chunk.length) {
    randomFillSync(chunk);
    if (written === 0) head(size).copy(chunk);
    writeSync(file, chunk, 0, Math.min(chunk.length, size - written));
  }
  closeSync(file);
  return path;
}

/** The head of an MP4 and then nothing but a hole: it takes no disk, and whoever reads it finds zeros. Returns `path`. */
export function makeSparseVideo(path, size) {
  const file = openSync(path, "w");
  writeSync(file, head(size));
  ftruncateSync(file, size);
  closeSync(file);
  return path;
}

/** How much is touched, in sizes of the video: its copy, and what both programs take besides. */
const WARMED_SIZES = 2;
/** Memory is warm when writing to it takes no longer than so many times the fastest so far. */
const WARM_PACE = 1.3;
const MAX_PASSES = 3;
let fastestMs = Number.POSITIVE_INFINITY;

/**
 * A virtual machine's freed memory may have gone back to its host: the first to touch it again pays for that, several times
 * what writing takes. Which memory the next process gets is the kernel's choice, so one pass is not enough: a file is written and
 * deleted until that is as fast as it ever was.
 */
export function warmMemory(dir, size) {
  const path = join(dir, "warm");
  const chunk = Buffer.alloc(MIB, 1);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const file = openSync(path, "w");
    const begun = performance.now();
    for (let written = 0; written < WARMED_SIZES * size; written += chunk.length) writeSync(file, chunk);
    const took = ((performance.now() - begun) / (WARMED_SIZES * size)) * GIB;
    closeSync(file);
    rmSync(path);
    const isWarm = took < WARM_PACE * fastestMs;
    fastestMs = Math.min(fastestMs, took);
    if (isWarm && pass > 0) return;
  }
}

export async function sha256(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk);
  return hash.digest("hex");
}
