/** The 68 bytes that open a BitTorrent connection (BEP 3), with the reserved bits of BEP 6, 10 and 52. */
import { asBuffer, equalBytes, latin1Encode } from "./bytes";
import {
  HANDSHAKE_BYTES,
  HANDSHAKE_PREFIX_BYTES,
  PROTOCOL_NAME,
  RESERVED_EXTENDED,
  RESERVED_FAST,
  RESERVED_V2,
  SHORT_INFO_HASH_BYTES,
  WIRE_PEER_ID_BYTES,
} from "./constants";
import { StreamletError } from "./errors";

const PREFIX = latin1Encode(`\x13${PROTOCOL_NAME}`);
const RESERVED_BYTES = 8;
const INFO_HASH_AT = HANDSHAKE_PREFIX_BYTES + RESERVED_BYTES;
const PEER_ID_AT = INFO_HASH_AT + SHORT_INFO_HASH_BYTES;

export interface Reserved {
  /** Extension protocol (BEP 10). */
  extended: boolean;
  /** Fast extension (BEP 6). */
  fast: boolean;
  /** Speaks v2 of this torrent (BEP 52): never to be set for a v1-only torrent, libtorrent hangs up on that. */
  v2: boolean;
}

export interface Handshake {
  /** SHA-1 of the info dictionary, or the first 20 bytes of its SHA-256. */
  infoHash20: Uint8Array;
  peerId20: Uint8Array;
  reserved: Reserved;
}

/** @throws StreamletError `invalid-argument` unless hash and peer id have 20 bytes */
export function encodeHandshake({ infoHash20, peerId20, reserved }: Handshake): Uint8Array {
  if (infoHash20.length !== SHORT_INFO_HASH_BYTES || peerId20.length !== WIRE_PEER_ID_BYTES) {
    throw new StreamletError("invalid-argument", "A handshake takes an info-hash and a peer id of 20 bytes each.");
  }
  const out = new Uint8Array(HANDSHAKE_BYTES);
  out.set(PREFIX);
  for (const [wanted, flag] of flagsOf(reserved)) {
    const at = HANDSHAKE_PREFIX_BYTES + flag.byte;
    if (wanted) out[at] = (out[at] as number) | flag.bit;
  }
  out.set(infoHash20, INFO_HASH_AT);
  out.set(peerId20, PEER_ID_AT);
  return out;
}

function flagsOf(reserved: Reserved): [boolean, { byte: number; bit: number }][] {
  return [
    [reserved.extended, RESERVED_EXTENDED],
    [reserved.fast, RESERVED_FAST],
    [reserved.v2, RESERVED_V2],
  ];
}

/** Copies what it keeps. Unknown reserved bits are ignored. @throws StreamletError `bad-handshake` unless these are the 68 bytes of one */
export function decodeHandshake(bytes: Uint8Array): Handshake {
  if (bytes.length !== HANDSHAKE_BYTES || !startsLikeHandshake(bytes)) {
    throw new StreamletError("bad-handshake", "The other side does not begin with a BitTorrent handshake.");
  }
  const has = (flag: { byte: number; bit: number }) =>
    ((bytes[HANDSHAKE_PREFIX_BYTES + flag.byte] as number) & flag.bit) !== 0;
  return {
    infoHash20: Uint8Array.from(bytes.subarray(INFO_HASH_AT, PEER_ID_AT)),
    peerId20: Uint8Array.from(bytes.subarray(PEER_ID_AT)),
    reserved: { extended: has(RESERVED_EXTENDED), fast: has(RESERVED_FAST), v2: has(RESERVED_V2) },
  };
}

/**
 * Whether these first bytes of a connection (any number of them) can be those of a handshake. Decided for good with 20 bytes: an
 * encrypted handshake of other clients begins with random bytes, so one byte says too little.
 */
export function startsLikeHandshake(prefix: Uint8Array): boolean {
  const length = Math.min(prefix.length, HANDSHAKE_PREFIX_BYTES);
  return equalBytes(asBuffer(prefix).subarray(0, length), PREFIX.subarray(0, length));
}
