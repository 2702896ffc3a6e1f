import type { Clock } from "../clock";

/** Bytes per second over the last few seconds: a ring of half-second bins, so that it falls to 0 soon after a stop. */
const BIN_MS = 500;
const BINS = 8;

export class RateMeter {
  private readonly bins = new Float64Array(BINS);
  private current = -1;
  private readonly startedAt: number;
  total = 0;

  constructor(private readonly clock: Clock) {
    this.startedAt = clock.now();
  }

  add(bytes: number): void {
    this.roll();
    this.bins[this.current % BINS]! += bytes;
    this.total += bytes;
  }

  /** Bytes per second. */
  rate(): number {
    this.roll();
    const now = this.clock.now();
    const span = Math.min(now - this.startedAt, (BINS - 1) * BIN_MS + (now % BIN_MS));
    let sum = 0;
    for (const bin of this.bins) sum += bin;
    return span < 50 ? 0 : (sum * 1000) / span;
  }

  private roll(): void {
    const bin = Math.floor(this.clock.now() / BIN_MS);
    if (this.current < 0) this.current = bin;
    const steps = Math.min(bin - this.current, BINS);
    for (let i = 1; i <= steps; i++) this.bins[(this.current + i) % BINS] = 0;
    this.current = bin;
  }
}
