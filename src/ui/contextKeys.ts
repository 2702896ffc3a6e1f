/** Keys for the `when` clauses of package.json, sent only when they change. */
import { commands } from "vscode";
import type { HostState } from "../rpc/window";
import type { ContextKey, ContextKeys } from "./contributions";
import { phaseOf } from "./host/snapshots";
import { localTrackerPort, networkCondition } from "./views/conditions";

/** The port that the welcome view's sentence names. */
const USUAL_TRACKER_PORT = 6000;

export class ContextUpdater {
  private readonly sent = new Map<ContextKey, unknown>();

  /** @param onDidSet told of each change */
  constructor(private readonly onDidSet: (key: ContextKey, value: unknown) => void) {}

  update(state: HostState, { searching, filtering }: { searching: boolean; filtering: boolean }): void {
    const phase = phaseOf(state);
    const { trackers } = state.snapshot.peer;
    this.set("streamlet.phase", phase);
    this.set(
      "streamlet.failure",
      phase === "failed" ? ((state.failure ?? state.snapshot.peer.error)?.code ?? "internal") : "",
    );
    this.set("streamlet.networkState", phase === "running" ? networkCondition(state) : "");
    const addresses = trackers.map((tracker) => tracker.address);
    this.set("streamlet.localTracker", addresses.length === 1 && localTrackerPort(addresses) === USUAL_TRACKER_PORT);
    this.set("streamlet.searching", searching);
    this.set("streamlet.filtering", filtering);
    const whole = state.snapshot.videos.filter((video) => video.state === "ready");
    this.set(
      "streamlet.hasUploads",
      whole.some((video) => video.origin === "uploaded"),
    );
    this.set(
      "streamlet.hasDownloads",
      whole.some((video) => video.origin === "obtained"),
    );
  }

  private set<K extends ContextKey>(key: K, value: ContextKeys[K]): void {
    if (this.sent.get(key) === value) return;
    this.sent.set(key, value);
    void commands.executeCommand("setContext", key, value);
    this.onDidSet(key, value);
  }
}
