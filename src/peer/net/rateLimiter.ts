/** Token bucket: how many bytes (or messages) may pass per second, first come, first served. */
import { StreamletError } from "../../wire/errors";
import { type Clock, systemClock } from "../clock";

/**
 * What may be taken at once after idling, in seconds of the rate. Over 10 s a quarter of a second is 2.5 % too much, within
 * the promised 5 %, and long enough for a connection not to stutter between two timers.
 */
const DEFAULT_BURST_S = 0.25;
/** Below this a timer would only spin. */
const MIN_WAIT_MS = 1;

export interface RateLimiterOptions {
  clock?: Clock;
  /** What may be taken at once after idling; default a quarter of a second of the rate. */
  burst?: number;
}

interface Waiting {
  amount: number;
  grant: () => void;
}

/**
 * Never lets more pass than `burst + rate x time`: a request larger than what has accrued waits until all of it has.
 * Those who wait hold no memory but their place in the queue, so the queue is as long as there are callers.
 */
export class RateLimiter {
  private readonly clock: Clock;
  private readonly fixedBurst: number | undefined;
  private tokens: number;
  private updatedAt: number;
  private waiting: Waiting[] = [];
  private cancelTimer: (() => void) | undefined;

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

  /**
   * Takes `amount`: true when it may pass at once, else a promise that resolves in turn.
   * `if (granted !== true) await granted` costs nothing while there is no limit.
   * @throws StreamletError cancelled (rejection) when the signal is aborted first; nothing is taken then
   */
  take(amount: number, signal?: AbortSignal): true | Promise<void> {
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.tryTake(amount)) return true;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        amount,
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
      this.waiting.push(waiting);
      this.serve();
    });
  }

  /** Takes `amount` if it may pass at once and nobody waits for it; never waits. */
  tryTake(amount: number): boolean {
    if (this.perSecond === 0) return true;
    this.accrue();
    if (this.waiting.length > 0 || this.tokens < amount) return false;
    this.tokens -= amount;
    return true;
  }

  /** From now on; those who wait are served at the new rate. @param perSecond 0 = unlimited */
  setRate(perSecond: number): void {
    this.accrue();
    this.perSecond = perSecond;
    this.tokens = Math.min(this.tokens, this.burst);
    this.serve();
  }

  private get burst(): number {
    return this.fixedBurst ?? this.perSecond * DEFAULT_BURST_S;
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
