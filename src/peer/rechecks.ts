/**
 * Looks again at every byte that is on disk of a video. Of a whole one nothing is given to others meanwhile; what turns out wrong of
 * an obtained one is fetched again, while the person's own files are never written to. An unfinished one checks what it has, and is
 * then as it was. Whole ones come one after another, since hashing uses all cores.
 */
import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { RecheckResult } from "../rpc/peerService";
import { HASH_BYTES, V1_HASH_BYTES } from "../wire/constants";
import { StreamletError } from "../wire/errors";
import type { Engine } from "./engine";
import { JobQueue } from "./jobQueue";
import { exists, uniquePath } from "./storage/fileNames";
import { type HashedFile, hashFile } from "./storage/hasher";
import { HashTree } from "./storage/hashTree";
import { ResumeData } from "./storage/resumeData";
import type { Content } from "./swarm/content";
import type { VideoRuntime } from "./videoRuntime";
import { contentOf } from "./videoStorage";

/** No file has it: one that is known to be wrong never passes for the one that was shared because of its time. */
const NO_MTIME = 0;
/** A file of which less is right is another one, which somebody has put there: it is not ours to mend. */
const LEAST_GOOD = 0.5;
/** Of fewer pieces a share says nothing: there the size, which is the same, has to do. */
const FEW_PIECES = 4;

export class Rechecks {
  private readonly queue = new JobQueue();
  /** Checks of whole videos that run or wait, and how whoever asked for them is told that they were cancelled. */
  private readonly under = new Map<string, { result: Promise<RecheckResult>; cancel(): void }>();
  private closed = false;

  constructor(private readonly engine: Engine) {}

  /**
   * Resolves when everything was looked at; where it runs already, with the outcome of that. A restart goes on with it.
   * Errors: invalid-argument (still being prepared), cancelled, file-missing, file-changed (and is not to be mended), disk-full ...
   */
  async check(runtime: VideoRuntime): Promise<RecheckResult> {
    const { state, partPath, id, v1 } = runtime.entry;
    if (state === "hashing" || state === "optimising" || !(id ?? v1)) {
      throw new StreamletError("invalid-argument", "This video is still being prepared: wait a moment.");
    }
    return partPath ? this.checkPart(runtime) : this.queueWhole(runtime);
  }

  /** Stops a check of a whole video; it is then what its file's size and time say. Resolves when nothing reads it any more. */
  async cancel(runtime: VideoRuntime): Promise<void> {
    const check = this.under.get(runtime.key);
    if (!check) return;
    await this.queue.cancel(runtime.key);
    check.cancel();
    if (runtime.entry.state === "checking") await this.giveUp(runtime); // its turn had not come
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.queue.close();
    for (const check of this.under.values()) check.cancel();
  }

  private async checkPart(runtime: VideoRuntime): Promise<RecheckResult> {
    const wasRunning = runtime.isDownloading;
    await runtime.download.pause();
    const before = runtime.bytesDone;
    // Without its notes everything in the part file is looked at.
    if (runtime.entry.partPath) await rm(this.engine.library.resumePath(runtime.key), { force: true });
    await runtime.download.start();
    const wrongBytes = Math.max(0, before - runtime.bytesDone);
    if (!wasRunning && runtime.isDownloading) await runtime.download.pause();
    return { wrongBytes };
  }

  private queueWhole(runtime: VideoRuntime): Promise<RecheckResult> {
    const { key } = runtime;
    const running = this.under.get(key);
    if (running) return running.result;
    let cancel: (error: StreamletError) => void = () => undefined;
    const result = new Promise<RecheckResult>((resolve, reject) => {
      cancel = reject;
      this.queue.add(key, async (signal) => {
        try {
          resolve(await this.checkWhole(runtime, signal));
        } catch (error) {
          if (!this.closed) await this.onFailed(runtime, error); // else it goes on with the next start
          reject(error);
        }
      });
    }).finally(() => this.under.delete(key));
    this.under.set(key, { result, cancel: () => cancel(new StreamletError("cancelled", "The check was cancelled.")) });
    runtime.bytesDone = 0;
    runtime.setState("checking");
    runtime.onSharingChanged();
    return result;
  }

  private async onFailed(runtime: VideoRuntime, error: unknown): Promise<void> {
    if (error instanceof StreamletError && error.code === "cancelled") return this.giveUp(runtime);
    runtime.setState(stateAfter(error), error);
    runtime.onSharingChanged();
  }

  private async giveUp(runtime: VideoRuntime): Promise<void> {
    await runtime.checkFile();
    runtime.onSharingChanged();
  }

  private async checkWhole(runtime: VideoRuntime, signal: AbortSignal): Promise<RecheckResult> {
    const { library } = this.engine;
    const { key } = runtime;
    const { path, origin } = runtime.entry;
    const content = contentOf(runtime.entry, await library.readInfo(key));
    if (!content) throw new StreamletError("internal", "The shape of this video is not known.");
    const hashed = await hashFile({
      path,
      pieceLength: content.pieceLength,
      signal,
      onProgress: (bytes) => {
        runtime.bytesDone = Math.min(bytes, content.length);
        this.engine.changed();
      },
    });
    const good = this.goodPieces(key, content, hashed);
    if (good.length === content.pieceCount && hashed.size === content.length) {
      library.update(key, { mtimeMs: hashed.mtimeMs });
      runtime.setState("ready");
      runtime.onSharingChanged();
      return { wrongBytes: 0 };
    }
    await runtime.release();
    if (origin === "obtained" && isWorthMending(content, hashed.size, good.length))
      return { wrongBytes: await this.mend(runtime, content, good) };
    library.update(key, { mtimeMs: NO_MTIME });
    throw new StreamletError(
      "file-changed",
      `${path} is not what it was: ${content.pieceCount - good.length} of ${content.pieceCount} pieces are wrong.`,
      { data: { path } },
    );
  }

  private goodPieces(key: string, content: Content, hashed: HashedFile): number[] {
    const { piecesRoot, length, pieceLength, pieceCount, v1Pieces } = content;
    const all = Array.from({ length: pieceCount }, (_, piece) => piece);
    if (!piecesRoot) {
      return all.filter((piece) => sameAt(hashed.v1Pieces, v1Pieces, piece, V1_HASH_BYTES));
    }
    if (Buffer.compare(hashed.piecesRoot, piecesRoot) === 0) return all;
    if (hashed.size !== length || pieceCount === 1) return [];
    const tree = HashTree.open(this.engine.library.treePath(key), { piecesRoot, length, pieceLength });
    const layer = tree.pieceLayer();
    tree.close();
    return all.filter((piece) => sameAt(hashed.pieceLayer, layer, piece, HASH_BYTES));
  }

  /** The whole file becomes an unfinished download, of which only the bad pieces are missing: bytes of them. */
  private async mend(runtime: VideoRuntime, content: Content, good: readonly number[]): Promise<number> {
    const { library } = this.engine;
    const { key, entry } = runtime;
    const name = `${entry.path}.part`;
    const partPath = (await exists(name)) ? uniquePath(dirname(name), basename(name)) : name;
    const target = { id: (entry.id ?? entry.v1)!, partPath: entry.path, size: content.length };
    const { resume } = ResumeData.open(library.resumePath(key), { ...target, pieceLength: content.pieceLength });
    const isGood = new Set(good);
    for (let piece = 0; piece < content.pieceCount; piece++) {
      if (isGood.has(piece)) resume.mark(piece);
      else resume.clear(piece);
    }
    resume.finishRecheck();
    resume.close();
    const rightBytes = good.reduce((bytes, piece) => bytes + content.pieceSize(piece), 0);
    runtime.bytesDone = rightBytes;
    // Its notes tell the file by what it is and not by its name: whoever opens the video first renames it (videoStorage.ts).
    library.update(key, { partPath, mtimeMs: undefined, state: "downloading", error: undefined });
    await library.flush();
    await runtime.download.start();
    return content.length - rightBytes;
  }
}

function isWorthMending({ length, pieceCount }: Content, size: number, good: number): boolean {
  return size === length && (pieceCount < FEW_PIECES || good >= pieceCount * LEAST_GOOD);
}

function sameAt(a: Uint8Array, b: Uint8Array | undefined, piece: number, size: number): boolean {
  const at = piece * size;
  return b !== undefined && Buffer.compare(a.subarray(at, at + size), b.subarray(at, at + size)) === 0;
}

function stateAfter(error: unknown): "fileMissing" | "fileChanged" {
  const code = error instanceof StreamletError ? error.code : undefined;
  return code === "file-missing" || code === "file-unreadable" ? "fileMissing" : "fileChanged";
}
