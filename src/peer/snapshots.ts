import type { Clock } from "./clock";
import type { Snapshot } from "./status";

/** At most four snapshots a second, and none while nothing changes; the first change after a pause is told at once. */
const INTERVAL_MS = 250;

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
    const snapshot = this.take();
    for (const listener of this.listeners) listener(snapshot);
    this.cancelTimer = this.clock.after(INTERVAL_MS, () => this.emit());
  }
}
