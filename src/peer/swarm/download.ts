/**
 * The downloading half of a swarm: which blocks are under way to whom, what has arrived, and its verification.
 *
 * What it keeps track of: `have` (verified and written pieces), `active` (pieces in memory, at most as many as the pool has
 * room for), `availability` (connected peers per piece). A piece leaves `active` only verified and written, or discarded.
 */
import type { Bitfield } from "../../wire/bitfield";
import { BLOCK_BYTES, V1_HASH_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import type { Clock } from "../clock";
import type { RateLimiter } from "../net/rateLimiter";
import type { HashTree } from "../storage/hashTree";
import type { Verdict, Verifier } from "../storage/verifier";
import type { PieceProof } from "../storage/verifyProtocol";
import type { Windows } from "../stream/windows";
import { ActivePiece, REQUESTED } from "./activePiece";
import type { Content } from "./content";
import { HashPicker } from "./hashPicker";
import type { Hashes, HashRequest, PeerConnection } from "./peerConnection";
import { INITIAL_IN_FLIGHT_BYTES, inFlightTarget, pickPiece, requestBlocks } from "./piecePicker";

export interface DownloadHost {
  readonly clock: Clock;
  readonly downloadLimiter: RateLimiter;
  connections(): Iterable<PeerConnection>;
  /** Verified and written: `leaves` are kept for serving. May throw; then the download fails. */
  onPiece(piece: number, leaves: Uint8Array | undefined): void;
  onComplete(): void;
  /** The peer sent something that is not the video. */
  ban(connection: PeerConnection, error: StreamletError): void;
  /** Blocks of a piece that somebody waits for (`setWindows`) have come, or what proves them. */
  onBlocks(): void;
  /** Disk full and the like: the download stops. */
  onFailed(error: unknown): void;
}

/** Requests without any payload for so long are given to others. */
const SNUB_MS = 10_000;
/** A player waits for a block: after so long another peer is asked as well. */
const LATE_MS = 700;
/** A block is asked of at most this many peers at once near the end. */
const ENDGAME_REQUESTS = 2;
/** Payload nobody asked for (late answers to cancelled requests included) before the peer is taken for a flooder. */
const MAX_UNWANTED_BYTES = 64 * 1024 * 1024;

export class Download {
  private readonly active = new Map<number, ActivePiece>();
  private readonly availability: Uint16Array;
  private readonly unwanted = new WeakMap<PeerConnection, number>();
  private readonly counted = new WeakMap<PeerConnection, Bitfield>();
  private readonly hashes: HashPicker | undefined;
  private cursor: number;
  private windows: Windows = { critical: [], high: [] };
  private isCritical: ReadonlySet<number> = new Set();
  private stopped = false;
  private limited: Promise<void> | undefined;
  private readonly aborter = new AbortController();

  constructor(
    private readonly content: Content,
    readonly have: Bitfield,
    tree: HashTree | undefined,
    private readonly verifier: Verifier,
    private readonly file: number,
    random: () => number,
    private readonly host: DownloadHost,
  ) {
    this.availability = new Uint16Array(content.pieceCount);
    this.cursor = Math.floor(random() * content.pieceCount);
    if (!tree || !content.piecesRoot) return;
    this.hashes = new HashPicker(content, content.piecesRoot, tree, {
      clock: host.clock,
      connections: () => host.connections(),
      activePiece: (piece) => this.active.get(piece),
      activePieces: () => this.active.values(),
      onHashesSettled: (active) => {
        if (this.isCritical.has(active.index)) host.onBlocks();
        this.maybeVerify(active);
      },
      onLie: (connection, error) => host.ban(connection, error),
    });
    this.tree = tree;
  }
  private readonly tree: HashTree | undefined;

  get isComplete(): boolean {
    return this.have.isFull;
  }

  /** Pieces of which blocks are under way, or here and not yet verified. */
  underWay(): Iterable<number> {
    return this.active.keys();
  }

  /** What players wait for goes first from now on; missing pieces only. */
  setWindows(windows: Windows): void {
    const moved = windows.critical.some((piece) => !this.isCritical.has(piece));
    this.windows = windows;
    this.isCritical = new Set(windows.critical);
    if (moved && !this.stopped) this.fillAll();
  }

  /** See `StreamedVideo.readMemory`: only blocks whose leaf hash says that they are right. */
  provenBytes(piece: number, offset: number, maxBytes: number): Buffer | undefined {
    const active = this.active.get(piece);
    return active && !this.stopped ? active.provenBytes(offset, maxBytes) : undefined;
  }

  /** Discards what is in memory; requests under way are cancelled. */
  stop(): void {
    this.stopped = true;
    this.aborter.abort();
    for (const connection of this.host.connections()) this.releaseRequests(connection, true);
    for (const active of this.active.values()) {
      active.silenceAll();
      if (!active.verifying) this.verifier.pool.release(active.slot);
    }
    this.active.clear();
  }

  // --- what connections say -------------------------------------------------------------------------------------------

  /** New availability, an unchoke, a first flight: see what can be asked. */
  onAvailability(connection: PeerConnection): void {
    this.count(connection);
    this.updateInterest(connection);
    this.fill(connection);
  }

  onChoke(connection: PeerConnection): void {
    // With the fast extension (BEP 6) the peer rejects what it will not send; without it a choke drops everything.
    if (!connection.supportsFast) this.releaseRequests(connection, false);
  }

  onReject(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.host.downloadLimiter.give(length);
    this.active.get(piece)?.markMissing(begin / BLOCK_BYTES, Math.ceil(length / BLOCK_BYTES));
    if (connection.peerChoking) return;
    // An unchoking peer that rejects does not have the piece after all.
    connection.remote?.clear(piece);
    this.count(connection);
    this.updateInterest(connection);
    this.fillAll();
  }

  onClosed(connection: PeerConnection): void {
    this.uncount(connection);
    this.releaseRequests(connection, false);
    for (const active of this.active.values()) {
      active.dropReceiving(connection);
      if (active.lead === connection) active.lead = undefined;
    }
    this.hashes?.onClosed(connection);
    this.fillAll();
  }

  onBlockStart(connection: PeerConnection, piece: number, begin: number, length: number): Uint8Array | undefined {
    const active = this.active.get(piece);
    if (active && connection.requested(piece, begin)?.length === length) {
      const target = active.startReceiving(connection, begin / BLOCK_BYTES, Math.ceil(length / BLOCK_BYTES));
      if (target) return target;
    }
    const unwanted = (this.unwanted.get(connection) ?? 0) + length;
    this.unwanted.set(connection, unwanted);
    if (unwanted > MAX_UNWANTED_BYTES) {
      throw new StreamletError("bad-message", "The peer keeps sending blocks that nobody asked for.");
    }
    return undefined;
  }

  onBlock(connection: PeerConnection, piece: number, begin: number, length: number): void {
    const asked = connection.forget(piece, begin);
    const active = this.active.get(piece);
    const first = begin / BLOCK_BYTES;
    // What was cancelled in the middle counts as well: it is where it belongs.
    if (active?.finishReceiving(connection, first, Math.ceil(length / BLOCK_BYTES))) {
      this.cancelElsewhere(connection, piece, begin);
      if (this.isCritical.has(piece)) this.host.onBlocks();
      if (active.isComplete) this.maybeVerify(active);
    } else if (active && asked && this.askedOf(piece, begin) === 0) {
      // Another length than was asked for: the answer is of no use, and no other will come.
      active.markMissing(first, Math.ceil(asked.length / BLOCK_BYTES));
    }
    this.fill(connection);
  }

  onHashes(connection: PeerConnection, message: Hashes): void {
    this.guard(() => this.hashes?.onHashes(connection, message));
  }

  onHashReject(connection: PeerConnection, request: HashRequest): void {
    this.hashes?.onReject(connection, request);
  }

  /** Once a second or so: who stalls loses its requests to others. */
  tick(): void {
    const now = this.host.clock.now();
    for (const connection of this.host.connections()) {
      if (connection.inFlight.size === 0) continue;
      const oldest = connection.inFlight.values().next().value!;
      if (now - Math.max(oldest.sentAt, connection.lastReceivedAt) < SNUB_MS) continue;
      connection.snubbed = true;
      this.releaseRequests(connection, true);
      for (const active of this.active.values()) if (active.lead === connection) active.lead = undefined;
    }
    this.hashes?.tick();
    for (const piece of this.windows.critical) {
      const active = this.active.get(piece);
      if (active) this.hashes?.askAnother(active);
    }
    this.fillAll();
  }

  // --- asking ---------------------------------------------------------------------------------------------------------

  private fillAll(): void {
    // Who stalls comes last, or it would take again what it has just lost.
    for (const connection of this.host.connections()) if (!connection.snubbed) this.fill(connection);
    for (const connection of this.host.connections()) if (connection.snubbed) this.fill(connection);
  }

  private fill(connection: PeerConnection): void {
    if (this.stopped || !connection.canRequest || !connection.remote || this.limited) return;
    if (connection.snubbed && connection.inFlight.size > 0) return;
    const { rate, total } = { rate: connection.down.rate(), total: connection.down.total };
    const target = connection.snubbed ? BLOCK_BYTES : inFlightTarget(rate, connection.roundTripMs, total);
    // Requests go out in batches, so that the sender can merge them into large reads and writes.
    if (connection.inFlightBytes > target * 0.75) return;
    const mostBytes = Math.min(connection.maxRequestBytes, this.host.downloadLimiter.partBytes);
    const blocks = requestBlocks(rate, total, mostBytes, BLOCK_BYTES);
    const maxRequests = Math.min(connection.extended?.reqq ?? 250, 2000);
    while (connection.inFlightBytes < target && connection.inFlight.size < maxRequests) {
      const run = this.nextRun(connection, blocks);
      if (!run) break;
      const begin = run.first * BLOCK_BYTES;
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

  private pauseFor(waiting: Promise<void>): void {
    this.limited = waiting;
    const go = () => {
      this.limited = undefined;
      if (!this.stopped) this.fillAll();
    };
    waiting.then(go, go);
  }

  private nextRun(
    connection: PeerConnection,
    blocks: number,
  ): { active: ActivePiece; first: number; count: number } | undefined {
    const urgent = this.criticalRun(connection, blocks);
    if (urgent) return urgent;
    const usable = (active: ActivePiece, own: boolean) =>
      !active.verifying &&
      connection.remote!.get(active.index) &&
      (own ? active.lead === connection : !active.single || active.lead === undefined);
    for (const active of this.active.values()) {
      const run = usable(active, true) ? active.nextRun(blocks) : undefined;
      if (run) return { active, ...run };
    }
    const started = this.startPiece(connection);
    if (started) return { active: started, ...started.nextRun(blocks)! };
    for (const active of this.active.values()) {
      const run = usable(active, false) ? active.nextRun(blocks) : undefined;
      if (!run) continue;
      active.lead ??= connection;
      return { active, ...run };
    }
    return connection.inFlight.size === 0 ? this.endgameRun(connection) : undefined;
  }

  /** Players wait: everybody who has such a piece takes a part of it, the most wanted first. */
  private criticalRun(
    connection: PeerConnection,
    blocks: number,
  ): { active: ActivePiece; first: number; count: number } | undefined {
    const mostWanted = this.windows.critical.find((piece) => !this.have.get(piece));
    for (const piece of this.windows.critical) {
      if (!connection.remote!.get(piece) || this.have.get(piece)) continue;
      const active = this.active.get(piece) ?? this.start(piece, connection, true);
      if (!active) return undefined;
      if (active.verifying || (active.single && active.lead !== undefined && active.lead !== connection)) continue;
      // While nobody knows how fast the peer is, one block at a time: a player gets none of a request before all of it.
      const most = connection.down.total < INITIAL_IN_FLIGHT_BYTES ? 1 : blocks;
      const run = active.nextRun(most) ?? (piece === mostWanted ? this.lateRun(active, connection) : undefined);
      if (run) return { active, ...run };
    }
    return undefined;
  }

  /** A block that a player waits for and that somebody has been asked for too long is asked of a second one. */
  private lateRun(active: ActivePiece, idle: PeerConnection): { first: number; count: number } | undefined {
    if (active.single) return undefined;
    const now = this.host.clock.now();
    for (const connection of this.host.connections()) {
      if (connection === idle || connection.down.rate() > idle.down.rate()) continue;
      for (const { piece, begin, length, sentAt } of connection.inFlight.values()) {
        if (piece !== active.index || now - sentAt < LATE_MS || length > idle.maxRequestBytes) continue;
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
      availability: this.availability,
      cursor: this.cursor,
    });
    if (piece < 0) return undefined;
    const active = this.start(piece, connection, false);
    if (active) this.cursor = piece;
    return active;
  }

  /** Takes a piece into memory; with `urgent` at the cost of one that can wait. */
  private start(piece: number, connection: PeerConnection, urgent: boolean): ActivePiece | undefined {
    const size = Math.min(this.content.pieceLength, slotSize(this.content));
    const { pool } = this.verifier;
    const slot = pool.acquire(size) ?? (urgent && this.giveUpOne() ? pool.acquire(size) : undefined);
    if (!slot) return undefined;
    const active = new ActivePiece(piece, this.content.pieceSize(piece), slot);
    active.lead = connection;
    this.active.set(piece, active);
    this.guard(() => this.hashes?.ask(active, connection));
    return active;
  }

  /** Frees the memory of the piece of which least is here, if nobody waits for it. */
  private giveUpOne(): boolean {
    let least: ActivePiece | undefined;
    for (const active of this.active.values()) {
      if (active.verifying || this.isCritical.has(active.index)) continue;
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

  /** Nothing is left that nobody was asked for: an idle peer doubles the oldest request of a slower one. */
  private endgameRun(idle: PeerConnection): { active: ActivePiece; first: number; count: number } | undefined {
    let oldest: { piece: number; begin: number; length: number; sentAt: number } | undefined;
    for (const connection of this.host.connections()) {
      if (connection === idle) continue;
      for (const request of connection.inFlight.values()) {
        if (oldest && request.sentAt >= oldest.sentAt) continue;
        if (request.length > idle.maxRequestBytes || !idle.remote!.get(request.piece)) continue;
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

  private askedOf(piece: number, begin: number): number {
    const key = piece * this.content.blocksPerPiece + begin / BLOCK_BYTES;
    let count = 0;
    for (const connection of this.host.connections()) if (connection.inFlight.has(key)) count++;
    return count;
  }

  private cancelElsewhere(winner: PeerConnection, piece: number, begin: number): void {
    const key = piece * this.content.blocksPerPiece + begin / BLOCK_BYTES;
    for (const connection of this.host.connections()) {
      if (connection !== winner && connection.inFlight.has(key)) connection.cancel(piece, begin);
    }
  }

  private releaseRequests(connection: PeerConnection, cancel: boolean): void {
    for (const request of [...connection.inFlight.values()]) {
      if (cancel && !connection.closed) connection.cancel(request.piece, request.begin);
      else connection.forget(request.piece, request.begin);
      this.host.downloadLimiter.give(request.length);
      const first = request.begin / BLOCK_BYTES;
      if (this.askedOf(request.piece, request.begin) > 0) continue;
      this.active.get(request.piece)?.markMissing(first, Math.ceil(request.length / BLOCK_BYTES));
    }
  }

  private updateInterest(connection: PeerConnection): void {
    connection.setInterested(!this.have.isFull && (connection.remote?.hasOutside(this.have) ?? false));
  }

  private count(connection: PeerConnection): void {
    this.uncount(connection);
    if (!connection.remote) return;
    const copy = connection.remote.clone();
    for (let i = 0; i < this.availability.length; i++) if (copy.get(i)) this.availability[i]!++;
    this.counted.set(connection, copy);
  }

  private uncount(connection: PeerConnection): void {
    const counted = this.counted.get(connection);
    if (!counted) return;
    for (let i = 0; i < this.availability.length; i++) if (counted.get(i)) this.availability[i]!--;
    this.counted.delete(connection);
  }

  // --- checking -------------------------------------------------------------------------------------------------------

  private maybeVerify(active: ActivePiece): void {
    if (!active.isComplete || active.verifying || this.stopped) return;
    const proof = this.proofOf(active);
    if (!proof) return this.hashes?.hurry(active, active.senders[active.blockCount - 1]);
    active.verifying = true;
    active.silenceAll();
    const position = active.index * this.content.pieceLength;
    this.verifier.write(this.file, active.slot, active.size, position, proof).then(
      (verdict) => this.guard(() => this.onVerdict(active, verdict)),
      (error) => {
        this.drop(active);
        if (!this.stopped) this.host.onFailed(error);
      },
    );
  }

  /** The strongest proof to be had now; undefined while a stronger one can still come. */
  private proofOf(active: ActivePiece): PieceProof | undefined {
    const leafWidth = this.content.leafWidth();
    if (active.leaves) return { leaves: active.leaves, leafWidth };
    const pieceHash = this.tree?.pieceHash(active.index);
    if (pieceHash && leafWidth === 1) return { pieceHash, leafWidth };
    if (this.hashes?.canHope(active)) return undefined;
    if (pieceHash) return { pieceHash, leafWidth };
    const at = active.index * V1_HASH_BYTES;
    const sha1 = this.content.v1Pieces?.subarray(at, at + V1_HASH_BYTES);
    return sha1?.length === V1_HASH_BYTES ? { sha1, leafWidth } : undefined;
  }

  private onVerdict(active: ActivePiece, verdict: Verdict): void {
    if (this.stopped) return this.verifier.pool.release(active.slot);
    if (!verdict.good) return this.onBadPiece(active, verdict.bad);
    this.drop(active);
    this.host.onPiece(active.index, verdict.leaves);
    this.have.set(active.index);
    if (this.isCritical.has(active.index)) this.host.onBlocks();
    if (this.have.isFull) {
      for (const connection of this.host.connections()) connection.setInterested(false);
      return this.host.onComplete();
    }
    for (const connection of this.host.connections()) if (connection.amInterested) this.updateInterest(connection);
    this.fillAll(); // a slot is free again
  }

  private onBadPiece(active: ActivePiece, bad: number[]): void {
    active.verifying = false;
    const senders = new Set<PeerConnection>();
    const suspects = bad.length > 0 ? bad : active.state.keys();
    for (const block of suspects) {
      const sender = active.senders[block];
      if (sender) senders.add(sender);
    }
    active.reset(bad.length > 0 ? bad : [...active.state.keys()]);
    active.lead = undefined;
    if (bad.length > 0 || senders.size === 1) {
      const error = new StreamletError("bad-block", "The peer sent data that is not the video's.");
      for (const sender of senders) this.host.ban(sender, error);
    } else {
      active.single = true;
    }
    this.fillAll();
  }

  private drop(active: ActivePiece): void {
    if (this.active.get(active.index) === active) this.active.delete(active.index);
    this.verifier.pool.release(active.slot);
  }

  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.host.onFailed(error);
    }
  }
}

/** Slots of a video shorter than a piece are no larger than the video. */
function slotSize(content: Content): number {
  return Math.min(content.pieceLength, Math.ceil(content.length / BLOCK_BYTES) * BLOCK_BYTES);
}
