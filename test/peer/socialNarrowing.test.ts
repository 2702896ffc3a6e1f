import assert from "node:assert/strict";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { ControlConnection } from "../../src/peer/net/controlConnection";
import { encodeExtendedHandshake } from "../../src/wire/extensions";
import { encodeHandshake } from "../../src/wire/handshake";
import { encodeMessage } from "../../src/wire/messages";
import { befriend, fingerprintOf, grantOf, identityOf, networkWhere } from "../helpers/friends";
import { firstFlight, knock, messagesIn, open } from "../helpers/knock";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import {
  NO_LIMITS,
  portOf,
  restartPeer,
  shareFile,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { LOOPBACK, makeIdentity, startListener, stopListener } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";

const MIB = 1024 * 1024;
const SIZE = 6 * MIB;

/** Starts a slow download and waits until something of it has come, and not all. */
async function halfWay(peer: TestPeer, source: string): Promise<string> {
  const { key } = await peer.session.download({ source });
  await videoWhere(peer, "the download is under way", (v) => v.key === key && v.bytesDone > 0);
  return key;
}

/** Resolves when nothing gives to this download any more; it must not be whole. */
async function isCut(peer: TestPeer, key: string): Promise<void> {
  const { bytesDone, size, state } = await videoWhere(peer, "nobody gives", (v) => v.key === key && v.peers === 0);
  assert.ok(bytesDone < size && state === "downloading", `${bytesDone} of ${size}, ${state}`);
}

describe("a video for friends, while it is under way,", function () {
  this.timeout(60_000);
  let file: string;
  let sha256: string;

  before(async () => {
    file = await randomFile(join(tempDir(), "secret.mp4"), SIZE, 91);
    sha256 = await sha256OfFile(file);
  });
  afterEach(stopSessions);

  it("stops when the friendship ends, survives a restart, and goes on by itself when they are friends again", async () => {
    const alice = await startPeer("alice", { uploadLimit: MIB });
    let bob = await startPeer("bob");
    await befriend(alice, bob);
    const { id } = await shareFile(alice, file, "friends");
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    const key = await halfWay(bob, id);
    await alice.session.removeFriend(await fingerprintOf(bob));
    await isCut(bob, key);
    await networkWhere(bob, "bob does not see it any more", (videos) => videos.length === 0);
    bob = await restartPeer(bob);
    await isCut(bob, key);
    await alice.session.setLimits(NO_LIMITS);
    await alice.session.addFriend(await fingerprintOf(bob));
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), sha256);
  });

  it("is cut for strangers at once when it becomes one for friends only; friends go on", async () => {
    const alice = await startPeer("alice", { uploadLimit: MIB });
    const bob = await startPeer("bob");
    const eve = await startPeer("eve");
    await befriend(alice, bob);
    const { key, id, link } = await shareFile(alice, file);
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    const [friends, strangers] = [await halfWay(bob, id), await halfWay(eve, link)];
    await alice.session.share(key, "friends");
    await isCut(eve, strangers);
    await alice.session.setLimits(NO_LIMITS);
    const { path } = await bob.session.downloadResult(friends);
    assert.equal(await sha256OfFile(path), sha256);
    assert.equal((await bob.session.snapshot()).videos[0]!.audience, "friends");
    await isCut(eve, strangers);
    await alice.session.share(key, "everyone");
    await eve.session.downloadResult(strangers);
  });

  it("ends with the grant: a connection is closed when what it was opened with expires", async () => {
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    await befriend(alice, bob);
    const { id } = await shareFile(alice, file, "friends");
    const [owner, identity] = [await identityOf(alice), await identityOf(bob)];
    const expires = Date.now() + 3_000;
    const grant = grantOf(owner, id, identity.fingerprint, expires);
    const { bytes, closedAfterMs } = await knock(await portOf(alice), { identity, id, grant }, 10_000);
    assert.ok(messagesIn(bytes).some(({ type }) => type === "piece"));
    assert.ok(closedAfterMs !== undefined && Date.now() >= expires - 50 && closedAfterMs < 6_000, `${closedAfterMs}`);
  });

  it("is not given any more to somebody who is blocked, although they hold a grant", async () => {
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    await befriend(alice, bob);
    const { id } = await shareFile(alice, file, "friends");
    const [owner, identity] = [await identityOf(alice), await identityOf(bob)];
    const grant = grantOf(owner, id, identity.fingerprint, Date.now() + 60_000);
    const socket = await open(await portOf(alice), identity);
    let received = 0;
    let isClosed = false;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.on("close", () => {
      isClosed = true;
    });
    socket.write(firstFlight({ id, grant }));
    await until("something comes", () => received > 16_384);
    await alice.session.block(identity.fingerprint);
    await until("it is closed", () => isClosed);
    const after = await knock(await portOf(alice), { identity, id, grant });
    assert.equal(after.bytes.length, 0);
    assert.ok(after.closedAfterMs !== undefined);
  });
});

describe("a connection that was dialled for a video for friends", function () {
  this.timeout(60_000);
  afterEach(stopSessions);

  it("gives nothing, not even what is here, before the other side has shown a grant; then everything", async () => {
    const alice = await startPeer("alice", { uploadLimit: MIB / 2 });
    const bob = await startPeer("bob");
    await befriend(alice, bob);
    const owner = await identityOf(alice);
    const { id } = await shareFile(alice, await randomFile(join(tempDir(), "secret.mp4"), SIZE, 92), "friends");
    const carol = await makeIdentity();
    const listener = await startListener(carol, {
      onControl: (socket, remote) => {
        const control = {
          hello: () => ({ peerId: "carol", port: listener.port }),
          catalog: () => ({ records: [], total: 0 }),
        };
        void ControlConnection.accept(socket, remote, { identity: carol, control });
      },
    });
    await bob.session.addFriend(`${carol.fingerprint}@${LOOPBACK}:${listener.port}`);
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    const key = await halfWay(bob, id);
    await until("bob asks carol as well", () => listener.wire.length > 0);
    const { socket } = listener.wire[0]!;

    const received = collect(socket);
    const answer = (grant: Uint8Array) => {
      const payload = encodeExtendedHandshake({ m: { ut_metadata: 1 }, st_grant: grant });
      socket.write(encodeMessage({ type: "extended", id: 0, payload }));
    };
    socket.write(
      encodeHandshake({
        infoHash20: Buffer.from(id, "hex").subarray(0, 20),
        peerId20: Buffer.alloc(20, 7),
        reserved: { extended: true, fast: true, v2: true },
      }),
    );
    answer(grantOf(owner, id, await fingerprintOf(bob), Date.now() + 60_000)); // somebody else's
    for (const message of [
      encodeMessage({ type: "haveNone" }),
      encodeMessage({ type: "interested" }),
      encodeMessage({ type: "request", piece: 0, begin: 0, length: 16_384 }),
      encodeMessage({ type: "extended", id: 1, payload: Buffer.from("d8:msg_typei0e5:piecei0ee") }),
    ]) {
      socket.write(message);
    }
    await until("the request is rejected", () => received().some(({ type }) => type === "reject"));
    await videoWhere(bob, "more has come", (v) => v.key === key && v.bytesDone > 2 * MIB);
    const types = new Set(received().map(({ type }) => type));
    for (const type of ["bitfield", "have", "haveAll", "unchoke", "piece", "hashes"]) {
      assert.ok(!types.has(type as never), `${type} went to somebody without a grant`);
    }
    const [hello] = received().filter((m) => m.type === "extended");
    assert.ok(hello?.type === "extended" && Buffer.from(hello.payload).includes("st_grant"));
    assert.ok(!Buffer.from(hello.payload).includes("metadata_size"));
    socket.destroy();

    await until("bob dials again", () => listener.wire.length > 1);
    const again = listener.wire[1]!.socket;
    const then = collect(again);
    again.write(
      encodeHandshake({
        infoHash20: Buffer.from(id, "hex").subarray(0, 20),
        peerId20: Buffer.alloc(20, 7),
        reserved: { extended: true, fast: true, v2: true },
      }),
    );
    const grant = grantOf(owner, id, carol.fingerprint, Date.now() + 60_000);
    again.write(
      encodeMessage({
        type: "extended",
        id: 0,
        payload: encodeExtendedHandshake({ m: { ut_metadata: 1 }, st_grant: grant }),
      }),
    );
    again.write(encodeMessage({ type: "haveNone" }));
    again.write(encodeMessage({ type: "interested" }));
    await until("bob says what he has, and serves", () => {
      const types = then().map(({ type }) => type);
      return types.includes("bitfield") && types.includes("unchoke");
    });
    await stopListener(listener);
  });

  /** What has come so far, handshake aside. */
  function collect(socket: TLSSocket): () => ReturnType<typeof messagesIn> {
    const chunks: Buffer[] = [];
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    return () => {
      const bytes = Buffer.concat(chunks);
      return bytes.length > 68 ? messagesIn(bytes) : [];
    };
  }
});
