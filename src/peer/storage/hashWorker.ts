/** Hash worker: reads ranges of whole pieces and computes leaves, piece roots (BEP 52) and v1 piece hashes (BEP 3) of the same bytes. */
import { createHash } from "node:crypto";
import { readSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { BLOCK_BYTES, HASH_BYTES, V1_HASH_BYTES } from "../../wire/constants";
import { pieceLeafWidth, sha256Into } from "../../wire/merkle";
import { systemCode } from "./fileErrors";
import type { HashJob, HashReply, HashWorkerData } from "./hashProtocol";

/** Large enough that the system call costs nothing, small enough that both hashes find the bytes in the cache. */
const READ_BYTES = 1024 * 1024;

if (!parentPort) throw new Error("hashWorker runs in a worker thread");
const port = parentPort;
const { fd, treeFd, size, pieceLength } = workerData as HashWorkerData;
const blocksPerPiece = pieceLength / BLOCK_BYTES;
const leafWidth = pieceLeafWidth(size, pieceLength);
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
/** Views are made once: two for each of the 65536 blocks of a GiB would cost a tenth of the time. */
const blocks = viewsOf(buffer, BLOCK_BYTES);
/** Where the leaves of a piece are folded to its root, layer by layer in place. */
const nodes = Buffer.alloc(Math.max(2, leafWidth) * HASH_BYTES);
const pairs = viewsOf(nodes, 2 * HASH_BYTES);

function viewsOf(memory: Buffer, bytes: number): Buffer[] {
  return Array.from({ length: memory.length / bytes }, (_, i) => memory.subarray(i * bytes, (i + 1) * bytes));
}

class ShortFile extends Error {}
class FileFailure extends Error {
  constructor(
    readonly action: "read" | "write",
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

port.on("message", (job: HashJob) => {
  let reply: HashReply;
  try {
    reply = hashPieces(job);
  } catch (error) {
    if (error instanceof ShortFile) reply = { type: "short" };
    else if (error instanceof FileFailure)
      reply = { type: "failed", action: error.action, code: systemCode(error.cause), message: error.message };
    else throw error;
  }
  const memory = reply.type === "done" ? [reply.pieceRoots.buffer, reply.v1Pieces.buffer] : [];
  port.postMessage(reply, memory as ArrayBuffer[]);
});

function hashPieces({ first, count }: HashJob): HashReply {
  const start = first * pieceLength;
  const end = Math.min(size, start + count * pieceLength);
  const leaves = Buffer.alloc(Math.ceil((end - start) / BLOCK_BYTES) * HASH_BYTES);
  const pieceRoots = new Uint8Array(count * HASH_BYTES);
  const v1Pieces = new Uint8Array(count * V1_HASH_BYTES);
  for (let i = 0; i < count; i++) {
    const from = start + i * pieceLength;
    const to = Math.min(end, from + pieceLength);
    const pieceLeaves = leaves.subarray(
      i * blocksPerPiece * HASH_BYTES,
      (i * blocksPerPiece + Math.ceil((to - from) / BLOCK_BYTES)) * HASH_BYTES,
    );
    v1Pieces.set(hashPiece(from, to, pieceLeaves), i * V1_HASH_BYTES);
    pieceRoots.set(rootOf(pieceLeaves), i * HASH_BYTES);
  }
  if (treeFd >= 0) writeFully(leaves, first * blocksPerPiece * HASH_BYTES);
  return { type: "done", first, bytes: end - start, pieceRoots, v1Pieces };
}

/** Root over the leaves of a piece, those beyond the end of the file being zero (BEP 52). A view: it is overwritten by the next. */
function rootOf(leaves: Uint8Array): Uint8Array {
  nodes.fill(0).set(leaves);
  for (let width = leafWidth / 2; width >= 1; width /= 2) {
    for (let i = 0; i < width; i++) sha256Into(pairs[i] as Buffer, nodes, i * HASH_BYTES);
  }
  return nodes.subarray(0, HASH_BYTES);
}

/** Fills `leaves`; returns the SHA-1 of the bytes. */
function hashPiece(from: number, to: number, leaves: Buffer): Uint8Array {
  const sha1 = createHash("sha1");
  let leaf = 0;
  for (let position = from; position < to; ) {
    const chunk = buffer.subarray(0, Math.min(READ_BYTES, to - position));
    readFully(chunk, position);
    for (let i = 0; i * BLOCK_BYTES < chunk.length; i++) {
      const rest = chunk.length - i * BLOCK_BYTES;
      sha256Into(rest < BLOCK_BYTES ? chunk.subarray(-rest) : (blocks[i] as Buffer), leaves, leaf);
      leaf += HASH_BYTES;
    }
    sha1.update(chunk);
    position += chunk.length;
  }
  return sha1.digest();
}

function readFully(target: Buffer, position: number): void {
  for (let done = 0; done < target.length; ) {
    let read: number;
    try {
      read = readSync(fd, target, done, target.length - done, position + done);
    } catch (error) {
      throw new FileFailure("read", error);
    }
    if (read === 0) throw new ShortFile();
    done += read;
  }
}

function writeFully(data: Buffer, position: number): void {
  try {
    for (let done = 0; done < data.length; ) {
      done += writeSync(treeFd, data, done, data.length - done, position + done);
    }
  } catch (error) {
    throw new FileFailure("write", error);
  }
}
