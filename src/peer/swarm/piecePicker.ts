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
  /** What the peer would have us take (BEP 6): a seed knows what others are being given, and we only what our neighbours have. */
  isSuggested(piece: number): boolean;
  /** 0 <= x < 1: leechers that chose among equals in any fixed order would all ask the seed for the same pieces. */
  random(): number;
}

/** A piece that the peer has and we do not: a suggested one before others, then the rarest, of equals any. -1 where there is none. */
export function pickPiece(choice: PieceChoice): number {
  const { pieceCount, have, isActive, remote, availability, isSuggested, random } = choice;
  let best = -1;
  let bestAvailability = Number.POSITIVE_INFINITY;
  let bestIsSuggested = false;
  let equals = 0;
  for (let piece = 0; piece < pieceCount; piece++) {
    if (have.get(piece) || !remote.get(piece) || isActive(piece)) continue;
    const count = availability[piece]!;
    const suggested = isSuggested(piece);
    if (suggested !== bestIsSuggested ? bestIsSuggested : count > bestAvailability) continue;
    if (count < bestAvailability || suggested !== bestIsSuggested) equals = 0;
    bestAvailability = count;
    bestIsSuggested = suggested;
    equals++;
    if (random() * equals < 1) best = piece;
  }
  return best;
}
