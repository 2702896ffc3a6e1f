/** Which pieces somebody has: bit 0 is the highest bit of the first byte (BEP 3, "bitfield"). */
import { StreamletError } from "./errors";

export class Bitfield {
  private readonly bytes: Uint8Array;
  private ones = 0;

  /** @param length count of pieces; all are clear at first */
  constructor(readonly length: number) {
    this.bytes = new Uint8Array(Math.ceil(length / 8));
  }

  /**
   * Reads the payload of a `bitfield` message (copied).
   * @throws StreamletError `bad-message` where the size is wrong or a spare bit is set
   */
  static fromBytes(bytes: Uint8Array, length: number): Bitfield {
    const field = new Bitfield(length);
    if (bytes.length !== field.bytes.length) {
      throw new StreamletError("bad-message", `A bitfield of ${bytes.length} bytes does not fit ${length} pieces.`);
    }
    field.bytes.set(bytes);
    const spare = bytes.length * 8 - length;
    if (spare > 0 && ((bytes[bytes.length - 1] as number) & ((1 << spare) - 1)) !== 0) {
      throw new StreamletError("bad-message", "A bitfield has a spare bit set.");
    }
    for (const byte of bytes) field.ones += bitsOf(byte);
    return field;
  }

  /** All set. */
  static full(length: number): Bitfield {
    const field = new Bitfield(length);
    field.bytes.fill(0xff);
    const spare = field.bytes.length * 8 - length;
    if (spare > 0) field.bytes[field.bytes.length - 1] = (0xff << spare) & 0xff;
    field.ones = length;
    return field;
  }

  /** False for indices outside. */
  get(index: number): boolean {
    return (((this.bytes[index >>> 3] ?? 0) >> (7 - (index & 7))) & 1) === 1;
  }

  /** @returns whether it was clear. Indices outside are ignored. */
  set(index: number): boolean {
    if (!this.has(index) || this.get(index)) return false;
    this.bytes[index >>> 3] = (this.bytes[index >>> 3] as number) | (0x80 >> (index & 7));
    this.ones++;
    return true;
  }

  /** @returns whether it was set. Indices outside are ignored. */
  clear(index: number): boolean {
    if (!this.has(index) || !this.get(index)) return false;
    this.bytes[index >>> 3] = (this.bytes[index >>> 3] as number) & ~(0x80 >> (index & 7));
    this.ones--;
    return true;
  }

  /** How many are set. */
  get count(): number {
    return this.ones;
  }

  get isFull(): boolean {
    return this.ones === this.length;
  }

  get isEmpty(): boolean {
    return this.ones === 0;
  }

  /** Whether it has a piece that `other` lacks. */
  hasOutside(other: Bitfield): boolean {
    for (let at = 0; at < this.bytes.length; at++) {
      if (((this.bytes[at] as number) & ~(other.bytes[at] ?? 0)) !== 0) return true;
    }
    return false;
  }

  /** A copy, as a `bitfield` message carries it. */
  toBytes(): Uint8Array {
    return this.bytes.slice();
  }

  clone(): Bitfield {
    return Bitfield.fromBytes(this.bytes, this.length);
  }

  /** The set indices, ascending. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (let at = 0; at < this.bytes.length; at++) {
      if (this.bytes[at] === 0) continue;
      for (let i = at * 8; i < at * 8 + 8; i++) if (this.get(i)) yield i;
    }
  }

  private has(index: number): boolean {
    return Number.isInteger(index) && index >= 0 && index < this.length;
  }
}

function bitsOf(byte: number): number {
  let bits = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
