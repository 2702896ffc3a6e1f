import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { FirstSteps } from "../../src/ui/firstSteps";

const { contributes } = JSON.parse(readFileSync(resolve("package.json"), "utf8"));
const settle = () => new Promise((done) => setTimeout(done, 5));

/** Starts of VS Code on one `globalState`. */
function installation() {
  const kept = new Map<string, readonly string[]>();
  const ticked: string[] = [];
  return {
    ticked,
    start: ({ isOwner = true, knows = true } = {}) =>
      new FirstSteps({
        walkthroughs: contributes.walkthroughs,
        extensionId: "streamlet.streamlet",
        isOwner: () => isOwner,
        store: {
          get: (key) => kept.get(key),
          update: async (key, value) => void kept.set(key, value),
        },
        tick: async (step) => {
          if (!knows) throw new Error("Tried to progress unknown step");
          ticked.push(step.replace("streamlet.streamlet#firstSteps#", ""));
        },
        onError: () => undefined,
      }),
  };
}

describe("steps of the walkthrough", () => {
  it("are ticked by what ends them in the manifest, each once in all", async () => {
    const { ticked, start } = installation();
    for (const steps of [start(), start()]) {
      steps.onContext("streamlet.phase", "starting");
      steps.onContext("streamlet.hasUploads", false);
      await settle();
      steps.onContext("streamlet.phase", "running");
      steps.onContext("streamlet.hasUploads", true);
      steps.onContext("streamlet.networkState", "known");
      steps.onCommand("streamlet.openWalkthrough");
      steps.onCommand("streamlet.play");
      steps.onContext("streamlet.hasDownloads", true);
      steps.onContext("streamlet.phase", "running");
      await settle();
    }
    assert.deepEqual(ticked, ["createProfile", "uploadVideo", "meet", "watch"]);
  });

  it("that VS Code does not know yet are ticked at the next start", async () => {
    const { ticked, start } = installation();
    start({ knows: false }).onContext("streamlet.phase", "running");
    await settle();
    start().onContext("streamlet.phase", "running");
    await settle();
    assert.deepEqual(ticked, ["createProfile"]);
  });

  it("are left to the window that owns the peer", async () => {
    const { ticked, start } = installation();
    start({ isOwner: false }).onContext("streamlet.phase", "running");
    await settle();
    assert.deepEqual(ticked, []);
  });
});
