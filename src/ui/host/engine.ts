/** The peer's worker thread as seen from the window that owns it. */
import { Worker } from "node:worker_threads";
import {
  createMessageConnection,
  type MessageConnection,
  PortMessageReader,
  PortMessageWriter,
} from "vscode-jsonrpc/node";
import type { Snapshot } from "../../peer/status";
import { applyToSnapshot } from "../../rpc/applyDelta";
import { onEvent, proxy, sendEvent } from "../../rpc/connection";
import type { PeerService, PeerServiceEvents } from "../../rpc/peerService";
import { StateReceiver, type StateRequests } from "../../rpc/stateStream";

export interface EngineEvents {
  onDidChange(snapshot: Snapshot): void;
  /** The thread ended without being asked to. */
  onDidCrash(error: Error): void;
  onOutput(line: string): void;
}

/** Runs the worker from construction to `dispose`. */
export class Engine {
  readonly service: PeerService;
  private readonly worker: Worker;
  private readonly connection: MessageConnection;
  private disposed = false;

  constructor(workerFile: string, events: EngineEvents) {
    this.worker = new Worker(workerFile, { name: "streamlet-peer", stdout: true, stderr: true });
    this.connection = createMessageConnection(new PortMessageReader(this.worker), new PortMessageWriter(this.worker));
    this.service = proxy<PeerService>(this.connection);
    const snapshots = new StateReceiver(applyToSnapshot, () => {
      // A thread that is gone tells so itself.
      sendEvent<StateRequests, "resync">(this.connection, "resync", undefined).catch(() => undefined);
    });
    onEvent<PeerServiceEvents, "onDidChange">(this.connection, "onDidChange", (message) => {
      const snapshot = snapshots.take(message);
      if (snapshot && !this.disposed) events.onDidChange(snapshot);
    });
    this.connection.listen();
    for (const stream of [this.worker.stdout, this.worker.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => events.onOutput(text.trimEnd()));
    }
    let cause: Error | undefined;
    this.worker.on("error", (error) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    this.worker.on("exit", (code) => {
      this.connection.dispose();
      if (!this.disposed) events.onDidCrash(cause ?? new Error(`the peer's thread ended with code ${code}`));
    });
  }

  /** Ends the thread at once; call `service.stop()` first for a clean goodbye. Pending calls are rejected. */
  async dispose(): Promise<void> {
    this.disposed = true;
    this.connection.dispose();
    await this.worker.terminate();
  }
}
