import assert from "node:assert/strict";
import { join } from "node:path";
import type { Contact } from "../../src/peer/status";
import { StreamletError } from "../../src/wire/errors";
import { formatFingerprint } from "../../src/wire/fingerprint";
import { contactOf, fingerprintOf, networkWhere } from "../helpers/friends";
import { randomFile } from "../helpers/randomFile";
import {
  portOf,
  restartPeer,
  shareFile,
  snapshotWhere,
  startPeer,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { LOOPBACK } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";
import { answerWhere } from "../helpers/until";
import { withTracker } from "../helpers/withTracker";
import { RawPeer } from "../tracker/support";

const MIB = 1024 * 1024;

async function contactWhere(peer: TestPeer, what: string, fits: (contact: Contact) => boolean): Promise<Contact> {
  const { contacts } = await snapshotWhere(peer, what, (s) => s.contacts.some(fits), 20_000);
  return contacts.find(fits)!;
}

async function peersWhere({ session }: TestPeer, what: string, fits: (names: string[]) => boolean) {
  const ask = async () => (await session.queryPeers({ limit: 100 })).peers;
  return answerWhere(what, ask, (peers) => fits(peers.map((p) => p.peerId)));
}

const is = (code: string) => (error: unknown) => error instanceof StreamletError && error.code === code;

describe("friends", function () {
  this.timeout(40_000);
  const net = withTracker();

  it("are connected to without a tracker, at the address in their contact, and again after a restart of either", async () => {
    const alice = await startPeer("alice");
    let bob = await startPeer("bob", { port: 0 });
    const bobKey = await fingerprintOf(bob);
    const added = await alice.session.addFriend(await contactOf(bob));
    assert.equal(added.fingerprint, bobKey);
    const connected = await contactWhere(alice, "alice is connected to bob", (c) => c.connected && c.peerId === "bob");
    assert.ok(connected.online && connected.kind === "friend" && (connected.lastSeen ?? 0) > Date.now() - 60_000);
    const port = await portOf(bob);
    await bob.session.stop();
    await contactWhere(alice, "bob is away", (c) => !c.online && !c.connected && c.peerId === "bob");
    bob = await startPeer("bob", { ...bob.config, port });
    await contactWhere(alice, "bob is back", (c) => c.connected);
    const again = await restartPeer(alice);
    await contactWhere(again, "alice found bob at his last address", (c) => c.connected && c.port === port);
  });

  it("are found through a tracker by their key alone, online or not, with when they were last seen", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob", { trackers: [net.address] });
    const offline = await alice.session.addFriend(formatFingerprint(await fingerprintOf(bob)));
    assert.equal(offline.peerId, "");
    await contactWhere(alice, "alice is connected to bob", (c) => c.connected && c.peerId === "bob");
    const [page] = await peersWhere(alice, "bob is marked", (names) => names.includes("bob")).then((peers) =>
      peers.filter((p) => p.peerId === "bob"),
    );
    assert.deepEqual(
      { friend: page!.friend, blocked: page!.blocked, impostor: page!.impostor, connected: page!.connected },
      { friend: true, blocked: false, impostor: false, connected: true },
    );
    await bob.session.stop();
    const gone = await contactWhere(alice, "bob is away", (c) => !c.connected && !c.online);
    assert.ok(gone.lastSeen! > Date.now() - 60_000);
  });

  it("are not hidden from: whoever bears their name is found at the tracker, behind the end of any list", async () => {
    const { port } = net.tracker;
    const crowd = ["a1", "a2", "a3", "a4", "ZED"].map((peerId) => RawPeer.join({ port, peerId }));
    const alice = await startPeer("alice", { trackers: [net.address] });
    await Promise.all(crowd);
    const shown = async () => (await alice.session.queryPeers({ limit: 3 })).peers;
    await answerWhere("the list is full", shown, ({ length }) => length === 3);
    await alice.session.addFriend("ab".repeat(32), "Zed");
    const peers = await answerWhere("the impostor is listed", shown, (all) => all.some(({ impostor }) => impostor));
    assert.deepEqual(
      peers.map(({ peerId }) => peerId),
      ["a1", "a2", "a3", "ZED"],
    );
    await alice.session.removeFriend("ab".repeat(32));
    await answerWhere("it is like all others", shown, ({ length }) => length === 3);
  });

  it("are pinned by their key: somebody else at their address, or with their name, is not taken for them", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const bob = await startPeer("bob");
    const port = await portOf(bob);
    await alice.session.addFriend(await contactOf(bob));
    await contactWhere(alice, "alice is connected to bob", (c) => c.connected);
    await bob.session.stop();
    const mallory = await startPeer("BOB", { port, trackers: [net.address] });
    const file = await randomFile(join(tempDir(), "bait.mp4"), MIB, 3);
    await shareFile(mallory, file);
    const peers = await peersWhere(alice, "mallory is listed", (names) => names.includes("BOB"));
    const flags = peers.map(({ peerId, friend, impostor }) => [peerId, friend, impostor]);
    assert.deepEqual(flags, [
      ["alice", false, false],
      ["BOB", false, true],
    ]);
    await alice.session.connect(`${LOOPBACK}:${port}`);
    const videos = await networkWhere(alice, "the bait is listed", (all) => all.length === 1);
    assert.deepEqual(
      videos.map(({ owner, friend, impostor }) => [owner, friend, impostor]),
      [["BOB", false, true]],
    );
    const { contacts } = await alice.session.snapshot();
    assert.deepEqual(
      contacts.map(({ peerId, connected, online }) => [peerId, connected, online]),
      [["bob", false, false]],
    );
  });

  it("of one name are told apart: whoever bears a name that somebody else online bears is marked", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const twin = await startPeer("Alice");
    await alice.session.connect(`${LOOPBACK}:${await portOf(twin)}`);
    const peers = await peersWhere(alice, "both are there", (names) => names.length === 2);
    assert.deepEqual(
      peers.map(({ sameName }) => sameName),
      [true, true],
    );
  });

  it("are refused where the contact is malformed, or one's own", async () => {
    const alice = await startPeer("alice");
    await assert.rejects(alice.session.addFriend("bob"), is("invalid-argument"));
    await assert.rejects(alice.session.addFriend(await contactOf(alice)), is("invalid-argument"));
    await assert.rejects(alice.session.removeFriend("bob"), is("invalid-argument"));
    assert.deepEqual((await alice.session.snapshot()).contacts, []);
  });
});

describe("a blocked person", function () {
  this.timeout(40_000);
  const net = withTracker();

  it("loses every connection at once, gets no new one, and is neither seen nor heard until the block ends", async () => {
    const alice = await startPeer("alice", { trackers: [net.address], uploadLimit: MIB });
    const mallory = await startPeer("mallory", { trackers: [net.address] });
    const malloryKey = await fingerprintOf(mallory);
    const file = await randomFile(join(tempDir(), "demo.mp4"), 8 * MIB, 5);
    const bait = await randomFile(join(tempDir(), "bait.mp4"), MIB, 6);
    const { link } = await shareFile(alice, file);
    await shareFile(mallory, bait);
    await videoWhere(mallory, "the bait is known", (v) => v.publishedOn === 1);
    await mallory.session.connect(`${LOOPBACK}:${await portOf(alice)}`);
    const { key } = await mallory.session.download({ source: link });
    await videoWhere(mallory, "the download is under way", (v) => v.key === key && v.bytesDone > 0);
    await peersWhere(alice, "mallory is listed", (names) => names.includes("mallory"));

    await alice.session.block(malloryKey, "mallory");
    await snapshotWhere(alice, "nothing goes to mallory", (s) => s.peer.connections === 0);
    await videoWhere(mallory, "mallory has no source", (v) => v.key === key && v.peers === 0);
    await alice.session.refresh();
    assert.deepEqual(
      (await alice.session.queryPeers({ limit: 10 })).peers.map((p) => p.peerId),
      ["alice"],
    );
    assert.deepEqual(
      (await alice.session.queryNetwork({ limit: 10 })).videos.map((v) => v.owner),
      ["alice"],
    );
    const [contact] = (await alice.session.snapshot()).contacts;
    assert.deepEqual([contact!.kind, contact!.connected, contact!.peerId], ["blocked", false, "mallory"]);
    await assert.rejects(mallory.session.connect(`${LOOPBACK}:${await portOf(alice)}`), is("connection-lost"));
    await assert.rejects(alice.session.connect(`${LOOPBACK}:${await portOf(mallory)}`), is("invalid-argument"));
    const { bytesDone } = await videoWhere(mallory, "what is there", (v) => v.key === key);
    assert.ok(bytesDone < 8 * MIB);

    await alice.session.unblock(malloryKey);
    await mallory.session.downloadResult(key);
    await peersWhere(alice, "mallory is back", (names) => names.includes("mallory"));
  });
});
