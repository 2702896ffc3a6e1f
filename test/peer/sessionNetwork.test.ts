import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { networkOf, networkWhere } from "../helpers/friends";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { portOf, shareFile, snapshotWhere, startPeer, videoWhere } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { withTracker } from "../helpers/withTracker";
import { startTracker } from "../tracker/support";

const MIB = 1024 * 1024;

describe("peers with a tracker", function () {
  this.timeout(40_000);
  const net = withTracker();
  let file: string;

  before(async () => {
    file = await randomFile(join(tempDir(), "demo.mp4"), 2 * MIB, 31);
  });

  it("list one's own videos and others', each with its owner, and download by id alone", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob", { trackers: [net.address] });
    const { id } = await shareFile(alice, file);
    const published = await videoWhere(alice, "the tracker acknowledges", (v) => v.publishedOn === 1);
    assert.equal(published.shared, true);
    const own = await networkWhere(alice, "alice sees her own", (videos) => videos.length === 1);
    assert.equal(own[0]!.mine, true);
    const [video] = await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    assert.deepEqual(
      { id: video!.id, owner: video!.owner, mine: video!.mine, sources: video!.sources, title: video!.title },
      { id, owner: "alice", mine: false, sources: 1, title: "demo" },
    );
    const { key } = await bob.session.download({ source: id });
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
    await networkWhere(alice, "two sources", (videos) => videos[0]?.sources === 2);
  });

  it("show an edited title everywhere, under the same id", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob", { trackers: [net.address] });
    const { key, id } = await shareFile(alice, file);
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    await alice.session.editInfo(key, { title: "Sprint demo", description: "what we built" });
    const [video] = await networkWhere(bob, "the new title", (videos) => videos[0]?.title === "Sprint demo");
    assert.equal(video!.id, id);
    assert.equal(video!.description, "what we built");
  });

  it("see a video go when it is not shared any more, and come when it is shared again", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob", { trackers: [net.address] });
    const { key } = await shareFile(alice, file);
    await networkWhere(bob, "it is there", (videos) => videos.length === 1);
    await alice.session.unshare(key);
    await networkWhere(bob, "it is gone", (videos) => videos.length === 0);
    await alice.session.share(key, "everyone");
    await networkWhere(bob, "it is back", (videos) => videos.length === 1);
  });

  it("never tell a tracker of friends' videos", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob", { trackers: [net.address] });
    const { link } = await shareFile(alice, file, "friends");
    await snapshotWhere(bob, "bob is online", (s) => s.peer.trackers[0]?.state === "online");
    await bob.session.refresh();
    assert.deepEqual(await networkOf(bob), []);
    await assert.rejects(bob.session.download({ source: link }), { code: "unknown-video" });
    assert.deepEqual((await bob.session.snapshot()).videos, []);
  });

  it("work with several trackers, one of them dead, one that talks nonsense", async () => {
    const second = await startTracker();
    const nonsense = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\nwhat?"));
    });
    await new Promise<void>((resolve) => nonsense.listen(0, "127.0.0.1", resolve));
    const odd = `127.0.0.1:${(nonsense.address() as AddressInfo).port}`;
    const trackers = [odd, "127.0.0.1:1", net.address, `127.0.0.1:${second.port}`];
    const alice = await startPeer("alice", { trackers });
    const bob = await startPeer("bob", { trackers: [`127.0.0.1:${second.port}`] });
    const { id } = await shareFile(alice, file);
    await videoWhere(alice, "both good trackers have it", (v) => v.publishedOn === 2);
    const { trackers: states } = (await alice.session.snapshot()).peer;
    assert.deepEqual(
      states.map((t) => t.state === "online"),
      [false, false, true, true],
    );
    await networkWhere(bob, "bob sees it", (videos) => videos.some((v) => v.id === id));
    nonsense.close();
  });

  it("have everything back within 10 s of a tracker's restart, with nobody touching a peer", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob", { trackers: [net.address] });
    const { id } = await shareFile(alice, file);
    await networkWhere(bob, "it is there", (videos) => videos.length === 1);
    const { port } = net.tracker;
    await net.tracker.stop();
    await snapshotWhere(bob, "the tracker is gone", (s) => s.peer.trackers[0]?.state !== "online");
    assert.equal((await networkOf(bob)).length, 1, "nothing vanishes because a tracker is down for a moment");
    const restarted = performance.now();
    net.tracker = await startTracker({ port });
    await snapshotWhere(alice, "alice is back", (s) => s.videos[0]?.publishedOn === 1, 10_000);
    const carol = await startPeer("carol", { trackers: [net.address] });
    await networkWhere(carol, "a newcomer sees it", (videos) => videos.some((v) => v.id === id && v.sources >= 1));
    assert.ok(performance.now() - restarted < 10_000);
    await carol.session.stop();
    await net.tracker.stop();
  });

  it("keep a name for its first key, and say so to the second", async () => {
    await startPeer("alice", { trackers: [net.address] });
    const second = await startPeer("Alice", { trackers: [net.address] });
    const { peer } = await snapshotWhere(second, "it is told", (s) => s.peer.trackers[0]?.error !== undefined);
    assert.equal(peer.trackers[0]!.error!.code, "name-taken");
  });

  it("release the name and leave nothing on disk when a profile is deleted", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    await shareFile(alice, file);
    await alice.session.deleteData(alice.config);
    const { existsSync } = await import("node:fs");
    assert.equal(existsSync(alice.config.dataDir), false);
    assert.equal(existsSync(file), true, "a file uploaded by reference stays");
    const other = await startPeer("alice", { trackers: [net.address] });
    await snapshotWhere(other, "the name is free", (s) => s.peer.trackers[0]?.state === "online");
  });

  it("reach one that cannot be dialled: it is asked through the tracker to call back", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const { link } = await shareFile(alice, file);
    await videoWhere(alice, "published", (v) => v.publishedOn === 1);
    const bob = await startPeer("bob", { trackers: [net.address] });
    // As behind a router: every address that bob knows of alice is closed.
    const unreachable = new URL(link);
    unreachable.searchParams.delete("h");
    unreachable.searchParams.append("h", "127.0.0.1:1");
    const engine = (bob.session as unknown as { running: { dial: (...args: unknown[]) => Promise<unknown> } }).running;
    engine.dial = () => Promise.reject(new Error("a router in between"));
    const { key } = await bob.session.download({ source: unreachable.toString() });
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
  });

  it("say that neither side can be reached, instead of waiting in silence", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const { link } = await shareFile(alice, file);
    await alice.session.stop();
    const bob = await startPeer("bob", { trackers: [net.address] });
    await bob.session.download({ source: link });
    const snapshot = await snapshotWhere(bob, "it is said", (s) => s.unreachable, 30_000);
    assert.equal(snapshot.videos[0]!.state, "downloading");
  });

  it("need no tracker at all: a connection by hand shows what the other shares", async () => {
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const { id } = await shareFile(alice, file);
    const connected = await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
    assert.equal(connected.peerId, "alice");
    const [video] = await networkWhere(bob, "bob browses", (videos) => videos.length === 1);
    assert.equal(video!.owner, "alice");
    const { key } = await bob.session.download({ source: id });
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
    const { peers } = await bob.session.queryPeers({ limit: 10 });
    assert.ok(peers.some((p) => p.peerId === "alice" && p.connected));
    await bob.session.disconnect(connected.fingerprint);
    await networkWhere(bob, "hers are gone", (videos) => videos.every((v) => v.owner !== "alice" || v.libraryKey));
  });

  it("answer an unknown id with unknown-video, and nonsense with bad-link", async () => {
    const bob = await startPeer("bob", { trackers: [net.address] });
    await snapshotWhere(bob, "online", (s) => s.peer.trackers[0]?.state === "online");
    await assert.rejects(bob.session.download({ source: "ab".repeat(32) }), { code: "unknown-video" });
    await assert.rejects(bob.session.download({ source: "hello" }), { code: "bad-link" });
    await assert.rejects(bob.session.download({ source: "magnet:?xt=urn:btih:zz" }), { code: "bad-link" });
  });

  it("are told who holds a port or a data folder", async () => {
    const alice = await startPeer("alice");
    const port = await portOf(alice);
    await assert.rejects(
      startPeer("bob", { port }),
      (error: { code: string; data: { port: number; nextFree: number } }) => {
        assert.equal(error.code, "port-in-use");
        assert.equal(error.data.port, port);
        assert.notEqual(error.data.nextFree, port);
        return true;
      },
    );
    await assert.rejects(startPeer("alice2", { dataDir: alice.config.dataDir }), { code: "data-folder-in-use" });
  });
});
