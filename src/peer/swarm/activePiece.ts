import * as crypto from "node:crypto";
import { BLOCK_BYTES, HASH_BYTES } from "../../wire/constants";
import type { Slot } from "../storage/bufferPool";
import type { PeerConnection } from "./peerConnection";

export const MISSING = 0;
export const REQUESTED = 1;
export const RECEIVED = 2;

interface Receiving {
  connection: PeerConnection;
  first: number;
  count: number;
  /** Set where another connection was receiving the same blocks: copied when whole. */
  own: Buffer | undefined;
}

/**
 * A piece under way. What it keeps track of: each block's state and sender (for blame), who is receiving which blocks right
 * now, and where the leaf hashes come from.
 */
export class ActivePiece {
  readonly state: Uint8Array;
  readonly senders: (PeerConnection | undefined)[];
  received = 0;
  verifying = false;
  /** The peer that the piece was started for: it goes on with it, so that its requests stay contiguous. */
  lead: PeerConnection | undefined;
  /** After a failure that could not be pinned on a block, all blocks come from one peer. */
  single = false;
  leaves: Uint8Array | undefined;
  /** Leaves that came before the piece hash which proves them. */
  unprovenLeaves: { hashes: Uint8Array; from: PeerConnection } | undefined;
  /** Who was asked for the leaf hashes, and when (ms); more than one once the first is slow. */
  readonly leavesAskedOf = new Map<PeerConnection, number>();
  readonly leavesRefusedBy = new Set<PeerConnection>();
  private readonly receiving: Receiving[] = [];
  /** Blocks whose hash was compared with its leaf. */
  private readonly proven: Uint8Array;
  private nextMissing = 0;

  constructor(
    readonly index: number,
    readonly size: number,
    readonly slot: Slot,
  ) {
    const blocks = Math.ceil(size / BLOCK_BYTES);
    this.state = new Uint8Array(blocks);
    this.proven = new Uint8Array(blocks);
    this.senders = new Array(blocks).fill(undefined);
  }

  get blockCount(): number {
    return this.state.length;
  }
  /** Nothing of it is here or under way. */
  get isUntouched(): boolean {
    return this.receiving.length === 0 && this.state.every((state) => state === MISSING);
  }
  get isComplete(): boolean {
    return this.received === this.state.length;
  }

  /** The next run of at most `max` missing blocks, at or behind `from`; undefined where none is missing there. */
  nextRun(max: number, from = 0): { first: number; count: number } | undefined {
    let first = Math.max(from, this.nextMissing);
    while (first < this.state.length && this.state[first] !== MISSING) first++;
    if (from <= this.nextMissing) this.nextMissing = first;
    if (first >= this.state.length) return undefined;
    let count = 1;
    while (count < max && first + count < this.state.length && this.state[first + count] === MISSING) count++;
    return { first, count };
  }

  byteLength(first: number, count: number): number {
    return Math.min(count * BLOCK_BYTES, this.size - first * BLOCK_BYTES);
  }

  markRequested(first: number, count: number): void {
    this.state.fill(REQUESTED, first, first + count);
  }

  /** Blocks that will not come from where they were asked. */
  markMissing(first: number, count: number): void {
    for (let b = first; b < first + count; b++) if (this.state[b] === REQUESTED) this.state[b] = MISSING;
    this.nextMissing = Math.min(this.nextMissing, first);
  }

  /** Throws away received blocks that turned out wrong. */
  reset(blocks: Iterable<number>): void {
    for (const block of blocks) {
      if (this.state[block] === RECEIVED) this.received--;
      this.proven[block] = 0;
      this.state[block] = MISSING;
      this.senders[block] = undefined;
    }
    this.nextMissing = 0;
  }

  startReceiving(connection: PeerConnection, first: number, count: number): Buffer | undefined {
    if (this.verifying || this.isComplete) return undefined;
    const begin = first * BLOCK_BYTES;
    const length = this.byteLength(first, count);
    const contended = this.overlapping(first, count).length > 0 || this.hasReceived(first, count);
    const own = contended ? Buffer.allocUnsafe(length) : undefined;
    this.receiving.push({ connection, first, count, own });
    return own ?? this.slot.bytes.subarray(begin, begin + length);
  }

  /** The blocks are there, and true is returned, if they were being received. Whoever else was receiving them must not write any more. */
  finishReceiving(connection: PeerConnection, first: number, count: number): boolean {
    const at = this.receiving.findIndex((r) => r.connection === connection && r.first === first);
    if (at < 0) return false;
    const [entry] = this.receiving.splice(at, 1);
    for (const other of this.overlapping(first, count)) this.silence(other);
    for (let b = first; b < first + count; b++) {
      if (this.state[b] === RECEIVED) continue;
      if (entry!.own) {
        const begin = (b - first) * BLOCK_BYTES;
        entry!.own.copy(this.slot.bytes, b * BLOCK_BYTES, begin, begin + this.byteLength(b, 1));
      }
      this.state[b] = RECEIVED;
      this.senders[b] = connection;
      this.received++;
    }
    return true;
  }

  /**
   * A copy of what is here and right from `offset` on, at most `maxBytes`; undefined where the first block is not. A block is
   * compared with its leaf hash when it is first asked for: a player is not to see what nobody vouches for.
   */
  provenBytes(offset: number, maxBytes: number): Buffer | undefined {
    const end = Math.min(offset + maxBytes, this.size);
    let to = offset;
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < end && this.isProven(block); block++) {
      to = Math.min((block + 1) * BLOCK_BYTES, end);
    }
    return to > offset ? Buffer.from(this.slot.bytes.subarray(offset, to)) : undefined;
  }

  private isProven(block: number): boolean {
    if (this.proven[block]) return true;
    if (this.state[block] !== RECEIVED || !this.leaves) return false;
    const begin = block * BLOCK_BYTES;
    const bytes = this.slot.bytes.subarray(begin, begin + this.byteLength(block, 1));
    const leaf = this.leaves.subarray(block * HASH_BYTES, (block + 1) * HASH_BYTES);
    if (Buffer.compare(crypto.hash("sha256", bytes, "buffer"), leaf) !== 0) return false;
    this.proven[block] = 1;
    return true;
  }

  /** Before the worker reads the memory, nobody may still write into it. */
  silenceAll(): void {
    for (const entry of [...this.receiving]) this.silence(entry);
  }

  dropReceiving(connection: PeerConnection): void {
    for (let i = this.receiving.length - 1; i >= 0; i--)
      if (this.receiving[i]!.connection === connection) this.receiving.splice(i, 1);
  }

  private silence(entry: Receiving): void {
    const at = this.receiving.indexOf(entry);
    if (at >= 0) this.receiving.splice(at, 1);
    if (entry.connection.reader.abandonBlock()) return;
    if (!entry.own) entry.connection.close();
  }

  private overlapping(first: number, count: number): Receiving[] {
    return this.receiving.filter((r) => r.first < first + count && first < r.first + r.count);
  }

  private hasReceived(first: number, count: number): boolean {
    for (let b = first; b < first + count; b++) if (this.state[b] === RECEIVED) return true;
    return false;
  }
}
