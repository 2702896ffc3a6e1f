/** The extension protocol (BEP 10) with `ut_metadata` (BEP 9) and the two keys of our own: `st_request`, `st_grant`. */
import { type BDict, decode, decodePrefix, encode, getBytes, getDict, getInt } from "./bencode";
import { utf8Encode } from "./bytes";
import {
  BLOCK_BYTES,
  MAX_CLIENT_VERSION_CHARS,
  MAX_EXTENDED_HANDSHAKE_BYTES,
  MAX_GRANT_BYTES,
  MAX_METADATA_BYTES,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_QUEUE,
  METADATA_PIECE_BYTES,
  UT_METADATA,
} from "./constants";
import { StreamletError } from "./errors";
import { visibleText } from "./text";

/** Keys as on the wire. */
export interface ExtendedHandshake {
  /** Ids under which the sender wants extended messages; 0 means that it has switched one off. */
  m: { ut_metadata?: number };
  /** Bytes of the info dictionary, where the sender has it. */
  metadata_size?: number;
  /** Requests that the sender queues. */
  reqq?: number;
  /** Name and version of the client, for display. */
  v?: string;
  /** Port that the sender listens on. */
  p?: number;
  /**
   * Ours: the largest request that the sender answers, in bytes, a multiple of 16 KiB; and that it keeps requests which arrive before
   * its unchoke.
   */
  st_request?: number;
  /** Ours: a signed grant (records.ts) for a video of audience `friends`. */
  st_grant?: Uint8Array;
}

/** Extensions of other clients fill a few dozen values. */
const MESSAGE_LIMITS = { maxDepth: 8, maxValues: 1000, anyOrder: true } as const;

/** Payload of an `extended` message with id 0. */
export function encodeExtendedHandshake(hello: ExtendedHandshake): Uint8Array {
  const m: BDict = new Map();
  if (hello.m.ut_metadata !== undefined) m.set(UT_METADATA, hello.m.ut_metadata);
  const dict: BDict = new Map([["m", m]]);
  for (const key of ["metadata_size", "reqq", "p", "st_request"] as const) {
    const value = hello[key];
    if (value !== undefined) dict.set(key, value);
  }
  if (hello.v !== undefined) dict.set("v", utf8Encode(hello.v));
  if (hello.st_grant !== undefined) dict.set("st_grant", hello.st_grant);
  return encode(dict);
}

/**
 * Unknown keys are skipped, and so are values of optional keys that make no sense: other clients put odd things there. `v` is cut and
 * freed of characters that do not show. `st_grant` is copied.
 * @throws StreamletError `bad-message` where it is no dictionary, too large, or a key of our own is malformed
 */
export function decodeExtendedHandshake(payload: Uint8Array): ExtendedHandshake {
  if (payload.length > MAX_EXTENDED_HANDSHAKE_BYTES) throw bad("it is too large");
  const dict = dictOf(() => decode(payload, MESSAGE_LIMITS));
  const m = getDict(dict, "m");
  const hello: ExtendedHandshake = { m: {} };
  const metadataId = m && intWithin(m, UT_METADATA, 0, 255);
  if (metadataId !== undefined) hello.m.ut_metadata = metadataId;
  const metadataSize = intWithin(dict, "metadata_size", 1, MAX_METADATA_BYTES);
  if (metadataSize !== undefined) hello.metadata_size = metadataSize;
  const queue = intWithin(dict, "reqq", 1, Number.MAX_SAFE_INTEGER);
  if (queue !== undefined) hello.reqq = Math.min(queue, MAX_REQUEST_QUEUE);
  const port = intWithin(dict, "p", 1, 65_535);
  if (port !== undefined) hello.p = port;
  const version = getBytes(dict, "v");
  if (version) hello.v = visibleText(version, MAX_CLIENT_VERSION_CHARS);
  if (dict.has("st_request")) {
    const largest = intWithin(dict, "st_request", BLOCK_BYTES, MAX_REQUEST_BYTES);
    if (largest === undefined || largest % BLOCK_BYTES !== 0)
      throw bad("st_request is no multiple of 16 KiB up to 1 MiB");
    hello.st_request = largest;
  }
  if (dict.has("st_grant")) {
    const grant = getBytes(dict, "st_grant");
    if (!grant || grant.length > MAX_GRANT_BYTES) throw bad("st_grant is no grant");
    hello.st_grant = Uint8Array.from(grant);
  }
  return hello;
}

/** Messages of BEP 9. Metadata pieces are 16 KiB; the last one may be shorter. */
export type MetadataMessage =
  | { type: "request"; piece: number }
  | { type: "reject"; piece: number }
  | { type: "data"; piece: number; totalSize: number; data: Uint8Array };

const METADATA_TYPES = ["request", "data", "reject"] as const;
/** The dictionary is some 50 bytes; room for additions. */
const MAX_METADATA_MESSAGE_BYTES = METADATA_PIECE_BYTES + 1024;

/** Payload of an `extended` message with the id that the other side gave to `ut_metadata`. */
export function encodeMetadataMessage(message: MetadataMessage): Uint8Array {
  const dict: BDict = new Map([
    ["msg_type", METADATA_TYPES.indexOf(message.type)],
    ["piece", message.piece],
  ]);
  if (message.type !== "data") return encode(dict);
  dict.set("total_size", message.totalSize);
  const head = encode(dict);
  const out = Buffer.allocUnsafeSlow(head.length + message.data.length);
  out.set(head);
  out.set(message.data, head.length);
  return out;
}

/**
 * `data` is a view on the payload, and of exactly the size that its place in `totalSize` bytes calls for.
 * @returns undefined for a message type of a later version, which is to be ignored (BEP 9)
 * @throws StreamletError `bad-message`, also for metadata above MAX_METADATA_BYTES
 */
export function decodeMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  if (payload.length > MAX_METADATA_MESSAGE_BYTES) throw bad("it is too large");
  let length = 0;
  const dict = dictOf(() => {
    const prefix = decodePrefix(payload, MESSAGE_LIMITS);
    length = prefix.length;
    return prefix.value;
  });
  const number = getInt(dict, "msg_type");
  if (number === undefined || number < 0) throw bad("msg_type is missing");
  const type = METADATA_TYPES[number];
  if (!type) return undefined;
  const piece = intWithin(dict, "piece", 0, Math.ceil(MAX_METADATA_BYTES / METADATA_PIECE_BYTES) - 1);
  if (piece === undefined) throw bad("its piece is missing or out of range");
  if (type !== "data") return { type, piece };
  const totalSize = intWithin(dict, "total_size", 1, MAX_METADATA_BYTES);
  if (totalSize === undefined) throw bad("total_size is missing or out of range");
  const data = payload.subarray(length);
  if (data.length !== metadataPieceLength(piece, totalSize)) throw bad("it does not have the size of its piece");
  return { type, piece, totalSize, data };
}

/** Bytes of a metadata piece; not above 0 where there is no such piece. */
export function metadataPieceLength(piece: number, totalSize: number): number {
  return Math.min(METADATA_PIECE_BYTES, totalSize - piece * METADATA_PIECE_BYTES);
}

function intWithin(dict: BDict, key: string, least: number, most: number): number | undefined {
  const value = getInt(dict, key);
  return value !== undefined && value >= least && value <= most ? value : undefined;
}

function dictOf(read: () => unknown): BDict {
  let value: unknown;
  try {
    value = read();
  } catch (cause) {
    throw bad("it is not well-formed", cause);
  }
  if (value instanceof Map) return value;
  throw bad("it is no dictionary");
}

function bad(reason: string, cause?: unknown): StreamletError {
  return new StreamletError("bad-message", `The peer sent an extended message that cannot be used: ${reason}.`, {
    cause,
  });
}
