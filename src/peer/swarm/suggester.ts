/**
 * What a seed tells its leechers to take (`suggest piece`, BEP 6): to each another piece, those first that it has given least often.
 * Leechers know only what their own neighbours have, and would ask it for the same pieces several times before it has given each once.
 */
import type { Bitfield } from "../../wire/bitfield";
import type { PeerConnection } from "./peerConnection";

/** Suggestions that a peer has not taken yet: one to go on with, and one while that is on its way. */
const AHEAD = 2;

export class Suggester {
  /** How often each piece was given or suggested. */
  private readonly given: Uint32Array;
  /** By connection: what it was told or has begun to ask for. */
  private readonly told = new WeakMap<PeerConnection, Map<number, "suggested" | "asked">>();

  constructor(pieceCount: number) {
    this.given = new Uint32Array(pieceCount);
  }

  /** It is about to be unchoked. */
  onUnchoke(connection: PeerConnection): void {
    this.suggest(connection);
  }

  onRequest(connection: PeerConnection, piece: number): void {
    const told = this.of(connection);
    const before = told.get(piece);
    if (before === "asked") return;
    told.set(piece, "asked");
    if (before === undefined) this.given[piece]!++;
    this.suggest(connection);
  }

  private suggest(connection: PeerConnection): void {
    const { remote, hello } = connection;
    if (!remote || !hello.supportsFast) return;
    const told = this.of(connection);
    let ahead = 0;
    for (const [piece, what] of told) if (what === "suggested" && !remote.get(piece)) ahead++;
    for (; ahead < AHEAD; ahead++) {
      const piece = this.leastGiven(remote, told);
      if (piece < 0) return;
      told.set(piece, "suggested");
      this.given[piece]!++;
      connection.send({ type: "suggest", piece });
    }
  }

  /** The piece that was given least often, of those that this peer lacks and was not told of. */
  private leastGiven(remote: Bitfield, told: ReadonlyMap<number, unknown>): number {
    let best = -1;
    for (let piece = 0; piece < this.given.length; piece++) {
      if (best >= 0 && this.given[piece]! >= this.given[best]!) continue;
      if (!remote.get(piece) && !told.has(piece)) best = piece;
    }
    return best;
  }

  private of(connection: PeerConnection): Map<number, "suggested" | "asked"> {
    const told = this.told.get(connection) ?? new Map();
    this.told.set(connection, told);
    return told;
  }
}
