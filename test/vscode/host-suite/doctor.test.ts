import assert from "node:assert/strict";
import type { Check } from "../../../src/peer/status";
import { findingsOf, summaryOf } from "../../../src/ui/doctorFindings";
import { app, deleteProfiles, runProfile } from "./support";

const DATA = { port: 5000, address: "localhost:6000", host: "localhost", ms: 3, seconds: 90, ahead: true, count: 1 };
const FOUND: Pick<Check, "id" | "reason">[] = [
  { id: "port", reason: "somebody-else" },
  { id: "airplay", reason: "airplay-port" },
  { id: "addresses", reason: "loopback-only" },
  { id: "tracker", reason: "tracker-unreachable" },
  { id: "tracker", reason: "name-taken" },
  { id: "clock", reason: "wrong" },
  { id: "reach", reason: "neither-side" },
  { id: "firewall", reason: "not-called-back" },
  { id: "disk", reason: "unwritable" },
  { id: "ffmpeg", reason: "missing" },
  { id: "port", reason: "timeout" },
];

describe("the connection doctor's sentences", () => {
  it("say what was found, with and without facts, and offer at most one fix each", () => {
    for (const { id, reason } of FOUND) {
      for (const data of [{}, { ...DATA, free: 5_000_000, folder: "/videos", message: "What the engine says." }]) {
        const [finding] = findingsOf([{ id, reason, state: "problem", data } as Check]);
        assert.ok(finding?.title);
        assert.match(finding.text, /[.)]$/, `${id} ${reason}`);
        assert.doesNotMatch(finding.text, /\{\d\}|undefined|\[object/, `${id} ${reason}`);
      }
    }
  });

  it("offer to start the tracker only where it is this computer's", () => {
    const fix = (address: string) =>
      findingsOf([{ id: "tracker", state: "problem", reason: "tracker-unreachable", data: { address } }])[0]?.fix;
    assert.deepEqual(fix("localhost:6000"), { label: "Start a Tracker Here", command: "streamlet.startTrackerHere" });
    assert.deepEqual(fix("tracker.example.org:6000"), { label: "Edit Profile", command: "streamlet.editProfile" });
  });

  it("count problems and warnings", () => {
    const finding = (state: Check["state"]) => ({ state, title: "", text: "" });
    assert.equal(summaryOf([finding("ok"), finding("skipped")]), "Everything that was tested works.");
    const many = [finding("problem"), finding("warning"), finding("warning")];
    assert.equal(summaryOf(many), "Found: 1 problem, 2 warnings.");
  });

  it("reach across the worker: a running peer is really examined", async () => {
    const parts = await app();
    await runProfile(parts, "alice");
    try {
      const checks = await parts.service.diagnose({ taskId: "test" });
      assert.equal(checks.find(({ id }) => id === "port")?.reason, "reachable");
      assert.equal(checks.find(({ id }) => id === "tracker")?.reason, "tracker-unreachable");
    } finally {
      await deleteProfiles(parts);
    }
  });
});
