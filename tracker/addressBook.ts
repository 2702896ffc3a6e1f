import type { TrackerClock } from "./clock";
import type { TrackerLimits } from "./limits";
import { addressKey, isLoopback } from "./rules";
import { TokenBucket } from "./tokenBucket";

/** More addresses than this are forgotten, oldest first: they then begin with full buckets. */
const MAX_ADDRESSES = 100_000;

/** What one address has used of its limits. */
export interface AddressUsage {
  connections: number;
  connects: TokenBucket;
  requests: TokenBucket;
  records: TokenBucket;
  newNames: TokenBucket;
}

/** Usage by address; undefined for addresses that are not counted. */
export class AddressBook {
  readonly #usage = new Map<string, AddressUsage>();

  constructor(
    private readonly limits: TrackerLimits,
    private readonly clock: TrackerClock,
  ) {}

  of(address: string): AddressUsage | undefined {
    if (this.limits.exemptLoopback && isLoopback(address)) return undefined;
    const key = addressKey(address);
    let usage = this.#usage.get(key);
    if (!usage) {
      const now = this.clock.monotonic();
      const oldest = this.#usage.keys().next().value;
      if (this.#usage.size >= MAX_ADDRESSES && oldest !== undefined) this.#usage.delete(oldest);
      usage = {
        connections: 0,
        connects: new TokenBucket(this.limits.connectRate, now),
        requests: new TokenBucket(this.limits.requestRatePerAddress, now),
        records: new TokenBucket(this.limits.recordRatePerAddress, now),
        newNames: new TokenBucket(this.limits.newNameRate, now),
      };
      this.#usage.set(key, usage);
    }
    return usage;
  }

  /** Forgets addresses that have nothing open and owe nothing. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const [key, usage] of this.#usage) {
      const idle = [usage.connects, usage.requests, usage.records, usage.newNames].every((bucket) =>
        bucket.isFull(now),
      );
      if (usage.connections === 0 && idle) this.#usage.delete(key);
    }
  }
}
