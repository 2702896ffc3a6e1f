/**
 * Everything that is said between a peer and a tracker (protocol.md, "Tracker"): one JSON object per WebSocket text frame,
 * one schema for both sides. The tracker speaks first (`challenge`), the peer proves its key (`hello`), the tracker answers
 * `welcome`, or `error` and closes. After that every message of the peer carries a `request` number that the answer repeats;
 * only `changed` and `callback` come unasked. Unknown fields are dropped and unknown messages of a tracker skipped, so that
 * later versions can add some.
 */
import * as z from "zod";
import { MAX_RECORD_BYTES } from "./constants";
import { StreamletError } from "./errors";
import { MAX_PEER_ID_CHARS } from "./trackerAddress";
import { type Fingerprint, isFingerprint, isVideoId, type VideoId } from "./types";

export const TRACKER_PROTOCOL_VERSION = 1;

/** Largest frame that a tracker reads: a full batch of ids (about 70 kB) or a few records with thumbnails. */
export const MAX_PEER_FRAME_BYTES = 256 * 1024;
/** Largest frame that a peer reads: an answer of `MAX_ANSWER_BYTES` plus its envelope. */
export const MAX_TRACKER_FRAME_BYTES = 2 * 1024 * 1024;
/** A tracker stops adding records to an answer here (base64 characters); the peer asks again for the rest. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** Records in one `publish` or `withdraw`; verifying so many takes about 20 ms. */
export const MAX_RECORDS_PER_MESSAGE = 100;
/** Longest record, as base64. */
export const MAX_RECORD_CHARS = Math.ceil(MAX_RECORD_BYTES / 3) * 4;
/** Ids in one `announce`, for each of its lists. */
export const MAX_IDS_PER_MESSAGE = 1000;
/** Rows of one catalogue page (about 250 bytes each). */
export const MAX_PAGE_ROWS = 1000;
/** Keys in one `records` request. */
export const MAX_KEYS_PER_MESSAGE = 200;
/** Peers of one page of the directory. */
export const MAX_DIRECTORY_ROWS = 500;
/** Peers that a tracker names for one video: more than anybody connects to. */
export const MAX_SWARM_PEERS = 200;
/** Owners, fingerprints or ids in one filter: a page of friends, a library's worth of look-ups. */
export const MAX_FILTER_VALUES = 200;
/** Longest search text, in characters. */
export const MAX_QUERY_TEXT_CHARS = 200;
/** Longest cursor: a title of 200 characters, encoded, and a key. */
export const MAX_CURSOR_CHARS = 2048;
/** Longest sentence of an error. */
const MAX_ERROR_CHARS = 1000;

/** Close codes of a tracker beyond those of RFC 6455 (4000-4999 are for applications). */
export const CLOSE_REPLACED = 4001;
export const CLOSE_RELEASED = 4002;
/** The reason was sent as an `error` message just before. */
export const CLOSE_REFUSED = 4003;

/** Key of a record: the higher sequence wins within it, never across owners. */
export type RecordKey = `${Fingerprint}:${VideoId}`;

export function recordKeyOf(owner: Fingerprint, id: VideoId): RecordKey {
  return `${owner}:${id}`;
}

const KEY = /^[0-9a-f]{64}:[0-9a-f]{64}$/;
const HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const fingerprint = z.custom<Fingerprint>((v) => typeof v === "string" && isFingerprint(v), "not a fingerprint");
const videoId = z.custom<VideoId>((v) => typeof v === "string" && isVideoId(v), "not a video id");
const recordKey = z.custom<RecordKey>((v) => typeof v === "string" && KEY.test(v), "not a record key");
/** A whole v2 info-hash, its first 20 bytes, or a v1 info-hash. */
const infoHash = z.string().regex(HASH);
const nonce = z.string().regex(/^[0-9a-f]{64}$/);
const base64 = (maxChars: number) => z.string().max(maxChars).regex(BASE64);
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const time = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);
/** 0 means: does not listen. */
const port = z.number().int().min(0).max(65_535);
const request = z.number().int().min(1).max(0x7fff_ffff);
const host = z.string().min(1).max(255);
const peerName = z.string().max(64);
const cursor = z.string().max(MAX_CURSOR_CHARS);
/** Any code is let through: a later tracker may know more of them. */
const code = z.string().regex(/^[a-z][a-z-]{0,39}$/);

export const SORT_ORDERS = ["newest", "name", "size", "sources"] as const;
export type SortOrder = (typeof SORT_ORDERS)[number];

/** Each filter narrows; absent ones do not. Durations in seconds, sizes in bytes, height in pixels. */
const catalogQuery = z.object({
  /** Every word must occur in title, description or owner's name (search.ts). */
  text: z.string().max(MAX_QUERY_TEXT_CHARS).optional(),
  owners: z.array(fingerprint).max(MAX_FILTER_VALUES).optional(),
  ids: z.array(videoId).max(MAX_FILTER_VALUES).optional(),
  minDuration: z.number().nonnegative().optional(),
  maxDuration: z.number().nonnegative().optional(),
  minHeight: count.optional(),
  sort: z.enum(SORT_ORDERS),
  limit: z.number().int().min(1).max(MAX_PAGE_ROWS),
  cursor: cursor.optional(),
});

const directoryQuery = z.object({
  /** Part of the name, without case. */
  text: z.string().max(MAX_QUERY_TEXT_CHARS).optional(),
  fingerprints: z.array(fingerprint).max(MAX_FILTER_VALUES).optional(),
  /** Whole names, without case. */
  names: z.array(z.string().max(MAX_PEER_ID_CHARS)).max(MAX_FILTER_VALUES).optional(),
  limit: z.number().int().min(1).max(MAX_DIRECTORY_ROWS),
  cursor: cursor.optional(),
});

const hello = z.object({
  type: z.literal("hello"),
  version: z.number().int(),
  /** The tracker as dialled: `TrackerAddress.canonical`. */
  address: z.string().min(1).max(300),
  nonce,
  /** The rule for names is checked by the directory, which answers `name-invalid`. */
  peerId: z.string().max(256),
  port,
  /** SubjectPublicKeyInfo (P-256, 91 bytes). */
  key: base64(200),
  signature: base64(200),
});

const records = z.array(base64(MAX_RECORD_CHARS)).min(1).max(MAX_RECORDS_PER_MESSAGE);
const hashes = z.array(infoHash).max(MAX_IDS_PER_MESSAGE);

const peerMessage = z.discriminatedUnion("type", [
  hello,
  z.object({ type: z.literal("publish"), request, records }),
  z.object({ type: z.literal("withdraw"), request, records }),
  z.object({
    type: z.literal("announce"),
    request,
    /**
     * That was everything: what an earlier connection of the same key had published or announced, and this one has not
     * repeated, is gone. (A tracker keeps it until then, so that a reconnect makes nothing flicker for others.)
     */
    complete: z.boolean().optional(),
    /** Held, all or some of it: counts as a source. */
    have: hashes,
    /** Being downloaded; an id may be in both. */
    want: hashes,
    /** No longer held nor wanted. An id in `have` or `want` replaces what was said of it. */
    gone: hashes,
  }),
  z.object({ type: z.literal("query"), request, query: catalogQuery }),
  z.object({ type: z.literal("records"), request, keys: z.array(recordKey).min(1).max(MAX_KEYS_PER_MESSAGE) }),
  z.object({
    type: z.literal("peers"),
    request,
    hash: infoHash,
    limit: z.number().int().min(1).max(MAX_SWARM_PEERS),
  }),
  z.object({ type: z.literal("directory"), request, query: directoryQuery }),
  z.object({ type: z.literal("subscribe"), request, catalog: z.boolean(), directory: z.boolean() }),
  z.object({ type: z.literal("callback"), request, to: fingerprint, id: videoId }),
  z.object({ type: z.literal("release"), request }),
]);

const failure = z.object({
  code,
  message: z.string().max(MAX_ERROR_CHARS),
  retryAfterMs: time.optional(),
});

/** One per record of the request, in its order. */
const recordResult = z.object({
  id: videoId.optional(),
  error: failure.optional(),
  /** Sequence of the newer record that stood in the way. */
  newest: count.optional(),
});

const catalogRow = z.object({
  owner: fingerprint,
  id: videoId,
  sequence: count,
  /** Peers that hold all or some of it. */
  sources: count,
  /** When this tracker first saw it. */
  receivedAt: time,
});

const swarmPeer = z.object({
  fingerprint,
  peerId: peerName,
  host,
  port,
  /** Holds all or some of it. */
  have: z.boolean(),
  /** Is downloading it. */
  want: z.boolean(),
});

const directoryPeer = z.object({ fingerprint, peerId: peerName, host, port, onlineSince: time });

const trackerMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("challenge"), version: z.number().int(), nonce }),
  z.object({
    type: z.literal("welcome"),
    /** The name as registered. */
    peerId: peerName,
    /** The peer's own address as the tracker sees it. */
    host,
    /** The tracker's clock. */
    time,
    /** A ping comes this often; silence of three times as long means that the tracker is gone. */
    heartbeatMs: z.number().int().min(10).max(600_000),
  }),
  failure.extend({ type: z.literal("error"), request: request.optional() }),
  z.object({ type: z.literal("done"), request }),
  z.object({ type: z.literal("results"), request, results: z.array(recordResult).max(MAX_RECORDS_PER_MESSAGE) }),
  z.object({
    type: z.literal("page"),
    request,
    rows: z.array(catalogRow).max(MAX_PAGE_ROWS),
    /** How many match in all. */
    total: count,
    /** Absent on the last page. */
    cursor: cursor.optional(),
    revision: count,
    /** The tracker has just started and may not know everybody yet; ask again after so long. */
    settlingMs: time.optional(),
  }),
  z.object({
    type: z.literal("records"),
    request,
    records: z.array(base64(MAX_RECORD_CHARS)).max(MAX_KEYS_PER_MESSAGE),
    /** So many keys, from the first, were looked up; the rest did not fit into the answer. Unknown keys have no record. */
    answered: count,
  }),
  z.object({
    type: z.literal("peers"),
    request,
    peers: z.array(swarmPeer).max(MAX_SWARM_PEERS),
    total: count,
    /** Of a public video: other BitTorrent clients, which have announced themselves over HTTP and have no identity. */
    plain: z.array(z.object({ host, port })).max(MAX_SWARM_PEERS).optional(),
  }),
  z.object({
    type: z.literal("directory"),
    request,
    peers: z.array(directoryPeer).max(MAX_DIRECTORY_ROWS),
    total: count,
    cursor: cursor.optional(),
    revision: count,
    settlingMs: time.optional(),
  }),
  /** Something that was subscribed to may answer differently now; at most one a second. */
  z.object({ type: z.literal("changed"), catalog: count.optional(), directory: count.optional() }),
  /** Another peer cannot reach this one and asks to be dialled. */
  z.object({ type: z.literal("callback"), from: fingerprint, peerId: peerName, host, port, id: videoId }),
]);

export type PeerMessage = z.infer<typeof peerMessage>;
export type TrackerMessage = z.infer<typeof trackerMessage>;
export type HelloMessage = z.infer<typeof hello>;
export type CatalogQuery = z.infer<typeof catalogQuery>;
export type CatalogRow = z.infer<typeof catalogRow>;
export type DirectoryQuery = z.infer<typeof directoryQuery>;
export type DirectoryPeer = z.infer<typeof directoryPeer>;
export type SwarmPeer = z.infer<typeof swarmPeer>;
export type RecordResult = z.infer<typeof recordResult>;
export type Failure = z.infer<typeof failure>;
export type AnswerTo<T extends TrackerMessage["type"]> = Extract<TrackerMessage, { type: T }>;

/** The `request` of a message that is otherwise not understood, so that its error can be matched. */
function requestOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const parsed = request.safeParse((value as { request?: unknown }).request);
  return parsed.success ? parsed.data : undefined;
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return "malformed";
  return `${issue.path.join(".") || "message"}: ${issue.message}`.slice(0, 200);
}

export type ParsedPeerMessage =
  | { ok: true; message: PeerMessage }
  | { ok: false; request: number | undefined; reason: string };

/** The tracker's side. Never throws; the caller has bounded the text by `MAX_PEER_FRAME_BYTES`. */
export function parsePeerMessage(text: string): ParsedPeerMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, request: undefined, reason: "not JSON" };
  }
  const parsed = peerMessage.safeParse(value);
  if (parsed.success) return { ok: true, message: parsed.data };
  return { ok: false, request: requestOf(value), reason: firstIssue(parsed.error) };
}

const KNOWN_TYPES = new Set(trackerMessage.options.map((option) => option.shape.type.value));

/**
 * The peer's side: `undefined` for a well-formed message of an unknown type.
 * Errors: tracker-protocol for anything else that is not in the schema.
 */
export function parseTrackerMessage(text: string): TrackerMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StreamletError("tracker-protocol", "The tracker sent something that is not JSON.", { cause });
  }
  const parsed = trackerMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const type = typeof value === "object" && value !== null ? (value as { type?: unknown }).type : undefined;
  if (typeof type === "string" && !KNOWN_TYPES.has(type as TrackerMessage["type"])) return undefined;
  throw new StreamletError(
    "tracker-protocol",
    `The tracker sent a message that is not understood (${firstIssue(parsed.error)}).`,
  );
}

export interface HelloFacts {
  /** The tracker's address as dialled, canonical. */
  address: string;
  trackerNonce: string;
  peerNonce: string;
  fingerprint: Fingerprint;
  peerId: string;
  port: number;
}

/**
 * What a hello signs, under its own context. Lines are unambiguous, since no field can hold a line feed: an address and a
 * Peer ID with one are refused. The address and both nonces make the signature worth nothing elsewhere or later.
 */
export function helloBody(facts: HelloFacts): Uint8Array {
  const { address, trackerNonce, peerNonce, peerId, port } = facts;
  if (/[\r\n]/.test(address + peerId)) throw new StreamletError("bad-message", "A hello holds a line break.");
  return new TextEncoder().encode(
    [address, trackerNonce, peerNonce, facts.fingerprint, peerId, String(port)].join("\n"),
  );
}
