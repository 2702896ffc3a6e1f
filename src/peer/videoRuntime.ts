/**
 * One library entry at run time: its state, its swarm, and the storage under it. States are those of `VideoState`; every
 * change goes to the library first, so that a restart finds what was reported.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, dirname, extname } from "node:path";
import type { Duplex } from "node:stream";
import type { Bitfield } from "../wire/bitfield";
import { toHex } from "../wire/bytes";
import { StreamletError, toErrorInfo } from "../wire/errors";
import type { Handshake } from "../wire/handshake";
import { parseInfo } from "../wire/metainfo";
import type { Grant } from "../wire/records";
import { downloadName, provisionalName } from "./downloadSource";
import type { Engine } from "./engine";
import { MAX_CONNECTIONS_PER_VIDEO } from "./limits";
import { Admission } from "./social/admission";
import type { LibraryVideo, VideoState } from "./status";
import { uniquePath } from "./storage/fileNames";
import type { LibraryEntry } from "./storage/library";
import { checkExpected } from "./storage/pieceStore";
import { streamedVideo } from "./stream/runtimeStream";
import { VideoStream } from "./stream/videoStream";
import type { RemotePeer } from "./swarm/connectionHost";
import type { Content } from "./swarm/content";
import { Download } from "./swarm/download";
import type { KnownPeer } from "./swarm/peerList";
import type { Pieces } from "./swarm/pieceMap";
import { Swarm } from "./swarm/swarm";
import { contentOf, contentOfInfo, storedBytes, storedPieces, VideoStorage } from "./videoStorage";

/** How often more peers are looked for while a download has few. */
const FIND_PEERS_MS = 10_000;
/** So long nobody could be reached, even by asking to be called back: then it is said. */
const UNREACHABLE_AFTER_MS = 12_000;
/** Who restarts turns everybody away for a moment; so long nobody does. */
const TURNED_AWAY_MS = 5_000;
/** Whoever comes for a video begins to read or to connect within so long. */
const IDLE_MS = 10_000;
/** A finished download without a name waits so long for the metadata, which says it: several round trips of the slowest links. */
const NAME_WAIT_MS = 5_000;
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
  /** Undefined until the shape of the video is known. */
  storage: VideoStorage | undefined;
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
  /** A check of what is on disk need not go on. */
  private stopping = false;
  /** What players read of it. */
  readonly stream = new VideoStream(streamedVideo(this));

  readonly admission: Admission;

  constructor(
    readonly key: string,
    private readonly engine: Engine,
  ) {
    this.admission = new Admission(
      engine,
      () => this.entry,
      () => this.isSeeding || this.isDownloading,
    );
  }

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
      ...(e.container === undefined ? {} : { container: e.container }),
      ...(e.codecs === undefined ? {} : { codecs: e.codecs }),
      hasThumbnail: e.thumbnail !== undefined,
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

  /** Where its pieces are; undefined until its shape is known, and while what is on disk is being checked. */
  async pieces(): Promise<Pieces | undefined> {
    if (!this.active) await this.serialize(async () => this.lookAtPieces());
    if (!this.active) return this.dormant && { here: this.dormant, fetching: [], sources: [] };
    const { swarm, storage } = this.active;
    if (!storage) return undefined;
    const connections = [...swarm.connections()].filter(({ ready, remoteKnown }) => ready && remoteKnown);
    return {
      here: storage.have,
      fetching: swarm.download?.underWay() ?? [],
      sources: connections.flatMap(({ remote }) => (remote ? [remote] : [])),
    };
  }

  private async lookAtPieces(): Promise<void> {
    if (!this.active && !this.closed) this.dormant = await storedPieces(this.engine, this.entry);
  }
  /** What was on disk when somebody last looked while nothing was under way. */
  private dormant: Bitfield | undefined;

  // --- playing ----------------------------------------------------------------------------------------------------------

  /** What is at hand of it; undefined while nobody uses it, and until its shape is known. */
  data(): { content: Content; have: Bitfield; store: VideoStorage["store"] } | undefined {
    return this.active?.storage;
  }

  /** Opens what is on disk, for somebody who is about to read it. Errors: as `stoppedBecause`. */
  async wake(): Promise<void> {
    const { state } = this.entry;
    if (state === "hashing" || state === "optimising") {
      throw new StreamletError("invalid-argument", "This video is still being prepared: wait a moment.");
    }
    await this.activate();
    const stopped = this.stoppedBecause();
    if (stopped) throw stopped;
  }

  /** Why nothing more of it will come by itself; undefined where it is whole or on its way. */
  stoppedBecause(): StreamletError | undefined {
    if (this.closed) return new StreamletError("cancelled", "The video was closed.");
    const { state, error } = this.entry;
    if (error && (state === "failed" || state === "fileMissing" || state === "fileChanged")) {
      return new StreamletError(error.code, error.message, error.data ? { data: error.data } : {});
    }
    return state === "paused" ? new StreamletError("cancelled", "The download is paused: resume it.") : undefined;
  }

  // --- life -------------------------------------------------------------------------------------------------------------

  /** After a start: goes on with what it was doing. */
  async open(): Promise<void> {
    const { state } = this.entry;
    if (state === "ready" || state === "fileMissing" || state === "fileChanged") await this.checkFile();
    else if (state !== "hashing") this.bytesDone = await storedBytes(this.engine, this.entry);
    // Checking what a download has on disk takes as long as it takes; the peer is up meanwhile.
    if (this.isDownloading) void this.startDownload().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stream.close();
    // A file that cannot be closed must not keep the library and the lock from being.
    await this.serialize(() => this.deactivate()).catch(() => undefined);
    this.settle({ error: new StreamletError("cancelled", "The peer has stopped.") });
  }

  setState(state: VideoState, error?: unknown): void {
    const info = error === undefined ? undefined : toErrorInfo(error);
    this.engine.library.update(this.key, { state, error: info });
    this.engine.changed();
    this.engine.sharingChanged();
    this.stream.onProgress();
  }

  /** Someone comes for this video, who may have it, with the grant that says so where it takes one. */
  async accept(socket: Duplex, remote: RemotePeer, handshake: Handshake, grant?: Grant): Promise<void> {
    await this.activate();
    const swarm = this.active?.swarm;
    if (swarm && !this.closed && this.admission.allows(remote, grant)) swarm.accept(socket, remote, handshake, grant);
    else socket.destroy();
  }

  async callBack(peer: KnownPeer): Promise<void> {
    await this.activate();
    await this.active?.swarm.callBack(peer);
  }

  addPeers(peers: KnownPeer[]): void {
    if (!this.isDownloading) return;
    const wanted = peers.filter((peer) => this.admission.mayDial(peer));
    if (wanted.length > 0) this.active?.swarm.addPeers(wanted);
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
    if (active.storage) this.beginTransfer(active);
    else active.swarm.wantPeers();
    find();
  }

  async pause(): Promise<void> {
    await this.stopTransfer("paused");
  }

  /** Resolves when a pause or a failure that is under way has come to its end. */
  async settled(): Promise<void> {
    await this.stopped?.catch(() => undefined); // whoever stopped it has been told
  }
  private stopped: Promise<void> | undefined;

  private stopTransfer(state: VideoState, error?: unknown): Promise<void> {
    this.stopped = this.endTransfer(state, error);
    return this.stopped;
  }

  /** Stops the transfer and leaves its data for a resume. One that has become whole meanwhile stays whole. */
  private async endTransfer(state: VideoState, error?: unknown): Promise<void> {
    this.stopFinding?.();
    this.stopFinding = undefined;
    this.stopping = true;
    await this.serialize(() => this.deactivate());
    this.stopping = false;
    if (!this.closed && this.engine.library.get(this.key)?.partPath) this.setState(state, error);
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
    this.usedAt = this.engine.clock.now();
    return this.serialize(async () => {
      if (this.active || this.closed) return;
      const infoBytes = await this.engine.library.readInfo(this.key);
      // A kill may have come between the metadata and the entry that follows from it.
      if (infoBytes && this.isDownloading) {
        this.engine.library.update(this.key, this.realName(parseInfo(infoBytes).name));
      }
      const entry = this.entry;
      const swarm = this.makeSwarm(entry, infoBytes);
      this.active = { swarm, storage: undefined };
      const content = contentOf(entry, infoBytes);
      try {
        if (content) await this.openStorage(this.active, content);
      } catch (error) {
        await this.deactivate(); // a swarm without its storage would wait for ever
        throw error;
      }
    });
  }

  private makeSwarm(entry: LibraryEntry, infoBytes: Uint8Array | undefined): Swarm {
    const { engine } = this;
    return new Swarm({
      id: entry.id,
      v1: entry.v1,
      infoBytes,
      clock: engine.clock,
      peerId20: engine.peerId20,
      uploadLimiter: engine.uploadLimiter,
      maxConnections: MAX_CONNECTIONS_PER_VIDEO,
      group: engine.swarms,
      admission: this.admission,
      dialledWins: (remote) => engine.identity.fingerprint < remote,
      listenPort: () => engine.listenPort(),
      dial: (peer, onread, signal) => {
        this.firstDialAt ??= engine.clock.now();
        return engine.dial(peer, onread, signal);
      },
      onInfo: (bytes) => void this.serialize(() => this.onInfo(bytes)).catch((error) => this.fail(error)),
      onChange: () => engine.changed(),
      onSourceError: (error) => void this.onSourceError(error).catch(() => undefined),
      onUnreachable: () => this.onUnreachable(),
      onTurnedAway: () => this.onTurnedAway(),
    });
  }

  private async openStorage(active: Active, content: Content): Promise<void> {
    active.storage = await VideoStorage.open(this.engine, this.key, content, {
      onChecking: (bytes) => {
        this.bytesDone = bytes;
        if (this.entry.state === "downloading") this.setState("checking");
        this.engine.changed();
      },
      isStopping: () => this.closed || this.stopping,
    });
    if (this.entry.state === "checking") this.setState("downloading");
    const { have, tree, store } = active.storage;
    if (this.entry.state !== "ready") this.bytesDone = active.storage.bytesDone();
    active.swarm.setContent(content, have, tree, this.serves ? store : undefined);
  }

  private get serves(): boolean {
    return this.entry.shared;
  }

  private beginTransfer(active: Active): void {
    const { storage } = active;
    if (storage?.file === undefined) return;
    const { content, have, tree, file } = storage;
    if (have.isFull) {
      void this.finish(); // not awaited: who calls may be what it waits for
      return;
    }
    const { engine } = this;
    const download = new Download(content, have, tree, engine.verifier, file!, engine.random, {
      clock: engine.clock,
      downloadLimiter: engine.downloadLimiter,
      connections: () => active.swarm.connections(),
      onPiece: (piece, leaves) => {
        storage.keep(piece, leaves);
        this.bytesDone += content.pieceSize(piece);
        active.swarm.onPieceDone(piece);
        engine.changed();
      },
      onBlocks: () => this.stream.onProgress(),
      onComplete: () => void this.finish(),
      ban: (connection, error) => active.swarm.ban(connection, error),
      onFailed: (error) => this.fail(error),
    });
    active.swarm.startDownload(download);
    this.stream.updateWindows();
    this.stream.onProgress();
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
    this.onNamed?.();
    active.swarm.setV1(v1);
    this.engine.sharingChanged();
    if (known) return;
    if (this.isDownloading) this.engine.checkQuota(this.key, info.length);
    await this.openStorage(active, contentOfInfo(info));
    if (this.isDownloading) this.beginTransfer(active);
  }

  /** A download that was named after its id, for want of anything better, gets its name; one that somebody named keeps it. */
  private realName(name: string): Partial<LibraryEntry> {
    const { id, v1, path, title } = this.entry;
    if (!this.hasProvisionalName) return {};
    const fileName = downloadName(name);
    const untitled = title.includes((id ?? v1)!.slice(0, UNTITLED_ID_CHARS));
    return {
      fileName,
      path: uniquePath(dirname(path), fileName),
      ...(untitled ? { title: fileName.slice(0, -extname(fileName).length) } : {}),
    };
  }

  /** A file that has its final place keeps the name that it got. */
  private get hasProvisionalName(): boolean {
    const { id, v1, path, partPath } = this.entry;
    return partPath !== undefined && basename(path) === provisionalName((id ?? v1)!);
  }

  /** The last block may come a round trip before the metadata. */
  private async nameIsKnown(): Promise<void> {
    if (!this.active || this.active.swarm.metadataSize() > 0 || !this.hasProvisionalName) return;
    await new Promise<void>((resolve) => {
      this.onNamed = resolve;
      this.engine.clock.after(NAME_WAIT_MS, resolve);
    });
  }
  private onNamed: (() => void) | undefined;

  private async finish(): Promise<void> {
    await this.nameIsKnown();
    return this.serialize(async () => {
      const active = this.active;
      if (active?.storage?.file === undefined || this.closed) return;
      active.swarm.stopDownload();
      this.stopFinding?.();
      this.stopFinding = undefined;
      const { path, size } = await active.storage.finish(this.replaceExisting);
      this.seconds = this.firstDialAt === undefined ? 0 : (this.engine.clock.now() - this.firstDialAt) / 1000;
      this.unreachable = false;
      this.engine.verifier.pool.trim();
      this.engine.changed();
      this.engine.sharingChanged();
      this.engine.onDownloaded(this);
      this.settle({ result: { path, bytes: size, seconds: this.seconds } });
    }).catch((error) => this.fail(error));
  }
  /** A file of the same name may be replaced. */
  replaceExisting = false;

  private fail(error: unknown): void {
    if (this.closed) return;
    void this.stopTransfer("failed", error).catch(() => undefined);
  }

  // --- sharing ----------------------------------------------------------------------------------------------------------

  /** Audience, sharing, a friendship or a block has changed: takes effect on open connections at once. */
  onSharingChanged(): void {
    const swarm = this.active?.swarm;
    if (!swarm) return;
    swarm.review();
    swarm.setSource(this.serves ? this.active?.storage?.store : undefined);
  }

  /** Leave to have it has come, or was renewed: whoever turned us away may not do so again. */
  onGranted(): void {
    this.onSharingChanged();
    const { state, error } = this.entry;
    if (state === "failed" && error?.code === "unknown-video") void this.startDownload();
    if (!this.isDownloading) return;
    this.active?.swarm.peers.retryNow();
    this.engine.findPeers(this);
  }

  /** Frees a swarm that nobody uses. */
  async sleepIfIdle(): Promise<void> {
    if (!this.isIdle) return;
    await this.serialize(async () => {
      if (this.isIdle) await this.deactivate();
    });
  }

  private get isIdle(): boolean {
    if (!this.active || this.isDownloading || this.engine.clock.now() - this.usedAt < IDLE_MS) return false;
    return this.active.swarm.connectionCount === 0 && this.stream.readerCount === 0;
  }
  /** When somebody last came for it. */
  private usedAt = Number.NEGATIVE_INFINITY;

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

  /**
   * A link alone does not say whether there is such a video, nor for whom: whoever it names hangs up in both cases. That is said
   * soon, while nobody else is a source and nothing has come.
   */
  private onTurnedAway(): void {
    const { sequence, ownerFingerprint } = this.entry;
    const swarm = this.active?.swarm;
    const isKnown = sequence > 0 || !ownerFingerprint || this.bytesDone > 0 || !swarm || swarm.metadataSize() > 0;
    if (isKnown || !this.isDownloading || swarm.sourceCount > 0) {
      this.turnedAwaySince = undefined;
      return;
    }
    this.turnedAwaySince ??= this.engine.clock.now();
    if (this.engine.clock.now() - this.turnedAwaySince < TURNED_AWAY_MS) return;
    this.turnedAwaySince = undefined;
    this.fail(
      new StreamletError(
        "unknown-video",
        "Whoever the link names does not offer this video, or not to you. Ask its owner to share it with you, then resume.",
      ),
    );
  }
  private turnedAwaySince: number | undefined;

  private judgeReach(): void {
    const connected = (this.active?.swarm.connectionCount ?? 0) > 0;
    if (connected) this.unreachableSince = undefined;
    const since = this.unreachableSince;
    const unreachable = since !== undefined && this.engine.clock.now() - since > UNREACHABLE_AFTER_MS;
    if (unreachable === this.unreachable) return;
    this.unreachable = unreachable;
    this.engine.changed();
  }

  private async deactivate(): Promise<void> {
    this.stopFinding?.();
    this.stopFinding = undefined;
    const active = this.active;
    this.active = undefined;
    if (!active) return;
    active.swarm.close();
    await active.storage?.close();
    if (!this.isDownloading) this.engine.verifier.pool.trim();
  }

  /** Deletes what an unfinished download has left. The entry itself is the session's to remove. */
  async discardPart(): Promise<void> {
    this.closed = true; // nobody who is on the way makes it anew
    await this.serialize(() => this.deactivate());
    const { partPath } = this.entry;
    if (partPath) await rm(partPath, { force: true });
  }

  private serialize(run: () => Promise<void>): Promise<void> {
    const next = this.busy.then(run);
    this.busy = next.catch(() => undefined);
    return next;
  }
}
