/**
 * One library entry at run time: its state, its swarm, and the storage under it. States are those of `VideoState`; every
 * change goes to the library first, so that a restart finds what was reported.
 */
import { createHash } from "node:crypto";
import { mkdir, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, extname } from "node:path";
import type { Duplex } from "node:stream";
import { Bitfield } from "../wire/bitfield";
import { fromHex, toHex } from "../wire/bytes";
import { StreamletError, toErrorInfo } from "../wire/errors";
import type { Handshake } from "../wire/handshake";
import { type Info, parseInfo } from "../wire/metainfo";
import { downloadName, provisionalName } from "./downloadSource";
import type { Engine } from "./engine";
import type { LibraryVideo, VideoState } from "./status";
import { copyFile } from "./storage/copyFile";
import { fileError } from "./storage/fileErrors";
import { uniquePath } from "./storage/fileNames";
import { HashTree } from "./storage/hashTree";
import type { LibraryEntry } from "./storage/library";
import { checkExpected, PieceStore } from "./storage/pieceStore";
import { ResumeData } from "./storage/resumeData";
import { Content } from "./swarm/content";
import { Download } from "./swarm/download";
import type { RemotePeer } from "./swarm/peerConnection";
import type { KnownPeer } from "./swarm/peerList";
import { Swarm } from "./swarm/swarm";

const MAX_CONNECTIONS_PER_VIDEO = 50;
const UPLOAD_SLOTS_PER_VIDEO = 20;
/** How often more peers are looked for while a download has few. */
const FIND_PEERS_MS = 10_000;
/** So long nobody could be reached, even by asking to be called back: then it is said. */
const UNREACHABLE_AFTER_MS = 12_000;
/** The title of a video of which only the id is known holds so much of it. */
const UNTITLED_ID_CHARS = 8;

export interface DownloadResult {
  path: string;
  bytes: number;
  /** From the first connection attempt until the file had its final name. */
  seconds: number;
}

interface Active {
  swarm: Swarm;
  store: PieceStore | undefined;
  tree: HashTree | undefined;
  resume: ResumeData | undefined;
  file: number | undefined;
  have: Bitfield | undefined;
}

export class VideoRuntime {
  /** Progress of an import or a check, in bytes. */
  bytesDone = 0;
  publishedOn = 0;
  unreachable = false;
  private active: Active | undefined;
  private stopFinding: (() => void) | undefined;
  private unreachableSince: number | undefined;
  private firstDialAt: number | undefined;
  private seconds = 0;
  private waiting: { resolve(result: DownloadResult): void; reject(error: unknown): void }[] = [];
  /** Opening, finishing and closing touch files: one at a time. */
  private busy: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(
    readonly key: string,
    private readonly engine: Engine,
  ) {}

  get entry(): LibraryEntry {
    const entry = this.engine.library.get(this.key);
    if (!entry) throw new StreamletError("unknown-video", "This video is not in the library any more.");
    return entry;
  }
  get isDownloading(): boolean {
    return this.entry.state === "downloading" || this.entry.state === "checking";
  }
  /** Whole, on disk, and to be offered to others. */
  get isSeeding(): boolean {
    return this.entry.shared && this.entry.state === "ready";
  }
  get swarm(): Swarm | undefined {
    return this.active?.swarm;
  }

  /** May this remote have the video? Friends' videos wait for grants: nobody is let in. */
  allows(remote: Pick<RemotePeer, "transport">): boolean {
    const { audience } = this.entry;
    if (!this.isSeeding && !this.isDownloading) return false;
    return audience === "public" || (audience === "everyone" && remote.transport === "tls");
  }

  status(): LibraryVideo {
    const e = this.entry;
    const swarm = this.active?.swarm;
    const downloading = this.isDownloading;
    return {
      key: e.key,
      ...(e.id ? { id: e.id } : {}),
      origin: e.origin,
      title: e.title,
      description: e.description,
      fileName: e.fileName,
      path: e.partPath ?? e.path,
      size: e.size,
      ...(e.duration === undefined ? {} : { duration: e.duration }),
      ...(e.width === undefined ? {} : { width: e.width }),
      ...(e.height === undefined ? {} : { height: e.height }),
      audience: e.audience,
      shared: e.shared && (e.state === "ready" || downloading),
      state: e.state,
      ...(e.error ? { error: e.error } : {}),
      bytesDone: e.state === "ready" ? e.size : this.bytesDone,
      downRate: swarm?.down.rate() ?? 0,
      upRate: swarm?.up.rate() ?? 0,
      peers: (downloading ? swarm?.sourceCount : swarm?.leecherCount) ?? 0,
      addedAt: e.addedAt,
      owner: e.owner,
      ownerFingerprint: e.ownerFingerprint,
      publishedOn: this.publishedOn,
    };
  }

  // --- life -------------------------------------------------------------------------------------------------------------

  /** After a start: goes on with what it was doing. */
  async open(): Promise<void> {
    const { state } = this.entry;
    if (state === "ready" || state === "fileMissing" || state === "fileChanged") await this.checkFile();
    else if (state === "downloading" || state === "checking") await this.startDownload();
    else if (state === "paused" || state === "failed") await this.countProgress();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.serialize(() => this.deactivate());
    this.settle({ error: new StreamletError("cancelled", "The peer has stopped.") });
  }

  setState(state: VideoState, error?: unknown): void {
    const info = error === undefined ? undefined : toErrorInfo(error);
    this.engine.library.update(this.key, { state, error: info });
    this.engine.changed();
    this.engine.sharingChanged();
  }

  /** Someone comes for this video (the caller has asked `allows`). */
  async accept(socket: Duplex, remote: RemotePeer, handshake: Handshake): Promise<void> {
    await this.activate();
    const swarm = this.active?.swarm;
    if (swarm && !this.closed) swarm.accept(socket, remote, handshake);
    else socket.destroy();
  }

  async callBack(peer: KnownPeer): Promise<void> {
    await this.activate();
    await this.active?.swarm.callBack(peer);
  }

  addPeers(peers: KnownPeer[]): void {
    if (peers.length === 0 || !this.isDownloading) return;
    this.active?.swarm.addPeers(peers);
  }

  // --- downloading ------------------------------------------------------------------------------------------------------

  /** Starts or resumes; a problem with the disk or the data ends in state `failed`, as `result` tells. */
  async startDownload(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      await this.stopTransfer("failed", error);
    }
  }

  private async run(): Promise<void> {
    this.setState("downloading");
    this.unreachable = false;
    this.unreachableSince = undefined;
    await this.activate();
    const active = this.active;
    if (!active || this.closed || !this.isDownloading) return;
    this.stopFinding?.();
    const find = () => {
      this.judgeReach();
      if (active.swarm.sourceCount < MAX_CONNECTIONS_PER_VIDEO / 2) this.engine.findPeers(this);
    };
    this.stopFinding = this.engine.clock.every(FIND_PEERS_MS, find);
    if (active.have) await this.beginTransfer(active);
    else active.swarm.wantPeers();
    find();
  }

  async pause(): Promise<void> {
    await this.stopTransfer("paused");
  }

  /** Stops the transfer and leaves its data for a resume. */
  private async stopTransfer(state: VideoState, error?: unknown): Promise<void> {
    this.stopFinding?.();
    this.stopFinding = undefined;
    await this.serialize(() => this.deactivate());
    if (!this.closed) this.setState(state, error);
    this.settle({ error: error ?? new StreamletError("cancelled", "The download was paused.") });
  }

  /** Resolves when the download is whole; rejects when it fails or is stopped. */
  result(): Promise<DownloadResult> {
    const entry = this.entry;
    if (entry.state === "ready") {
      return Promise.resolve({ path: entry.path, bytes: entry.size, seconds: this.seconds });
    }
    if (entry.error && entry.state === "failed") {
      return Promise.reject(new StreamletError(entry.error.code, entry.error.message));
    }
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private settle(outcome: { result: DownloadResult } | { error: unknown }): void {
    for (const { resolve, reject } of this.waiting.splice(0)) {
      if ("result" in outcome) resolve(outcome.result);
      else reject(outcome.error);
    }
  }

  /** The swarm and the storage under it; idempotent. */
  private activate(): Promise<void> {
    return this.serialize(async () => {
      if (this.active || this.closed) return;
      const infoBytes = await this.engine.library.readInfo(this.key);
      // A kill may have come between the metadata and the entry that follows from it.
      if (infoBytes && this.isDownloading) {
        this.engine.library.update(this.key, this.realName(parseInfo(infoBytes).name));
      }
      const entry = this.entry;
      const swarm = this.makeSwarm(entry, infoBytes);
      this.active = { swarm, store: undefined, tree: undefined, resume: undefined, file: undefined, have: undefined };
      const content = contentOf(entry, infoBytes);
      if (content) await this.openStorage(this.active, content);
    });
  }

  private makeSwarm(entry: LibraryEntry, infoBytes: Uint8Array | undefined): Swarm {
    const { engine } = this;
    const swarm = new Swarm({
      id: entry.id,
      v1: entry.v1,
      infoBytes,
      clock: engine.clock,
      peerId20: engine.peerId20,
      uploadLimiter: engine.uploadLimiter,
      maxConnections: MAX_CONNECTIONS_PER_VIDEO,
      uploadSlots: UPLOAD_SLOTS_PER_VIDEO,
      listenPort: () => engine.listenPort(),
      dial: (peer, onread, signal) => {
        this.firstDialAt ??= engine.clock.now();
        return engine.dial(peer, onread, signal);
      },
      onInfo: (bytes) => void this.serialize(() => this.onInfo(bytes)).catch((error) => this.fail(error)),
      onChange: () => engine.changed(),
      onSourceError: (error) => void this.onSourceError(error),
      onUnreachable: () => this.onUnreachable(),
    });
    swarm.dialledWins = (remote) => engine.identity.fingerprint < remote;
    return swarm;
  }

  private async openStorage(active: Active, content: Content): Promise<void> {
    const entry = this.entry;
    const shape = content.piecesRoot && {
      piecesRoot: content.piecesRoot,
      length: content.length,
      pieceLength: content.pieceLength,
    };
    active.tree = shape && HashTree.open(this.engine.library.treePath(this.key), shape);
    if (entry.partPath && entry.state !== "ready") await this.openPart(active, content, entry.partPath);
    else active.have = Bitfield.full(content.pieceCount);
    const path = entry.state === "ready" ? entry.path : (entry.partPath ?? entry.path);
    const expected =
      entry.state === "ready" && entry.mtimeMs !== undefined ? { size: entry.size, mtimeMs: entry.mtimeMs } : undefined;
    active.store = new PieceStore(content, active.have!, path, expected, () => this.engine.clock.now());
    const serves = entry.shared && entry.audience !== "friends";
    active.swarm.setContent(content, active.have!, active.tree, serves ? active.store : undefined);
  }

  private async openPart(active: Active, content: Content, partPath: string): Promise<void> {
    await mkdir(dirname(partPath), { recursive: true }).catch((error) => {
      throw fileError(error, "write", partPath);
    });
    const id = (this.entry.id ?? this.entry.v1)!;
    const target = { id, partPath, size: content.length, pieceLength: content.pieceLength };
    const resumePath = this.engine.library.resumePath(this.key);
    // Killed after the rename at the end and before the library said so: the whole file becomes the part file once more.
    if (!(await exists(partPath)) && ResumeData.describes(resumePath, this.entry.path, target)) {
      await rename(this.entry.path, partPath);
    }
    const { resume, state } = ResumeData.open(resumePath, target);
    active.resume = resume;
    active.have = Bitfield.fromBytes(resume.bits(), content.pieceCount);
    await checkFreeSpace(partPath, content.length - active.have.count * content.pieceLength);
    active.file = this.engine.verifier.openFile(partPath, content.length);
    if (state === "recheck") await this.recheck(active, content);
    this.bytesDone = bytesOf(active.have, content);
  }

  /** Looks at what the part file really holds. Pieces whose hash is not known are fetched again. */
  private async recheck(active: Active, content: Content): Promise<void> {
    this.setState("checking");
    for (let piece = 0; piece < content.pieceCount && !this.closed; piece++) {
      const pieceHash = active.tree?.pieceHash(piece);
      if (!pieceHash) continue;
      const proof = { pieceHash, leafWidth: content.leafWidth() };
      const position = piece * content.pieceLength;
      const verdict = await this.engine.verifier.recheck(active.file!, content.pieceSize(piece), position, proof);
      if (!verdict.good) continue;
      if (verdict.leaves) active.tree!.setLeaves(piece, verdict.leaves);
      active.resume!.mark(piece);
      active.have!.set(piece);
      this.bytesDone += content.pieceSize(piece);
      this.engine.changed();
    }
    if (!this.closed) active.resume!.finishRecheck();
    this.setState("downloading");
  }

  private async beginTransfer(active: Active): Promise<void> {
    const content = active.swarm.content();
    if (!content || !active.have || active.file === undefined) return;
    if (active.have.isFull) return this.finish();
    const { engine } = this;
    const download = new Download(content, active.have, active.tree, engine.verifier, active.file, engine.random, {
      clock: engine.clock,
      downloadLimiter: engine.downloadLimiter,
      connections: () => active.swarm.connections(),
      onPiece: (piece, leaves) => {
        active.resume!.mark(piece);
        if (leaves && active.tree) active.tree.setLeaves(piece, leaves);
        this.bytesDone += content.pieceSize(piece);
        active.swarm.onPieceDone(piece);
        engine.changed();
      },
      onComplete: () => void this.finish(),
      ban: (connection, error) => active.swarm.ban(connection, error),
      onFailed: (error) => this.fail(error),
    });
    active.swarm.startDownload(download);
  }

  /** The metadata of a provisional video has come: it must say what the record or link said. */
  private async onInfo(infoBytes: Uint8Array): Promise<void> {
    const active = this.active;
    if (!active || this.closed) return;
    const info = parseInfo(infoBytes);
    const known = active.swarm.content();
    if (known) {
      const root = info.piecesRoot;
      const same = info.length === known.length && info.pieceLength === known.pieceLength;
      if (!same || !root || !known.piecesRoot || Buffer.compare(root, known.piecesRoot) !== 0) {
        throw new StreamletError(
          "bad-record",
          "The video is not what its record or link says. Ask its owner for a new link.",
        );
      }
    }
    await this.engine.library.saveInfo(this.key, infoBytes);
    const v1 = info.v1Pieces ? createHash("sha1").update(infoBytes).digest("hex") : undefined;
    this.engine.library.update(this.key, {
      size: info.length,
      pieceLength: info.pieceLength,
      ...(info.piecesRoot ? { piecesRoot: toHex(info.piecesRoot) } : {}),
      ...(v1 ? { v1 } : {}),
      ...this.realName(info.name),
    });
    active.swarm.setV1(v1);
    this.engine.sharingChanged();
    if (known) return;
    await this.openStorage(active, contentOfInfo(info));
    if (this.isDownloading) await this.beginTransfer(active);
  }

  /** A download that was named after its id, for want of anything better, gets its name; one that somebody named keeps it. */
  private realName(name: string): Partial<LibraryEntry> {
    const { id, v1, path, title } = this.entry;
    if (basename(path) !== provisionalName((id ?? v1)!)) return {};
    const fileName = downloadName(name);
    const untitled = title.includes((id ?? v1)!.slice(0, UNTITLED_ID_CHARS));
    return {
      fileName,
      path: uniquePath(dirname(path), fileName),
      ...(untitled ? { title: fileName.slice(0, -extname(fileName).length) } : {}),
    };
  }

  private finish(): Promise<void> {
    return this.serialize(async () => {
      const active = this.active;
      if (!active || active.file === undefined || this.closed) return;
      const file = active.file;
      active.file = undefined;
      active.swarm.stopDownload();
      this.stopFinding?.();
      this.stopFinding = undefined;
      await this.engine.verifier.closeFile(file);
      await active.store!.release();
      const path = await this.moveIntoPlace();
      this.seconds = this.firstDialAt === undefined ? 0 : (this.engine.clock.now() - this.firstDialAt) / 1000;
      const { size, mtimeMs } = await stat(path);
      active.store!.moved(path, { size, mtimeMs });
      this.engine.library.update(this.key, { path, partPath: undefined, mtimeMs, state: "ready", error: undefined });
      await this.engine.library.flush();
      active.resume?.close();
      active.resume = undefined;
      this.unreachable = false;
      this.engine.verifier.pool.trim();
      this.engine.changed();
      this.engine.sharingChanged();
      this.settle({ result: { path, bytes: size, seconds: this.seconds } });
    }).catch((error) => this.fail(error));
  }

  /** Gives the whole file its final name: never over another file, unless the person said so. */
  private async moveIntoPlace(): Promise<string> {
    const { path: wanted, partPath } = this.entry;
    const path = this.replaceExisting ? wanted : uniquePath(dirname(wanted), basename(wanted));
    // Known before it happens: after a kill in between, the restart looks for the file there.
    if (path !== wanted) this.engine.library.update(this.key, { path });
    await this.engine.library.flush();
    try {
      await rename(partPath!, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw fileError(error, "write", path);
      await copyFile(partPath!, path, { force: this.replaceExisting });
      await rm(partPath!, { force: true });
    }
    return path;
  }
  /** A file of the same name may be replaced. */
  replaceExisting = false;

  private fail(error: unknown): void {
    if (this.closed) return;
    void this.stopTransfer("failed", error).catch(() => undefined);
  }

  // --- sharing ----------------------------------------------------------------------------------------------------------

  /** Audience or sharing has changed: takes effect on open connections at once. */
  onSharingChanged(): void {
    const swarm = this.active?.swarm;
    if (!swarm) return;
    swarm.dropUnless((remote) => this.allows(remote));
    const serves = this.entry.shared && this.entry.audience !== "friends";
    swarm.setSource(serves ? this.active?.store : undefined);
  }

  /** Frees a swarm that nobody uses. */
  async sleepIfIdle(): Promise<void> {
    if (!this.active || this.isDownloading || this.active.swarm.connectionCount > 0) return;
    await this.serialize(async () => {
      if (this.active?.swarm.connectionCount === 0 && !this.isDownloading) await this.deactivate();
    });
  }

  /** Is the whole file still there, and the one that was shared? */
  async checkFile(): Promise<void> {
    const { path, size, mtimeMs, state } = this.entry;
    try {
      if (mtimeMs !== undefined) await checkExpected(path, { size, mtimeMs });
      if (state !== "ready") this.setState("ready");
    } catch (error) {
      await this.onSourceError(error);
    }
  }

  private async onSourceError(error: unknown): Promise<void> {
    if (this.closed || !(error instanceof StreamletError)) return;
    if (this.isDownloading) return this.fail(error);
    const state = error.code === "file-changed" ? "fileChanged" : "fileMissing";
    if (this.entry.state === state) return;
    this.setState(state, error);
    await this.serialize(() => this.deactivate());
  }

  // --- inside -----------------------------------------------------------------------------------------------------------

  private onUnreachable(): void {
    this.unreachableSince ??= this.engine.clock.now();
    const peers = this.active?.swarm.peers.unreachable() ?? [];
    this.engine.requestCallbacks(this, peers);
    this.judgeReach();
  }

  private judgeReach(): void {
    const connected = (this.active?.swarm.connectionCount ?? 0) > 0;
    if (connected) this.unreachableSince = undefined;
    const since = this.unreachableSince;
    const unreachable = since !== undefined && this.engine.clock.now() - since > UNREACHABLE_AFTER_MS;
    if (unreachable === this.unreachable) return;
    this.unreachable = unreachable;
    this.engine.changed();
  }

  /** How far a download is that does not run. */
  private async countProgress(): Promise<void> {
    const entry = this.entry;
    if (!entry.partPath || !entry.pieceLength || !(await exists(entry.partPath))) return;
    const id = (entry.id ?? entry.v1)!;
    const target = { id, partPath: entry.partPath, size: entry.size, pieceLength: entry.pieceLength };
    const { resume } = ResumeData.open(this.engine.library.resumePath(this.key), target);
    const content = new Content(entry.size, entry.pieceLength, undefined);
    this.bytesDone = bytesOf(Bitfield.fromBytes(resume.bits(), content.pieceCount), content);
    resume.close();
  }

  private async deactivate(): Promise<void> {
    this.stopFinding?.();
    this.stopFinding = undefined;
    const active = this.active;
    this.active = undefined;
    if (!active) return;
    active.swarm.close();
    if (active.file !== undefined) await this.engine.verifier.closeFile(active.file).catch(() => undefined);
    await active.store?.release();
    active.resume?.close();
    active.tree?.close();
    if (!this.isDownloading) this.engine.verifier.pool.trim();
  }

  /** Deletes what an unfinished download has left. The entry itself is the session's to remove. */
  async discardPart(): Promise<void> {
    const { partPath } = this.entry;
    await this.serialize(() => this.deactivate());
    if (partPath) await rm(partPath, { force: true });
  }

  private serialize(run: () => Promise<void>): Promise<void> {
    const next = this.busy.then(run);
    this.busy = next.catch(() => undefined);
    return next;
  }
}

function contentOf(entry: LibraryEntry, infoBytes: Uint8Array | undefined): Content | undefined {
  if (infoBytes) return contentOfInfo(parseInfo(infoBytes));
  if (!entry.pieceLength || !entry.piecesRoot || entry.size === 0) return undefined;
  return new Content(entry.size, entry.pieceLength, fromHex(entry.piecesRoot));
}

function contentOfInfo(info: Info): Content {
  return new Content(info.length, info.pieceLength, info.piecesRoot, info.v1Pieces);
}

function bytesOf(have: Bitfield, content: Content): number {
  let bytes = 0;
  for (const piece of have) bytes += content.pieceSize(piece);
  return bytes;
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

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
