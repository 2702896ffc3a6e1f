import type { Clock } from "../../src/peer/clock";

interface Timer {
  at: number;
  every: number | undefined;
  run: () => void;
}

/** A clock that stands still until `advance` moves it; timers run in the order of their time. */
export class FakeClock implements Clock {
  private time = 1_000;
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }
  after(ms: number, run: () => void): () => void {
    return this.add({ at: this.time + ms, every: undefined, run });
  }
  every(ms: number, run: () => void): () => void {
    return this.add({ at: this.time + ms, every: ms, run });
  }

  /** How many timers are set. */
  get pending(): number {
    return this.timers.size;
  }

  advance(ms: number): void {
    const end = this.time + ms;
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.time = next.at;
      if (next.every === undefined) this.timers.delete(next);
      else next.at += next.every;
      next.run();
    }
    this.time = end;
  }

  private add(timer: Timer): () => void {
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  private next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
    return first;
  }
}
