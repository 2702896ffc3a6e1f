import type { Clock } from "../clock";

/** Calls `run` at once, then at most once per `intervalMs` however often it is asked; the last request is never lost. */
export class Coalescer {
  private cancelTimer: (() => void) | undefined;
  private again = false;

  constructor(
    private readonly clock: Clock,
    private readonly intervalMs: number,
    private readonly run: () => void,
  ) {}

  request(): void {
    if (this.cancelTimer !== undefined) {
      this.again = true;
      return;
    }
    this.cancelTimer = this.clock.after(this.intervalMs, () => {
      this.cancelTimer = undefined;
      if (!this.again) return;
      this.again = false;
      this.request();
    });
    this.run();
  }

  dispose(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.again = false;
  }
}
