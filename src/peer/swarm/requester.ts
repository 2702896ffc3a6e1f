/**
 * Which blocks are asked of whom next: how much is under way to each peer, which piece it goes on with, what players wait for, and
 * what becomes of requests that nobody answers. Pieces are started here, and given up for more urgent ones.
 */
import type { Bitfield } from "../../wire/bitfield";
import { BLOCK_BYTES, MAX_QUEUED_REQUESTS } from "../../wire/constants";
import type { Clock } from "../clock";
import type { Limiter } from "../net/nestedLimiter";
import type { PoolShare } from "../storage/bufferPool";
import { NO_WINDOWS, type Windows } from "../stream/windows";
import { ActivePiece, REQUESTED } from "./activePiece";
import type { Availability } from "./availability";
import type { Content } from "./content";
import type { PeerConnection } from "./peerConnection";
import { pickPiece } from "./piecePicker";

export interface RequesterHost {
  readonly clock: Clock;
  readonly downloadLimiter: Limiter;
  connections(): Iterable<PeerConnection>;
  /** Memory was taken for a piece; `connection` was the reason. */
  onStarted(active: ActivePiece, connection: PeerConnection): void;
}

/** Requests of a peer that sends less than a block in so long are given to others. */
const SNUB_MS = 10_000;
/** A player, or the end of the download, waits for a block: after so long another peer is asked as well. */
const LATE_MS = 700;
/** A block is asked of at most this many peers at once near the end. */
const ENDGAME_REQUESTS = 2;
/** Peers that are asked before they have said whether they give anything. */
const MAX_HOPES = 6;
/** What a peer queues that does not say (BEP 10, `reqq`). */
const DEFAULT_QUEUED_REQUESTS = 250;

/** Blocks of a piece. */
interface Run {
  active: ActivePiece;
  first: number;
  count: number;
}

export class Requester {
  private windows = NO_WINDOWS;
  /** Nothing is asked of these until the next tick. */
  private readonly resting = new Set<PeerConnection>();
  /** The reader whose turn it is. */
  private turn = 0;
  private criticalPieces: ReadonlySet<number> = new Set();
  private stopped = false;
  private limited: Promise<void> | undefined;
  private readonly aborter = new AbortController();

  constructor(
    private readonly content: Content,
    private readonly have: Bitfield,
    /** Shared with the download: a piece that is here has its memory. */
    private readonly active: Map<number, ActivePiece>,
    private readonly availability: Availability,
    private readonly memory: PoolShare,
    private readonly random: () => number,
    private readonly host: RequesterHost,
  ) {}

  /** What players wait for goes first from now on; missing pieces only. */
  setWindows(windows: Windows): void {
    const moved = windows.critical.some((piece) => !this.isCritical(piece));
    this.windows = windows;
    this.criticalPieces = new Set(windows.critical);
    if (moved) this.fillAll();
  }

  get critical(): readonly number[] {
    return this.windows.critical;
  }

  isCritical(piece: number): boolean {
    return this.criticalPieces.has(piece);
  }

  stop(): void {
    this.stopped = true;
    this.aborter.abort();
    for (const connection of this.host.connections()) this.release(connection, true);
  }

  /** Once a second or so: who stalls loses its requests to others. */
  dropStalled(): void {
    const now = this.host.clock.now();
    this.resting.clear();
    for (const connection of this.host.connections()) {
      if (connection.inFlight.size === 0) continue;
      const oldest = connection.inFlight.values().next().value!;
      if (now - Math.max(oldest.sentAt, connection.progressAt) < SNUB_MS) continue;
      connection.snubbed = true;
      this.release(connection, true);
      this.unlead(connection);
    }
  }

  /** It has refused what it was asked for: it is asked again with the next tick, or the two would go on as fast as they can. */
  rest(connection: PeerConnection): void {
    this.resting.add(connection);
  }

  /** Others may go on with what it has begun. */
  unlead(connection: PeerConnection): void {
    for (const active of this.active.values()) if (active.lead === connection) active.lead = undefined;
  }

  fillAll(): void {
    // Who stalls comes last, or it would take again what it has just lost.
    for (const connection of this.host.connections()) if (!connection.snubbed) this.fill(connection);
    for (const connection of this.host.connections()) if (connection.snubbed) this.fill(connection);
  }

  fill(connection: PeerConnection): void {
    if (this.stopped || !connection.remote || this.limited) return;
    if (!connection.canRequest && (!connection.amInterested || connection.allowedFast.size === 0)) return;
    if (connection.isInFirstFlight && !this.hasHopesFor(connection)) return;
    if ((connection.snubbed && connection.inFlight.size > 0) || this.resting.has(connection)) return;
    const { pipeline } = connection;
    const target = connection.snubbed ? BLOCK_BYTES : pipeline.target(connection.down.rate());
    // Requests go out in batches, so that the sender can merge them into large reads and writes.
    if (connection.inFlightBytes > target * 0.75) return;
    const mostBytes = Math.min(connection.hello.maxRequestBytes, this.host.downloadLimiter.partBytes);
    const blocks = pipeline.requestBlocks(target, mostBytes);
    const maxRequests = Math.min(connection.hello.extended?.reqq ?? DEFAULT_QUEUED_REQUESTS, MAX_QUEUED_REQUESTS);
    while (connection.inFlightBytes < target && connection.inFlight.size < maxRequests) {
      const run = this.nextRun(connection, blocks);
      if (!run) break;
      const begin = run.first * BLOCK_BYTES;
      if (connection.requested(run.active.index, begin)) break; // one answer can stand for one request only
      const length = run.active.byteLength(run.first, run.count);
      run.active.markRequested(run.first, run.count);
      connection.request(run.active.index, begin, length);
      const waiting = this.host.downloadLimiter.take(length, this.aborter.signal, this);
      if (waiting instanceof Promise) {
        this.pauseFor(waiting);
        break;
      }
    }
  }

  /** The first few of many peers that are dialled at once; of a whole crowd most say that they give nothing yet. */
  private hasHopesFor(connection: PeerConnection): boolean {
    let hopes = 0;
    for (const other of this.host.connections()) {
      if (other !== connection && other.isInFirstFlight && other.inFlight.size > 0) hopes++;
    }
    return hopes < MAX_HOPES;
  }

  private pauseFor(waiting: Promise<void>): void {
    this.limited = waiting;
    const go = () => {
      this.limited = undefined;
      if (!this.stopped) this.fillAll();
    };
    waiting.then(go, go);
  }

  private nextRun(connection: PeerConnection, blocks: number): Run | undefined {
    if (!connection.canRequest) {
      return this.runOf(connection, blocks, ({ lead, index }) => {
        return connection.allowedFast.has(index) && (!lead || lead === connection);
      });
    }
    const urgent = this.criticalRun(connection, blocks);
    if (urgent) return urgent;
    const own = this.runOf(connection, blocks, ({ lead }) => lead === connection);
    if (own) return own;
    // Pieces in parts are of no use to anybody: those that nobody goes on with come before new ones.
    const orphan = this.runOf(
      connection,
      blocks,
      ({ lead, single, index }) => !lead || (!single && !lead.mayRequest(index)),
    );
    if (orphan) {
      orphan.active.lead = connection;
      return orphan;
    }
    const started = this.startPiece(connection);
    if (started) return { active: started, ...started.nextRun(blocks)! };
    const shared = this.runOf(connection, blocks, ({ single }) => !single);
    if (shared) return shared;
    return connection.inFlight.size === 0 && this.isEndgame ? this.endgameRun(connection) : undefined;
  }

  private runOf(
    connection: PeerConnection,
    blocks: number,
    matches: (active: ActivePiece) => boolean,
  ): Run | undefined {
    for (const active of this.active.values()) {
      if (active.verifying || !connection.remote!.get(active.index) || !matches(active)) continue;
      const run = active.nextRun(blocks);
      if (run) return { active, ...run };
    }
    return undefined;
  }

  /** Players wait: everybody who has such a piece takes a part of it, the most wanted first. */
  private criticalRun(connection: PeerConnection, blocks: number): Run | undefined {
    const { readers, critical } = this.windows;
    if (critical.length === 0) return undefined;
    // While nobody knows how fast the peer is, one block at a time: a player gets none of a request before all of it.
    const most = connection.pipeline.probing ? 1 : blocks;
    for (let i = 0; i < readers.length; i++) {
      const { piece, block } = readers[(this.turn + i) % readers.length]!;
      const active = this.takeCritical(piece, connection);
      const run = active?.nextRun(most, block);
      if (!run) continue;
      this.turn = (this.turn + i + 1) % readers.length;
      return { active: active!, ...run };
    }
    const mostWanted = critical.find((piece) => !this.have.get(piece));
    for (const piece of critical) {
      const active = this.takeCritical(piece, connection);
      if (!active) continue;
      // What stands before a reader in its piece can wait like the rest of the video.
      const from = readers.find((reader) => reader.piece === piece)?.block;
      const run = active.nextRun(most, from) ?? (piece === mostWanted ? this.lateRun(active, connection) : undefined);
      if (run) return { active, ...run };
    }
    return undefined;
  }

  /** A piece that players wait for, where this peer can give of it; taken into memory where it is not. */
  private takeCritical(piece: number, connection: PeerConnection): ActivePiece | undefined {
    if (!connection.remote!.get(piece) || this.have.get(piece)) return undefined;
    const active = this.active.get(piece) ?? this.start(piece, connection, true);
    if (!active || active.verifying) return undefined;
    return active.single && active.lead !== undefined && active.lead !== connection ? undefined : active;
  }

  /** A block that a player waits for and that somebody has been asked for too long is asked of a second one. */
  private lateRun(active: ActivePiece, idle: PeerConnection): { first: number; count: number } | undefined {
    if (active.single) return undefined;
    const now = this.host.clock.now();
    for (const connection of this.host.connections()) {
      if (connection === idle || connection.down.rate() > idle.down.rate()) continue;
      for (const { piece, begin, length, sentAt } of connection.inFlight.values()) {
        if (piece !== active.index || now - sentAt < LATE_MS || length > idle.hello.maxRequestBytes) continue;
        const first = begin / BLOCK_BYTES;
        if (active.state[first] !== REQUESTED || this.askedOf(piece, begin) >= ENDGAME_REQUESTS) continue;
        return { first, count: Math.ceil(length / BLOCK_BYTES) };
      }
    }
    return undefined;
  }

  private startPiece(connection: PeerConnection): ActivePiece | undefined {
    const soon = this.windows.high.find(
      (index) => !this.have.get(index) && !this.active.has(index) && connection.remote!.get(index),
    );
    if (soon !== undefined) return this.start(soon, connection, false);
    const piece = pickPiece({
      pieceCount: this.content.pieceCount,
      have: this.have,
      isActive: (index) => this.active.has(index),
      remote: connection.remote!,
      availability: this.availability.counts,
      suggested: connection.suggested,
      random: this.random,
    });
    return piece < 0 ? undefined : this.start(piece, connection, false);
  }

  /** Takes a piece into memory; with `urgent` at the cost of one that can wait. */
  private start(piece: number, connection: PeerConnection, urgent: boolean): ActivePiece | undefined {
    const size = Math.min(this.content.pieceLength, slotSize(this.content));
    const slot = this.memory.acquire(size) ?? (urgent && this.giveUpOne() ? this.memory.acquire(size) : undefined);
    if (!slot) return undefined;
    const active = new ActivePiece(piece, this.content.pieceSize(piece), slot);
    active.lead = connection;
    this.active.set(piece, active);
    this.host.onStarted(active, connection);
    return active;
  }

  /** Frees the memory of the piece of which least is here, if nobody waits for it. */
  giveUpOne(): boolean {
    let least: ActivePiece | undefined;
    for (const active of this.active.values()) {
      if (active.verifying || this.isCritical(active.index)) continue;
      if (!least || active.received < least.received) least = active;
    }
    if (!least) return false;
    for (const connection of this.host.connections()) {
      for (const { piece, begin } of [...connection.inFlight.values()]) {
        if (piece === least.index && !connection.closed) connection.cancel(piece, begin);
      }
    }
    least.silenceAll();
    this.drop(least);
    return true;
  }

  /** Every missing piece is under way: what no peer has been asked for, this one does not have either. */
  private get isEndgame(): boolean {
    return this.have.count + this.active.size >= this.content.pieceCount;
  }

  /** Nothing is left that nobody was asked for: an idle peer doubles the oldest request, if that is late. */
  private endgameRun(idle: PeerConnection): Run | undefined {
    let oldest: { piece: number; begin: number; length: number; sentAt: number } | undefined;
    const late = this.host.clock.now() - LATE_MS;
    for (const connection of this.host.connections()) {
      if (connection === idle) continue;
      for (const request of connection.inFlight.values()) {
        if (request.sentAt > late || (oldest && request.sentAt >= oldest.sentAt)) continue;
        if (request.length > idle.hello.maxRequestBytes || !idle.remote!.get(request.piece)) continue;
        if (this.askedOf(request.piece, request.begin) >= ENDGAME_REQUESTS) continue;
        const active = this.active.get(request.piece);
        if (!active || active.single || active.state[request.begin / BLOCK_BYTES] !== REQUESTED) continue;
        oldest = request;
      }
    }
    if (!oldest) return undefined;
    const active = this.active.get(oldest.piece)!;
    return { active, first: oldest.begin / BLOCK_BYTES, count: Math.ceil(oldest.length / BLOCK_BYTES) };
  }

  askedOf(piece: number, begin: number): number {
    const key = piece * this.content.blocksPerPiece + begin / BLOCK_BYTES;
    let count = 0;
    for (const connection of this.host.connections()) if (connection.inFlight.has(key)) count++;
    return count;
  }

  cancelElsewhere(winner: PeerConnection, piece: number, begin: number): void {
    const key = piece * this.content.blocksPerPiece + begin / BLOCK_BYTES;
    for (const connection of this.host.connections()) {
      if (connection !== winner && connection.inFlight.has(key)) connection.cancel(piece, begin);
    }
  }

  /** Takes back all that was asked of it: by `cancel`, or because no answer will come. */
  release(connection: PeerConnection, cancel: boolean): void {
    for (const request of [...connection.inFlight.values()]) {
      if (cancel && !connection.closed) connection.cancel(request.piece, request.begin);
      else connection.forget(request.piece, request.begin);
      this.host.downloadLimiter.give(request.length);
      this.takeBack(request);
    }
  }

  /**
   * What was asked will not come from there; who else was asked for it may still send it. A piece of which nothing is here or under way
   * gives up its memory.
   */
  takeBack({ piece, begin, length }: { piece: number; begin: number; length: number }): void {
    if (this.askedOf(piece, begin) > 0) return;
    const active = this.active.get(piece);
    active?.markMissing(begin / BLOCK_BYTES, Math.ceil(length / BLOCK_BYTES));
    if (active?.isUntouched) this.drop(active);
  }

  /** Ends a piece: its memory goes to the next one. */
  drop(active: ActivePiece): void {
    if (this.active.get(active.index) === active) this.active.delete(active.index);
    this.memory.release(active.slot);
  }
}

/** Slots of a video shorter than a piece are no larger than the video. */
function slotSize(content: Content): number {
  return Math.min(content.pieceLength, Math.ceil(content.length / BLOCK_BYTES) * BLOCK_BYTES);
}
