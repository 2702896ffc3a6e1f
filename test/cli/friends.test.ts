import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { formatFingerprint } from "../../src/wire/fingerprint";
import type { Fingerprint } from "../../src/wire/types";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { assertFailure, endPrograms, type Program, peer, startTracker, streamlet, TEST_TIMEOUT_MS } from "./programs";

const KEY = "ab".repeat(32) as Fingerprint;

function friends(data: string, args: string[]): Program {
  return streamlet(["friends", ...args, "--json", "--data", data]);
}

async function ended(program: Program): Promise<Program> {
  assert.equal(await program.exit(), 0, program.stderr);
  return program;
}

async function keyOf(data: string, name: string): Promise<string> {
  const self = await ended(peer(data, name, ["peers", "--no-tracker"]));
  return self.all("peer")[0]!.fingerprint;
}

describe("streamlet friends", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("adds, lists and removes, without a tracker and without a peer", async () => {
    const data = tempDir("cli");
    assert.deepEqual((await ended(friends(data, ["list"]))).lines, []);
    const added = await ended(friends(data, ["add", `${formatFingerprint(KEY)}@192.0.2.7:5001`]));
    const [friend] = added.all("friend");
    assert.deepEqual(
      { ...friend, addedAt: 0 },
      {
        event: "friend",
        fingerprint: KEY,
        peerId: "",
        host: "192.0.2.7",
        port: 5001,
        addedAt: 0,
      },
    );
    assert.ok(Math.abs(friend!.addedAt - Date.now()) < 60_000);
    const other = "cd".repeat(32);
    const second = await ended(friends(data, ["add", other]));
    assert.deepEqual([second.all("friend")[0]!.host, second.all("friend")[0]!.port], [null, null]);
    assert.equal((await ended(friends(data, ["list"]))).all("friend").length, 2);
    assert.deepEqual((await ended(friends(data, ["remove", formatFingerprint(KEY)]))).lines, []);
    assert.deepEqual((await ended(friends(data, ["remove", KEY]))).lines, []);
    const left = await ended(friends(data, ["list"]));
    assert.deepEqual(
      left.all("friend").map(({ fingerprint }) => fingerprint),
      [other],
    );
  });

  it("refuses what is no contact as wrong usage, and oneself, and a folder that is in use", async () => {
    const data = tempDir("cli");
    for (const args of [["add", "bob"], ["add", `${KEY}@nowhere`], ["remove", "bob"], ["add"], ["befriend", KEY], []]) {
      const program = friends(data, args);
      assert.equal(await program.exit(), 2, `${args}: ${program.stderr}`);
    }
    const own = await keyOf(data, "alice");
    await assertFailure(friends(data, ["add", own]), "invalid-argument");
    const running = peer(data, "alice", ["share", await randomFile(join(tempDir(), "a.mp4"), 1000, 1), "--no-tracker"]);
    await running.event("ready");
    await assertFailure(friends(data, ["list"]), "data-folder-in-use");
  });

  it("keeps a damaged list aside and says so", async () => {
    const data = tempDir("cli");
    await ended(friends(data, ["add", KEY]));
    writeFileSync(join(data, "contacts.json"), "{");
    const list = await ended(friends(data, ["list"]));
    assert.deepEqual(list.lines, []);
    assert.match(list.stderr, /was damaged .* kept as/);
  });
});

describe("streamlet share --audience friends", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("gives friends the video, by list, id and link; nobody else, and no tracker, hears of it", async () => {
    const tracker = await startTracker(tempDir("tracker"));
    const [alice, bob, carol] = [tempDir("alice"), tempDir("bob"), tempDir("carol")];
    const file = await randomFile(join(tempDir(), "secret.mp4"), 3_000_000, 9);
    const via = ["--tracker", tracker.address];
    const bobKey = await keyOf(bob, "bob");
    await ended(friends(alice, ["add", bobKey]));
    const sharing = peer(alice, "alice", ["share", file, "--audience", "friends", ...via]);
    const { fingerprint, port } = await sharing.event("ready");
    const { id, link, magnet } = await sharing.event("shared");
    assert.equal(magnet, null);
    assert.ok(!link.includes("t="), link);

    await ended(friends(bob, ["add", `${fingerprint}@127.0.0.1:${port}`]));
    const list = await ended(peer(bob, "bob", ["list", ...via]));
    assert.deepEqual(
      list.all("video").map((v) => [v.id, v.audience, v.ownerFingerprint]),
      [[id, "friends", fingerprint]],
    );
    const byId = await ended(peer(bob, "bob", ["get", id, "--out", tempDir("out"), ...via]));
    assert.equal(byId.all("done")[0]!.sha256, await sha256OfFile(file));

    const known = await ended(peer(carol, "carol", ["list", ...via]));
    assert.deepEqual(known.all("video"), []);
    await assertFailure(peer(carol, "carol", ["get", id, "--out", tempDir("out"), ...via]), "unknown-video");
    await assertFailure(peer(carol, "carol", ["get", link, "--out", tempDir("out"), ...via]), "unknown-video");
  });

  it("gives a friend who has not pinned the owner the video by its link, with no tracker at all", async () => {
    const [alice, bob] = [tempDir("alice"), tempDir("bob")];
    const file = await randomFile(join(tempDir(), "secret.mp4"), 1_000_000, 10);
    await ended(friends(alice, ["add", await keyOf(bob, "bob")]));
    const sharing = peer(alice, "alice", ["share", file, "--audience", "friends", "--no-tracker"]);
    const { link } = await sharing.event("shared");
    const got = await ended(peer(bob, "bob", ["get", link, "--out", tempDir("out"), "--no-tracker"]));
    assert.equal(got.all("done")[0]!.sha256, await sha256OfFile(file));
  });
});
