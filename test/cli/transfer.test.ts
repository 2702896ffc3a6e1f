import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { type BValue, encode } from "../../src/wire/bencode";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import {
  assertFailure,
  type EventOf,
  endPrograms,
  type Program,
  peer,
  startTracker,
  TEST_TIMEOUT_MS,
} from "./programs";

const MIB = 1024 * 1024;
const SIZE = 3 * MIB + 12_345;

/** Alice shares one video by a tracker; everybody has a folder. */
interface Scene {
  tracker: string;
  alice: Program;
  shared: EventOf<"shared">;
  video: string;
  bob: string;
}

async function scene(args: string[] = []): Promise<Scene> {
  const dir = tempDir("cli");
  const { address } = await startTracker(join(dir, "tracker"));
  const video = await randomFile(join(dir, "Demo 1.mp4"), SIZE);
  const alice = peer(join(dir, "alice"), "alice", ["share", video, "--tracker", address, ...args]);
  const shared = await alice.event("shared");
  return { tracker: address, alice, shared, video, bob: join(dir, "bob") };
}

describe("share, list, peers and get", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("carry a video from one person to another, byte for byte", async () => {
    const { tracker, alice, shared, video, bob } = await scene(["--name", "The demo", "--description", "A bug"]);
    assert.deepEqual(
      alice.events().map(({ event }) => event),
      ["ready", "shared"],
    );
    assert.equal(shared.name, "The demo");
    assert.equal(shared.size, SIZE);
    assert.equal(shared.magnet, null, "a magnet link is for public videos only");
    const { fingerprint, port } = alice.all("ready")[0]!;

    const list = peer(bob, "bob", ["list", "--tracker", tracker]);
    assert.equal(await list.exit(), 0, list.stderr);
    assert.deepEqual(list.events(), [
      {
        event: "video",
        id: shared.id,
        name: "The demo",
        owner: "alice",
        ownerFingerprint: fingerprint,
        size: SIZE,
        duration: null,
        sources: 1,
        audience: "everyone",
      },
    ]);

    const peers = peer(bob, "bob", ["peers", "--tracker", tracker]);
    assert.equal(await peers.exit(), 0, peers.stderr);
    const online = peers.all("peer");
    assert.deepEqual(online.map(({ peerId, self }) => [peerId, self]).sort(), [
      ["alice", false],
      ["bob", true],
    ]);
    assert.deepEqual(
      online.find(({ peerId }) => peerId === "alice"),
      { event: "peer", peerId: "alice", fingerprint, host: "127.0.0.1", port, self: false },
    );

    const out = join(bob, "out");
    mkdirSync(out, { recursive: true });
    const get = peer(bob, "bob", ["get", shared.id, "--tracker", tracker, "--out", out]);
    assert.equal(await get.exit(), 0, get.stderr);
    const done = get.all("done")[0]!;
    assert.equal(get.events().at(-1)?.event, "done");
    assert.equal(done.path, join(out, "Demo 1.mp4"));
    assert.equal(done.bytes, SIZE);
    assert.ok(done.seconds > 0 && done.seconds < 20);
    assert.equal(done.sha256, await sha256OfFile(video));
    assert.ok(readFileSync(done.path).equals(readFileSync(video)));
    const progress = get.all("progress");
    assert.equal(progress.at(-1)?.bytes, SIZE);
    assert.ok(progress.every(({ bytes, total }) => bytes <= total && total === SIZE));
    assert.equal(get.stderr, "");

    assert.equal(await alice.end("SIGTERM"), 143);
    const gone = peer(bob, "bob", ["peers", "--tracker", tracker]);
    assert.equal(await gone.exit(), 0);
    assert.deepEqual(
      gone.all("peer").map(({ peerId }) => peerId),
      ["bob"],
      "who says goodbye is gone at once",
    );
  });

  it("work by the link alone, without any tracker on the other side", async () => {
    const { shared, video, bob } = await scene();
    const path = join(bob, "new.mp4");
    mkdirSync(bob);
    const get = peer(bob, "bob", ["get", shared.link, "--no-tracker", "--out", path]);
    assert.equal(await get.exit(), 0, get.stderr);
    assert.equal(get.all("done")[0]?.path, path);
    assert.equal(await sha256OfFile(path), await sha256OfFile(video));
  });

  it("work between two peers connected by hand, without any tracker at all", async () => {
    const dir = tempDir("cli");
    const video = await randomFile(join(dir, "a.mp4"), SIZE);
    const alice = peer(join(dir, "alice"), "alice", ["share", video, "--no-tracker"]);
    const { port, fingerprint } = await alice.event("ready");
    const { id } = await alice.event("shared");
    const byHand = ["--no-tracker", "--connect", `127.0.0.1:${port}`];
    const list = peer(join(dir, "bob"), "bob", ["list", ...byHand]);
    assert.equal(await list.exit(), 0, list.stderr);
    assert.deepEqual(
      list.all("video").map((entry) => [entry.id, entry.ownerFingerprint]),
      [[id, fingerprint]],
    );
    assert.match(list.stderr, /alice/, "it shows whose key that is, for nobody else vouched for it");
    const get = peer(join(dir, "bob"), "bob", ["get", id, ...byHand, "--out", join(dir, "b.mp4")]);
    assert.equal(await get.exit(), 0, get.stderr);
    assert.equal(get.all("done")[0]?.sha256, await sha256OfFile(video));
  });

  it("say what the search finds only", async () => {
    const { tracker, bob } = await scene(["--name", "Login page crash"]);
    const found = peer(bob, "bob", ["list", "--tracker", tracker, "--search", "crash"]);
    assert.equal(await found.exit(), 0);
    assert.equal(found.all("video").length, 1);
    const none = peer(bob, "bob", ["list", "--tracker", tracker, "--search", "holiday"]);
    assert.equal(await none.exit(), 0);
    assert.deepEqual(none.lines, []);
  });

  it("give a public video a magnet link", async () => {
    const { shared } = await scene(["--audience", "public"]);
    assert.match(shared.magnet ?? "", /xt=urn:btmh:1220[0-9a-f]{64}/);
  });

  it("never show a friends' video to the network", async () => {
    const { tracker, bob } = await scene(["--audience", "friends"]);
    const list = peer(bob, "bob", ["list", "--tracker", tracker]);
    assert.equal(await list.exit(), 0);
    assert.deepEqual(list.lines, []);
  });

  it("take the magnet link of a public video", async () => {
    const { shared, video, bob } = await scene(["--audience", "public"]);
    mkdirSync(bob);
    const path = join(bob, "b.mp4");
    const get = peer(bob, "bob", ["get", shared.magnet ?? "", "--no-tracker", "--out", path]);
    assert.equal(await get.exit(), 0, get.stderr);
    assert.equal(await sha256OfFile(path), await sha256OfFile(video));
  });

  it("list one's own videos as well", async () => {
    const { tracker, alice, shared, video } = await scene();
    const data = join(dirname(video), "alice");
    await alice.end();
    const list = peer(data, "alice", ["list", "--tracker", tracker]);
    assert.equal(await list.exit(), 0, list.stderr);
    assert.deepEqual(
      list.all("video").map(({ id, owner }) => [id, owner]),
      [[shared.id, "alice"]],
    );
  });

  it("offer only what this run names, not what an earlier run did", async () => {
    const { tracker, alice, video, bob } = await scene();
    await alice.end();
    const other = await randomFile(join(dirname(video), "other.mp4"), MIB, 2);
    const again = peer(join(dirname(video), "alice"), "alice", ["share", other, "--tracker", tracker]);
    await again.event("shared");
    const list = peer(bob, "bob", ["list", "--tracker", tracker]);
    assert.equal(await list.exit(), 0, list.stderr);
    assert.deepEqual(
      list.all("video").map(({ name }) => name),
      ["other"],
    );
  });

  it("share several files at once, in one run", async () => {
    const dir = tempDir("cli");
    const files = await Promise.all([1, 2].map((seed) => randomFile(join(dir, `${seed}.mp4`), MIB, seed)));
    const alice = peer(join(dir, "alice"), "alice", ["share", ...files, files[0]!, "--no-tracker"]);
    await alice.event("shared", ({ name }) => name.startsWith("1"));
    await alice.event("shared", ({ name }) => name.startsWith("2"));
    assert.equal(await alice.end("SIGINT"), 130);
    assert.equal(alice.all("shared").length, 2, "the same file twice is one video");
  });

  it("sharing the same file again neither duplicates nor hashes it again", async () => {
    const dir = tempDir("cli");
    const video = await randomFile(join(dir, "a.mp4"), 64 * MIB);
    const first = peer(join(dir, "alice"), "alice", ["share", video, "--no-tracker"]);
    const before = await first.event("shared");
    await first.end();
    const second = peer(join(dir, "alice"), "alice", ["share", video, "--no-tracker", "--name", "Better name"]);
    const again = await second.event("shared");
    assert.equal(again.id, before.id);
    assert.equal(again.name, "Better name");
    const list = JSON.parse(readFileSync(join(dir, "alice", "library.json"), "utf8"));
    assert.equal((list.videos ?? list.entries ?? []).length, 1);
  });
});

describe("get", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("refuses an existing file, and replaces it with --force", async () => {
    const { tracker, shared, video, bob } = await scene();
    mkdirSync(bob);
    const path = join(bob, "mine.mp4");
    writeFileSync(path, "precious");
    const args = ["get", shared.id, "--tracker", tracker, "--out", path];
    await assertFailure(peer(bob, "bob", args), "file-exists", /mine\.mp4/);
    assert.equal(readFileSync(path, "utf8"), "precious");
    const forced = peer(bob, "bob", [...args, "--force"]);
    assert.equal(await forced.exit(), 0, forced.stderr);
    assert.equal(await sha256OfFile(path), await sha256OfFile(video));
  });

  it("writes into the current folder when it is told nothing else", async () => {
    const { tracker, shared, bob } = await scene();
    mkdirSync(bob);
    const get = peer(bob, "bob", ["get", shared.id, "--tracker", tracker]);
    assert.equal(await get.exit(), 0, get.stderr);
    const { path } = get.all("done")[0]!;
    rmSync(path);
    assert.equal(path, join(process.cwd(), "Demo 1.mp4"));
  });

  it("of a video that is there refuses to replace it, and fetches it again when it is gone", async () => {
    const { tracker, shared, video, bob } = await scene();
    mkdirSync(bob);
    const args = ["get", shared.id, "--tracker", tracker, "--out"];
    const first = peer(bob, "bob", [...args, bob]);
    assert.equal(await first.exit(), 0, first.stderr);
    const { path } = first.all("done")[0]!;
    await assertFailure(peer(bob, "bob", [...args, bob]), "file-exists");

    const copy = peer(bob, "bob", [...args, join(bob, "copy.mp4")]);
    assert.equal(await copy.exit(), 0, copy.stderr);
    assert.equal(copy.all("done")[0]?.path, join(bob, "copy.mp4"));
    assert.equal(copy.all("done")[0]?.sha256, await sha256OfFile(video));

    rmSync(path);
    const again = peer(bob, "bob", [...args, bob]);
    assert.equal(await again.exit(), 0, again.stderr);
    assert.equal(await sha256OfFile(path), await sha256OfFile(video));
  });

  it("refuses a torrent of many files", async () => {
    const data = tempDir("cli");
    const text = (value: string) => Buffer.from(value, "latin1");
    const file = (name: string) =>
      new Map<string, BValue>([
        ["length", 10],
        ["path", [text(name)]],
      ]);
    const info = new Map<string, BValue>([
      ["files", [file("a.mp4"), file("b.mp4")]],
      ["name", text("both")],
      ["piece length", 16_384],
      ["pieces", new Uint8Array(20)],
    ]);
    const path = join(data, "both.torrent");
    writeFileSync(path, encode(new Map([["info", info]])));
    await assertFailure(peer(data, "bob", ["get", path, "--no-tracker"]), "multi-file-torrent");
  });

  it("keeps to --limit-down", async () => {
    const { tracker, shared, bob } = await scene();
    mkdirSync(bob);
    const limit = ["--limit-down", "1.5MB/s"];
    const get = peer(bob, "bob", ["get", shared.id, "--tracker", tracker, "--out", bob, ...limit]);
    assert.equal(await get.exit(), 0, get.stderr);
    const { seconds } = get.all("done")[0]!;
    assert.ok(seconds > 1 && seconds < 5, `${SIZE} bytes at 1.5 MB/s took ${seconds} s`);
  });

  it("ends with unknown-video for an id that nobody has", async () => {
    const { tracker, bob } = await scene();
    await assertFailure(peer(bob, "bob", ["get", "0".repeat(64), "--tracker", tracker]), "unknown-video");
  });

  it("ends with no-sources when nobody who has the video is there, and keeps what it has", async () => {
    const { alice, shared, bob } = await scene();
    await alice.end();
    mkdirSync(bob);
    await assertFailure(peer(bob, "bob", ["get", shared.link, "--no-tracker", "--out", bob]), "no-sources", /again/);
  });

  it("ends with bad-link for text that is none", async () => {
    await assertFailure(peer(tempDir("cli"), "bob", ["get", "vscode://nonsense", "--no-tracker"]), "bad-link");
  });
});

describe("share", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  const refused: [string, string, (path: string) => void, string][] = [
    ["a file that is not there", "none.mp4", () => {}, "file-missing"],
    ["an empty file", "empty.mp4", (path) => writeFileSync(path, ""), "empty-file"],
    ["a file that is no video inside", "text.mp4", (path) => writeFileSync(path, "hello".repeat(100)), "not-a-video"],
    ["a file of another kind", "notes.txt", (path) => writeFileSync(path, "hello"), "unsupported-format"],
    ["a folder", "folder.mp4", (path) => mkdirSync(path), "file-unreadable"],
  ];
  for (const [what, name, make, code] of refused) {
    it(`refuses ${what} with ${code}`, async () => {
      const dir = tempDir("cli");
      make(join(dir, name));
      const program = peer(join(dir, "alice"), "alice", ["share", join(dir, name), "--no-tracker"]);
      await assertFailure(program, code, new RegExp(name.replace(".", "\\.")));
    });
  }
});
