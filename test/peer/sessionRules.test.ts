import assert from "node:assert/strict";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { randomFile } from "../helpers/randomFile";
import { portOf, shareFile, startPeer, stopSessions } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

describe("a session", function () {
  this.timeout(20_000);
  afterEach(stopSessions);

  for (const [what, info] of Object.entries({
    "a name that is too long": { title: "x".repeat(201), description: "" },
    "a name of characters that do not show": { title: "\u200b\u200b", description: "" },
    "a description that is too long": { title: "Clip", description: "x".repeat(4001) },
  })) {
    it(`refuses ${what}, and goes on telling of its videos`, async () => {
      const alice = await startPeer("alice");
      const { key } = await shareFile(alice, await randomFile(join(tempDir(), "clip.mp4"), 20_000, 1));
      await assert.rejects(alice.session.editInfo(key, info), { code: "invalid-argument" });
      await alice.session.editInfo(key, { title: "Another", description: "" });
      const bob = await startPeer("bob");
      await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
      const titles = async () => (await bob.session.queryNetwork({ limit: 10 })).videos.map((v) => v.title);
      while ((await titles())[0] !== "Another") await setImmediate();
    });
  }

  it("that is stopped while it looks something up begins nothing afterwards", async () => {
    const alice = await startPeer("alice");
    const file = await randomFile(join(tempDir(), "clip.mp4"), 20_000, 1);
    const { link } = await shareFile(alice, file);
    const bob = await startPeer("bob");
    const calls = [
      bob.session.download({ source: link }),
      bob.session.upload({ path: file, audience: "everyone", share: true }),
    ];
    const stopping = bob.session.stop();
    for (const call of calls) await assert.rejects(call, { code: "not-running" });
    await stopping;
  });
});
