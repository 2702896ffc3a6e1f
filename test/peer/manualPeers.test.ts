import assert from "node:assert/strict";
import { DISCONNECTED, ManualPeers } from "../../src/peer/manualPeers";
import type { HostPort } from "../../src/peer/net/addresses";
import { formatContact } from "../../src/wire/contact";
import type { Fingerprint } from "../../src/wire/types";
import { restartPeer, snapshotWhere, startPeer, stopSessions, type TestPeer } from "../helpers/sessions";

const BOB = "b".repeat(64) as Fingerprint;
const MALLORY = "c".repeat(64) as Fingerprint;

describe("peers connected by hand", () => {
  let answers: { fingerprint: Fingerprint; peerId: string } | undefined;
  let connected: Set<Fingerprint>;
  let dialled: string[];
  let held: Promise<void>;

  function manualPeers(addresses: string[] = []): ManualPeers {
    const host = {
      dial: async ({ host: name, port }: HostPort, expected: Fingerprint | undefined) => {
        dialled.push(`${name}:${port}${expected ? ` ${expected[0]}` : ""}`);
        await held;
        if (!answers || (expected && expected !== answers.fingerprint)) throw new Error("nobody");
        connected.add(answers.fingerprint);
        return { ...answers, host: name, port };
      },
      isConnected: (fingerprint: Fingerprint) => connected.has(fingerprint),
      close: (fingerprint: Fingerprint) => void connected.delete(fingerprint),
      changed: () => {},
    };
    return new ManualPeers(host, addresses);
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    answers = { fingerprint: BOB, peerId: "bob" };
    connected = new Set();
    dialled = [];
    held = Promise.resolve();
  });

  it("are dialled again when they are lost, and only the key that was there first is taken", async () => {
    const peers = manualPeers();
    await peers.connect("bob.example:5000");
    connected.clear();
    answers = { fingerprint: MALLORY, peerId: "bob" };
    peers.retry();
    await settled();
    assert.deepEqual(dialled, ["bob.example:5000", "bob.example:5000 b"]);
    assert.deepEqual(peers.list(), [
      { fingerprint: BOB, peerId: "bob", host: "bob.example", port: 5000, connected: false },
    ]);
  });

  it("are not dialled while they are connected", async () => {
    const peers = manualPeers();
    await peers.connect("bob.example:5000");
    peers.retry();
    assert.equal(dialled.length, 1);
  });

  it("nobody who never answered is kept, but for those of the configuration", async () => {
    answers = undefined;
    const peers = manualPeers(["nas.example:5000"]);
    await assert.rejects(peers.connect("bob.example:5000"));
    peers.retry();
    await settled();
    peers.retry();
    assert.deepEqual(dialled, ["bob.example:5000", "nas.example:5000", "nas.example:5000"]);
    assert.deepEqual(peers.list(), []);
  });

  it("a contact is dialled with its key alone", async () => {
    const peers = manualPeers();
    await assert.rejects(peers.connect(formatContact({ fingerprint: MALLORY, host: "bob.example", port: 5000 })));
    await peers.connect(formatContact({ fingerprint: BOB, host: "bob.example", port: 5000 }));
    await assert.rejects(peers.connect(formatContact({ fingerprint: BOB })), { code: "invalid-argument" });
  });

  it("one person is listed once, at the address that was dialled last", async () => {
    const peers = manualPeers();
    await peers.connect("bob.example:5000");
    await peers.connect("[2001:db8::1]:5001");
    assert.deepEqual(
      peers.list().map(({ host, port }) => [host, port]),
      [["2001:db8::1", 5001]],
    );
  });

  it("a disconnect ends it, also while it is being dialled, and also by the other side", async () => {
    const peers = manualPeers();
    await peers.connect("bob.example:5000");
    connected.clear();
    let release = () => {};
    held = new Promise((resolve) => {
      release = resolve;
    });
    peers.retry();
    peers.forget(BOB);
    release();
    await settled();
    assert.equal(connected.size, 0);
    assert.deepEqual(peers.list(), []);

    held = Promise.resolve();
    await peers.connect("bob.example:5000");
    peers.onDidClose(BOB, "stopped");
    assert.equal(peers.list().length, 1);
    peers.onDidClose(BOB, DISCONNECTED);
    assert.deepEqual(peers.list(), []);
  });

  it("are bounded", async () => {
    const peers = manualPeers(Array.from({ length: 32 }, (_, i) => `host${i}.example:5000`));
    await assert.rejects(peers.connect("bob.example:5000"), { code: "too-many" });
  });
});

describe("real peers connected by hand", function () {
  this.timeout(40_000);
  afterEach(stopSessions);

  const linkOf = (peer: TestPeer, connected: boolean) =>
    snapshotWhere(
      peer,
      `connected: ${connected}`,
      ({ manual }) => manual.length > 0 && manual[0]?.connected === connected,
    );
  const address = async ({ session }: TestPeer) => `127.0.0.1:${(await session.snapshot()).peer.port}`;

  it("find each other again when one of them restarts, and not after a disconnect", async () => {
    const bob = await startPeer("bob");
    const port = (await bob.session.snapshot()).peer.port;
    const alice = await startPeer("alice");
    const made = await alice.session.connect(await address(bob));
    assert.deepEqual([made.peerId, made.connected], ["bob", true]);
    bob.config.port = port;
    await bob.session.stop();
    await linkOf(alice, false);
    const again = await restartPeer(bob);
    await linkOf(alice, true);
    await again.session.disconnect((await alice.session.snapshot()).peer.fingerprint);
    await snapshotWhere(alice, "nobody is dialled any more", ({ manual }) => manual.length === 0);
  });

  it("by a contact refuse whoever else answers there", async () => {
    const bob = await startPeer("bob");
    const mallory = await startPeer("bob");
    const alice = await startPeer("alice");
    const { fingerprint } = (await bob.session.snapshot()).peer;
    const { port } = (await mallory.session.snapshot()).peer;
    const contact = formatContact({ fingerprint: fingerprint as Fingerprint, host: "127.0.0.1", port });
    await assert.rejects(alice.session.connect(contact), { code: "wrong-identity" });
    assert.deepEqual((await alice.session.snapshot()).manual, []);
  });
});
