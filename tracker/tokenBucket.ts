import type { Rate } from "./limits";

/** A rate limit that allows bursts. Time comes in as milliseconds that only grow. */
export class TokenBucket {
  #tokens: number;
  #at: number;

  constructor(
    private readonly rate: Rate,
    now: number,
  ) {
    this.#tokens = rate.burst;
    this.#at = now;
  }

  /** Takes `cost` and answers 0, or takes nothing and answers after how many milliseconds to come back. */
  take(cost: number, now: number): number {
    this.#refill(now);
    // More than the bucket holds would never pass: it passes when the bucket is full.
    const needed = Math.min(cost, this.rate.burst);
    if (this.#tokens >= needed) {
      this.#tokens -= cost;
      return 0;
    }
    return Math.max(1, Math.ceil(((needed - this.#tokens) / this.rate.perSecond) * 1000));
  }

  /** Takes what was only known afterwards; the debt delays what comes next. */
  charge(cost: number): void {
    this.#tokens -= cost;
  }

  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.rate.burst;
  }

  #refill(now: number): void {
    const gained = (Math.max(0, now - this.#at) / 1000) * this.rate.perSecond;
    this.#tokens = Math.min(this.rate.burst, this.#tokens + gained);
    this.#at = now;
  }
}
