/**
 * One conversation in memory: what the lines of its file, applied in order, come to. No files and no sockets here.
 * Lines are never changed: a message is said once, and later lines tell what became of it.
 */
import * as z from "zod";
import { MAX_CHAT_CHARS } from "../../wire/control";
import { charCount, isSafeText } from "../../wire/text";
import { MAX_PEER_ID_CHARS } from "../../wire/trackerAddress";
import type { ChatMessage, ChatPage } from "../status";

const time = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const id = z
  .string()
  .max(32)
  .regex(/^[A-Za-z0-9_-]+$/);

export const CHAT_LINE = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("said"),
    /** As it went over the wire. */
    id,
    from: z.enum(["me", "them"]),
    text: z
      .string()
      .min(1)
      .refine((text) => charCount(text) <= MAX_CHAT_CHARS && isSafeText(text, { lines: true })),
    sentAt: time,
    /** When it was written down here: the order of conversations is by this clock, not by somebody else's. */
    at: time,
    delivered: z.literal(true).optional(),
  }),
  /** The other side has this message of ours. */
  z.object({ type: z.literal("taken"), id }),
  /** Everything above was shown. */
  z.object({ type: z.literal("read") }),
  /** What the other side calls itself from here on. */
  z.object({ type: z.literal("name"), peerId: z.string().max(MAX_PEER_ID_CHARS) }),
]);
export type ChatLine = z.infer<typeof CHAT_LINE>;
export type SaidLine = Extract<ChatLine, { type: "said" }>;

/** What a message costs in memory and on disk besides its text. */
const MESSAGE_BYTES = 150;

interface Entry extends SaidLine {
  unread: boolean;
  bytes: number;
}

/** Ids of both sides are chosen by either: a dot, which no id on the wire has, keeps theirs from being taken for ours. */
function keyOf({ id: wireId, from }: Pick<SaidLine, "id" | "from">): string {
  return from === "me" ? wireId : `.${wireId}`;
}

export function textBytes(text: string): number {
  return Buffer.byteLength(text) + MESSAGE_BYTES;
}

export class Conversation {
  /** Display name as the other side last gave it; "" = not known. */
  peerId = "";
  /** By order of arrival. */
  private entries: Entry[] = [];
  private readonly byKey = new Map<string, Entry>();
  private waitingEntries: Entry[] = [];
  unread = 0;
  bytes = 0;
  waitingBytes = 0;
  /** One has written here: whoever it is with is no stranger any more. */
  answered = false;

  get size(): number {
    return this.entries.length;
  }
  get lastAt(): number {
    return this.entries.at(-1)?.at ?? 0;
  }
  get waiting(): number {
    return this.waitingEntries.length;
  }
  /** The oldest message of one's own that the other side does not have. */
  get firstWaiting(): Readonly<SaidLine> | undefined {
    return this.waitingEntries[0];
  }

  has(said: Pick<SaidLine, "id" | "from">): boolean {
    return this.byKey.has(keyOf(said));
  }

  isWaiting(wireId: string): boolean {
    const entry = this.byKey.get(wireId);
    return entry !== undefined && !entry.delivered;
  }

  /** True when it changed anything. */
  apply(line: ChatLine): boolean {
    switch (line.type) {
      case "said":
        return this.say(line);
      case "taken":
        return this.deliver(line.id);
      case "read":
        return this.read();
      case "name": {
        const changed = this.peerId !== line.peerId;
        this.peerId = line.peerId;
        return changed;
      }
    }
  }

  /** The newest `limit` messages, or those before `before`; none where `before` is not known (any more). */
  page({ before, limit }: { before?: string; limit: number }): ChatPage {
    let end = this.entries.length;
    if (before !== undefined) {
      const entry = this.byKey.get(before);
      end = entry ? this.entries.indexOf(entry) : 0;
    }
    const start = Math.max(0, end - limit);
    return { messages: this.entries.slice(start, end).map(messageOf), more: start > 0 };
  }

  /** Forgets the oldest messages, those that still wait for delivery apart, until both bounds hold. True when some went. */
  trim(bounds: { messages: number; bytes: number }): boolean {
    if (this.entries.length <= bounds.messages && this.bytes <= bounds.bytes) return false;
    let count = this.entries.length;
    const kept: Entry[] = [];
    for (const entry of this.entries) {
      const over = count > bounds.messages || this.bytes > bounds.bytes;
      if (!over || (entry.from === "me" && !entry.delivered)) {
        kept.push(entry);
        continue;
      }
      count -= 1;
      this.bytes -= entry.bytes;
      if (entry.unread) this.unread -= 1;
      this.byKey.delete(keyOf(entry));
    }
    const changed = kept.length < this.entries.length;
    this.entries = kept;
    return changed;
  }

  /** The fewest lines that come to the same. */
  *lines(): Generator<ChatLine> {
    if (this.peerId !== "") yield { type: "name", peerId: this.peerId };
    let read = this.entries.some((entry) => entry.from === "them" && !entry.unread);
    for (const { unread, bytes: _, ...said } of this.entries) {
      if (unread && read) {
        yield { type: "read" };
        read = false;
      }
      yield said;
    }
    if (read) yield { type: "read" };
  }

  clear(): void {
    this.entries = [];
    this.waitingEntries = [];
    this.byKey.clear();
    this.unread = 0;
    this.bytes = 0;
    this.waitingBytes = 0;
    this.answered = false;
  }

  private say(line: SaidLine): boolean {
    if (this.has(line)) return false;
    const entry: Entry = { ...line, unread: line.from === "them", bytes: textBytes(line.text) };
    this.entries.push(entry);
    this.byKey.set(keyOf(line), entry);
    this.bytes += entry.bytes;
    if (entry.unread) this.unread += 1;
    if (line.from === "them") return true;
    this.answered = true;
    if (line.delivered) return true;
    this.waitingEntries.push(entry);
    this.waitingBytes += entry.bytes;
    return true;
  }

  private deliver(wireId: string): boolean {
    const entry = this.byKey.get(wireId);
    if (!entry || entry.delivered) return false;
    entry.delivered = true;
    this.waitingEntries = this.waitingEntries.filter((waiting) => waiting !== entry);
    this.waitingBytes -= entry.bytes;
    return true;
  }

  private read(): boolean {
    if (this.unread === 0) return false;
    for (const entry of this.entries) entry.unread = false;
    this.unread = 0;
    return true;
  }
}

function messageOf(entry: Entry): ChatMessage {
  const { from, text, sentAt, delivered } = entry;
  const state = from === "them" || delivered ? "delivered" : "waiting";
  return { id: keyOf(entry), from, text, sentAt, state };
}
