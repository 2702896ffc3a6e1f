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
  suggested: Iterable<number>;
  /** 0 <= x < 1: leechers that chose among equals in any fixed order would all ask the seed for the same pieces. */
  random(): number;
}

/** Nothing that the peer has can be rarer: it has it itself. */
const RAREST = 1;
/** Of a video of which a tenth is missing, four of five choices are made by them. */
const PROBES = 16;

/** A piece that the peer has and we do not: a suggested one before others, then the rarest, of equals any. -1 where there is none. */
export function pickPiece(choice: PieceChoice): number {
  const { pieceCount, have, isActive, remote, availability, random } = choice;
  const isWanted = (piece: number) => piece < pieceCount && !have.get(piece) && remote.get(piece) && !isActive(piece);
  let best = -1;
  for (const piece of choice.suggested) {
    if (isWanted(piece) && (best < 0 || availability[piece]! < availability[best]!)) best = piece;
  }
  if (best >= 0) return best;
  // A few at random first, so that a video of many thousands is not gone through for each.
  for (let i = 0; i < PROBES; i++) {
    const piece = Math.floor(random() * pieceCount);
    if (availability[piece]! <= RAREST && isWanted(piece)) return piece;
  }
  let equals = 0;
  for (let piece = 0; piece < pieceCount; piece++) {
    const count = availability[piece]!;
    if ((best >= 0 && count > availability[best]!) || !isWanted(piece)) continue;
    if (best < 0 || count < availability[best]!) equals = 0;
    equals++;
    if (random() * equals < 1) best = piece;
  }
  return best;
}
