/** Token bucket: how many bytes (or messages) may pass per second, and who is next. */
import { BLOCK_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { type Clock, systemClock } from "../clock";

/**
 * What may be taken at once after idling, in seconds of the rate. Over 10 s a quarter of a second is 2.5 % too much, within
 * the promised 5 %, and long enough for a connection not to stutter between two timers.
 */
const DEFAULT_BURST_S = 0.25;
/** Bytes that pass in one go take this long at the limit: a peer that sees nothing for seconds takes us for stalled. */
const PART_S = 0.05;
/**
 * How much of a new limit what is under way already may use up, in seconds: it counts within the 10 s over which a limit holds,
 * and nobody waits longer than 8 s because of it.
 */
const MAX_OWED_S = 8;
/** Below this a timer would only spin. */
const MIN_WAIT_MS = 1;

export interface RateLimiterOptions {
  clock?: Clock;
  /** What may be taken at once after idling; default a quarter of a second of the rate. */
  burst?: number;
}

interface Waiting {
  amount: number;
  /** Its place on the virtual time of the queue. */
  start: number;
  grant: () => void;
}

/**
 * Never lets more pass than `burst + rate x time`: a request larger than what has accrued waits until all of it has.
 *
 * Flows (videos) share alike, whatever they ask for at a time, by start-time fair queueing (Goyal, Vin, Cheng 1996): a request
 * starts where the one before it of its flow ended, the one that starts first is next, and time stands at the start of the one
 * that was served last. Within a flow: first come, first served.
 *
 * Those who wait hold no memory but their place in the queue, so the queue is as long as there are callers.
 */
export class RateLimiter {
  private readonly clock: Clock;
  private readonly fixedBurst: number | undefined;
  private tokens: number;
  private updatedAt: number;
  private waiting: Waiting[] = [];
  private cancelTimer: (() => void) | undefined;
  private virtualTime = 0;
  /** Where the last request of each flow ends, in virtual time. */
  private readonly ends = new WeakMap<object, number>();

  /** @param perSecond 0 = unlimited */
  constructor(
    private perSecond: number,
    options: RateLimiterOptions = {},
  ) {
    this.clock = options.clock ?? systemClock;
    this.fixedBurst = options.burst;
    this.tokens = this.burst;
    this.updatedAt = this.clock.now();
  }

  get rate(): number {
    return this.perSecond;
  }

  /** How much should be taken at a time, so that it flows instead of jerking; never less than a block. */
  get partBytes(): number {
    return this.perSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(BLOCK_BYTES, Math.floor(this.perSecond * PART_S));
  }

  /**
   * Takes `amount`: true when it may pass at once, else a promise that resolves in turn.
   * `if (granted !== true) await granted` costs nothing while there is no limit.
   * @param flow whose share is used
   * @throws StreamletError cancelled (rejection) when the signal is aborted first; nothing is taken then
   */
  take(amount: number, signal?: AbortSignal, flow: object = this): true | Promise<void> {
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.perSecond === 0) return true;
    const start = this.startOf(amount, flow);
    if (this.tryTake(amount)) {
      this.virtualTime = start;
      return true;
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        amount,
        start,
        grant: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.waiting = this.waiting.filter((w) => w !== waiting);
        this.serve();
        // What had accrued for it must not become one big burst later.
        if (this.waiting.length === 0) this.tokens = Math.min(this.tokens, this.burst);
        reject(cancelled());
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const behind = this.waiting.findIndex((w) => w.start > start);
      this.waiting.splice(behind < 0 ? this.waiting.length : behind, 0, waiting);
      this.serve();
    });
  }

  /** Gives back what was taken and will not pass. */
  give(amount: number): void {
    if (this.perSecond === 0) return;
    this.accrue();
    const grown = this.tokens + amount;
    this.tokens = this.waiting.length > 0 ? grown : Math.min(grown, Math.max(this.burst, this.tokens));
    this.serve();
  }

  /** Takes `amount` if it may pass at once and nobody waits for it; never waits. */
  tryTake(amount: number): boolean {
    if (this.perSecond === 0) return true;
    this.accrue();
    if (this.waiting.length > 0 || this.tokens < amount) return false;
    this.tokens -= amount;
    return true;
  }

  /**
   * From now on; those who wait are served at the new rate.
   * @param perSecond 0 = unlimited
   * @param underWay what passed under the old rate and is still to arrive: a lower rate has to count it as well
   */
  setRate(perSecond: number, underWay = 0): void {
    this.accrue();
    const lower = perSecond > 0 && (this.perSecond === 0 || perSecond < this.perSecond);
    this.perSecond = perSecond;
    this.tokens =
      Math.min(this.tokens, lower ? 0 : this.burst) - (lower ? Math.min(underWay, perSecond * MAX_OWED_S) : 0);
    this.serve();
  }

  private get burst(): number {
    return this.fixedBurst ?? this.perSecond * DEFAULT_BURST_S;
  }

  private startOf(amount: number, flow: object): number {
    const start = Math.max(this.virtualTime, this.ends.get(flow) ?? 0);
    this.ends.set(flow, start + amount);
    return start;
  }

  private accrue(): void {
    const now = this.clock.now();
    const grown = this.tokens + ((now - this.updatedAt) / 1000) * this.perSecond;
    // While somebody waits nothing is cut off: a timer that comes late must not cost bandwidth.
    this.tokens = this.waiting.length > 0 ? grown : Math.min(grown, Math.max(this.burst, this.tokens));
    this.updatedAt = now;
  }

  private serve(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.accrue();
    let first = this.waiting[0];
    while (first !== undefined && (this.perSecond === 0 || this.tokens >= first.amount)) {
      if (this.perSecond > 0) this.tokens -= first.amount;
      this.waiting.shift();
      this.virtualTime = first.start;
      first.grant();
      first = this.waiting[0];
    }
    if (first === undefined) return;
    const waitMs = ((first.amount - this.tokens) / this.perSecond) * 1000;
    this.cancelTimer = this.clock.after(Math.max(MIN_WAIT_MS, Math.ceil(waitMs)), () => this.serve());
  }
}

function cancelled(): StreamletError {
  return new StreamletError("cancelled", "Waiting for bandwidth was cancelled.");
}
