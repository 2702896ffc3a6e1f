/**
 * Which hashes to ask of whom: a chunk of the piece layer first, then the leaf hashes of each piece that is under way, both
 * proven against the pieces root (BEP 52). Leaves let a single bad block be named and its sender banned.
 */
import { HASH_BYTES, MAX_HASHES_PER_REQUEST } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { ceilPowerOfTwo, merkleRoot, verifyHashes } from "../../wire/merkle";
import type { Clock } from "../clock";
import type { HashTree } from "../storage/hashTree";
import type { ActivePiece } from "./activePiece";
import type { Hashes, HashRequest } from "./connectionHost";
import type { Content } from "./content";
import type { PeerConnection } from "./peerConnection";

/** Hashes are small: who has not sent them by now is asked no longer. */
const HASH_TIMEOUT_MS = 8_000;
/** Several round trips: a player does not wait for the rest of HASH_TIMEOUT_MS. */
const LATE_HASHES_MS = 700;
/** A leecher that had no hashes yet may have them now: refusals are forgotten every few seconds. */
const FORGIVE_TICKS = 5;

export interface HashPickerHost {
  readonly clock: Clock;
  connections(): Iterable<PeerConnection>;
  activePiece(piece: number): ActivePiece | undefined;
  activePieces(): Iterable<ActivePiece>;
  /** Leaves (or the piece hash) of this piece have become known or have turned out not to be had. */
  onHashesSettled(active: ActivePiece): void;
  onLie(connection: PeerConnection, error: StreamletError): void;
}

export class HashPicker {
  /** One leaf is the piece hash itself; pieces above 8 MiB (other people's) have more leaves than one request may ask. */
  private readonly asksLeaves: boolean;
  /** By chunk: who was asked, and when. */
  private readonly layerAsks = new Map<number, Map<PeerConnection, number>>();
  private readonly layerRefusedBy = new Map<number, Set<PeerConnection>>();
  /** Have let somebody wait for hashes: others are asked before them. */
  private readonly slow = new WeakSet<PeerConnection>();
  private ticks = 0;
  private readonly baseLayer: number;
  private readonly layerWidth: number;

  constructor(
    private readonly content: Content,
    private readonly root: Uint8Array,
    private readonly tree: HashTree,
    private readonly host: HashPickerHost,
  ) {
    this.baseLayer = Math.log2(content.blocksPerPiece);
    this.layerWidth = ceilPowerOfTwo(content.pieceCount);
    this.asksLeaves = content.leafWidth() > 1 && content.leafWidth() <= MAX_HASHES_PER_REQUEST;
  }

  /** Asks for what is needed to check this piece; safe to call again. */
  ask(active: ActivePiece, preferred?: PeerConnection): void {
    if (active.leaves) return;
    const known = this.tree.leavesOfPiece(active.index);
    if (known) {
      active.leaves = known;
      return this.host.onHashesSettled(active);
    }
    if (active.leavesAskedOf.size > 0) return;
    const connection = this.choose(active.leavesRefusedBy, active.index, preferred);
    if (!connection) return this.host.onHashesSettled(active);
    if (this.asksLeaves) this.askLeaves(active, connection);
    else if (!this.tree.pieceHash(active.index)) this.askLayer(active.index, connection);
  }

  /** The blocks are all there before the hashes: whoever has sent the blocks is asked as well. */
  hurry(active: ActivePiece, sender: PeerConnection | undefined): void {
    if (active.leaves || !this.asksLeaves || !sender || active.leavesAskedOf.has(sender)) return;
    if (this.fits(sender, active.leavesRefusedBy, active.index)) this.askLeaves(active, sender);
  }

  /** A player waits for this piece, and whoever was asked for its leaves takes their time: somebody else is asked as well. */
  askAnother(active: ActivePiece): void {
    if (active.leaves || !this.asksLeaves) return;
    const now = this.host.clock.now();
    for (const at of active.leavesAskedOf.values()) if (now - at < LATE_HASHES_MS) return;
    const next = this.choose(new Set([...active.leavesRefusedBy, ...active.leavesAskedOf.keys()]), active.index);
    if (next) this.askLeaves(active, next);
  }

  private askLeaves(active: ActivePiece, connection: PeerConnection): void {
    if (!this.tree.pieceHash(active.index)) this.askLayer(active.index, connection);
    active.leavesAskedOf.set(connection, this.host.clock.now());
    connection.send({
      type: "hashRequest",
      piecesRoot: this.root,
      base: 0,
      index: active.index * this.content.blocksPerPiece,
      length: this.content.leafWidth(),
      proofLayers: 0,
    });
  }

  /** Can the leaves of this piece still come from somebody? */
  canHope(active: ActivePiece): boolean {
    if (active.leavesAskedOf.size > 0) return true;
    return this.asksLeaves && this.choose(active.leavesRefusedBy, active.index) !== undefined;
  }

  onHashes(connection: PeerConnection, message: Hashes): void {
    if (Buffer.compare(message.piecesRoot, this.root) !== 0) return;
    if (message.base === 0) this.onLeaves(connection, message);
    else if (message.base === this.baseLayer) this.onLayer(connection, message);
  }

  onReject(connection: PeerConnection, request: HashRequest): void {
    if (request.base === 0) {
      const active = this.host.activePiece(Math.floor(request.index / this.content.blocksPerPiece));
      if (active?.leavesAskedOf.has(connection)) this.leavesFailed(active, connection);
    } else if (request.base === this.baseLayer) {
      this.layerFailed(Math.floor(request.index / MAX_HASHES_PER_REQUEST), connection);
    }
  }

  onClosed(connection: PeerConnection): void {
    for (const refused of this.layerRefusedBy.values()) refused.delete(connection);
    for (const asked of this.layerAsks.values()) asked.delete(connection);
    for (const active of this.host.activePieces()) {
      active.leavesRefusedBy.delete(connection);
      if (active.unprovenLeaves?.from === connection) active.unprovenLeaves = undefined;
      if (active.leavesAskedOf.delete(connection)) this.ask(active);
    }
  }

  /** Once a second or so. */
  tick(): void {
    if (++this.ticks % FORGIVE_TICKS === 0) {
      this.layerRefusedBy.clear();
      for (const active of this.host.activePieces()) active.leavesRefusedBy.clear();
    }
    const due = this.host.clock.now() - HASH_TIMEOUT_MS;
    for (const [chunk, asked] of this.layerAsks) {
      for (const [connection, at] of asked) {
        if (at >= due) continue;
        this.slow.add(connection);
        this.layerFailed(chunk, connection);
      }
    }
    for (const active of this.host.activePieces()) {
      for (const [connection, at] of active.leavesAskedOf) {
        if (at >= due) continue;
        this.slow.add(connection);
        this.leavesFailed(active, connection);
      }
      this.ask(active);
    }
  }

  private askLayer(piece: number, connection: PeerConnection): void {
    const chunk = Math.floor(piece / MAX_HASHES_PER_REQUEST);
    const asked = this.layerAsks.get(chunk) ?? new Map<PeerConnection, number>();
    if (this.content.pieceCount <= 1 || asked.has(connection)) return;
    this.layerAsks.set(chunk, asked.set(connection, this.host.clock.now()));
    const length = Math.min(MAX_HASHES_PER_REQUEST, this.layerWidth);
    connection.send({
      type: "hashRequest",
      piecesRoot: this.root,
      base: this.baseLayer,
      index: chunk * MAX_HASHES_PER_REQUEST,
      length,
      // Uncles up to the root: one for each layer above the subtree (BEP 52 leaves out log2(length) - 1 of the layers).
      proofLayers: Math.max(0, Math.log2(this.layerWidth) - 1),
    });
  }

  private onLayer(connection: PeerConnection, message: Hashes): void {
    const chunk = Math.floor(message.index / MAX_HASHES_PER_REQUEST);
    if (!this.layerAsks.get(chunk)?.delete(connection)) return; // late or never asked
    const proven = verifyHashes({
      root: this.root,
      base: message.base,
      index: message.index,
      hashes: message.hashes.subarray(0, message.length * HASH_BYTES),
      uncles: message.hashes.subarray(message.length * HASH_BYTES),
      totalLeaves: this.layerWidth * this.content.blocksPerPiece,
    });
    if (!proven) {
      return this.host.onLie(
        connection,
        new StreamletError("bad-block", "The peer sent hashes that are not the video's."),
      );
    }
    const count = Math.min(message.length, this.content.pieceCount - message.index);
    this.tree.setPieceLayer(message.index, message.hashes.subarray(0, count * HASH_BYTES));
    for (const active of this.host.activePieces()) {
      if (active.index < message.index || active.index >= message.index + count) continue;
      const waiting = active.unprovenLeaves;
      active.unprovenLeaves = undefined;
      if (waiting) this.proveLeaves(active, waiting.hashes, waiting.from);
      else this.host.onHashesSettled(active);
    }
  }

  private onLeaves(connection: PeerConnection, message: Hashes): void {
    const active = this.host.activePiece(Math.floor(message.index / this.content.blocksPerPiece));
    if (!active?.leavesAskedOf.has(connection) || active.leaves || message.length !== this.content.leafWidth()) return;
    this.proveLeaves(active, new Uint8Array(message.hashes.subarray(0, message.length * HASH_BYTES)), connection);
  }

  private proveLeaves(active: ActivePiece, hashes: Uint8Array, from: PeerConnection): void {
    const pieceHash = this.tree.pieceHash(active.index);
    if (!pieceHash) {
      active.unprovenLeaves = { hashes, from };
      return this.askLayer(active.index, from);
    }
    active.leavesAskedOf.delete(from);
    if (Buffer.compare(merkleRoot(hashes, this.content.leafWidth(), 0), pieceHash) !== 0) {
      active.leavesRefusedBy.add(from);
      this.host.onLie(from, new StreamletError("bad-block", "The peer sent hashes that are not the video's."));
      return this.ask(active);
    }
    active.leaves = hashes.subarray(0, active.blockCount * HASH_BYTES);
    this.slow.delete(from);
    this.host.onHashesSettled(active);
  }

  private leavesFailed(active: ActivePiece, connection: PeerConnection): void {
    active.leavesAskedOf.delete(connection);
    if (active.unprovenLeaves?.from === connection) active.unprovenLeaves = undefined;
    active.leavesRefusedBy.add(connection);
    this.ask(active);
  }

  private layerFailed(chunk: number, connection: PeerConnection): void {
    if (!this.layerAsks.get(chunk)?.delete(connection)) return;
    const refused = this.layerRefusedBy.get(chunk) ?? new Set();
    refused.add(connection);
    this.layerRefusedBy.set(chunk, refused);
    const next = this.chooseForLayer(refused);
    if (next) return this.askLayer(chunk * MAX_HASHES_PER_REQUEST, next);
    if (this.layerAsks.get(chunk)?.size) return;
    for (const active of this.host.activePieces()) this.host.onHashesSettled(active);
  }

  private choose(
    refusedBy: ReadonlySet<PeerConnection>,
    piece: number,
    preferred?: PeerConnection,
  ): PeerConnection | undefined {
    if (preferred && !this.slow.has(preferred) && this.fits(preferred, refusedBy, piece)) return preferred;
    let slow: PeerConnection | undefined;
    for (const connection of this.host.connections()) {
      if (!this.fits(connection, refusedBy, piece)) continue;
      if (!this.slow.has(connection)) return connection;
      slow ??= connection;
    }
    return slow;
  }

  /** Who has any piece has the piece layer, or has asked for it. */
  private chooseForLayer(refusedBy: ReadonlySet<PeerConnection>): PeerConnection | undefined {
    for (const connection of this.host.connections()) {
      const { closed, hello, remote } = connection;
      if (!closed && hello.supportsV2 && !refusedBy.has(connection) && remote?.isEmpty === false) return connection;
    }
    return undefined;
  }

  /** Leaves are known to those who have the piece. */
  private fits(connection: PeerConnection, refusedBy: ReadonlySet<PeerConnection>, piece: number): boolean {
    if (connection.closed || !connection.hello.supportsV2 || refusedBy.has(connection)) return false;
    return connection.remote?.get(piece) === true;
  }
}
