/**
 * Conversations between people: takes what is typed, delivers it, takes what arrives. A message waits on disk until the other
 * side says that it has it. To each person one message is under way at a time, so order needs no numbers; it is sent again until
 * it is taken, and its id makes twice count once.
 */
import { type ControlChat, type ControlChatTaken, MAX_CHAT_CHARS } from "../../wire/control";
import { StreamletError } from "../../wire/errors";
import { charCount, cleanText } from "../../wire/text";
import { type Fingerprint, isFingerprint } from "../../wire/types";
import type { Clock } from "../clock";
import type { ChatLink } from "../net/controlConnection";
import { RateLimiter } from "../net/rateLimiter";
import type { ChatPage, ChatSummary } from "../status";
import { type ChatStore, MAX_STRANGER_MESSAGES, MAX_WAITING_MESSAGES } from "./chatStore";
import type { People } from "./contacts";

/** Longer than a slow disk at the other end takes. Doubled each time: who does not take it now may have no room for days. */
const RESEND_MS = 5_000;
const MAX_RESEND_MS = 5 * 60_000;
/** What is not taken in time goes on another try; a person who types needs a tenth of it. The bursts are all that may wait, or be left. */
const FRIEND_RATE = { perSecond: 5, burst: MAX_WAITING_MESSAGES + 50 };
const STRANGER_RATE = { perSecond: 1, burst: MAX_STRANGER_MESSAGES };
/** Limits of people are kept over reconnections, for this many of them. */
const MAX_LIMITERS = 1_000;

export interface ChatHost {
  readonly clock: Clock;
  readonly self: Fingerprint;
  /** Milliseconds since the epoch. */
  wallClock(): number;
  readonly people: Pick<People, "isFriend" | "isBlocked">;
  /** The open control connection to a person. */
  linkTo(fingerprint: Fingerprint): ChatLink | undefined;
  /** Messages wait for somebody to whom no connection is open (`awaited`); `onConnected` follows when there is one. */
  seek(): void;
}

interface Delivery {
  link: ChatLink;
  id: string;
  tries: number;
  cancelTimer: () => void;
}

export class Chat {
  private readonly deliveries = new Map<Fingerprint, Delivery>();
  private readonly limiters = new Map<Fingerprint, RateLimiter>();
  private closed = false;

  constructor(
    private readonly host: ChatHost,
    private readonly store: ChatStore,
  ) {}

  get revision(): number {
    return this.store.revision;
  }

  /** Latest first, without those of blocked people. */
  summaries(): ChatSummary[] {
    return this.store.summaries().filter(({ fingerprint }) => !this.host.people.isBlocked(fingerprint));
  }

  /** Safe on disk when it resolves. Errors: invalid-argument, too-many, disk-full, write-failed. */
  async send(to: string, typed: string): Promise<{ id: string }> {
    const fingerprint = this.person(to);
    if (fingerprint === this.host.self) throw invalid("A message to oneself goes nowhere.");
    if (this.host.people.isBlocked(fingerprint))
      throw invalid("This person is blocked: unblock them to write to them.");
    const text = cleanText(typed, { lines: true });
    if (text === "") throw invalid("A message needs at least one character.");
    if (charCount(text) > MAX_CHAT_CHARS) {
      throw invalid(`A message has at most ${MAX_CHAT_CHARS} characters: send it in parts.`);
    }
    const sent = await this.store.addOwn(fingerprint, text, this.host.wallClock());
    const link = this.host.linkTo(fingerprint);
    if (link) this.store.setName(fingerprint, link.peer.peerId).catch(() => undefined); // the next connection brings it
    if (link) this.deliver(fingerprint);
    else this.host.seek();
    return sent;
  }

  history(of: string, page: { before?: string; limit: number }): ChatPage {
    return this.store.history(this.person(of), page);
  }

  markRead(of: string): Promise<void> {
    return this.store.markRead(this.person(of));
  }

  async delete(of: string): Promise<void> {
    const fingerprint = this.person(of);
    this.endDelivery(fingerprint);
    await this.store.delete(fingerprint);
  }

  /** A control connection is open: what waits goes out on it. */
  onConnected(link: ChatLink): void {
    const { fingerprint, peerId } = link.peer;
    this.store.setName(fingerprint, peerId).catch(() => undefined); // the old one stays
    this.endDelivery(fingerprint);
    this.deliver(fingerprint);
  }

  onDisconnected(fingerprint: Fingerprint): void {
    this.endDelivery(fingerprint);
    if (!this.closed && (this.store.get(fingerprint)?.waiting ?? 0) > 0) this.host.seek();
  }

  /** For whom messages wait. */
  awaited(): Fingerprint[] {
    return this.store.awaited().filter((fingerprint) => !this.host.people.isBlocked(fingerprint));
  }

  /** What a tracker calls somebody will do until they introduce themselves. */
  noteName(fingerprint: Fingerprint, peerId: string): void {
    if (this.store.get(fingerprint)?.peerId === "") this.store.setName(fingerprint, peerId).catch(() => undefined);
  }

  /** For `ControlHost`. */
  onMessage(message: ControlChat | ControlChatTaken, link: ChatLink): void {
    if (this.closed || this.host.people.isBlocked(link.peer.fingerprint)) return;
    if (message.type === "chatTaken") this.onTaken(link.peer.fingerprint, message.id);
    else void this.take(message, link);
  }

  /** Nothing is sent or taken any more. The store is closed by whoever has opened it. */
  stop(): void {
    this.closed = true;
    for (const fingerprint of [...this.deliveries.keys()]) this.endDelivery(fingerprint);
  }

  /** Says `chatTaken` once it is on disk. What cannot be taken now is not answered: they keep it and send it again. */
  private async take({ id, text, sentAt }: ControlChat, link: ChatLink): Promise<void> {
    const { fingerprint, peerId } = link.peer;
    const friend = this.host.people.isFriend(fingerprint);
    if (!this.limiterOf(fingerprint, friend).tryTake(1)) return;
    const clean = cleanText(text, { lines: true });
    try {
      const context = {
        now: this.host.wallClock(),
        isFriend: (person: Fingerprint) => this.host.people.isFriend(person),
      };
      // Nothing that could be shown is left: it is taken, so that it does not come again, and forgotten.
      if (clean !== "" && !(await this.store.addTheirs(fingerprint, { id, text: clean, sentAt }, context))) return;
      link.sendChat({ type: "chatTaken", id });
      await this.store.setName(fingerprint, peerId);
    } catch {
      // The disk is full or broken; the same holds.
    }
  }

  private onTaken(fingerprint: Fingerprint, id: string): void {
    // Only what was sent to them: a guess of an id delivers nothing.
    if (this.deliveries.get(fingerprint)?.id !== id) return;
    this.endDelivery(fingerprint);
    this.store.setDelivered(fingerprint, id).then(
      () => this.deliver(fingerprint),
      // Not written: it waits still, and is taken a second time without being shown a second time.
      () => this.host.clock.after(RESEND_MS, () => this.deliver(fingerprint)),
    );
  }

  private deliver(fingerprint: Fingerprint): void {
    if (this.closed || this.deliveries.has(fingerprint) || this.host.people.isBlocked(fingerprint)) return;
    const link = this.host.linkTo(fingerprint);
    const message = this.store.get(fingerprint)?.firstWaiting;
    if (!link || !message) return;
    const delivery: Delivery = { link, id: message.id, tries: 0, cancelTimer: () => undefined };
    this.deliveries.set(fingerprint, delivery);
    const send = () => {
      const { id, text, sentAt } = message;
      link.sendChat({ type: "chat", id, text, sentAt });
      delivery.cancelTimer = this.host.clock.after(Math.min(MAX_RESEND_MS, RESEND_MS * 2 ** delivery.tries), send);
      delivery.tries += 1;
    };
    send();
  }

  private endDelivery(fingerprint: Fingerprint): void {
    this.deliveries.get(fingerprint)?.cancelTimer();
    this.deliveries.delete(fingerprint);
  }

  private limiterOf(fingerprint: Fingerprint, friend: boolean): RateLimiter {
    const known = friend || this.store.get(fingerprint)?.answered === true;
    const { perSecond, burst } = known ? FRIEND_RATE : STRANGER_RATE;
    const before = this.limiters.get(fingerprint);
    if (before?.rate === perSecond) return before;
    const limiter = new RateLimiter(perSecond, { clock: this.host.clock, burst });
    this.limiters.delete(fingerprint);
    this.limiters.set(fingerprint, limiter);
    for (const oldest of this.limiters.keys()) {
      if (this.limiters.size <= MAX_LIMITERS) break;
      this.limiters.delete(oldest);
    }
    return limiter;
  }

  private person(fingerprint: string): Fingerprint {
    if (!isFingerprint(fingerprint)) throw invalid("This is no fingerprint.");
    return fingerprint;
  }
}

function invalid(message: string): StreamletError {
  return new StreamletError("invalid-argument", message);
}
