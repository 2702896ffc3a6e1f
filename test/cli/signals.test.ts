import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { randomFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { endPrograms, peer, startTracker, TEST_TIMEOUT_MS } from "./programs";

const MIB = 1024 * 1024;

describe("a program that is told to stop", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`by ${signal} says goodbye and exits ${code}, whatever it is doing`, async () => {
      const dir = tempDir("cli");
      const { address } = await startTracker(dir);
      const video = await randomFile(join(dir, "a.mp4"), 4 * MIB);
      const alice = peer(join(dir, "alice"), "alice", ["share", video, "--tracker", address]);
      const { id } = await alice.event("shared");
      const args = ["get", id, "--tracker", address, "--out", join(dir, "b.mp4"), "--limit-down", "500k"];
      const bob = peer(join(dir, "bob"), "bob", args);
      await bob.event("progress", ({ bytes }) => bytes > 0);
      assert.equal(await bob.end(signal), code);
      assert.equal(bob.all("done").length + bob.all("error").length, 0);
      assert.equal(bob.stderr, "");
      assert.equal(await alice.end(signal), code);
      const carol = peer(join(dir, "carol"), "carol", ["peers", "--tracker", address]);
      assert.equal(await carol.exit(), 0);
      assert.deepEqual(
        carol.all("peer").map(({ peerId }) => peerId),
        ["carol"],
      );
    });
  }

  it("while it waits for a tracker that says nothing ends at once", async () => {
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const address = mute.address();
    assert.ok(address && typeof address === "object");
    const connected = new Promise((resolve) => mute.once("connection", resolve));
    const bob = peer(tempDir("cli"), "bob", ["list", "--tracker", `127.0.0.1:${address.port}`]);
    await connected;
    const begun = performance.now();
    assert.equal(await bob.end("SIGINT"), 130);
    assert.ok(performance.now() - begun < 4_000);
    mute.close();
  });

  it("by a reader that goes away is quiet about it and says goodbye as well", async () => {
    const dir = tempDir("cli");
    const video = await randomFile(join(dir, "a.mp4"), 64 * MIB);
    const alice = peer(join(dir, "alice"), "alice", ["share", video, "--no-tracker"]);
    alice.child.stdout?.destroy();
    assert.equal(await alice.exit(), 141);
    assert.equal(alice.stderr, "");
    assert.equal(existsSync(join(dir, "alice", "lock.pid")), false, "it has stopped in good order");
  });
});
