import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { nanoid } from "nanoid";
import { StreamletError } from "../../wire/errors";
import { type Fingerprint, isFingerprint } from "../../wire/types";
import type { ChatPage, ChatSummary } from "../status";
import { fileError, systemCode } from "../storage/fileErrors";
import { ChatLog } from "./chatLog";
import { type ChatLine, type Conversation, type SaidLine, textBytes } from "./conversation";

/** Conversations in all: every one stands in every snapshot. */
export const MAX_CHATS = 200;
/** Of people who are no friends and whom one has never written to: strangers must not use up the places of the others. */
export const MAX_STRANGER_CHATS = 20;
/** What a stranger may leave before one has answered. What does not fit is not taken, and waits at the stranger's. */
export const MAX_STRANGER_MESSAGES = 100;
export const MAX_STRANGER_BYTES = 256 * 1024;
/** Years of talk; the oldest messages go first. */
export const MAX_CHAT_MESSAGES = 5_000;
export const MAX_CHAT_BYTES = 2 * 1024 * 1024;
/** All conversations are in memory: over this the largest one forgets. */
export const MAX_ALL_BYTES = 32 * 1024 * 1024;
/** How much of itself it forgets at a time, so that it need not again at the next message. */
const FORGET_SHARE = 0.1;
/** Messages for somebody who is away; what waits is never forgotten, so it has bounds of its own. */
export const MAX_WAITING_MESSAGES = 200;
export const MAX_WAITING_BYTES = 1024 * 1024;

const FOLDER = "chats";
const EXTENSION = ".jsonl";

/** All conversations of a profile, one file each in `<dataDir>/chats/`. What its methods have resolved outlives a `kill -9`. */
export class ChatStore {
  /** Grows when `history` of some conversation may answer something else. */
  revision = 1;
  private readonly logs = new Map<Fingerprint, ChatLog>();
  /** Own messages on their way to the disk, which count as waiting already. */
  private readonly beingWritten = new Map<Fingerprint, { messages: number; bytes: number }>();
  /** The same of messages of theirs: many that come at once must not all find the room of the first. */
  private readonly theirsBeingWritten = new Map<Fingerprint, { messages: number; bytes: number }>();

  private constructor(
    private readonly folder: string,
    private readonly onChange: () => void,
  ) {}

  /** Errors: file-unreadable, disk-full, write-failed. */
  static async open(dataDir: string, onChange: () => void): Promise<ChatStore> {
    const store = new ChatStore(join(dataDir, FOLDER), onChange);
    await store.load();
    return store;
  }

  /** Latest first. */
  summaries(): ChatSummary[] {
    return [...this.logs]
      .filter(([, { conversation }]) => conversation.size > 0)
      .map(([fingerprint, { conversation }]) => {
        const { peerId, unread, lastAt, waiting } = conversation;
        return { fingerprint, peerId, unread, lastAt, waiting };
      })
      .sort((a, b) => b.lastAt - a.lastAt);
  }

  history(fingerprint: Fingerprint, page: { before?: string; limit: number }): ChatPage {
    return this.logs.get(fingerprint)?.conversation.page(page) ?? { messages: [], more: false };
  }

  get(fingerprint: Fingerprint): Readonly<Conversation> | undefined {
    return this.logs.get(fingerprint)?.conversation;
  }

  /** Whom messages wait for. */
  awaited(): Fingerprint[] {
    return [...this.logs].flatMap(([fingerprint, { conversation }]) => (conversation.waiting > 0 ? [fingerprint] : []));
  }

  /** A message of one's own, waiting for delivery. Errors: too-many, disk-full, write-failed. */
  async addOwn(fingerprint: Fingerprint, text: string, now: number): Promise<{ id: string }> {
    const bytes = textBytes(text);
    const under = this.beingWritten.get(fingerprint) ?? { messages: 0, bytes: 0 };
    const known = this.get(fingerprint);
    const messages = (known?.waiting ?? 0) + under.messages;
    if (messages >= MAX_WAITING_MESSAGES || (known?.waitingBytes ?? 0) + under.bytes + bytes > MAX_WAITING_BYTES) {
      throw new StreamletError("too-many", "Too many messages wait for this person already.", {
        data: { waiting: messages },
      });
    }
    const log = this.logFor(fingerprint);
    if (!log) {
      throw new StreamletError("too-many", `There are ${MAX_CHATS} conversations: delete one to begin another.`);
    }
    const id = nanoid();
    const line: ChatLine = { type: "said", id, from: "me", text, sentAt: now, at: now };
    await this.counted(this.beingWritten, fingerprint, bytes, () => this.append(fingerprint, log, line));
    return { id };
  }

  /**
   * A message of theirs; once is enough, however often it comes. False where there is no room for it: it is for them to keep.
   * Errors: disk-full, write-failed.
   */
  async addTheirs(
    fingerprint: Fingerprint,
    said: Pick<SaidLine, "id" | "text" | "sentAt">,
    { now, isFriend }: { now: number; isFriend: (person: Fingerprint) => boolean },
  ): Promise<boolean> {
    const known = this.get(fingerprint);
    if (known?.has({ id: said.id, from: "them" })) return true;
    const stranger = !known?.answered && !isFriend(fingerprint);
    if (stranger && !this.hasRoomForStranger(fingerprint, said.text, isFriend)) return false;
    const log = this.logFor(fingerprint);
    if (!log) return false;
    const { id, text } = said;
    const line: ChatLine = { type: "said", from: "them", id, text, sentAt: Math.min(said.sentAt, now), at: now };
    const bytes = textBytes(text);
    await this.counted(this.theirsBeingWritten, fingerprint, bytes, () => this.append(fingerprint, log, line));
    return true;
  }

  /** The other side has that message. */
  async setDelivered(fingerprint: Fingerprint, id: string): Promise<void> {
    const log = this.logs.get(fingerprint);
    if (log?.conversation.isWaiting(id)) await this.append(fingerprint, log, { type: "taken", id });
  }

  /** How the other side calls itself; nothing where there is no conversation. */
  async setName(fingerprint: Fingerprint, peerId: string): Promise<void> {
    const log = this.logs.get(fingerprint);
    if (log && peerId !== "" && log.conversation.peerId !== peerId) {
      await this.append(fingerprint, log, { type: "name", peerId });
    }
  }

  async markRead(fingerprint: Fingerprint): Promise<void> {
    const log = this.logs.get(fingerprint);
    if (log && log.conversation.unread > 0) await this.append(fingerprint, log, { type: "read" });
  }

  async delete(fingerprint: Fingerprint): Promise<void> {
    const log = this.logs.get(fingerprint);
    if (!log) return;
    await log.remove();
    // What came meanwhile begins the conversation anew.
    if (log.idle && log.conversation.size === 0 && this.logs.get(fingerprint) === log) this.logs.delete(fingerprint);
    this.changed();
  }

  /** Resolves when everything so far is on disk. */
  async close(): Promise<void> {
    await Promise.all([...this.logs.values()].map((log) => log.settled()));
  }

  private hasRoomForStranger(
    fingerprint: Fingerprint,
    text: string,
    isFriend: (person: Fingerprint) => boolean,
  ): boolean {
    const known = this.get(fingerprint);
    if (known) {
      const under = this.theirsBeingWritten.get(fingerprint) ?? { messages: 0, bytes: 0 };
      const bytes = known.bytes + under.bytes + textBytes(text);
      return known.size + under.messages < MAX_STRANGER_MESSAGES && bytes <= MAX_STRANGER_BYTES;
    }
    let strangers = 0;
    for (const [other, { conversation }] of this.logs) {
      const isThere = conversation.size > 0 || this.theirsBeingWritten.has(other);
      if (isThere && !conversation.answered && !isFriend(other)) strangers += 1;
    }
    return strangers < MAX_STRANGER_CHATS;
  }

  /** Counts a message in `under` while it is being written. */
  private async counted(
    under: Map<Fingerprint, { messages: number; bytes: number }>,
    fingerprint: Fingerprint,
    bytes: number,
    write: () => Promise<void>,
  ): Promise<void> {
    const count = under.get(fingerprint) ?? { messages: 0, bytes: 0 };
    under.set(fingerprint, count);
    count.messages += 1;
    count.bytes += bytes;
    try {
      await write();
    } finally {
      count.messages -= 1;
      count.bytes -= bytes;
      if (count.messages === 0) under.delete(fingerprint);
    }
  }

  private logFor(fingerprint: Fingerprint): ChatLog | undefined {
    const known = this.logs.get(fingerprint);
    if (known || this.logs.size >= MAX_CHATS) return known;
    const log = ChatLog.create(this.pathOf(fingerprint));
    this.logs.set(fingerprint, log);
    return log;
  }

  private async append(fingerprint: Fingerprint, log: ChatLog, line: ChatLine): Promise<void> {
    try {
      if (!(await log.append(line))) return;
    } finally {
      if (log.idle && log.conversation.size === 0 && line.type === "said") this.logs.delete(fingerprint);
    }
    this.bound(log.conversation);
    this.changed();
  }

  /** Forgotten lines leave the file when it is next written anew. */
  private bound(conversation: Conversation): void {
    conversation.trim({ messages: MAX_CHAT_MESSAGES, bytes: MAX_CHAT_BYTES });
    let all = 0;
    for (const { conversation: one } of this.logs.values()) all += one.bytes;
    while (all > MAX_ALL_BYTES) {
      let largest = conversation;
      for (const { conversation: one } of this.logs.values()) if (one.bytes > largest.bytes) largest = one;
      const before = largest.bytes;
      if (!largest.trim({ messages: MAX_CHAT_MESSAGES, bytes: before * (1 - FORGET_SHARE) })) return;
      all -= before - largest.bytes;
    }
  }

  private changed(): void {
    this.revision += 1;
    this.onChange();
  }

  private pathOf(fingerprint: Fingerprint): string {
    return join(this.folder, `${fingerprint}${EXTENSION}`);
  }

  private async load(): Promise<void> {
    let names: string[] = [];
    try {
      names = await readdir(this.folder);
    } catch (error) {
      // It is made with the first conversation.
      if (systemCode(error) !== "ENOENT") throw fileError(error, "read", this.folder);
    }
    for (const name of names) {
      const fingerprint = name.slice(0, -EXTENSION.length);
      if (!name.endsWith(EXTENSION) || !isFingerprint(fingerprint)) continue;
      const log = await ChatLog.open(join(this.folder, name));
      this.logs.set(fingerprint, log);
      this.bound(log.conversation);
    }
  }
}
