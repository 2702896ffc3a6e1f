/**
 * One library entry at run time: its state, and what follows from it for the parts that open, fetch and stream it. States are those
 * of `VideoState`; every change goes to the library first, so that a restart finds what was reported.
 */
import { rm } from "node:fs/promises";
import type { Duplex } from "node:stream";
import type { Bitfield } from "../wire/bitfield";
import { StreamletError, toErrorInfo } from "../wire/errors";
import type { Handshake } from "../wire/handshake";
import type { Grant } from "../wire/records";
import type { Engine } from "./engine";
import { ShownVideo } from "./libraryVideo";
import { OpenVideo } from "./openVideo";
import { Admission } from "./social/admission";
import type { LibraryVideo, VideoState } from "./status";
import type { LibraryEntry } from "./storage/library";
import { checkExpected } from "./storage/pieceStore";
import { streamedVideo } from "./stream/runtimeStream";
import { VideoStream } from "./stream/videoStream";
import type { RemotePeer } from "./swarm/connectionHost";
import type { Content } from "./swarm/content";
import type { KnownPeer } from "./swarm/peerList";
import type { Pieces } from "./swarm/pieceMap";
import type { Swarm } from "./swarm/swarm";
import { VideoDownload } from "./videoDownload";
import { OwnLimits } from "./videoLimits";
import { VideoMetadata } from "./videoMetadata";
import { VideoReach } from "./videoReach";
import { storedBytes, type VideoStorage } from "./videoStorage";

export class VideoRuntime {
  /** Progress of an import or a check, in bytes. */
  bytesDone = 0;
  publishedOn = 0;
  /** What players read of it. */
  readonly stream = new VideoStream(streamedVideo(this));
  readonly admission: Admission;
  readonly download: VideoDownload;
  readonly limits: OwnLimits;
  private readonly reach: VideoReach;
  private readonly video: OpenVideo;

  constructor(
    readonly key: string,
    private readonly engine: Engine,
  ) {
    this.admission = new Admission(
      engine,
      () => this.entry,
      () => this.isSeeding || this.isDownloading,
    );
    this.limits = new OwnLimits(key, engine);
    const metadata = new VideoMetadata(key, engine);
    const reach = new VideoReach(this, engine);
    const video = new OpenVideo(key, engine, metadata, {
      admission: this.admission,
      uploadLimiter: this.limits.upload,
      entry: () => this.entry,
      isDownloading: () => this.isDownloading,
      isNeeded: () => this.isDownloading || this.stream.readerCount > 0,
      onChecking: (bytes) => this.onChecking(bytes),
      onStorage: (storage) => this.onStorage(storage),
      onSize: (bytes) => {
        if (this.isDownloading) engine.checkQuota(key, bytes);
      },
      onShape: (parts) => {
        if (this.isDownloading) this.download.begin(parts);
      },
      onFailed: (error) => this.download.fail(error),
      onSourceError: (error) => void this.onSourceError(error).catch(() => undefined),
      onUnreachable: () => reach.onUnreachable(),
      onTurnedAway: () => reach.onTurnedAway(),
    });
    this.reach = reach;
    this.video = video;
    this.download = new VideoDownload(this, engine, { video, metadata, reach });
  }

  get entry(): LibraryEntry {
    const entry = this.engine.library.get(this.key);
    if (!entry) throw new StreamletError("unknown-video", "This video is not in the library any more.");
    return entry;
  }
  get isDownloading(): boolean {
    const { state, partPath } = this.entry;
    return state === "downloading" || (state === "checking" && partPath !== undefined);
  }
  /** Whole, on disk, and to be offered to others. */
  get isSeeding(): boolean {
    return this.entry.shared && this.entry.state === "ready";
  }
  get swarm(): Swarm | undefined {
    return this.video.swarm;
  }
  /** Nobody who has it can be reached, for so long that a person should know. */
  get unreachable(): boolean {
    return this.reach.isUnreachable;
  }

  status(): LibraryVideo {
    const { swarm } = this;
    return this.shown.of(this.entry, {
      bytesDone: this.bytesDone,
      downRate: swarm?.down.rate() ?? 0,
      upRate: swarm?.up.rate() ?? 0,
      peers: (this.isDownloading ? swarm?.sourceCount : swarm?.leecherCount) ?? 0,
      publishedOn: this.publishedOn,
    });
  }
  private readonly shown = new ShownVideo();

  /** See `OpenVideo.pieces`. */
  pieces(): Promise<Pieces | undefined> {
    return this.video.pieces();
  }

  // --- playing ----------------------------------------------------------------------------------------------------------

  /** What is at hand of it; undefined while nobody uses it, and until its shape is known. */
  data(): { content: Content; have: Bitfield; store: VideoStorage["store"] } | undefined {
    return this.video.storage;
  }

  /** Opens what is on disk, for somebody who is about to read it. Errors: as `stoppedBecause`. */
  async wake(): Promise<void> {
    const { state } = this.entry;
    if (state === "hashing" || state === "optimising") {
      throw new StreamletError("invalid-argument", "This video is still being prepared: wait a moment.");
    }
    await this.video.open();
    const stopped = this.stoppedBecause();
    if (stopped) throw stopped;
  }

  /** Why nothing more of it will come by itself; undefined where it is whole or on its way. */
  stoppedBecause(): StreamletError | undefined {
    if (this.video.isOver) return new StreamletError("cancelled", "The video was closed.");
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
    if (this.isDownloading) void this.download.start().catch(() => undefined);
  }

  async close(): Promise<void> {
    const shut = this.shut();
    this.stream.close();
    await shut.catch(() => undefined); // a file that cannot be closed must not keep the library and the lock from being
    this.download.end();
  }

  /** Deletes what an unfinished download has left. The entry itself is the session's to remove. */
  async discardPart(): Promise<void> {
    await this.shut();
    const { partPath } = this.entry;
    if (partPath) await rm(partPath, { force: true });
  }

  /** Nobody who is on the way opens it anew. */
  private shut(): Promise<void> {
    const shut = this.video.end();
    this.download.lookNoMore();
    return shut;
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
    const open = await this.video.open();
    const isWelcome = open && !this.video.isOver && this.admission.allows(remote, grant);
    if (isWelcome) open.swarm.accept(socket, remote, handshake, grant);
    else socket.destroy();
  }

  async callBack(peer: KnownPeer): Promise<void> {
    const open = await this.video.open();
    await open?.swarm.callBack(peer);
  }

  addPeers(peers: KnownPeer[]): void {
    if (!this.isDownloading) return;
    const wanted = peers.filter((peer) => this.admission.mayDial(peer));
    if (wanted.length > 0) this.swarm?.addPeers(wanted);
  }

  // --- sharing ----------------------------------------------------------------------------------------------------------

  /** Audience, sharing, a friendship or a block has changed: takes effect on open connections at once. */
  onSharingChanged(): void {
    this.video.review();
  }

  /** Leave to have it has come, or was renewed: whoever turned us away may not do so again. */
  onGranted(): void {
    this.onSharingChanged();
    const { state, error } = this.entry;
    if (state === "failed" && error?.code === "unknown-video") void this.download.start();
    if (!this.isDownloading) return;
    this.swarm?.peers.retryNow();
    this.engine.findPeers(this);
  }

  /** Frees a swarm that nobody uses. */
  sleepIfIdle(): Promise<void> {
    return this.video.sleepIfIdle();
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
    if (this.video.isOver || !(error instanceof StreamletError)) return;
    if (this.isDownloading) return this.download.fail(error);
    const state = error.code === "file-changed" ? "fileChanged" : "fileMissing";
    if (this.entry.state === state) return;
    this.setState(state, error);
    await this.video.close();
  }

  /** Closes what is open of it: the file under it becomes another one. */
  release(): Promise<void> {
    return this.video.close();
  }

  // --- what is on disk --------------------------------------------------------------------------------------------------

  private onChecking(bytesGood: number): void {
    this.bytesDone = bytesGood;
    if (this.entry.state === "downloading") this.setState("checking");
    this.engine.changed();
  }

  private onStorage(storage: VideoStorage): void {
    if (this.entry.state === "checking") this.setState("downloading");
    if (this.entry.state !== "ready") this.bytesDone = storage.bytesDone();
  }
}
