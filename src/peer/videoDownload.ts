/**
 * The download of one video: when it begins, is stopped, fails and is whole, and who waits for its outcome. Which blocks are asked
 * of whom is decided by swarm/download.ts; what is on disk belongs to videoStorage.ts.
 */
import { StreamletError } from "../wire/errors";
import type { Engine } from "./engine";
import { MAX_CONNECTIONS_PER_VIDEO } from "./limits";
import type { OpenParts, OpenVideo } from "./openVideo";
import type { VideoState } from "./status";
import { Download } from "./swarm/download";
import type { VideoMetadata } from "./videoMetadata";
import type { VideoReach } from "./videoReach";
import type { VideoRuntime } from "./videoRuntime";

/** How often more peers are looked for while a download has few. */
const FIND_PEERS_MS = 10_000;

export interface DownloadResult {
  path: string;
  bytes: number;
  /** From the first connection attempt until the file had its final name. */
  seconds: number;
}

export interface VideoDownloadParts {
  video: OpenVideo;
  metadata: VideoMetadata;
  reach: VideoReach;
}

export class VideoDownload {
  /** A file of the same name may be replaced. */
  replaceExisting = false;
  private stopFinding: (() => void) | undefined;
  private stopped: Promise<void> | undefined;
  private seconds = 0;
  private waiting: { resolve(result: DownloadResult): void; reject(error: unknown): void }[] = [];

  constructor(
    private readonly runtime: VideoRuntime,
    private readonly engine: Engine,
    private readonly parts: VideoDownloadParts,
  ) {}

  /** Starts or resumes; a problem with the disk or the data ends in state `failed`, as `result` tells. */
  async start(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      await this.stop("failed", error);
    }
  }

  async pause(): Promise<void> {
    await this.stop("paused");
  }

  fail(error: unknown): void {
    if (this.parts.video.isOver) return;
    void this.stop("failed", error).catch(() => undefined);
  }

  /** Resolves when a pause or a failure that is under way has come to its end. */
  async settled(): Promise<void> {
    await this.stopped?.catch(() => undefined); // whoever stopped it has been told
  }

  /** Resolves when the download is whole; rejects when it fails or is stopped. */
  result(): Promise<DownloadResult> {
    const { state, error, path, size } = this.runtime.entry;
    if (state === "ready") return Promise.resolve({ path, bytes: size, seconds: this.seconds });
    if (error && state === "failed") return Promise.reject(new StreamletError(error.code, error.message));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** The peer has stopped, or the video is removed: nobody waits any longer. */
  end(): void {
    this.settle({ error: new StreamletError("cancelled", "The peer has stopped.") });
  }

  /** Ends the search for more peers. */
  lookNoMore(): void {
    this.stopFinding?.();
    this.stopFinding = undefined;
  }

  /** Fetches what is missing, from whoever is connected. */
  begin({ swarm, storage }: OpenParts): void {
    if (storage?.file === undefined) return;
    const { content, have, tree, file } = storage;
    if (have.isFull) {
      void this.finish(); // not awaited: who calls may be what it waits for
      return;
    }
    const { engine, runtime } = this;
    const download = new Download(content, have, tree, engine.verifier, file, engine.random, {
      clock: engine.clock,
      downloadLimiter: runtime.limits.download,
      connections: () => swarm.connections(),
      onPiece: (piece, leaves) => {
        storage.keep(piece, leaves);
        runtime.bytesDone += content.pieceSize(piece);
        swarm.onPieceDone(piece);
        engine.changed();
      },
      onBlocks: () => runtime.stream.onProgress(),
      onComplete: () => void this.finish(),
      ban: (connection, error) => swarm.ban(connection, error),
      onFailed: (error) => this.fail(error),
    });
    // Before the first requests: they are for whoever waits.
    download.setWindows(runtime.stream.windows());
    swarm.startDownload(download);
    runtime.stream.onProgress();
  }

  private async run(): Promise<void> {
    const { runtime, parts } = this;
    runtime.setState("downloading");
    parts.reach.reset();
    const open = await parts.video.open();
    if (!open || parts.video.isOver || !runtime.isDownloading) return;
    this.lookNoMore();
    const find = () => {
      parts.reach.judge();
      if (open.swarm.sourceCount < MAX_CONNECTIONS_PER_VIDEO / 2) this.engine.findPeers(runtime);
    };
    this.stopFinding = this.engine.clock.every(FIND_PEERS_MS, find);
    if (open.storage) this.begin(open);
    else open.swarm.wantPeers();
    find();
  }

  private stop(state: VideoState, error?: unknown): Promise<void> {
    this.stopped = this.interrupt(state, error);
    return this.stopped;
  }

  /** Stops the transfer and leaves its data for a resume. One that has become whole meanwhile stays whole. */
  private async interrupt(state: VideoState, error?: unknown): Promise<void> {
    const { runtime, parts } = this;
    this.lookNoMore();
    await parts.video.interrupt();
    const isPart = this.engine.library.get(runtime.key)?.partPath !== undefined;
    if (!parts.video.isOver && isPart) runtime.setState(state, error);
    this.settle({ error: error ?? new StreamletError("cancelled", "The download was paused.") });
  }

  private async finish(): Promise<void> {
    const { engine, runtime } = this;
    const { video, metadata, reach } = this.parts;
    if (video.swarm?.metadataSize() === 0) await metadata.named();
    await video
      .whileOpen(async ({ swarm, storage }) => {
        if (storage?.file === undefined) return;
        swarm.stopDownload();
        this.lookNoMore();
        const { path, size } = await storage.finish(this.replaceExisting);
        const { firstDialAt } = video;
        this.seconds = firstDialAt === undefined ? 0 : (engine.clock.now() - firstDialAt) / 1000;
        reach.reset();
        engine.verifier.pool.trim();
        engine.changed();
        engine.sharingChanged();
        engine.onDownloaded(runtime);
        this.settle({ result: { path, bytes: size, seconds: this.seconds } });
      })
      .catch((error) => this.fail(error));
  }

  private settle(outcome: { result: DownloadResult } | { error: unknown }): void {
    for (const { resolve, reject } of this.waiting.splice(0)) {
      if ("result" in outcome) resolve(outcome.result);
      else reject(outcome.error);
    }
  }
}
