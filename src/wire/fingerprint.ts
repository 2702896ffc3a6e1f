/**
 * Fingerprints: who somebody is. Shown as 52 base32 characters (RFC 4648) with a check character after every 13, in 8 groups
 * of 7: a mistyped character, and nearly every swap of neighbours, is noticed. (The scheme that Syncthing uses for its device ids.)
 */
import * as crypto from "node:crypto";
import { toHex } from "./bytes";
import { StreamletError } from "./errors";
import { isP256Spki } from "./signature";
import { type Fingerprint, isFingerprint } from "./types";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BITS_PER_CHAR = 5;
const FINGERPRINT_BITS = 256;
/** 256 bits and 4 zero bits. */
const DATA_CHARS = 52;
const CHECKED_CHARS = 13;
const GROUP_CHARS = 7;
const FORMATTED_CHARS = DATA_CHARS + DATA_CHARS / CHECKED_CHARS;
/** Longer text is none, whatever dashes it has. */
const MAX_TEXT_CHARS = 128;

/** @throws StreamletError `invalid-argument` unless it is a P-256 SubjectPublicKeyInfo of 91 bytes */
export function fingerprintOf(spki: Uint8Array): Fingerprint {
  if (!isP256Spki(spki)) throw new StreamletError("invalid-argument", "This is not a public P-256 key.");
  return crypto.createHash("sha256").update(spki).digest("hex") as Fingerprint;
}

/** e.g. `ABCDEFG-HIJKLMN-...`, 8 groups. */
export function formatFingerprint(fingerprint: Fingerprint): string {
  const data = toBase32(fingerprint);
  let checked = "";
  for (let at = 0; at < DATA_CHARS; at += CHECKED_CHARS) {
    const part = data.slice(at, at + CHECKED_CHARS);
    checked += part + checkChar(part);
  }
  return (checked.match(new RegExp(`.{${GROUP_CHARS}}`, "g")) ?? []).join("-");
}

/** The first group: enough to tell two people of one name apart at a glance, not to trust one. */
export function shortFingerprint(fingerprint: Fingerprint): string {
  return formatFingerprint(fingerprint).slice(0, GROUP_CHARS);
}

/** Reads hex or the grouped form, in any case, with or without dashes and blanks. Undefined where it is neither or a check fails. */
export function parseFingerprint(text: string): Fingerprint | undefined {
  if (text.length > MAX_TEXT_CHARS) return undefined;
  const compact = text.replace(/[\s-]/g, "");
  if (isFingerprint(compact.toLowerCase())) return compact.toLowerCase() as Fingerprint;
  // 0, 1 and 8 are not in the alphabet: who types one meant the letter that looks like it.
  const chars = compact.toUpperCase().replace(/0/g, "O").replace(/1/g, "I").replace(/8/g, "B");
  if (chars.length !== FORMATTED_CHARS || [...chars].some((char) => !ALPHABET.includes(char))) return undefined;
  let data = "";
  for (let at = 0; at < FORMATTED_CHARS; at += CHECKED_CHARS + 1) {
    const part = chars.slice(at, at + CHECKED_CHARS);
    if (checkChar(part) !== chars[at + CHECKED_CHARS]) return undefined;
    data += part;
  }
  return fromBase32(data);
}

function toBase32(fingerprint: Fingerprint): string {
  const spareBits = BigInt(DATA_CHARS * BITS_PER_CHAR - FINGERPRINT_BITS);
  let rest = BigInt(`0x${fingerprint}`) << spareBits;
  let text = "";
  for (let i = 0; i < DATA_CHARS; i++) {
    text = ALPHABET[Number(rest & 31n)] + text;
    rest >>= BigInt(BITS_PER_CHAR);
  }
  return text;
}

function fromBase32(chars: string): Fingerprint | undefined {
  const spareBits = DATA_CHARS * BITS_PER_CHAR - FINGERPRINT_BITS;
  let value = 0n;
  for (const char of chars) value = (value << BigInt(BITS_PER_CHAR)) | BigInt(ALPHABET.indexOf(char));
  if ((value & ((1n << BigInt(spareBits)) - 1n)) !== 0n) return undefined;
  return toHex(Buffer.from((value >> BigInt(spareBits)).toString(16).padStart(64, "0"), "hex")) as Fingerprint;
}

/** Luhn's algorithm in base 32, factors 1, 2, 1, 2 ... from the left. */
function checkChar(chars: string): string {
  let sum = 0;
  for (let i = 0; i < chars.length; i++) {
    const product = ALPHABET.indexOf(chars[i] as string) * (i % 2 === 0 ? 1 : 2);
    sum += Math.floor(product / 32) + (product % 32);
  }
  return ALPHABET[(32 - (sum % 32)) % 32] as string;
}
