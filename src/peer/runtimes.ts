/**
 * The videos of a running peer, one runtime to each entry of the library: which of them a hash means, and what all of them do at the
 * start, while time passes, and at the end. What a single one does is its own to decide.
 */
import { StreamletError } from "../wire/errors";
import type { Engine } from "./engine";
import type { Rechecks } from "./rechecks";
import { inParallel } from "./storage/inParallel";
import type { Uploads } from "./uploads";
import { VideoRuntime } from "./videoRuntime";

/** Asking for ten thousand files at a time keeps the thread, not the disk, busy. */
const LOOKS_AT_ONCE = 64;

export class Runtimes {
  private readonly byKey = new Map<string, VideoRuntime>();

  constructor(private readonly engine: Engine) {}

  get(key: string): VideoRuntime | undefined {
    return this.byKey.get(key);
  }
  has(key: string): boolean {
    return this.byKey.has(key);
  }
  values(): Iterable<VideoRuntime> {
    return this.byKey.values();
  }

  /** Errors: unknown-video. */
  of(key: string): VideoRuntime {
    const runtime = this.byKey.get(key);
    if (!runtime) throw new StreamletError("unknown-video", "This video is not in the library any more.");
    return runtime;
  }

  /** By the first 20 bytes of an id, or a v1 info-hash. */
  find(hash: string): VideoRuntime | undefined {
    for (const runtime of this.byKey.values()) {
      const { id, v1 } = runtime.entry;
      if (id?.startsWith(hash) || v1 === hash) return runtime;
    }
    return undefined;
  }

  /** A new entry of the library begins to live. */
  adopt(key: string): VideoRuntime {
    const runtime = new VideoRuntime(key, this.engine);
    this.byKey.set(key, runtime);
    return runtime;
  }

  /** Its entry is about to go. */
  delete(key: string): void {
    this.byKey.delete(key);
  }

  /** Everything that is in the library goes on where it was. Resolves when files have been looked at. */
  async open(uploads: Uploads, rechecks: Rechecks): Promise<void> {
    const { library, identity } = this.engine;
    for (const { key, origin, ownerFingerprint } of library.entries()) {
      // The profile may have got a new key: what it has uploaded is its own all the same.
      const isLeft = origin === "uploaded" && ownerFingerprint !== identity.fingerprint;
      if (isLeft) library.update(key, { ownerFingerprint: identity.fingerprint, record: undefined });
      this.adopt(key);
    }
    await uploads.sweep();
    await inParallel([...this.byKey.values()], LOOKS_AT_ONCE, async (runtime) => {
      const { state, partPath } = runtime.entry;
      if (state === "hashing" || state === "optimising") uploads.begin(runtime);
      else if (state === "checking" && !partPath) {
        void rechecks.check(runtime).catch(() => undefined); // its state says it
      } else await runtime.open();
    });
  }

  /** What nobody uses is freed. */
  sleepIfIdle(): void {
    for (const runtime of this.byKey.values()) void runtime.sleepIfIdle().catch(() => undefined);
  }

  /** Whether whole videos are still where they were is shown in their states. */
  checkFiles(): void {
    for (const runtime of this.byKey.values()) {
      if (runtime.entry.state === "ready") void runtime.checkFile().catch(() => undefined);
    }
  }

  /** Of all videos: bytes per second, and open connections. */
  traffic(): { downRate: number; upRate: number; connections: number } {
    const traffic = { downRate: 0, upRate: 0, connections: 0 };
    for (const { swarm } of this.byKey.values()) {
      if (!swarm) continue;
      traffic.downRate += swarm.down.rate();
      traffic.upRate += swarm.up.rate();
      traffic.connections += swarm.connectionCount;
    }
    return traffic;
  }

  async close(): Promise<void> {
    await Promise.all([...this.byKey.values()].map((runtime) => runtime.close()));
  }
}
