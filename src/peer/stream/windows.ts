/** Pure decision: which pieces players wait for, in which order. */
import { BLOCK_BYTES } from "../../wire/constants";

export interface VideoShape {
  /** Bytes. */
  length: number;
  /** Bytes. */
  pieceLength: number;
}

export interface ReaderState {
  /** Byte that is read next. */
  position: number;
}

export interface Windows {
  /** Where each reader is: what follows there in its piece is fetched first of all, for readers in turn. */
  readers: { piece: number; block: number }[];
  /** Needed now: fetched before everything else, from everybody who has them, in this order. */
  critical: number[];
  /** Needed soon: fetched before the rest, in this order. */
  high: number[];
}

/** Nobody reads. */
export const NO_WINDOWS: Windows = { readers: [], critical: [], high: [] };

/** Head and tail of the file hold what a player reads first (moov, Cues), wherever its writer has put it. */
export const HEAD_TAIL_BYTES = 512 * 1024;
/** What a player must have ahead of it not to stall. */
const CRITICAL_BYTES = 2 * 1024 * 1024;
const CRITICAL_SECONDS = 10;
/** What makes it calm. */
const HIGH_BYTES = 8 * 1024 * 1024;
const HIGH_SECONDS = 60;
/** Of a video whose duration nobody knows: 8 Mbit/s, a usual screen recording. */
const USUAL_BYTES_PER_SECOND = 1_000_000;
/** A video of a thousand bits a second, or of an hour's worth in one, is a claim, not a fact. */
const MAX_BYTES_PER_SECOND = 25_000_000;

/** @param duration seconds, undefined = unknown */
export function bytesPerSecond(length: number, duration: number | undefined): number {
  if (!duration) return USUAL_BYTES_PER_SECOND;
  return Math.min(length / duration, MAX_BYTES_PER_SECOND);
}

/**
 * First the piece that each reader waits for, from the block on that it waits for, then head and tail in parallel, then the index ranges, then what comes next:
 * readers in turn, so that ten of them get on alike. Pieces that are there are for the caller to leave out.
 *
 * @param rate bytes per second of playing
 * @param indexRanges byte ranges [begin, end) that a player reads first, as the record tells them
 */
export function chooseWindows(
  shape: VideoShape,
  readers: readonly ReaderState[],
  rate: number,
  indexRanges: readonly (readonly [number, number])[] = [],
): Windows {
  if (readers.length === 0) return NO_WINDOWS;
  const critical = new Set<number>();
  const high = new Set<number>();
  const pieceAt = (byte: number) => Math.floor(Math.max(0, Math.min(byte, shape.length - 1)) / shape.pieceLength);
  const add = (to: Set<number>, piece: number) => {
    if (!critical.has(piece)) to.add(piece);
  };
  const reading = readers.filter(({ position }) => position < shape.length);
  for (const { position } of reading) add(critical, pieceAt(position));
  const head = span(pieceAt(0), pieceAt(HEAD_TAIL_BYTES - 1));
  const tail = span(pieceAt(shape.length - HEAD_TAIL_BYTES), pieceAt(shape.length - 1));
  for (const piece of interleave([head, tail.reverse()])) add(critical, piece);
  for (const [begin, end] of indexRanges)
    for (const piece of span(pieceAt(begin), pieceAt(end - 1))) add(critical, piece);
  const ahead = (from: number, bytes: number) =>
    reading.map(({ position }) => span(pieceAt(position + from), pieceAt(position + bytes - 1)));
  const near = Math.max(CRITICAL_BYTES, rate * CRITICAL_SECONDS);
  for (const piece of interleave(ahead(0, near))) add(critical, piece);
  for (const piece of interleave(ahead(near, Math.max(HIGH_BYTES, rate * HIGH_SECONDS)))) add(high, piece);
  const blockAt = (byte: number) => Math.floor((byte % shape.pieceLength) / BLOCK_BYTES);
  return {
    readers: reading.map(({ position }) => ({ piece: pieceAt(position), block: blockAt(position) })),
    critical: [...critical],
    high: [...high],
  };
}

function span(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

/** One of each in turn. */
function* interleave(lists: readonly number[][]): Iterable<number> {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  for (let i = 0; i < longest; i++) for (const list of lists) if (i < list.length) yield list[i]!;
}
