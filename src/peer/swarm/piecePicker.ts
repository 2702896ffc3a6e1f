/** Pure decision: which piece next. */
import type { Bitfield } from "../../wire/bitfield";

export interface PieceChoice {
  pieceCount: number;
  have: Bitfield;
  /** Pieces that are under way already. */
  isActive(piece: number): boolean;
  remote: Bitfield;
  /** How many connected peers have each piece. */
  availability: Uint16Array;
  /** Where ties begin to be searched, so that several leechers of one seeder fetch different pieces. */
  cursor: number;
}

/** The rarest piece that the peer has and we do not; the first at or after `cursor` among equals; -1 where there is none. */
export function pickPiece(choice: PieceChoice): number {
  const { pieceCount, have, isActive, remote, availability, cursor } = choice;
  let best = -1;
  let bestAvailability = Number.POSITIVE_INFINITY;
  for (let i = 0; i < pieceCount; i++) {
    const piece = (cursor + i) % pieceCount;
    const count = availability[piece]!;
    if (count >= bestAvailability || have.get(piece) || !remote.get(piece) || isActive(piece)) continue;
    best = piece;
    bestAvailability = count;
    if (count <= 1) break;
  }
  return best;
}
