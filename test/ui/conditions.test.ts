import assert from "node:assert/strict";
import type { TrackerStatus } from "../../src/peer/status";
import type { HostState } from "../../src/rpc/window";
import { phaseOf, startingSnapshot, stoppedSnapshot } from "../../src/ui/host/snapshots";
import { localTrackerPort, networkCondition, refusingTracker, withoutToken } from "../../src/ui/views/conditions";

const PROFILE = {
  id: "0123456789abcdef",
  peerId: "alice",
  port: 5000,
  trackers: ["localhost:6000"],
  fingerprint: "0".repeat(64),
  createdAt: 1,
  lastUsedAt: 1,
};

function stateWith(trackers: TrackerStatus[], networkKnown = false): HostState {
  const snapshot = stoppedSnapshot();
  return {
    profiles: [PROFILE],
    profilesVersion: 1,
    damagedProfiles: 0,
    activeId: PROFILE.id,
    wanted: true,
    snapshot: { ...snapshot, networkKnown, peer: { ...snapshot.peer, state: "running", trackers } },
    connections: [],
  };
}

const failed = (code: "tracker-unreachable" | "name-taken"): TrackerStatus => ({
  address: "localhost:6000",
  state: "failed",
  error: { code, message: "" },
});
const online: TrackerStatus = { address: "other:6000", state: "online" };

describe("the condition of the network", () => {
  it("is loading until somebody has answered", () => {
    assert.equal(networkCondition(stateWith([{ address: "a:1", state: "connecting" }])), "loading");
    assert.equal(networkCondition(stateWith([online], true)), "known");
  });

  it("is noTracker only when all of them failed", () => {
    assert.equal(networkCondition(stateWith([failed("tracker-unreachable")])), "noTracker");
    assert.equal(networkCondition(stateWith([failed("tracker-unreachable"), online], true)), "known");
  });

  it("names the tracker whose refusal a person has to mend, not one that is merely down", () => {
    assert.equal(refusingTracker(stateWith([failed("tracker-unreachable")])), undefined);
    assert.equal(refusingTracker(stateWith([online, failed("name-taken")]))?.address, "localhost:6000");
  });
});

describe("the phase of a window", () => {
  it("is joining before the owner is found, and noProfile without profiles", () => {
    assert.equal(phaseOf(undefined), "joining");
    assert.equal(phaseOf({ ...stateWith([]), profiles: [] }), "noProfile");
  });

  it("is failed while the wanted profile has a failure, and stopped when it is not wanted", () => {
    assert.equal(phaseOf({ ...stateWith([]), failure: { code: "port-in-use", message: "" } }), "failed");
    assert.equal(phaseOf({ ...stateWith([]), wanted: false }), "stopped");
  });

  it("is starting until the engine runs", () => {
    assert.equal(phaseOf({ ...stateWith([]), snapshot: startingSnapshot(PROFILE) }), "starting");
    assert.equal(phaseOf({ ...stateWith([]), snapshot: stoppedSnapshot() }), "starting");
    assert.equal(phaseOf(stateWith([])), "running");
  });
});

describe("addresses of trackers", () => {
  it("that are on this computer give the port to run one on", () => {
    assert.equal(localTrackerPort(["tracker.example:6000", "localhost:6001"]), 6001);
    assert.equal(localTrackerPort(["ws://127.0.0.1:6002/?token=x"]), 6002);
    assert.equal(localTrackerPort(["[::1]:6003"]), 6003);
    assert.equal(localTrackerPort(["tracker.example:6000", "wss://localhost:443", "localhost.example:1"]), undefined);
  });

  it("are shown without their token", () => {
    assert.equal(withoutToken("host:6000?token=secret"), "host:6000");
  });
});
