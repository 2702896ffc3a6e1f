/**
 * The swarm of one video and the storage under it, from the moment when somebody needs them until nobody does. It decides in which
 * order they are opened, filled and closed, one at a time; never in what state the entry is, nor what is fetched.
 */
import type { Bitfield } from "../wire/bitfield";
import type { Engine } from "./engine";
import { MAX_CONNECTIONS_PER_VIDEO } from "./limits";
import type { Limiter } from "./net/nestedLimiter";
import type { LibraryEntry } from "./storage/library";
import type { Content } from "./swarm/content";
import type { Pieces } from "./swarm/pieceMap";
import { Swarm } from "./swarm/swarm";
import type { SwarmAdmission } from "./swarm/swarmOptions";
import type { VideoMetadata } from "./videoMetadata";
import { contentOf, contentOfInfo, storedPieces, VideoStorage } from "./videoStorage";

/** Whoever comes for a video begins to read or to connect within so long. */
const IDLE_MS = 10_000;

interface Parts {
  swarm: Swarm;
  /** Undefined until the shape of the video is known. */
  storage: VideoStorage | undefined;
}
export type OpenParts = Readonly<Parts>;

/** The video that is opened, as far as opening it depends on more than its entry. */
export interface OpenVideoHost {
  readonly admission: SwarmAdmission;
  readonly uploadLimiter: Limiter;
  /** Errors: unknown-video, when it has been removed. */
  entry(): LibraryEntry;
  isDownloading(): boolean;
  /** Somebody needs it, connected or not: it stays open. */
  isNeeded(): boolean;
  /** What is on disk is being checked: bytes found good so far. */
  onChecking(bytesGood: number): void;
  onStorage(storage: VideoStorage): void;
  /** The metadata has said how large it is. Errors: quota-exceeded. */
  onSize(bytes: number): void;
  /** The metadata came after the start: what could not be fetched before can be now. */
  onShape(parts: OpenParts): void;
  onFailed(error: unknown): void;
  /** See `SwarmOptions`. */
  onSourceError(error: unknown): void;
  onUnreachable(): void;
  onTurnedAway(): void;
}

export class OpenVideo {
  private parts: Parts | undefined;
  /** Opening, finishing and closing touch files: one at a time. */
  private busy: Promise<void> = Promise.resolve();
  private over = false;
  /** A check of what is on disk need not go on. */
  private stopping = false;
  /** When somebody last came for it. */
  private usedAt = Number.NEGATIVE_INFINITY;
  private dialledAt: number | undefined;
  /** What was on disk when somebody last looked while nothing was under way. */
  private dormant: Bitfield | undefined;

  constructor(
    private readonly key: string,
    private readonly engine: Engine,
    private readonly metadata: VideoMetadata,
    private readonly host: OpenVideoHost,
  ) {}

  get swarm(): Swarm | undefined {
    return this.parts?.swarm;
  }
  get storage(): VideoStorage | undefined {
    return this.parts?.storage;
  }
  /** It is closed, and will not be opened again. */
  get isOver(): boolean {
    return this.over;
  }
  /** When anybody was dialled for it first, on the engine's clock. */
  get firstDialAt(): number | undefined {
    return this.dialledAt;
  }

  /** Idempotent; undefined where it is over. Errors: as `VideoStorage.open`. */
  async open(): Promise<OpenParts | undefined> {
    this.usedAt = this.engine.clock.now();
    await this.inTurn(async () => {
      if (this.parts || this.over) return;
      const infoBytes = await this.metadata.kept(this.host.isDownloading());
      const entry = this.host.entry();
      this.parts = { swarm: this.makeSwarm(entry, infoBytes), storage: undefined };
      const content = contentOf(entry, infoBytes);
      try {
        if (content) await this.openStorage(this.parts, content);
      } catch (error) {
        await this.closeParts(); // a swarm without its storage would wait for ever
        throw error;
      }
    });
    return this.parts;
  }

  /** Until somebody comes again. */
  close(): Promise<void> {
    return this.inTurn(() => this.closeParts());
  }

  /** Closes what is being downloaded; a check of what is on disk ends first. One that has become whole meanwhile may be read. */
  async interrupt(): Promise<void> {
    this.stopping = true;
    await this.inTurn(async () => {
      if (this.parts && this.host.isDownloading()) await this.closeParts();
    }).finally(() => {
      this.stopping = false;
    });
  }

  /** Whoever is on the way opens it no more. */
  end(): Promise<void> {
    this.over = true;
    return this.close();
  }

  /** Frees what nobody uses. */
  async sleepIfIdle(): Promise<void> {
    if (!this.isIdle) return;
    await this.inTurn(async () => {
      if (this.isIdle) await this.closeParts();
    });
  }

  /** Runs when nothing is being opened or closed; not at all where it is not open. */
  whileOpen(run: (parts: OpenParts) => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      if (this.parts && !this.over) await run(this.parts);
    });
  }

  /** Audience, sharing, a friendship or a block has changed: open connections follow at once. */
  review(): void {
    const { parts } = this;
    if (!parts) return;
    parts.swarm.review();
    parts.swarm.setSource(this.host.entry().shared ? parts.storage?.store : undefined);
  }

  /** Where its pieces are; undefined until its shape is known, and while what is on disk is being checked. */
  async pieces(): Promise<Pieces | undefined> {
    if (!this.parts) {
      await this.inTurn(async () => {
        if (!this.parts && !this.over) this.dormant = await storedPieces(this.engine, this.host.entry());
      });
    }
    if (!this.parts) return this.dormant && { here: this.dormant, fetching: [], sources: [] };
    const { swarm, storage } = this.parts;
    if (!storage) return undefined;
    const connections = [...swarm.connections()].filter(({ ready, remoteKnown }) => ready && remoteKnown);
    return {
      here: storage.have,
      fetching: swarm.download?.underWay() ?? [],
      sources: connections.flatMap(({ remote }) => (remote ? [remote] : [])),
    };
  }

  private makeSwarm(entry: LibraryEntry, infoBytes: Uint8Array | undefined): Swarm {
    const { engine, host } = this;
    return new Swarm({
      id: entry.id,
      v1: entry.v1,
      infoBytes,
      clock: engine.clock,
      peerId20: engine.peerId20,
      uploadLimiter: host.uploadLimiter,
      maxConnections: MAX_CONNECTIONS_PER_VIDEO,
      group: engine.swarms,
      admission: host.admission,
      dialledWins: (remote) => engine.identity.fingerprint < remote,
      listenPort: () => engine.listenPort(),
      dial: (peer, onread, signal) => {
        this.dialledAt ??= engine.clock.now();
        return engine.dial(peer, onread, signal);
      },
      onInfo: (bytes) => void this.onInfo(bytes).catch((error) => host.onFailed(error)),
      onChange: () => engine.changed(),
      onSourceError: (error) => host.onSourceError(error),
      onUnreachable: () => host.onUnreachable(),
      onTurnedAway: () => host.onTurnedAway(),
    });
  }

  private async openStorage(parts: Parts, content: Content): Promise<void> {
    const storage = await VideoStorage.open(this.engine, this.key, content, {
      onChecking: (bytes) => this.host.onChecking(bytes),
      isStopping: () => this.over || this.stopping,
    });
    parts.storage = storage;
    this.host.onStorage(storage);
    const { have, tree, store } = storage;
    parts.swarm.setContent(content, have, tree, this.host.entry().shared ? store : undefined);
  }

  /** The metadata of a provisional video has come. */
  private onInfo(infoBytes: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      const { parts } = this;
      if (!parts || this.over) return;
      const known = parts.swarm.content();
      const { info, v1 } = await this.metadata.take(infoBytes, known);
      parts.swarm.setV1(v1);
      this.engine.sharingChanged();
      if (known) return;
      this.host.onSize(info.length);
      await this.openStorage(parts, contentOfInfo(info));
      this.host.onShape(parts);
    });
  }

  private get isIdle(): boolean {
    if (!this.parts || this.host.isNeeded() || this.engine.clock.now() - this.usedAt < IDLE_MS) return false;
    return this.parts.swarm.connectionCount === 0;
  }

  private async closeParts(): Promise<void> {
    const { parts } = this;
    this.parts = undefined;
    if (!parts) return;
    parts.swarm.close();
    await parts.storage?.close();
    if (!this.host.isDownloading()) this.engine.verifier.pool.trim();
  }

  private inTurn(run: () => Promise<void>): Promise<void> {
    const next = this.busy.then(run);
    this.busy = next.catch(() => undefined);
    return next;
  }
}
