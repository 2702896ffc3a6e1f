/**
 * Who may have which of the videos here, and that everybody follows a change of it: open connections at once, trackers and connected
 * peers a moment later. What they are told is signed by the publisher.
 */
import { StreamletError } from "../wire/errors";
import type { Engine } from "./engine";
import { Coalescer } from "./net/coalesce";
import type { ControlConnection } from "./net/controlConnection";
import type { Publisher } from "./publisher";
import type { Audience } from "./status";
import type { TrackerClient } from "./tracker/trackerClient";
import type { VideoRuntime } from "./videoRuntime";

/** Several changes in a row are told as one. */
const DELAY_MS = 50;
/** A tracker acknowledges records one by one, thousands in a second; each look goes through all videos. */
const LOOK_INTERVAL_MS = 250;

export interface SharingHost {
  readonly engine: Pick<Engine, "clock" | "library" | "changed">;
  readonly publisher: Publisher;
  readonly trackers: readonly TrackerClient[];
  controls(): Iterable<ControlConnection>;
  runtimes(): Iterable<VideoRuntime>;
}

export class Sharing {
  private timer: (() => void) | undefined;
  private stopped = false;

  private readonly looks: Coalescer;

  constructor(private readonly host: SharingHost) {
    this.looks = new Coalescer(host.engine.clock, LOOK_INTERVAL_MS, () => this.countTrackers());
  }

  /** Takes effect at once, on open connections too. Errors: invalid-argument (somebody else's video). */
  set(runtime: VideoRuntime, shared: boolean, audience: Audience): void {
    const { engine } = this.host;
    const { entry } = runtime;
    if (entry.origin === "obtained" && shared && audience !== entry.audience) {
      throw new StreamletError("invalid-argument", "Only its owner can change who may have a video.");
    }
    const narrower = !shared || audience === "friends";
    if (narrower && entry.shared) this.withdraw(runtime);
    const changed = entry.shared !== shared || entry.audience !== audience;
    engine.library.update(runtime.key, { shared, audience, ...(changed && entry.record ? { record: undefined } : {}) });
    runtime.onSharingChanged();
    this.changed();
    engine.changed();
  }

  /** Everybody who was told of it hears that it is shared no more. */
  withdraw(runtime: VideoRuntime): void {
    this.host.publisher.withdraw(runtime.entry);
  }

  /** What is told of it has changed. */
  invalidateRecord(key: string): void {
    this.host.publisher.invalidate(key);
    this.changed();
  }

  /** The set of shared or wanted videos, or what is told of them, may have changed: told soon. */
  changed(): void {
    if (this.stopped) return;
    this.timer ??= this.host.engine.clock.after(DELAY_MS, () => {
      this.timer = undefined;
      this.publish();
    });
  }

  /** Tells everybody now. Cheap where nothing has changed. */
  publish(): void {
    if (this.stopped) return;
    this.host.publisher.update();
    for (const control of this.host.controls()) control.notifyCatalogChanged();
    this.countTrackers();
  }

  /** A tracker has, or has lost, what it was told. */
  acknowledged(): void {
    if (!this.stopped) this.looks.request();
  }

  private countTrackers(): void {
    const { engine, trackers } = this.host;
    for (const runtime of this.host.runtimes()) {
      const { id, shared, state } = runtime.entry;
      let count = 0;
      if (id && shared && state === "ready") for (const tracker of trackers) if (tracker.isAcknowledged(id)) count++;
      runtime.publishedOn = count;
    }
    engine.changed();
  }

  /** A tracker does not take the record of a video. */
  onRefused(id: string, error: StreamletError): void {
    const { engine } = this.host;
    for (const runtime of this.host.runtimes()) {
      if (runtime.entry.id === id) engine.library.update(runtime.key, { error: error.toInfo() });
    }
    engine.changed();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.();
    this.looks.dispose();
    this.host.publisher.stop();
  }
}
