import { createCipheriv, createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

const CHUNK_BYTES = 1024 * 1024;
const AES_BLOCK_BYTES = 16;

/** ISO BMFF `ftyp` box (32 bytes) and the 16-byte header of an `mdat` box that holds the rest (ISO/IEC 14496-12, 4.3 and 8.1.1). */
function mp4Head(size: number): Buffer {
  const head = Buffer.alloc(48);
  head.writeUInt32BE(32, 0);
  head.write("ftypisom", 4, "latin1");
  head.writeUInt32BE(0x200, 12);
  head.write("isomiso2avc1mp41", 16, "latin1");
  head.writeUInt32BE(1, 32);
  head.write("mdat", 36, "latin1");
  head.writeBigUInt64BE(BigInt(Math.max(16, size - 32)), 40);
  return head;
}

function keystream(seed: number) {
  const key = createHash("sha256").update(`streamlet test file ${seed}`).digest().subarray(0, AES_BLOCK_BYTES);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(AES_BLOCK_BYTES));
}

/** `size` bytes that depend on `seed` only; they begin like an MP4, so that a file of them counts as a video. */
export function seededBytes(size: number, seed = 1): Buffer {
  const bytes = keystream(seed).update(Buffer.alloc(size));
  mp4Head(size).copy(bytes, 0, 0, Math.min(48, size));
  return bytes;
}

/** Writes the bytes of `seededBytes(size, seed)` to `path`, whatever the size, in pieces of 1 MiB. Returns `path`. */
export async function randomFile(path: string, size: number, seed = 1): Promise<string> {
  const cipher = keystream(seed);
  const zeros = Buffer.alloc(Math.min(size, CHUNK_BYTES));
  const file = await open(path, "w");
  try {
    for (let offset = 0; offset < size; offset += CHUNK_BYTES) {
      const chunk = cipher.update(zeros.subarray(0, Math.min(CHUNK_BYTES, size - offset)));
      if (offset === 0) mp4Head(size).copy(chunk, 0, 0, Math.min(48, size));
      await file.write(chunk, 0, chunk.length, offset);
    }
  } finally {
    await file.close();
  }
  return path;
}

/** SHA-256 of a file's content, 64 hex digits. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
