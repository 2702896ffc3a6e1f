/** A tracker of its own for each test of a suite; it and all peers end with the test. */
import type { RunningTracker } from "../../tracker/runTracker";
import { startTracker, stopAll } from "../tracker/support";
import { stopSessions } from "./sessions";
import { LOOPBACK } from "./sockets";

export interface TestTracker {
  /** A test may put another one here. */
  tracker: RunningTracker;
  /** As a profile writes it. */
  readonly address: string;
}

/** Call it in the suite. What it returns may be looked at within tests. */
export function withTracker(): TestTracker {
  let tracker: RunningTracker | undefined;
  beforeEach(async () => {
    tracker = await startTracker();
  });
  afterEach(async () => {
    await stopSessions();
    await stopAll();
  });
  return {
    get tracker() {
      return tracker!;
    },
    set tracker(other) {
      tracker = other;
    },
    get address() {
      return `${LOOPBACK}:${tracker!.port}`;
    },
  };
}
