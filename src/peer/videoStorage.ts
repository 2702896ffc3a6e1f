/**
 * What one video has on disk while it is used: the file (whole, or a .part with its resume data), its hash tree, and which
 * pieces are there. Opened by the runtime when somebody comes or a download starts, closed when nobody is left.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Bitfield } from "../wire/bitfield";
import { fromHex } from "../wire/bytes";
import { StreamletError } from "../wire/errors";
import { type Info, parseInfo } from "../wire/metainfo";
import type { Engine } from "./engine";
import { copyFile } from "./storage/copyFile";
import { fileError } from "./storage/fileErrors";
import { exists, uniquePath } from "./storage/fileNames";
import { HashTree } from "./storage/hashTree";
import type { LibraryEntry } from "./storage/library";
import { PieceStore } from "./storage/pieceStore";
import { ResumeData } from "./storage/resumeData";
import { Content } from "./swarm/content";

export interface StorageHooks {
  /** The data on disk is being checked: bytes found good so far. */
  onChecking(bytesGood: number): void;
  /** The check may stop: the storage is about to be closed. */
  isStopping(): boolean;
}

export class VideoStorage {
  /** The verify worker's handle of the .part file; undefined for a whole video. */
  file: number | undefined;
  private resume: ResumeData | undefined;

  private constructor(
    private readonly engine: Engine,
    private readonly key: string,
    readonly content: Content,
    readonly have: Bitfield,
    readonly tree: HashTree | undefined,
    readonly store: PieceStore,
  ) {}

  /** Errors: disk-full, write-failed, file-unreadable. */
  static async open(engine: Engine, key: string, content: Content, hooks: StorageHooks): Promise<VideoStorage> {
    const entry = engine.library.get(key)!;
    const { piecesRoot, length, pieceLength } = content;
    const tree = piecesRoot && HashTree.open(engine.library.treePath(key), { piecesRoot, length, pieceLength });
    const whole = entry.state === "ready" || !entry.partPath;
    const have = whole ? Bitfield.full(content.pieceCount) : new Bitfield(content.pieceCount);
    const expected = whole && entry.mtimeMs !== undefined ? { size: entry.size, mtimeMs: entry.mtimeMs } : undefined;
    const path = whole ? entry.path : entry.partPath!;
    const store = new PieceStore(content, have, path, expected, () => engine.clock.now());
    const storage = new VideoStorage(engine, key, content, have, tree, store);
    if (!whole) await storage.openPart(entry, hooks);
    return storage;
  }

  bytesDone(): number {
    return bytesOf(this.have, this.content);
  }

  /** A piece has been verified and written. */
  keep(piece: number, leaves: Uint8Array | undefined): void {
    this.resume?.mark(piece);
    if (leaves) this.tree?.setLeaves(piece, leaves);
  }

  /** Gives the whole file its final name: never over another file, unless `replace`. */
  async finish(replace: boolean): Promise<{ path: string; size: number }> {
    const { library, verifier } = this.engine;
    const file = this.file!;
    this.file = undefined;
    await verifier.closeFile(file);
    const { path: wanted, partPath } = library.get(this.key)!;
    // `uniquePath` also avoids names that a .part file has taken, and that one is this download's own.
    const path = replace || !existsSync(wanted) ? wanted : uniquePath(dirname(wanted), basename(wanted));
    // Known before it happens: after a kill in between, the restart looks for the file there.
    if (path !== wanted) library.update(this.key, { path });
    await library.flush();
    await this.store.move(async () => {
      await moveFile(partPath!, path, replace);
      return { path, expected: await stat(path) };
    });
    const { size, mtimeMs } = await stat(path);
    library.update(this.key, { path, partPath: undefined, mtimeMs, state: "ready", error: undefined });
    await library.flush();
    this.resume?.close();
    this.resume = undefined;
    return { path, size };
  }

  async close(): Promise<void> {
    if (this.file !== undefined) await this.engine.verifier.closeFile(this.file).catch(() => undefined);
    await this.store.close();
    this.resume?.close();
    this.tree?.close();
  }

  private async openPart(entry: LibraryEntry, hooks: StorageHooks): Promise<void> {
    const { content, engine } = this;
    const partPath = entry.partPath!;
    await mkdir(dirname(partPath), { recursive: true }).catch((error) => {
      throw fileError(error, "write", partPath);
    });
    const target = resumeTarget(entry, partPath, content);
    const resumePath = engine.library.resumePath(this.key);
    // Killed after the rename at the end and before the library said so, or found wrong by a recheck (rechecks.ts): the whole file
    // becomes the part file once more.
    if (!(await exists(partPath)) && ResumeData.describes(resumePath, entry.path, target)) {
      await rename(entry.path, partPath);
    }
    const { resume, state } = ResumeData.open(resumePath, target);
    this.resume = resume;
    for (const piece of Bitfield.fromBytes(resume.bits(), content.pieceCount)) this.have.set(piece);
    await checkFreeSpace(partPath, content.length - this.bytesDone());
    this.file = engine.verifier.openFile(partPath, content.length);
    if (state === "recheck") await this.recheck(hooks);
  }

  /** Looks at what the part file really holds. Pieces whose hash is not known are fetched again. */
  private async recheck(hooks: StorageHooks): Promise<void> {
    const { content, tree } = this;
    let bytes = 0;
    hooks.onChecking(bytes);
    for (let piece = 0; piece < content.pieceCount; piece++) {
      if (hooks.isStopping()) return;
      const pieceHash = tree?.pieceHash(piece);
      if (!pieceHash) continue;
      const proof = { pieceHash, leafWidth: content.leafWidth() };
      const position = piece * content.pieceLength;
      const verdict = await this.engine.verifier.recheck(this.file!, content.pieceSize(piece), position, proof);
      if (!verdict.good) continue;
      this.keep(piece, verdict.leaves);
      this.have.set(piece);
      bytes += content.pieceSize(piece);
      hooks.onChecking(bytes);
    }
    this.resume?.finishRecheck();
  }
}

/** The shape of a video as far as it is known: from its info dictionary, or provisionally from its record or link. */
export function contentOf(entry: LibraryEntry, infoBytes: Uint8Array | undefined): Content | undefined {
  if (infoBytes) return contentOfInfo(parseInfo(infoBytes));
  if (!entry.pieceLength || !entry.piecesRoot || entry.size === 0) return undefined;
  return new Content(entry.size, entry.pieceLength, fromHex(entry.piecesRoot));
}

export function contentOfInfo(info: Info): Content {
  return new Content(info.length, info.pieceLength, info.piecesRoot, info.v1Pieces);
}

/** Verified bytes of a download that does not run. */
export async function storedBytes(engine: Engine, entry: LibraryEntry): Promise<number> {
  const have = await storedPieces(engine, entry);
  return have && entry.pieceLength ? bytesOf(have, new Content(entry.size, entry.pieceLength, undefined)) : 0;
}

/** Which pieces there are of a video that nobody uses right now; undefined until its shape is known. */
export async function storedPieces(engine: Engine, entry: LibraryEntry): Promise<Bitfield | undefined> {
  const { partPath, pieceLength, size, key, state } = entry;
  if (!pieceLength || size === 0) return undefined;
  const content = new Content(size, pieceLength, undefined);
  if (state === "ready") return Bitfield.full(content.pieceCount);
  if (!partPath || !(await exists(partPath))) return new Bitfield(content.pieceCount);
  const { resume } = ResumeData.open(engine.library.resumePath(key), resumeTarget(entry, partPath, content));
  const have = Bitfield.fromBytes(resume.bits(), content.pieceCount);
  resume.close();
  return have;
}

function resumeTarget(entry: LibraryEntry, partPath: string, content: Content) {
  return { id: (entry.id ?? entry.v1)!, partPath, size: content.length, pieceLength: content.pieceLength };
}

function bytesOf(have: Bitfield, content: Content): number {
  let bytes = 0;
  for (const piece of have) bytes += content.pieceSize(piece);
  return bytes;
}

async function moveFile(from: string, to: string, replace: boolean): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw fileError(error, "write", to);
    await copyFile(from, to, { force: replace });
    await rm(from, { force: true });
  }
}

/** Errors: disk-full, before an hour of downloading ends in it. */
async function checkFreeSpace(path: string, needed: number): Promise<void> {
  const disk = await statfs(dirname(path)).catch(() => undefined);
  if (!disk || disk.bavail * disk.bsize >= needed) return;
  const missing = Math.ceil((needed - disk.bavail * disk.bsize) / 1e6);
  throw new StreamletError("disk-full", `The disk lacks ${missing} MB for this video: free some space, then resume.`, {
    data: { path: dirname(path) },
  });
}
