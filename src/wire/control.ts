/**
 * The control protocol between two peers (protocol.md, "One TCP port"; ALPN `streamlet-control/1`): messages of
 * u32 big-endian length and that many bytes of UTF-8 JSON. Each side speaks first with `hello`; `query` is answered by `answer`
 * or `refused` with the same id. Messages of unknown types and unknown fields are skipped, so that later versions can add some.
 */
import * as z from "zod";
import { utf8Decode, utf8Encode } from "./bytes";
import { MAX_GRANT_BYTES, MAX_RECORD_BYTES } from "./constants";
import { StreamletError } from "./errors";
import { charCount } from "./text";
import { isPeerId, MAX_PEER_ID_CHARS } from "./trackerAddress";
import { MAX_CURSOR_CHARS, MAX_QUERY_TEXT_CHARS } from "./trackerMessages";
import { type Fingerprint, isFingerprint, isVideoId, type VideoId } from "./types";

const LENGTH_BYTES = 4;
/** An answer: 19 records of the largest size, some hundred of the usual one. */
export const MAX_CONTROL_FRAME_BYTES = 1024 * 1024;
/** Anything but an answer: one record of the largest size as base64 with room around it. */
export const MAX_UNASKED_FRAME_BYTES = 64 * 1024;
/** A hello is about 100 bytes; before it nobody may make us hold more than this. */
export const MAX_HELLO_FRAME_BYTES = 4 * 1024;
/** Records in one answer; with usual records (3 KiB) they fit into a frame. */
export const MAX_ANSWER_RECORDS = 200;
/** More videos than any peer has; a page counter must not become absurd. */
const MAX_TOTAL = 1_000_000;
/** A short sentence. */
export const MAX_REASON_CHARS = 200;
/** base64 of the largest record. */
const MAX_RECORD_CHARS = Math.ceil(MAX_RECORD_BYTES / 3) * 4;

/** base64 of the largest grant. */
const MAX_GRANT_CHARS = Math.ceil(MAX_GRANT_BYTES / 3) * 4;
/** Unicode code points of one chat message: as UTF-8 in JSON it fits into a frame that nobody asked for. */
export const MAX_CHAT_CHARS = 8_000;
const MAX_CHAT_ID_CHARS = 32;

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Stable words, as ERROR_CODES has them; others than we know are let through. */
const CODE = /^[a-z][a-z-]{0,39}$/;

const requestId = z.number().int().min(1).max(0x7fff_ffff);
const fingerprint = z.custom<Fingerprint>((v) => typeof v === "string" && isFingerprint(v), "not a fingerprint");

const chatId = z
  .string()
  .min(1)
  .max(MAX_CHAT_ID_CHARS)
  .regex(/^[A-Za-z0-9_-]+$/);

const hello = z.object({
  type: z.literal("hello"),
  /** Display name; the identity is what TLS has proven. */
  peerId: z.string().max(MAX_PEER_ID_CHARS).refine(isPeerId),
  /** Version of the program, to be shown only. */
  version: z.string().max(32),
  /** Where this peer listens for others; 0 = nowhere. */
  port: z.number().int().min(0).max(65_535),
});

const query = z.object({
  type: z.literal("query"),
  id: requestId,
  text: z.string().max(MAX_QUERY_TEXT_CHARS).optional(),
  owner: fingerprint.optional(),
  limit: z.number().int().min(1).max(MAX_ANSWER_RECORDS),
  /** From the page before; means something only to who made it. */
  cursor: z.string().max(MAX_CURSOR_CHARS).optional(),
});

const answer = z.object({
  type: z.literal("answer"),
  id: requestId,
  /** Signed video records, base64. Not yet verified. */
  records: z.array(z.string().max(MAX_RECORD_CHARS).regex(BASE64)).max(MAX_ANSWER_RECORDS),
  /**
   * Grants (records.ts) for those of `records` whose audience is friends: base64, made out to whoever asked. In any order, and
   * only for videos of whoever answers.
   */
  grants: z.array(z.string().max(MAX_GRANT_CHARS).regex(BASE64)).max(MAX_ANSWER_RECORDS).optional(),
  /** How many match in all. */
  total: z.number().int().min(0).max(MAX_TOTAL),
  /** Absent on the last page. */
  cursor: z.string().max(MAX_CURSOR_CHARS).optional(),
});

const controlMessage = z.discriminatedUnion("type", [
  hello,
  query,
  answer,
  z.object({ type: z.literal("refused"), id: requestId, code: z.string().regex(CODE) }),
  /** What a catalogue query answers may be another one now; at most one a second. */
  z.object({ type: z.literal("changed") }),
  /** A line of a conversation; sent again until `chatTaken` with its id arrives. The text is a stranger's. */
  z.object({
    type: z.literal("chat"),
    id: chatId,
    text: z
      .string()
      .min(1)
      .max(2 * MAX_CHAT_CHARS)
      .refine((text) => charCount(text) <= MAX_CHAT_CHARS, "too long"),
    /** Milliseconds since the epoch, by the sender's clock. */
    sentAt: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  }),
  /** That message is safe on the receiver's disk (or was already: the same id twice is one message). */
  z.object({ type: z.literal("chatTaken"), id: chatId }),
  /**
   * "I cannot reach you: come to me for this video." Unanswered, so that it tells nothing. The grant (records.ts, base64) is shown for
   * a video for friends.
   */
  z.object({
    type: z.literal("callBack"),
    id: z.custom<VideoId>((v) => typeof v === "string" && isVideoId(v), "not a video id"),
    grant: z.string().max(MAX_GRANT_CHARS).regex(BASE64).optional(),
  }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("pong") }),
  /** The last message. The reason is for logs: text of a stranger. */
  z.object({ type: z.literal("bye"), reason: z.string().max(MAX_REASON_CHARS) }),
]);

export type ControlMessage = z.infer<typeof controlMessage>;
export type ControlHello = z.infer<typeof hello>;
export type ControlQuery = z.infer<typeof query>;
export type ControlAnswer = z.infer<typeof answer>;
export type ControlChat = Extract<ControlMessage, { type: "chat" }>;
export type ControlChatTaken = Extract<ControlMessage, { type: "chatTaken" }>;

const KNOWN_TYPES = new Set<string>(controlMessage.options.map((option) => option.shape.type.value));

/**
 * One message with its length.
 * @throws StreamletError frame-too-large (more than MAX_CONTROL_FRAME_BYTES)
 */
export function encodeControl(message: ControlMessage): Uint8Array {
  const body = utf8Encode(JSON.stringify(message));
  if (body.length > MAX_CONTROL_FRAME_BYTES) {
    throw new StreamletError("frame-too-large", `A control message of ${body.length} bytes is too large to send.`);
  }
  const frame = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/**
 * Reads one message without its length; undefined for a well-formed one of an unknown type.
 * @throws StreamletError bad-message
 */
export function decodeControl(body: Uint8Array): ControlMessage | undefined {
  const value = parseJson(body);
  const type = typeof value === "object" && value !== null ? (value as { type?: unknown }).type : undefined;
  if (typeof type !== "string") throw bad("it has no type");
  if (!KNOWN_TYPES.has(type)) return undefined;
  const parsed = controlMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw bad(`${issue?.path.join(".") || type}: ${issue?.message ?? "malformed"}`.slice(0, 200));
}

function parseJson(body: Uint8Array): unknown {
  const text = utf8Decode(body);
  if (text === undefined) throw bad("it is not UTF-8");
  try {
    return JSON.parse(text);
  } catch {
    throw bad("it is not JSON");
  }
}

function bad(why: string): StreamletError {
  return new StreamletError("bad-message", `A control message is not understood: ${why}.`);
}

/** Cuts a stream of bytes into control messages. Holds at most twice what has arrived of one frame, never what a length only claims. */
export class ControlDecoder {
  private readonly header = new Uint8Array(LENGTH_BYTES);
  private headerBytes = 0;
  private body = new Uint8Array(0);
  private bodyBytes = 0;
  private expected = -1;

  /**
   * @param maxFrameBytes asked when a length has arrived: it depends on what is being waited for
   * @param onMessage called for each message in order, undefined for one of an unknown type
   */
  constructor(
    private readonly maxFrameBytes: () => number,
    private readonly onMessage: (message: ControlMessage | undefined) => void,
  ) {}

  /** @throws StreamletError frame-too-large, bad-message; the stream cannot be read on after that */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.expected < 0 ? this.readLength(rest) : this.readBody(rest);
    }
  }

  private readLength(bytes: Uint8Array): Uint8Array {
    const count = Math.min(LENGTH_BYTES - this.headerBytes, bytes.length);
    this.header.set(bytes.subarray(0, count), this.headerBytes);
    this.headerBytes += count;
    if (this.headerBytes === LENGTH_BYTES) {
      const length = new DataView(this.header.buffer).getUint32(0);
      if (length === 0) throw bad("it is empty");
      if (length > this.maxFrameBytes()) {
        throw new StreamletError("frame-too-large", `A control message of ${length} bytes was announced: too large.`);
      }
      this.expected = length;
    }
    return bytes.subarray(count);
  }

  private readBody(bytes: Uint8Array): Uint8Array {
    const count = Math.min(this.expected - this.bodyBytes, bytes.length);
    this.reserve(this.bodyBytes + count);
    this.body.set(bytes.subarray(0, count), this.bodyBytes);
    this.bodyBytes += count;
    if (this.bodyBytes === this.expected) {
      const body = this.body.subarray(0, this.bodyBytes);
      this.body = new Uint8Array(0);
      this.bodyBytes = 0;
      this.headerBytes = 0;
      this.expected = -1;
      this.onMessage(decodeControl(body));
    }
    return bytes.subarray(count);
  }

  /** Doubles, so that a frame that arrives byte by byte is not copied each time. */
  private reserve(bytes: number): void {
    if (bytes <= this.body.length) return;
    const grown = new Uint8Array(Math.min(this.expected, Math.max(bytes, this.body.length * 2)));
    grown.set(this.body.subarray(0, this.bodyBytes));
    this.body = grown;
  }
}
