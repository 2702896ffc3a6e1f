/** Pure decisions: which piece next, how much to have under way. */
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

/** Bytes under way to one peer: 0.2 s of its rate beyond the round trip, since a longer queue only makes seeks slow. */
const QUEUE_SECONDS = 0.2;
export const MIN_IN_FLIGHT_BYTES = 256 * 1024;
export const INITIAL_IN_FLIGHT_BYTES = 1024 * 1024;
/** A third of the piece memory, so that one fast peer does not starve the others of slots. */
export const MAX_IN_FLIGHT_BYTES = 16 * 1024 * 1024;
/** One request takes at most this long on the peer's link. */
const REQUEST_SECONDS = 0.05;

/** Bytes that should be under way to a peer that delivers `rate` bytes per second at `roundTripMs`. */
export function inFlightTarget(rate: number, roundTripMs: number, receivedBytes: number): number {
  if (receivedBytes < INITIAL_IN_FLIGHT_BYTES) return INITIAL_IN_FLIGHT_BYTES;
  const wanted = rate * (QUEUE_SECONDS + roundTripMs / 1000);
  return Math.max(MIN_IN_FLIGHT_BYTES, Math.min(wanted, MAX_IN_FLIGHT_BYTES));
}

/** Blocks per request: large ones on fast links, single ones where one would hold the link for long. */
export function requestBlocks(rate: number, receivedBytes: number, maxBytes: number, blockBytes: number): number {
  const fit = receivedBytes < INITIAL_IN_FLIGHT_BYTES ? maxBytes : rate * REQUEST_SECONDS;
  return Math.max(1, Math.floor(Math.min(fit, maxBytes) / blockBytes));
}
