/**
 * The worker thread of the window that owns the peer: made when somebody needs it, started with patience for a window that is just
 * closing, given up when it dies again and again. It knows nothing of profiles; which one is to run is the owner's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Snapshot } from "../../peer/status";
import type { PeerConfig, PeerService } from "../../rpc/peerService";
import { type ErrorCode, StreamletError } from "../../wire/errors";
import { Engine } from "./engine";

const HANDOVER_RETRY_MS = 400;
/** What passes when the window that is just closing has closed. */
const HANDOVER: readonly ErrorCode[] = ["port-in-use", "data-folder-in-use"];
/** Goodbye to trackers and peers included; VS Code ends a closing extension host after 5 s. */
const STOP_TIMEOUT_MS = 4_000;
/** A thread that dies more often than this per minute will die again: ask the user. */
const MAX_CRASHES_PER_MINUTE = 3;

export interface EngineKeeperOptions {
  workerFile: string;
  onDidChange(snapshot: Snapshot): void;
  /** The thread is gone; the next `service` makes another. @param isHopeless it dies too often for that */
  onDidCrash(error: Error, isHopeless: boolean): void;
  onOutput(line: string): void;
}

export class EngineKeeper {
  private engine: Engine | undefined;
  private crashes: number[] = [];
  private disposed = false;

  constructor(private readonly options: EngineKeeperOptions) {}

  /** Of the thread that there is; undefined where nobody has needed one. */
  get current(): PeerService | undefined {
    return this.engine?.service;
  }

  /** Errors: connection-lost (this window is closing). */
  get service(): PeerService {
    if (this.disposed) throw new StreamletError("connection-lost", "This window is closing: try again in another one.");
    this.engine ??= new Engine(this.options.workerFile, {
      onDidChange: (snapshot) => this.options.onDidChange(snapshot),
      onDidCrash: (error) => this.onCrash(error),
      onOutput: (line) => this.options.onOutput(line),
    });
    return this.engine.service;
  }

  /** @param patienceMs how long to wait for port and folder of a window that is just closing. Errors: as PeerService.start */
  async start(config: PeerConfig, patienceMs: number): Promise<void> {
    for (const deadline = Date.now() + patienceMs; ; ) {
      try {
        await this.service.start(config);
        return;
      } catch (error) {
        const passing = error instanceof StreamletError && HANDOVER.includes(error.code);
        if (!passing || Date.now() >= deadline || this.disposed) throw error;
        await sleep(HANDOVER_RETRY_MS);
      }
    }
  }

  /** Says goodbye and ends the thread. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const { engine } = this;
    this.engine = undefined;
    if (!engine) return;
    await Promise.race([
      engine.service.stop().catch(() => undefined),
      sleep(STOP_TIMEOUT_MS, undefined, { ref: false }),
    ]);
    await engine.dispose();
  }

  private onCrash(error: Error): void {
    this.engine = undefined;
    const now = Date.now();
    this.crashes = [...this.crashes.filter((time) => time > now - 60_000), now];
    this.options.onDidCrash(error, this.crashes.length > MAX_CRASHES_PER_MINUTE);
  }
}
