/**
 * Video records and grants: canonical bencode, signed by the video's owner. The envelope is a dictionary of two byte strings, the
 * encoded body and the signature over it, so that what was signed is kept byte for byte. docs/protocol.md has the keys.
 */
import type * as crypto from "node:crypto";
import { type BDict, type BValue, decode, encode, getBytes, getInt, getList, getText } from "./bencode";
import { equalBytes, fromHex, toHex, utf8Encode } from "./bytes";
import {
  GRANT_CONTEXT,
  HASH_BYTES,
  MAX_CLOCK_SKEW_MS,
  MAX_CODECS_CHARS,
  MAX_CONTAINER_CHARS,
  MAX_DESCRIPTION_CHARS,
  MAX_DIMENSION_PIXELS,
  MAX_DURATION_SECONDS,
  MAX_FILE_NAME_BYTES,
  MAX_GRANT_BYTES,
  MAX_GRANT_LIFETIME_MS,
  MAX_INDEX_RANGES,
  MAX_PIECE_BYTES,
  MAX_PIECES,
  MAX_RECORD_BYTES,
  MAX_RECORD_LIFETIME_MS,
  MAX_THUMBNAIL_BYTES,
  MAX_TITLE_CHARS,
  MAX_VIDEO_BYTES,
  MIN_PIECE_BYTES,
  RECORD_CONTEXT,
  V1_HASH_BYTES,
} from "./constants";
import { StreamletError } from "./errors";
import { fingerprintOf } from "./fingerprint";
import type { MediaFacts } from "./mediaFacts";
import { isPowerOfTwo } from "./merkle";
import { isP256Spki, signBytes, verifyBytes } from "./signature";
import { charCount, cleanText, isSafeText } from "./text";
import { isPeerId } from "./trackerAddress";
import { type Fingerprint, isFingerprint, isVideoId, type VideoId } from "./types";

export { MAX_GRANT_BYTES, MAX_RECORD_BYTES } from "./constants";

export type RecordAudience = "everyone" | "friends" | "public";
const AUDIENCES: readonly string[] = ["everyone", "friends", "public"] satisfies RecordAudience[];

/** What the owner of a video says of it. Text is safe to show as plain text, and nothing else: it is a stranger's. */
export interface VideoRecord extends MediaFacts {
  id: VideoId;
  /** v1 info-hash, 40 hex digits. */
  v1: string;
  /** 64 hex digits. */
  piecesRoot: string;
  /** Bytes. */
  pieceLength: number;
  /** Bytes. */
  length: number;
  /** As in the info dictionary, without characters that may not be shown. Never a path. */
  fileName: string;
  audience: RecordAudience;
  /** One line, 1 to 200 characters. */
  title: string;
  /** At most 4000 characters, with line breaks. */
  description: string;
  /** Peer ID of the owner when it was signed: a display name. */
  ownerName: string;
  /** Byte ranges [begin, end) that a player reads first. */
  indexRanges?: [number, number][];
  /** JPEG or WebP, at most 16 KiB. */
  thumbnail?: Uint8Array;
  /** Grows with every change; the highest of one owner and id holds. */
  sequence: number;
  /** Milliseconds since the epoch. */
  expires: number;
  owner: Fingerprint;
  /** SubjectPublicKeyInfo, 91 bytes. */
  ownerKey: Uint8Array;
  /** It is no longer offered. Kept until it expires, against older records that still go round. */
  withdrawn: boolean;
}

/** What the owner fills in: the key adds the rest. */
export type RecordFields = Omit<VideoRecord, "owner" | "ownerKey">;

const ENVELOPE_LIMITS = { maxDepth: 1, maxValues: 8 } as const;
/** Keys, index ranges and room for the keys of later versions. */
const BODY_LIMITS = { maxDepth: 4, maxValues: 128 } as const;

/**
 * Text is freed of what may not be shown, and trimmed. A record without a file name that can be shown is named `video`.
 * @throws StreamletError `invalid-argument` with what is wrong, for fields that no reader would accept
 */
export function signRecord(fields: RecordFields, privateKey: crypto.KeyObject, spki: Uint8Array): Uint8Array {
  let bytes: Uint8Array;
  try {
    const body = encode(bodyOf(fields, spki));
    readBody(body);
    bytes = seal("record", RECORD_CONTEXT, body, privateKey);
    if (bytes.length > MAX_RECORD_BYTES) throw bad("it is too large");
  } catch (cause) {
    if (!(cause instanceof StreamletError) || cause.code !== "bad-record") throw cause;
    throw new StreamletError("invalid-argument", cause.message, { cause });
  }
  return bytes;
}

function bodyOf(fields: RecordFields, spki: Uint8Array): BDict {
  const body: BDict = new Map<string, BValue>([
    ["audience", utf8Encode(fields.audience)],
    ["description", utf8Encode(cleanText(fields.description, { lines: true }))],
    ["expires", fields.expires],
    ["file name", utf8Encode(cleanText(fields.fileName).replace(/[/\\]/g, "_") || "video")],
    ["id", fromHex(fields.id)],
    ["key", spki],
    ["length", fields.length],
    ["owner name", utf8Encode(fields.ownerName)],
    ["piece length", fields.pieceLength],
    ["pieces root", fromHex(fields.piecesRoot)],
    ["sequence", fields.sequence],
    ["title", utf8Encode(cleanText(fields.title))],
    ["v1", fromHex(fields.v1)],
  ]);
  if (fields.duration !== undefined) body.set("duration", Math.round(fields.duration * 1000));
  if (fields.container !== undefined) body.set("container", utf8Encode(fields.container));
  if (fields.codecs !== undefined) body.set("codecs", utf8Encode(fields.codecs));
  if (fields.width !== undefined) body.set("width", fields.width);
  if (fields.height !== undefined) body.set("height", fields.height);
  if (fields.indexRanges !== undefined) body.set("index ranges", fields.indexRanges);
  if (fields.thumbnail !== undefined) body.set("thumbnail", fields.thumbnail);
  if (fields.withdrawn) body.set("withdrawn", 1);
  return body;
}

/**
 * Reads and verifies a record from anyone. Unknown keys are skipped; nothing in the result refers to `bytes`.
 * @param options.now milliseconds since the epoch
 * @throws StreamletError `bad-record` where it is malformed, out of bounds, expired (`data.expired` true) or good for too long
 *   (`data.expired` false); `bad-signature`
 */
export function parseRecord(bytes: Uint8Array, options: { now: number }): VideoRecord {
  const { record, body, signature } = readRecord(bytes, options.now);
  if (!verifyBytes(record.ownerKey, RECORD_CONTEXT, body, signature)) throw badSignature();
  return record;
}

/**
 * Reads a record that one has signed oneself, and kept where nobody else writes: its signature is not checked again, which would
 * cost ten times the rest.
 * @param options.spki one's own key
 * @throws StreamletError `bad-record` as `parseRecord` does, and where it is somebody else's
 */
export function readOwnRecord(bytes: Uint8Array, options: { now: number; spki: Uint8Array }): VideoRecord {
  const { record } = readRecord(bytes, options.now);
  if (!equalBytes(record.ownerKey, options.spki)) throw bad("it is somebody else's");
  return record;
}

function readRecord(bytes: Uint8Array, now: number) {
  if (bytes.length > MAX_RECORD_BYTES) throw bad("it is too large");
  const { body, signature } = open("record", bytes);
  const record = readBody(body);
  checkExpiry(record.expires, now, MAX_RECORD_LIFETIME_MS);
  return { record, body, signature };
}

function readBody(bytes: Uint8Array): VideoRecord {
  const body = dictOf(bytes, BODY_LIMITS);
  const length = int(body, "length", 1, MAX_VIDEO_BYTES);
  const pieceLength = int(body, "piece length", MIN_PIECE_BYTES, MAX_PIECE_BYTES);
  if (!isPowerOfTwo(pieceLength) || Math.ceil(length / pieceLength) > MAX_PIECES)
    throw bad("its piece length is wrong");
  const ownerKey = key(body);
  const audience = text(body, "audience", MAX_CONTAINER_CHARS);
  if (!AUDIENCES.includes(audience)) throw bad("its audience is unknown");
  const title = text(body, "title", MAX_TITLE_CHARS);
  if (title.trim() === "") throw bad("its title is empty");
  const ownerName = text(body, "owner name", MAX_CONTAINER_CHARS);
  if (!isPeerId(ownerName)) throw bad("its owner's name is no Peer ID");
  return {
    id: hex(body, "id", HASH_BYTES) as VideoId,
    v1: hex(body, "v1", V1_HASH_BYTES),
    piecesRoot: hex(body, "pieces root", HASH_BYTES),
    pieceLength,
    length,
    fileName: fileName(body),
    audience: audience as RecordAudience,
    title,
    description: text(body, "description", MAX_DESCRIPTION_CHARS, { lines: true }),
    ownerName,
    ...mediaOf(body, length),
    sequence: int(body, "sequence", 0, Number.MAX_SAFE_INTEGER),
    expires: int(body, "expires", 0, Number.MAX_SAFE_INTEGER),
    owner: fingerprintOf(ownerKey),
    ownerKey,
    withdrawn: body.has("withdrawn") && int(body, "withdrawn", 0, 1) === 1,
  };
}

type Media = Pick<VideoRecord, "duration" | "container" | "codecs" | "width" | "height" | "indexRanges" | "thumbnail">;

function mediaOf(body: BDict, length: number): Media {
  const media: Media = {};
  if (body.has("duration")) media.duration = int(body, "duration", 0, MAX_DURATION_SECONDS * 1000) / 1000;
  if (body.has("container")) media.container = ascii(body, "container", MAX_CONTAINER_CHARS);
  if (body.has("codecs")) media.codecs = ascii(body, "codecs", MAX_CODECS_CHARS);
  if (body.has("width") || body.has("height")) {
    media.width = int(body, "width", 1, MAX_DIMENSION_PIXELS);
    media.height = int(body, "height", 1, MAX_DIMENSION_PIXELS);
  }
  if (body.has("index ranges")) media.indexRanges = indexRanges(body, length);
  if (body.has("thumbnail")) media.thumbnail = thumbnail(body);
  return media;
}

function indexRanges(body: BDict, length: number): [number, number][] {
  const list = getList(body, "index ranges");
  if (!list || list.length > MAX_INDEX_RANGES) throw bad("its index ranges are malformed");
  return list.map((item) => {
    const [begin, end] = Array.isArray(item) && item.length === 2 ? item : [];
    if (typeof begin !== "number" || typeof end !== "number" || begin < 0 || begin >= end || end > length) {
      throw bad("one of its index ranges is malformed");
    }
    return [begin, end];
  });
}

function thumbnail(body: BDict): Uint8Array {
  const image = getBytes(body, "thumbnail");
  if (!image || image.length > MAX_THUMBNAIL_BYTES) throw bad("its thumbnail is too large");
  const start = toHex(image.subarray(0, 12));
  const isJpeg = start.startsWith("ffd8ff");
  const isWebp = start.startsWith("52494646") && start.endsWith("57454250");
  if (!isJpeg && !isWebp) throw bad("its thumbnail is neither JPEG nor WebP");
  return Uint8Array.from(image);
}

function fileName(body: BDict): string {
  const name = text(body, "file name", MAX_FILE_NAME_BYTES);
  if (name === "" || name === "." || name === ".." || /[/\\]/.test(name)) throw bad("its file name is no file name");
  return name;
}

/** Identity of a record: only its owner can replace it. */
export function recordKey(record: Pick<VideoRecord, "owner" | "id">): string {
  return `${record.owner}:${record.id}`;
}

/** Whether `a` replaces `b`: the same key and a higher sequence number. */
export function isNewer(
  a: Pick<VideoRecord, "owner" | "id" | "sequence">,
  b: Pick<VideoRecord, "owner" | "id" | "sequence">,
): boolean {
  return recordKey(a) === recordKey(b) && a.sequence > b.sequence;
}

/** The owner's leave for one person to fetch one video from whoever holds it. */
export interface Grant {
  id: VideoId;
  grantee: Fingerprint;
  /** Milliseconds since the epoch. */
  expires: number;
  /** Whoever checks a grant compares this with the owner of the video's record. */
  owner: Fingerprint;
  ownerKey: Uint8Array;
}

/** @throws StreamletError `invalid-argument` */
export function signGrant(
  fields: Pick<Grant, "id" | "grantee" | "expires">,
  privateKey: crypto.KeyObject,
  spki: Uint8Array,
): Uint8Array {
  if (!isVideoId(fields.id) || !isFingerprint(fields.grantee)) {
    throw new StreamletError("invalid-argument", "A grant needs the id of a video and a fingerprint.");
  }
  const body: BDict = new Map<string, BValue>([
    ["expires", fields.expires],
    ["grantee", fromHex(fields.grantee)],
    ["id", fromHex(fields.id)],
    ["key", spki],
  ]);
  return seal("grant", GRANT_CONTEXT, encode(body), privateKey);
}

/**
 * Reads and verifies a grant. Whether it fits the video, its owner and the person who shows it is for the caller to check.
 * @throws StreamletError `bad-record` where it is malformed, expired (`data.expired`) or good for too long; `bad-signature`
 */
export function parseGrant(bytes: Uint8Array, options: { now: number }): Grant {
  if (bytes.length > MAX_GRANT_BYTES) throw bad("it is too large");
  const { body: raw, signature } = open("grant", bytes);
  const body = dictOf(raw, BODY_LIMITS);
  const ownerKey = key(body);
  const grant: Grant = {
    id: hex(body, "id", HASH_BYTES) as VideoId,
    grantee: hex(body, "grantee", HASH_BYTES) as Fingerprint,
    expires: int(body, "expires", 0, Number.MAX_SAFE_INTEGER),
    owner: fingerprintOf(ownerKey),
    ownerKey,
  };
  checkExpiry(grant.expires, options.now, MAX_GRANT_LIFETIME_MS);
  if (!verifyBytes(ownerKey, GRANT_CONTEXT, raw, signature)) throw badSignature();
  return grant;
}

function seal(kind: "record" | "grant", context: string, body: Uint8Array, privateKey: crypto.KeyObject): Uint8Array {
  const envelope: BDict = new Map();
  envelope.set(kind, body);
  envelope.set("signature", signBytes(privateKey, context, body));
  return encode(envelope);
}

function open(kind: "record" | "grant", bytes: Uint8Array): { body: Uint8Array; signature: Uint8Array } {
  const envelope = dictOf(bytes, ENVELOPE_LIMITS);
  const body = getBytes(envelope, kind);
  const signature = getBytes(envelope, "signature");
  if (!body || !signature || envelope.size !== 2) throw bad("its envelope is malformed");
  return { body, signature };
}

function checkExpiry(expires: number, now: number, lifetimeMs: number): void {
  if (expires <= now) {
    throw new StreamletError("bad-record", "This record cannot be used: it has expired.", { data: { expired: true } });
  }
  if (expires > now + lifetimeMs + MAX_CLOCK_SKEW_MS) {
    throw new StreamletError("bad-record", "This record cannot be used: it expires too far in the future.", {
      data: { expired: false },
    });
  }
}

function dictOf(bytes: Uint8Array, limits: { maxDepth: number; maxValues: number }): BDict {
  let value: BValue;
  try {
    value = decode(bytes, limits);
  } catch (cause) {
    throw bad("it is not well-formed", cause);
  }
  if (!(value instanceof Map)) throw bad("it is no dictionary");
  return value;
}

function key(body: BDict): Uint8Array {
  const spki = getBytes(body, "key");
  if (!spki || !isP256Spki(spki)) throw bad("its key is no P-256 key");
  return Uint8Array.from(spki);
}

function int(body: BDict, name: string, least: number, most: number): number {
  const value = getInt(body, name);
  if (value === undefined || value < least || value > most) throw bad(`its ${name} is missing or out of range`);
  return value;
}

function hex(body: BDict, name: string, length: number): string {
  const value = getBytes(body, name);
  if (value?.length !== length) throw bad(`its ${name} is missing or malformed`);
  return toHex(value);
}

function text(body: BDict, name: string, maxChars: number, options: { lines?: boolean } = {}): string {
  const value = getText(body, name);
  if (value === undefined || charCount(value) > maxChars) throw bad(`its ${name} is missing or too long`);
  if (!isSafeText(value, options)) throw bad(`its ${name} has characters that may not be shown`);
  return value;
}

function ascii(body: BDict, name: string, maxChars: number): string {
  const value = text(body, name, maxChars);
  if (!/^[\x20-\x7e]+$/.test(value)) throw bad(`its ${name} is malformed`);
  return value;
}

function bad(reason: string, cause?: unknown): StreamletError {
  return new StreamletError("bad-record", `This record cannot be used: ${reason}.`, { cause });
}

function badSignature(): StreamletError {
  return new StreamletError("bad-signature", "This record cannot be used: its signature is not its owner's.");
}
