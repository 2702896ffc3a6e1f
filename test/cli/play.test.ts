import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { randomFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { assertFailure, endPrograms, peer, startTracker, TEST_TIMEOUT_MS } from "./programs";

const SIZE = 5 * 1024 * 1024 + 321;

describe("play", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("serves a video by its id or link while it downloads, until it is stopped", async () => {
    const dir = tempDir("cli");
    const { address } = await startTracker(join(dir, "tracker"));
    const video = await randomFile(join(dir, "talk.mp4"), SIZE);
    const bytes = readFileSync(video);
    const alice = peer(join(dir, "alice"), "alice", ["share", video, "--tracker", address, "--limit-up", "1M"]);
    const { id, link } = await alice.event("shared");
    for (const [name, source] of [
      ["bob", id],
      ["carol", link],
    ] as const) {
      const player = peer(join(dir, name), name, ["play", source, "--tracker", address]);
      const { url } = await player.event("stream");
      const tail = await fetch(url, { headers: { Range: "bytes=-1000" } });
      assert.equal(tail.status, 206);
      assert.ok(Buffer.from(await tail.arrayBuffer()).equals(bytes.subarray(-1000)));
      const whole = await fetch(url);
      assert.ok(Buffer.from(await whole.arrayBuffer()).equals(bytes));
      assert.equal(await player.end("SIGINT"), 130);
      assert.deepEqual(
        player.events().map(({ event }) => event),
        ["stream"],
      );
      assert.equal(player.stderr, "");
    }
  });

  it("fails with unknown-video for an id that nobody offers", async () => {
    const dir = tempDir("cli");
    const { address } = await startTracker(join(dir, "tracker"));
    await assertFailure(peer(dir, "bob", ["play", "ab".repeat(32), "--tracker", address]), "unknown-video");
  });
});
