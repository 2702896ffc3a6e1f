import type { Bitfield } from "../../wire/bitfield";
import type { PeerConnection } from "./peerConnection";

/** How many connected peers have each piece. */
export class Availability {
  readonly counts: Uint16Array;
  /** What was counted of each: what a connection says later is not what it said then. */
  private readonly counted = new WeakMap<PeerConnection, Bitfield>();

  constructor(pieceCount: number) {
    this.counts = new Uint16Array(pieceCount);
  }

  /** Counts what this peer says now, instead of what it said before. */
  count(connection: PeerConnection): void {
    this.forget(connection);
    if (!connection.remote) return;
    const copy = connection.remote.clone();
    for (let i = 0; i < this.counts.length; i++) if (copy.get(i)) this.counts[i]!++;
    this.counted.set(connection, copy);
  }

  /** It has one more (`have`), or has refused one. */
  change(connection: PeerConnection, piece: number, has: boolean): void {
    const counted = this.counted.get(connection);
    if (!counted) return this.count(connection);
    if (has ? counted.set(piece) : counted.clear(piece)) this.counts[piece]! += has ? 1 : -1;
  }

  forget(connection: PeerConnection): void {
    const counted = this.counted.get(connection);
    if (!counted) return;
    for (let i = 0; i < this.counts.length; i++) if (counted.get(i)) this.counts[i]!--;
    this.counted.delete(connection);
  }
}
