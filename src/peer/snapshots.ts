import type { Clock } from "./clock";
import type { Snapshot } from "./status";

/** At most four snapshots a second, and none while nothing changes; the first change after a pause is told at once. */
const INTERVAL_MS = 250;
/** Where thousands of rows change at a time, telling of them takes no more than this part of the thread's time. */
const MOST_OF_TIME = 0.1;

export class Snapshots {
  private readonly listeners = new Set<(snapshot: Snapshot) => void>();
  private cancelTimer: (() => void) | undefined;
  private dirty = false;

  constructor(
    private readonly clock: Clock,
    private readonly take: () => Snapshot,
  ) {}

  changed(): void {
    this.dirty = true;
    this.cancelTimer ??= this.clock.after(0, () => this.emit());
  }

  /** Tells at once, whatever the pace: for the end of things. */
  flush(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.dirty = true;
    this.emit();
  }

  listen(listener: (snapshot: Snapshot) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private emit(): void {
    this.cancelTimer = undefined;
    if (!this.dirty) return;
    this.dirty = false;
    const begun = this.clock.now();
    const snapshot = this.take();
    for (const listener of this.listeners) listener(snapshot);
    const pause = Math.max(INTERVAL_MS, (this.clock.now() - begun) / MOST_OF_TIME);
    this.cancelTimer = this.clock.after(pause, () => this.emit());
  }
}
