/** Keeps one control connection alive, and notices when the other side is gone. It sends and closes nothing itself. */
import type { Clock } from "../clock";

/** Keeps the mapping of a home router alive (the shortest seen in practice is 30 s). */
export const PING_INTERVAL_MS = 20_000;
/** Two pings and some: then the other side is gone. */
export const SILENCE_TIMEOUT_MS = 45_000;

export interface PulseHost {
  ping(): void;
  /** Nothing has arrived for SILENCE_TIMEOUT_MS. */
  onSilence(): void;
}

export class ControlPulse {
  private lastReceivedAt: number;
  private cancelPing: (() => void) | undefined;
  private cancelSilence: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly host: PulseHost,
  ) {
    this.lastReceivedAt = clock.now();
  }

  start(): void {
    this.cancelPing = this.clock.every(PING_INTERVAL_MS, () => this.host.ping());
    this.watchSilence();
  }

  /** Something has arrived. */
  noteReceived(): void {
    this.lastReceivedAt = this.clock.now();
  }

  stop(): void {
    this.cancelPing?.();
    this.cancelSilence?.();
  }

  private watchSilence(): void {
    const left = this.lastReceivedAt + SILENCE_TIMEOUT_MS - this.clock.now();
    if (left <= 0) return this.host.onSilence();
    this.cancelSilence = this.clock.after(left, () => this.watchSilence());
  }
}
