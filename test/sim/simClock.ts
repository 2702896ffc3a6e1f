import type { Clock } from "../../src/peer/clock";

/** Something that happens at a time. */
export interface Due {
  run(): void;
}

const nothing = () => undefined;

/**
 * Time of a simulation, in whole milliseconds. What is due at one of them runs in the order in which it was asked for; then all
 * promises and stream callbacks that follow from it, before the next. So a run depends on nothing but its seed.
 */
export class SimClock implements Clock {
  private time = 0;
  private readonly due = new Map<number, Due[]>();
  /** The times in `due`, as a binary heap. */
  private readonly times: number[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): () => void {
    const due = { run };
    this.add(ms, due);
    return () => {
      due.run = nothing;
    };
  }

  /** `after` for what nobody takes back, and of which there are millions. */
  add(ms: number, due: Due): void {
    const at = Math.max(this.time, Math.ceil(this.time + ms));
    const there = this.due.get(at);
    if (there) {
      there.push(due);
      return;
    }
    this.due.set(at, [due]);
    this.push(at);
  }

  every(ms: number, run: () => void): () => void {
    let cancel: () => void;
    const again = () => {
      cancel = this.after(ms, again);
      run();
    };
    cancel = this.after(ms, again);
    return () => cancel();
  }

  /** Runs until `isDone`, which is asked after every step, or `limitMs`. False where the time was up first. */
  async run(isDone: () => boolean, limitMs: number): Promise<boolean> {
    while (!isDone()) {
      const next = this.times[0];
      if (next === undefined || next > limitMs) return false;
      this.pop();
      const all = this.due.get(next)!;
      this.due.delete(next);
      this.time = next;
      for (const due of all) due.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  private push(at: number): void {
    const { times } = this;
    let i = times.push(at) - 1;
    for (let parent = (i - 1) >> 1; i > 0 && times[parent]! > at; i = parent, parent = (i - 1) >> 1) {
      times[i] = times[parent]!;
    }
    times[i] = at;
  }

  private pop(): void {
    const { times } = this;
    const last = times.pop()!;
    if (times.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= times.length) break;
      if (child + 1 < times.length && times[child + 1]! < times[child]!) child++;
      if (times[child]! >= last) break;
      times[i] = times[child]!;
      i = child;
    }
    times[i] = last;
  }
}
