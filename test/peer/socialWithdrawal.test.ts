import assert from "node:assert/strict";
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { befriend, networkWhere } from "../helpers/friends";
import { randomFile } from "../helpers/randomFile";
import { RecordingRelay } from "../helpers/relay";
import {
  restartPeer,
  shareFile,
  snapshotWhere,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { LOOPBACK } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";
import { startTracker, stopAll } from "../tracker/support";

describe("a video that was for everyone and is for friends now", function () {
  this.timeout(40_000);
  let file: string;
  let alice: TestPeer;
  let bob: TestPeer;

  before(async () => {
    file = await randomFile(join(tempDir(), "demo.mp4"), 300_000, 41);
  });
  beforeEach(async () => {
    const { port } = await startTracker();
    const trackers = [`127.0.0.1:${port}`];
    alice = await startPeer("alice", { trackers });
    bob = await startPeer("bob", { trackers });
  });
  afterEach(async () => {
    await stopSessions();
    await stopAll();
  });

  async function listed(): Promise<{ key: string; id: string }> {
    const shared = await shareFile(alice, file);
    await videoWhere(alice, "the tracker acknowledges", (v) => v.publishedOn === 1);
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    return shared;
  }
  const gone = () => networkWhere(bob, "bob sees it no more", (videos) => videos.length === 0);

  it("is taken back from trackers though its title was changed at the same moment", async () => {
    const { key } = await listed();
    await alice.session.editInfo(key, { title: "Secret", description: "" });
    await alice.session.share(key, "friends");
    await gone();
  });

  it("is taken back from trackers when the same file is uploaded again, under another title", async () => {
    await listed();
    await alice.session.upload({ path: file, title: "Secret", audience: "friends", share: true });
    await gone();
  });

  it("is taken back from trackers though its file is missing", async () => {
    const path = join(tempDir(), "lost.mp4");
    await copyFile(file, path);
    const { key } = await shareFile(alice, path);
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    await rm(path);
    await assert.rejects(alice.session.openStream(key));
    await videoWhere(alice, "it is missing", (v) => v.state === "fileMissing");
    await alice.session.share(key, "friends");
    await gone();
  });

  it("is taken back from trackers when a copy of the file is uploaded for friends", async () => {
    const { key } = await listed();
    const copy = join(tempDir(), "demo.mp4");
    await copyFile(file, copy);
    await alice.session.upload({ path: copy, audience: "friends", share: true });
    await snapshotWhere(
      alice,
      "the copy is known",
      (s) => s.videos.length === 1 && s.videos[0]?.audience === "friends",
    );
    assert.equal((await alice.session.snapshot()).videos[0]?.key, key);
    await gone();
  });
});

describe("a video that was taken back while its tracker could not be reached", function () {
  this.timeout(60_000);
  let relay: RecordingRelay;
  let trackerPort: number;
  let relayPort: number;
  let alice: TestPeer;
  let bob: TestPeer;
  let carol: TestPeer;
  let file: string;
  let shared: { key: string; id: string };

  before(async () => {
    file = await randomFile(join(tempDir(), "demo.mp4"), 300_000, 43);
  });
  beforeEach(async () => {
    trackerPort = (await startTracker()).port;
    relay = await RecordingRelay.start(trackerPort);
    relayPort = relay.port;
    alice = await startPeer("alice", { trackers: [`${LOOPBACK}:${relayPort}`] });
    bob = await startPeer("bob", { trackers: [`${LOOPBACK}:${trackerPort}`] });
    carol = await startPeer("carol", { trackers: [`${LOOPBACK}:${trackerPort}`] });
    shared = await shareFile(alice, file);
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    await bob.session.downloadResult((await bob.session.download({ source: shared.id })).key);
    await networkWhere(carol, "bob has it as well", ([video]) => video?.sources === 2);
    await relay.stop();
    await snapshotWhere(alice, "the tracker is away", ({ peer }) => peer.trackers[0]?.state !== "online");
  });
  afterEach(async () => {
    await stopSessions();
    await relay.stop().catch(() => undefined);
    await stopAll();
  });

  /** The tracker can be reached again only after the restart; bob goes on giving what he has. */
  async function restartAway(): Promise<void> {
    alice = await restartPeer(alice);
    assert.equal((await carol.session.queryNetwork({ limit: 10 })).total, 1);
    relay = await RecordingRelay.start(trackerPort, relayPort);
  }

  it("is taken back after a restart", async () => {
    await alice.session.unshare(shared.key);
    await restartAway();
    await networkWhere(carol, "carol sees it no more", (videos) => videos.length === 0);
  });

  it("is taken back after a restart where it was removed", async () => {
    await alice.session.remove(shared.key, { deleteFile: false });
    await restartAway();
    await networkWhere(carol, "carol sees it no more", (videos) => videos.length === 0);
  });

  it("is listed after a restart where it was shared again", async () => {
    await alice.session.unshare(shared.key);
    await alice.session.share(shared.key, "everyone");
    await restartAway();
    await videoWhere(alice, "the tracker acknowledges", (v) => v.publishedOn === 1);
    assert.equal((await networkWhere(carol, "it is listed", (videos) => videos.length === 1)).length, 1);
  });
});

describe("a video for friends that somebody has obtained", function () {
  this.timeout(40_000);
  afterEach(stopSessions);

  it("stays for friends where they upload a copy of it", async () => {
    const file = await randomFile(join(tempDir(), "secret.mp4"), 300_000, 42);
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    await befriend(alice, bob);
    const { id } = await shareFile(alice, file, "friends");
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    await bob.session.downloadResult((await bob.session.download({ source: id })).key);
    const copy = join(tempDir(), "secret.mp4");
    await copyFile(file, copy);
    const { key } = await bob.session.upload({ path: copy, audience: "public", share: true });
    const upload = await videoWhere(bob, "the copy is refused", (v) => v.key === key && v.state === "failed");
    assert.equal(upload.error?.code, "invalid-argument");
    const videos = (await bob.session.snapshot()).videos.filter((v) => v.id === id);
    assert.deepEqual(
      videos.map(({ audience, origin }) => [audience, origin]),
      [["friends", "obtained"]],
    );
  });
});
