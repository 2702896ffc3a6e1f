/**
 * Holds back a peer that sends messages faster than they can have a reason, or that asks and does not read the answers: nothing more
 * is read of it for a moment, and TCP makes it wait. Nobody is closed for it, since a busy machine bunches messages, too.
 */
import type { Duplex } from "node:stream";
import type { Message } from "../../wire/messages";
import type { Clock } from "../clock";

/** Per second. A torrent of 16 KiB pieces that comes in at 500 MB/s makes 32,000 `have` messages a second. */
const CREDIT_PER_SECOND = 32_768;
/** Messages that are rare, and cost a look at all pieces or all connections. */
const DEAR = 200;
const COST: Partial<Record<Message["type"], number>> = {
  // As fast as blocks are: what limits them is what they get.
  request: 0,
  cancel: 0,
  choke: DEAR,
  unchoke: DEAR,
  interested: DEAR,
  notInterested: DEAR,
  bitfield: DEAR,
  haveAll: DEAR,
  haveNone: DEAR,
  extended: DEAR,
};
/** Longer nobody waits, whatever came in one read: what is not read is not known to have been closed either. */
const MAX_HOLD_MS = 5_000;
/** Unsent answers in the socket: a reader that does not read gets nothing more. */
export const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

/** How often it is looked whether the answers have gone. */
const LOOK_MS = 50;

export class ReadGate {
  private credit = CREDIT_PER_SECOND;
  private paidAt: number;
  private held = false;

  /** @param unsentBytes of answers, wherever they wait */
  constructor(
    private readonly socket: Duplex,
    private readonly clock: Clock,
    private readonly unsentBytes: () => number,
  ) {
    this.paidAt = clock.now();
  }

  /** After each message. */
  onMessage(type: Message["type"]): void {
    this.credit -= COST[type] ?? 1;
    if (this.held) return;
    const waitMs = this.unsentBytes() > MAX_UNSENT_BYTES ? LOOK_MS : this.debtMs();
    if (waitMs === 0) return;
    this.held = true;
    this.socket.pause();
    this.clock.after(waitMs, () => this.goOn());
  }

  private goOn(): void {
    if (this.socket.destroyed) return;
    if (this.unsentBytes() > MAX_UNSENT_BYTES) {
      this.clock.after(LOOK_MS, () => this.goOn());
      return;
    }
    this.held = false;
    this.socket.resume();
  }

  /** Milliseconds until its credit is enough again; 0 where it is. */
  private debtMs(): number {
    if (this.credit >= 0) return 0;
    const now = this.clock.now();
    const earned = ((now - this.paidAt) * CREDIT_PER_SECOND) / 1000;
    this.paidAt = now;
    const least = (-MAX_HOLD_MS * CREDIT_PER_SECOND) / 1000;
    this.credit = Math.max(least, Math.min(CREDIT_PER_SECOND, this.credit + earned));
    return this.credit >= 0 ? 0 : Math.ceil((-this.credit * 1000) / CREDIT_PER_SECOND);
  }
}
