import type { BigIntStats } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { BLOCK_BYTES, HASH_BYTES, V1_HASH_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { piecesRootOf } from "../../wire/merkle";
import { fileError } from "./fileErrors";
import { type HashJob, type HashReply, type HashWorkerData, JOB_BYTES } from "./hashProtocol";

/** More threads than this gain little on what reads a disk, and the rest of the machine is in use. */
const MAX_WORKERS = 4;
/** Two jobs are with each worker, so that it never waits for this thread. */
const JOBS_AHEAD = 2;
/** A worker holds one read buffer and one job's hashes; a runaway is ended instead of taking the machine's memory. */
const WORKER_HEAP_MIB = 64;

export interface HashOptions {
  path: string;
  /** Bytes, a power of two >= 16 KiB. */
  pieceLength: number;
  /** Where the hash tree goes (the file that `HashTree.open` reads); it appears there only when whole. Not kept when absent. */
  treePath?: string;
  signal?: AbortSignal;
  /** Total bytes hashed so far, after every few MiB. */
  onProgress?(bytes: number): void;
}

export interface HashedFile {
  piecesRoot: Uint8Array;
  /** 32 bytes per piece; empty for a file of one piece (BEP 52: it has no piece layer). */
  pieceLayer: Uint8Array;
  /** SHA-1 of each v1 piece, 20 bytes each (BEP 3). */
  v1Pieces: Uint8Array;
  /** Bytes, and modification time, of the file that was hashed. */
  size: number;
  mtimeMs: number;
}

/**
 * Hashes a file in worker threads, on all cores up to four, in bounded memory whatever its size. Two at once share the
 * same cores: let imports queue.
 * Errors: file-missing, file-unreadable, empty-file, file-changed (while hashing), disk-full, write-failed, cancelled.
 */
export async function hashFile(options: HashOptions): Promise<HashedFile> {
  const { path, pieceLength, treePath, signal } = options;
  throwIfCancelled(signal);
  const file = await open(path, "r").catch((error) => {
    throw fileError(error, "read", path);
  });
  let tree: FileHandle | undefined;
  const halfTree = treePath && `${treePath}.part`;
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw new StreamletError("file-unreadable", `${path} is not a file. Choose a file.`);
    if (before.size === 0n) throw new StreamletError("empty-file", `${path} is empty (0 bytes). Choose another file.`);
    if (halfTree) tree = await createFile(halfTree);
    const size = Number(before.size);
    const hashed = await hashInWorkers(options, { fd: file.fd, treeFd: tree?.fd ?? -1, size, pieceLength });
    await throwIfChanged(path, before, file);
    if (tree && halfTree && treePath) {
      await finishTree(tree, halfTree, treePath, hashed.pieceLayer, size);
      tree = undefined;
    }
    return { ...hashed, size, mtimeMs: Number(before.mtimeNs) / 1e6 };
  } catch (error) {
    if (tree && halfTree) {
      await tree.close();
      await rm(halfTree, { force: true });
    }
    throw error;
  } finally {
    await file.close();
  }
}

async function createFile(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await open(path, "w");
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** Layout as hashTree.ts has it: all leaves, then the piece layer. */
async function finishTree(tree: FileHandle, half: string, whole: string, layer: Uint8Array, size: number) {
  try {
    await tree.write(layer, 0, layer.length, Math.ceil(size / BLOCK_BYTES) * HASH_BYTES);
    await tree.close();
    await rename(half, whole);
  } catch (error) {
    throw fileError(error, "write", whole);
  }
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}

function cancelled(): StreamletError {
  return new StreamletError("cancelled", "The import was cancelled.");
}

function changed(path: string): StreamletError {
  return new StreamletError(
    "file-changed",
    `${path} changed while it was read. Wait until it is no longer written to, then upload it again.`,
    { data: { path } },
  );
}

/** Another size or time of the open file, or another file under its name. */
async function throwIfChanged(path: string, before: BigIntStats, file: FileHandle): Promise<void> {
  const after = await file.stat({ bigint: true });
  const named = await stat(path, { bigint: true }).catch(() => undefined);
  for (const now of [after, named]) {
    if (now?.size !== before.size || now.mtimeNs !== before.mtimeNs || now.ino !== before.ino) throw changed(path);
  }
}

type Hashes = Pick<HashedFile, "piecesRoot" | "pieceLayer" | "v1Pieces">;

async function hashInWorkers(options: HashOptions, data: HashWorkerData): Promise<Hashes> {
  const { path, treePath, signal, onProgress } = options;
  const { size, pieceLength } = data;
  const pieceCount = Math.ceil(size / pieceLength);
  const piecesPerJob = Math.max(1, Math.floor(JOB_BYTES / pieceLength));
  const jobs = Math.ceil(pieceCount / piecesPerJob);
  const pieceRoots = new Uint8Array(pieceCount * HASH_BYTES);
  const v1Pieces = new Uint8Array(pieceCount * V1_HASH_BYTES);
  const workers: Worker[] = [];
  let onAbort: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      let given = 0;
      let taken = 0;
      let bytes = 0;
      let over = false;
      const fail = (error: unknown) => {
        over = true;
        reject(error);
      };
      const give = (worker: Worker) => {
        if (given === jobs) return;
        const first = given++ * piecesPerJob;
        worker.postMessage({ first, count: Math.min(piecesPerJob, pieceCount - first) } satisfies HashJob);
      };
      const take = (worker: Worker, reply: HashReply) => {
        if (over) return;
        if (reply.type === "short") return fail(changed(path));
        if (reply.type === "failed") {
          const cause = Object.assign(new Error(reply.message), { code: reply.code });
          return fail(fileError(cause, reply.action, reply.action === "read" ? path : (treePath ?? path)));
        }
        pieceRoots.set(reply.pieceRoots, reply.first * HASH_BYTES);
        v1Pieces.set(reply.v1Pieces, reply.first * V1_HASH_BYTES);
        bytes += reply.bytes;
        onProgress?.(bytes);
        if (++taken === jobs) resolve();
        else give(worker);
      };
      onAbort = () => fail(cancelled());
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted) onAbort();
      const count = Math.min(jobs, Math.max(2, Math.min(MAX_WORKERS, availableParallelism())));
      for (let i = 0; i < count; i++) {
        const worker = new Worker(join(__dirname, "hashWorker.js"), {
          workerData: data,
          resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB },
        });
        workers.push(worker);
        worker.on("message", (reply: HashReply) => take(worker, reply));
        worker.on("error", fail);
        worker.on("exit", (code) => fail(new StreamletError("internal", `A hash worker ended (exit code ${code}).`)));
        for (let ahead = 0; ahead < JOBS_AHEAD; ahead++) give(worker);
      }
    });
  } finally {
    if (onAbort) signal?.removeEventListener("abort", onAbort);
    // The descriptors may be closed, and their numbers used again, only when no worker can touch them any more.
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  const piecesRoot = piecesRootOf(pieceRoots, pieceCount, pieceLength, size);
  return { piecesRoot, pieceLayer: pieceCount === 1 ? new Uint8Array() : pieceRoots, v1Pieces };
}
