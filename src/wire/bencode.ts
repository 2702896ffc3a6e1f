/**
 * Bencode (BEP 3), strict: what is accepted is exactly what `encode` would write, so that a hash or a signature over the bytes is a
 * hash or a signature over the value. Byte strings in results are views on the input, not copies.
 */
import { asBuffer, latin1Decode, utf8Decode } from "./bytes";
import { StreamletError } from "./errors";

/** Numbers are safe integers; integers beyond them are bigints. */
export type BValue = number | bigint | Uint8Array | BValue[] | BDict;
/** Keys are byte strings, one character (U+0000 to U+00FF) per byte. */
export type BDict = Map<string, BValue>;

export interface DecodeLimits {
  /** Lists and dictionaries inside one another. */
  maxDepth?: number;
  /** Values in all: an empty dictionary takes 2 bytes on the wire and a hundred times that in memory. */
  maxValues?: number;
  /** Accept dictionaries with keys in any order, still each once: for messages of other clients that nobody hashes. */
  anyOrder?: boolean;
}

/** No format read here nests deeper than about ten; bounds the recursion. */
const DEFAULT_MAX_DEPTH = 32;
/** A multi-file torrent of 20,000 files; about 20 MB at worst. */
const DEFAULT_MAX_VALUES = 100_000;
/** Digits of 2^64. BEP 3 has no bound, but every known field fits, and parsing long numbers costs quadratic time. */
const MAX_INTEGER_DIGITS = 20;
/** Digits of the length of a string: far above what any caller passes in. */
const MAX_LENGTH_DIGITS = 10;

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const MINUS = 0x2d;
const INTEGER = 0x69;
const LIST = 0x6c;
const DICT = 0x64;
const END = 0x65;

/** Key that only latin1 text can be: one character per byte. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys are arbitrary bytes
const BYTE_KEY = /^[\x00-\xff]*$/;

/** @throws StreamletError `invalid-argument` for numbers that are not integers and keys that are not bytes. */
export function encode(value: BValue): Uint8Array {
  const out = Buffer.allocUnsafeSlow(encodedLength(value));
  write(out, 0, value);
  return out;
}

function encodedLength(value: BValue): number {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new StreamletError("invalid-argument", `${value} is not a safe integer.`);
    return integerText(value).length + 2;
  }
  if (typeof value === "bigint") return integerText(value).length + 2;
  if (value instanceof Uint8Array) return stringLength(value.length);
  let total = 2;
  if (Array.isArray(value)) {
    for (const item of value) total += encodedLength(item);
    return total;
  }
  for (const [key, item] of value) {
    if (!BYTE_KEY.test(key)) throw new StreamletError("invalid-argument", "A dictionary key must be bytes.");
    total += stringLength(key.length) + encodedLength(item);
  }
  return total;
}

/** -0 is written as 0. */
function integerText(value: number | bigint): string {
  return value.toString();
}

function stringLength(length: number): number {
  return String(length).length + 1 + length;
}

function write(out: Buffer, at: number, value: BValue): number {
  if (typeof value === "number" || typeof value === "bigint") {
    return at + out.write(`i${integerText(value)}e`, at, "latin1");
  }
  if (value instanceof Uint8Array) {
    const begin = at + out.write(`${value.length}:`, at, "latin1");
    out.set(value, begin);
    return begin + value.length;
  }
  let end = at + 1;
  if (Array.isArray(value)) {
    out[at] = LIST;
    for (const item of value) end = write(out, end, item);
  } else {
    out[at] = DICT;
    for (const key of [...value.keys()].sort(compareKeys)) {
      end += out.write(`${key.length}:${key}`, end, "latin1");
      end = write(out, end, value.get(key) as BValue);
    }
  }
  out[end] = END;
  return end + 1;
}

/** Order of the raw bytes: code units of latin1 text are bytes. */
function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Decodes bytes that are exactly one value. @throws StreamletError `bad-bencode` */
export function decode(bytes: Uint8Array, limits: DecodeLimits = {}): BValue {
  const { value, length } = decodePrefix(bytes, limits);
  if (length !== bytes.length) throw bad(length, "there are bytes after the value");
  return value;
}

/** Decodes the value at the start; `length` is the count of its bytes. @throws StreamletError `bad-bencode` */
export function decodePrefix(bytes: Uint8Array, limits: DecodeLimits = {}): { value: BValue; length: number } {
  const reader = new Reader(asBuffer(bytes), limits);
  const value = reader.readValue(0);
  return { value, length: reader.at };
}

/**
 * Decodes a dictionary and gives the bytes of the value of one of its keys as they stand (a view), e.g. of `info`.
 * @throws StreamletError `bad-bencode`, also where it is no dictionary or has no such key
 */
export function decodeDictWithRaw(
  bytes: Uint8Array,
  key: string,
  limits: DecodeLimits = {},
): { dict: BDict; raw: Uint8Array } {
  const reader = new Reader(asBuffer(bytes), limits, key);
  const dict = reader.readValue(0);
  if (reader.at !== bytes.length) throw bad(reader.at, "there are bytes after the value");
  if (!(dict instanceof Map)) throw bad(0, "a dictionary was expected");
  if (!reader.raw) throw bad(0, `the key ${JSON.stringify(key)} is missing`);
  return { dict, raw: reader.raw };
}

function bad(at: number, reason: string): StreamletError {
  return new StreamletError("bad-bencode", `Malformed data at byte ${at}: ${reason}.`);
}

class Reader {
  at = 0;
  raw: Uint8Array | undefined;
  private readonly maxDepth: number;
  private valuesLeft: number;
  private readonly anyOrder: boolean;

  constructor(
    private readonly bytes: Buffer,
    limits: DecodeLimits,
    private readonly rawKey?: string,
  ) {
    this.maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
    this.valuesLeft = limits.maxValues ?? DEFAULT_MAX_VALUES;
    this.anyOrder = limits.anyOrder ?? false;
  }

  readValue(depth: number): BValue {
    if (--this.valuesLeft < 0) throw bad(this.at, "there are too many values");
    const byte = this.bytes[this.at];
    switch (byte) {
      case undefined:
        throw bad(this.at, "it ends too early");
      case INTEGER:
        return this.readInteger();
      case LIST:
        return this.readList(depth + 1);
      case DICT:
        return this.readDict(depth + 1);
      default:
        return this.readString();
    }
  }

  private readInteger(): number | bigint {
    const begin = this.at + 1;
    const negative = this.bytes[begin] === MINUS;
    const first = negative ? begin + 1 : begin;
    const end = this.skipDigits(first, MAX_INTEGER_DIGITS);
    if (this.bytes[end] !== END) throw bad(end, "an integer must be at most 20 digits, then 'e'");
    if (this.bytes[first] === DIGIT_0 && (end > first + 1 || negative)) {
      throw bad(first, "an integer has a leading zero or is -0");
    }
    const text = this.bytes.toString("latin1", begin, end);
    this.at = end + 1;
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : BigInt(text);
  }

  private readString(): Uint8Array {
    const end = this.skipDigits(this.at, MAX_LENGTH_DIGITS);
    if (this.bytes[end] !== COLON) throw bad(end, "a string must begin with its length and a colon");
    if (this.bytes[this.at] === DIGIT_0 && end > this.at + 1) throw bad(this.at, "a length has a leading zero");
    const length = Number(this.bytes.toString("latin1", this.at, end));
    const begin = end + 1;
    if (length > this.bytes.length - begin) throw bad(begin, "a string is longer than what is there");
    this.at = begin + length;
    return this.bytes.subarray(begin, this.at);
  }

  /** @returns the offset after the digits, of which there is at least one */
  private skipDigits(from: number, most: number): number {
    let end = from;
    while (end - from <= most) {
      const byte = this.bytes[end];
      if (byte === undefined || byte < DIGIT_0 || byte > DIGIT_9) break;
      end++;
    }
    if (end === from) throw bad(from, "a digit was expected");
    if (end - from > most) throw bad(from, "a number is too long");
    return end;
  }

  private readList(depth: number): BValue[] {
    this.checkDepth(depth);
    const list: BValue[] = [];
    this.at++;
    while (this.bytes[this.at] !== END) list.push(this.readValue(depth));
    this.at++;
    return list;
  }

  private readDict(depth: number): BDict {
    this.checkDepth(depth);
    const dict: BDict = new Map();
    let last: string | undefined;
    this.at++;
    while (this.bytes[this.at] !== END) {
      const keyAt = this.at;
      const key = latin1Decode(this.readString());
      if (dict.has(key)) throw bad(keyAt, "a key occurs twice");
      if (last !== undefined && key < last && !this.anyOrder) throw bad(keyAt, "the keys are not sorted");
      last = key;
      const begin = this.at;
      dict.set(key, this.readValue(depth));
      if (depth === 1 && key === this.rawKey) this.raw = this.bytes.subarray(begin, this.at);
    }
    this.at++;
    return dict;
  }

  private checkDepth(depth: number): void {
    if (depth > this.maxDepth) throw bad(this.at, "it is nested too deeply");
  }
}

/** The safe integer under `key`, or undefined where there is none. */
export function getInt(dict: BDict, key: string): number | undefined {
  const value = dict.get(key);
  return typeof value === "number" ? value : undefined;
}

/** The byte string under `key`, or undefined where there is none. */
export function getBytes(dict: BDict, key: string): Uint8Array | undefined {
  const value = dict.get(key);
  return value instanceof Uint8Array ? value : undefined;
}

/** The byte string under `key` as text, or undefined where there is none or it is not UTF-8. */
export function getText(dict: BDict, key: string): string | undefined {
  const value = dict.get(key);
  return value instanceof Uint8Array ? utf8Decode(value) : undefined;
}

export function getDict(dict: BDict, key: string): BDict | undefined {
  const value = dict.get(key);
  return value instanceof Map ? value : undefined;
}

export function getList(dict: BDict, key: string): BValue[] | undefined {
  const value = dict.get(key);
  return Array.isArray(value) ? value : undefined;
}
