import type { RateLimiter } from "./rateLimiter";

/** What those who send or ask need of a limit. */
export type Limiter = Pick<RateLimiter, "rate" | "partBytes" | "take" | "give">;

/** A limit of one's own under one that is shared: both hold. What waits for the own one takes nothing of the shared one. */
export class NestedLimiter implements Limiter {
  constructor(
    readonly own: RateLimiter,
    private readonly shared: RateLimiter,
  ) {}

  /** The lower of the two; 0 = unlimited. */
  get rate(): number {
    const { own, shared } = this;
    return own.rate === 0 || shared.rate === 0 ? own.rate + shared.rate : Math.min(own.rate, shared.rate);
  }

  get partBytes(): number {
    return Math.min(this.own.partBytes, this.shared.partBytes);
  }

  take(amount: number, signal?: AbortSignal, flow: object = this): true | Promise<void> {
    if (this.own.rate === 0) return this.shared.take(amount, signal, flow);
    const owned = this.own.take(amount, signal);
    return owned === true ? this.takeShared(amount, signal, flow) : this.takeBoth(owned, amount, signal, flow);
  }

  give(amount: number): void {
    this.own.give(amount);
    this.shared.give(amount);
  }

  private async takeBoth(owned: Promise<void>, amount: number, signal: AbortSignal | undefined, flow: object) {
    await owned;
    await this.takeShared(amount, signal, flow);
  }

  private takeShared(amount: number, signal: AbortSignal | undefined, flow: object): true | Promise<void> {
    const taken = this.shared.take(amount, signal, flow);
    if (taken === true) return true;
    return taken.catch((error) => {
      this.own.give(amount);
      throw error;
    });
  }
}
