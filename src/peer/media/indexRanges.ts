/**
 * Where a file says what is in it and where: the bytes that a player reads before it can show or seek anything. Only the
 * headers of top-level elements are read.
 */
import { MAX_INDEX_RANGES } from "../../wire/constants";
import type { Container } from "../storage/videoFile";

/** Reads at most `length` bytes at `position`; fewer at the end of the file. */
export type ReadAt = (position: number, length: number) => Buffer;

/** A fragmented file has two boxes a second, and says before the first what it is; behind so many nothing is looked for. */
const MAX_ELEMENTS = 1_000;
/** Where the index is as large as that, a range for it says nothing any more. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

/** Undefined where nothing can be said. @param size of the file, bytes */
export function indexRangesOf(container: Container, size: number, read: ReadAt): [number, number][] | undefined {
  const ranges =
    container === "mp4" || container === "mov"
      ? boxRanges(size, read)
      : container === "matroska" || container === "webm"
        ? matroskaRanges(size, read)
        : [];
  const merged = mergeRanges(ranges.filter(([begin, end]) => begin < end && end <= size));
  const bytes = merged.reduce((sum, [begin, end]) => sum + end - begin, 0);
  return merged.length === 0 || merged.length > MAX_INDEX_RANGES || bytes > MAX_INDEX_BYTES ? undefined : merged;
}

function mergeRanges(ranges: [number, number][]): [number, number][] {
  const merged: [number, number][] = [];
  for (const [begin, end] of ranges.sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([begin, end]);
  }
  return merged;
}

// ---- ISO/IEC 14496-12, 4.2 ----

const BOX_HEADER_BYTES = 16;
/** What describes the rest; of any other box only its header is read. */
const INDEX_BOXES: readonly string[] = ["ftyp", "moov", "sidx", "mfra"];

function boxRanges(size: number, read: ReadAt): [number, number][] {
  const ranges: [number, number][] = [];
  let indexed = false;
  let position = 0;
  for (let count = 0; count < MAX_ELEMENTS && position + 8 <= size; count++) {
    const header = read(position, BOX_HEADER_BYTES);
    if (header.length < 8) break;
    const kind = header.toString("latin1", 4, 8);
    const length = boxLength(header, size - position);
    if (length === undefined) break;
    const isIndex = INDEX_BOXES.includes(kind);
    indexed ||= kind === "moov";
    // Headers in front of the index are read on the way to it.
    if (isIndex || !indexed)
      ranges.push([position, position + (isIndex ? length : Math.min(length, BOX_HEADER_BYTES))]);
    position += length;
  }
  return indexed ? ranges : [];
}

/** Undefined for a length that cannot be. 0: to the end of the file; 1: 64 bits follow. */
function boxLength(header: Buffer, rest: number): number | undefined {
  let length = header.readUInt32BE(0);
  if (length === 0) length = rest;
  else if (length === 1) {
    if (header.length < 16) return undefined;
    length = Number(header.readBigUInt64BE(8));
  }
  return length >= 8 && length <= rest ? length : undefined;
}

// ---- RFC 8794 (EBML), RFC 9559 (Matroska) ----

const SEGMENT = 0x18538067;
const CLUSTER = 0x1f43b675;
const CUES = 0x1c53bb6b;
const SEEK_HEAD = 0x114d9b74;
const SEEK = 0x4dbb;
const SEEK_ID = 0x53ab;
const SEEK_POSITION = 0x53ac;
/** A seek head holds a dozen entries of some 20 bytes. */
const MAX_SEEK_HEAD_BYTES = 4_096;
/** Id and length of an element. */
const ELEMENT_HEADER_BYTES = 12;

interface Element {
  id: number;
  /** Where its content is; `end` is undefined where its length is unknown (live recordings). */
  begin: number;
  end: number | undefined;
}

function matroskaRanges(size: number, read: ReadAt): [number, number][] {
  const ebml = elementAt(read, 0);
  const segment = ebml?.end === undefined ? undefined : elementAt(read, ebml.end);
  if (segment?.id !== SEGMENT) return [];
  let cuesAt: number | undefined;
  let position = segment.begin;
  for (let count = 0; count < MAX_ELEMENTS && position < size; count++) {
    const element = elementAt(read, position);
    if (!element) return [];
    if (element.id === CLUSTER) break; // all before it is read first
    if (element.id === SEEK_HEAD && element.end !== undefined) {
      const content = read(element.begin, Math.min(MAX_SEEK_HEAD_BYTES, element.end - element.begin));
      const offset = cuesOffset(content);
      if (offset !== undefined) cuesAt = segment.begin + offset;
    }
    if (element.end === undefined) return [];
    position = element.end;
  }
  const ranges: [number, number][] = [[0, Math.min(position, size)]];
  const cues = cuesAt === undefined || cuesAt >= size ? undefined : elementAt(read, cuesAt);
  if (cues?.id === CUES && cues.end !== undefined && cuesAt !== undefined) ranges.push([cuesAt, cues.end]);
  return ranges;
}

function cuesOffset(seekHead: Buffer): number | undefined {
  const within = (begin: number, length: number) => seekHead.subarray(begin, begin + length);
  for (let position = 0; position < seekHead.length; ) {
    const seek = elementAt(within, position);
    if (seek?.end === undefined) return undefined;
    if (seek.id === SEEK) {
      let wanted: number | undefined;
      let offset: number | undefined;
      for (let at = seek.begin; at < seek.end; ) {
        const part = elementAt(within, at);
        if (part?.end === undefined || part.end > seekHead.length) break;
        const value = seekHead.subarray(part.begin, part.end);
        if (part.id === SEEK_ID) wanted = unsigned(value);
        if (part.id === SEEK_POSITION) offset = unsigned(value);
        at = part.end;
      }
      if (wanted === CUES) return offset;
    }
    position = seek.end;
  }
  return undefined;
}

function elementAt(read: ReadAt, position: number): Element | undefined {
  const header = read(position, ELEMENT_HEADER_BYTES);
  const idBytes = Math.clz32(header[0] ?? 0) - 23;
  if (idBytes > 4 || header.length < idBytes + 1) return undefined;
  const sizeBytes = Math.clz32(header[idBytes] as number) - 23;
  if (sizeBytes > 8 || header.length < idBytes + sizeBytes) return undefined;
  const begin = position + idBytes + sizeBytes;
  const coded = Uint8Array.from(header.subarray(idBytes, idBytes + sizeBytes));
  coded[0] = (coded[0] as number) & (0xff >> sizeBytes); // without its length marker
  const length = unsigned(coded);
  const unknown = length === 2 ** (7 * sizeBytes) - 1;
  if (!unknown && !Number.isSafeInteger(begin + length)) return undefined;
  return { id: unsigned(header.subarray(0, idBytes)), begin, end: unknown ? undefined : begin + length };
}

/** Big-endian. */
function unsigned(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}
