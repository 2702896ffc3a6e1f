/**
 * The downloading half of a swarm: what has arrived of whom, and its verification. What is asked for next is the requester's.
 *
 * What it keeps track of: `have` (verified and written pieces), `active` (pieces in memory, at most as many as the pool has
 * room for), `availability` (connected peers per piece). A piece leaves `active` only verified and written, or discarded.
 */
import type { Bitfield } from "../../wire/bitfield";
import { BLOCK_BYTES, V1_HASH_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import type { Clock } from "../clock";
import type { Limiter } from "../net/nestedLimiter";
import type { PoolShare } from "../storage/bufferPool";
import type { HashTree } from "../storage/hashTree";
import type { Verdict, Verifier } from "../storage/verifier";
import type { PieceProof } from "../storage/verifyProtocol";
import type { Windows } from "../stream/windows";
import type { ActivePiece } from "./activePiece";
import { Availability } from "./availability";
import type { Hashes, HashRequest } from "./connectionHost";
import type { Content } from "./content";
import { HashPicker } from "./hashPicker";
import type { PeerConnection } from "./peerConnection";
import { Requester } from "./requester";

export interface DownloadHost {
  readonly clock: Clock;
  readonly downloadLimiter: Limiter;
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

/** Payload nobody asked for (late answers to cancelled requests included) before the peer is taken for a flooder. */
const MAX_UNWANTED_BYTES = 64 * 1024 * 1024;

export class Download {
  private readonly active = new Map<number, ActivePiece>();
  private readonly availability: Availability;
  private readonly unwanted = new WeakMap<PeerConnection, number>();
  private readonly hashes: HashPicker | undefined;
  private readonly requests: Requester;
  private readonly memory: PoolShare;
  private stopped = false;

  constructor(
    private readonly content: Content,
    readonly have: Bitfield,
    tree: HashTree | undefined,
    private readonly verifier: Pick<Verifier, "pool" | "write">,
    private readonly file: number,
    random: () => number,
    private readonly host: DownloadHost,
  ) {
    this.availability = new Availability(content.pieceCount);
    this.memory = verifier.pool.join({
      giveWay: () => this.requests.giveUpOne(),
      onRoom: () => this.requests.fillAll(),
    });
    this.requests = new Requester(content, have, this.active, this.availability, this.memory, random, {
      clock: host.clock,
      downloadLimiter: host.downloadLimiter,
      connections: () => host.connections(),
      onStarted: (active, connection) => this.guard(() => this.hashes?.ask(active, connection)),
    });
    if (!tree || !content.piecesRoot) return;
    this.hashes = new HashPicker(content, content.piecesRoot, tree, {
      clock: host.clock,
      connections: () => host.connections(),
      activePiece: (piece) => this.active.get(piece),
      activePieces: () => this.active.values(),
      onHashesSettled: (active) => {
        if (this.requests.isCritical(active.index)) host.onBlocks();
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
    if (!this.stopped) this.requests.setWindows(windows);
  }

  /** See `StreamedVideo.readMemory`: only blocks whose leaf hash says that they are right. */
  provenBytes(piece: number, offset: number, maxBytes: number): Buffer | undefined {
    const active = this.active.get(piece);
    return active && !this.stopped ? active.provenBytes(offset, maxBytes) : undefined;
  }

  /** Discards what is in memory; requests under way are cancelled. */
  stop(): void {
    this.stopped = true;
    this.requests.stop();
    for (const active of this.active.values()) {
      active.silenceAll();
      if (!active.verifying) this.memory.release(active.slot);
    }
    this.active.clear();
    this.memory.leave();
  }

  // --- what connections say -------------------------------------------------------------------------------------------

  /** What it has was told anew, or is assumed for a first flight: see what can be asked. */
  onAvailability(connection: PeerConnection): void {
    this.availability.count(connection);
    this.updateInterest(connection);
    this.requests.fill(connection);
  }

  onHave(connection: PeerConnection, piece: number): void {
    this.availability.change(connection, piece, true);
    if (this.have.get(piece)) return;
    connection.setInterested(true);
    this.requests.fill(connection);
  }

  onUnchoke(connection: PeerConnection): void {
    this.requests.fill(connection);
  }

  onChoke(connection: PeerConnection): void {
    // With the fast extension (BEP 6) the peer rejects what it will not send; without it a choke drops everything.
    if (!connection.hello.supportsFast) this.requests.release(connection, false);
  }

  onReject(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.host.downloadLimiter.give(length);
    this.requests.takeBack({ piece, begin, length });
    if (connection.peerChoking) {
      connection.allowedFast.delete(piece); // that was allowed no longer
      return;
    }
    // An unchoking peer that rejects does not have the piece after all.
    connection.remote?.clear(piece);
    this.availability.change(connection, piece, false);
    this.updateInterest(connection);
    this.requests.rest(connection);
    this.requests.fillAll();
  }

  onClosed(connection: PeerConnection): void {
    this.availability.forget(connection);
    this.requests.release(connection, false);
    for (const active of this.active.values()) active.dropReceiving(connection);
    this.requests.unlead(connection);
    this.hashes?.onClosed(connection);
    this.requests.fillAll();
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
      this.requests.cancelElsewhere(connection, piece, begin);
      if (this.requests.isCritical(piece)) this.host.onBlocks();
      if (active.isComplete) this.maybeVerify(active);
    } else if (active && asked && this.requests.askedOf(piece, begin) === 0) {
      // Another length than was asked for: the answer is of no use, and no other will come.
      active.markMissing(first, Math.ceil(asked.length / BLOCK_BYTES));
    }
    this.requests.fill(connection);
  }

  onHashes(connection: PeerConnection, message: Hashes): void {
    this.guard(() => this.hashes?.onHashes(connection, message));
  }

  onHashReject(connection: PeerConnection, request: HashRequest): void {
    this.hashes?.onReject(connection, request);
  }

  /** Once a second or so: who stalls, or does not send hashes, is asked no more. */
  tick(): void {
    this.memory.forgetWish();
    this.requests.dropStalled();
    this.hashes?.tick();
    for (const piece of this.requests.critical) {
      const active = this.active.get(piece);
      if (active) this.hashes?.askAnother(active);
    }
    this.requests.fillAll();
  }

  private updateInterest(connection: PeerConnection): void {
    connection.setInterested(!this.have.isFull && (connection.remote?.hasOutside(this.have) ?? false));
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
        this.requests.drop(active);
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
    if (this.stopped) return this.memory.release(active.slot);
    if (!verdict.good) return this.onBadPiece(active, verdict.bad);
    this.requests.drop(active);
    this.host.onPiece(active.index, verdict.leaves);
    this.have.set(active.index);
    if (this.requests.isCritical(active.index)) this.host.onBlocks();
    if (this.have.isFull) {
      for (const connection of this.host.connections()) connection.setInterested(false);
      return this.host.onComplete();
    }
    for (const connection of this.host.connections()) if (connection.amInterested) this.updateInterest(connection);
    this.requests.fillAll(); // a slot is free again
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
    this.requests.fillAll();
  }

  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.host.onFailed(error);
    }
  }
}
