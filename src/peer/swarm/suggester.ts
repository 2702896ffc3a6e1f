/**
 * What a seed tells its leechers to take (`suggest piece`, BEP 6): to each another piece, those first of which there are fewest copies
 * on the way or there. Leechers know only what their own neighbours have, not what those are just being given: left to themselves, they
 * ask a seed for the same piece several times before it has given each once, and until it has, nobody can be done.
 */
import type { Bitfield } from "../../wire/bitfield";
import { Availability } from "./availability";
import type { PeerConnection } from "./peerConnection";

/** Suggestions that a peer has not taken yet: one to go on with, and one while that is on its way. */
const AHEAD = 2;

type Told = Map<number, "suggested" | "asked">;

export class Suggester {
  private readonly held: Availability;
  /** Of each piece, peers that are about to have it: they were told of it, or ask for it. */
  private readonly coming: Uint32Array;
  /** What each peer was told, or asks for, and lacks. */
  private readonly told = new Map<PeerConnection, Told>();

  /** @param leechers how many peers want something of us: of one alone nothing has to be kept apart */
  constructor(
    private readonly pieceCount: number,
    private readonly leechers: () => number,
  ) {
    this.held = new Availability(pieceCount);
    this.coming = new Uint32Array(pieceCount);
  }

  onAvailability(connection: PeerConnection): void {
    this.held.count(connection);
    for (const piece of [...(this.told.get(connection)?.keys() ?? [])]) {
      if (connection.remote?.get(piece)) this.settle(connection, piece);
    }
  }

  onHave(connection: PeerConnection, piece: number): void {
    this.held.change(connection, piece, true);
    this.settle(connection, piece);
  }

  /** It is about to be unchoked. */
  onUnchoke(connection: PeerConnection): void {
    this.suggest(connection);
  }

  /** It goes on with what it has begun once it is unchoked again; what it has not begun is for others. */
  onChoke(connection: PeerConnection): void {
    for (const [piece, what] of [...(this.told.get(connection) ?? [])]) {
      if (what === "suggested") this.settle(connection, piece);
    }
  }

  onRequest(connection: PeerConnection, piece: number): void {
    const told = this.of(connection);
    const before = told.get(piece);
    if (before === "asked" || connection.remote?.get(piece)) return;
    told.set(piece, "asked");
    if (before === undefined) this.coming[piece]!++;
    this.suggest(connection);
  }

  onClosed(connection: PeerConnection): void {
    for (const piece of [...(this.told.get(connection)?.keys() ?? [])]) this.settle(connection, piece);
    this.told.delete(connection);
    this.held.forget(connection);
  }

  private suggest(connection: PeerConnection): void {
    const { remote, hello } = connection;
    if (!remote || !hello.supportsFast || this.leechers() < 2) return;
    const told = this.of(connection);
    let ahead = 0;
    for (const what of told.values()) if (what === "suggested") ahead++;
    for (; ahead < AHEAD; ahead++) {
      const piece = this.rarest(remote, told);
      if (piece < 0) return;
      told.set(piece, "suggested");
      this.coming[piece]!++;
      connection.send({ type: "suggest", piece });
    }
  }

  /** Of those that this peer lacks and was not told of. */
  private rarest(remote: Bitfield, told: Told): number {
    let best = -1;
    let fewest = Number.POSITIVE_INFINITY;
    for (let piece = 0; piece < this.pieceCount && fewest > 0; piece++) {
      const copies = this.held.counts[piece]! + this.coming[piece]!;
      if (copies >= fewest || remote.get(piece) || told.has(piece)) continue;
      best = piece;
      fewest = copies;
    }
    return best;
  }

  /** It has the piece, or will not have it from us. */
  private settle(connection: PeerConnection, piece: number): void {
    if (this.told.get(connection)?.delete(piece)) this.coming[piece]!--;
  }

  private of(connection: PeerConnection): Told {
    const told = this.told.get(connection) ?? new Map();
    this.told.set(connection, told);
    return told;
  }
}
