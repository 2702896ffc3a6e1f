/** Small conversions between bytes and text. */
import { StreamletError } from "./errors";

const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A Buffer over the same memory, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Lower-case hex digits. */
export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex");
}

/** @throws StreamletError `invalid-argument` unless the text is pairs of hex digits (either case). */
export function fromHex(text: string): Uint8Array {
  if (!HEX.test(text)) throw new StreamletError("invalid-argument", "This is not hexadecimal text.");
  return Buffer.from(text, "hex");
}

/** Not constant-time: for hashes and ids, which are public. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

export function concatBytes(list: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(list);
}

export function utf8Encode(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** Undefined where the bytes are not valid UTF-8. */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Every byte becomes the character of its number. */
export function latin1Decode(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("latin1");
}

/** The inverse of `latin1Decode`. Characters above U+00FF have no byte: callers check for them. */
export function latin1Encode(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
