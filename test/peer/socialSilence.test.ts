import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../src/peer/identity";
import { handshakeDeadline, readHandshake } from "../../src/peer/net/wireHandshake";
import { recordKeyOf } from "../../src/wire/trackerMessages";
import type { VideoId } from "../../src/wire/types";
import type { RunningTracker } from "../../tracker/runTracker";
import { befriend, grantOf, identityOf, networkWhere } from "../helpers/friends";
import { type Answer, type Knock, knock, messagesIn } from "../helpers/knock";
import { randomFile } from "../helpers/randomFile";
import { portOf, shareFile, startPeer, stopSessions, type TestPeer } from "../helpers/sessions";
import { LOOPBACK, makeIdentity, startListener, stopListener } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";
import { RawPeer, startTracker, stopAll } from "../tracker/support";

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
/** Pairs of knocks whose times are compared by their medians; on an idle machine these differ by 0.03 ms. */
const ROUNDS = 41;
/** A busy machine is given another chance: what differs by itself differs each time. */
const TRIES = 4;
const TOLERANCE_MS = 0.5;

const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;

describe("what strangers get of a video for friends", function () {
  this.timeout(90_000);
  let tracker: RunningTracker;
  let address: string;
  let owner: TestPeer;
  let holder: TestPeer;
  let ownerKey: Identity;
  let holderKey: Identity;
  let stranger: Identity;
  let id: string;
  let otherId: string;
  let link: string;
  const unknown = randomBytes(32).toString("hex");

  before(async () => {
    tracker = await startTracker();
    address = `${LOOPBACK}:${tracker.port}`;
    owner = await startPeer("alice", { trackers: [address] });
    holder = await startPeer("bob", { trackers: [address] });
    [ownerKey, holderKey, stranger] = [await identityOf(owner), await identityOf(holder), await makeIdentity()];
    await befriend(owner, holder);
    const folder = tempDir();
    ({ id, link } = await shareFile(owner, await randomFile(join(folder, "a.mp4"), 2 * MIB, 1), "friends"));
    ({ id: otherId } = await shareFile(owner, await randomFile(join(folder, "b.mp4"), MIB, 2), "friends"));
    await networkWhere(holder, "the friend sees them", (videos) => videos.length === 2);
    const { key } = await holder.session.download({ source: id });
    await holder.session.downloadResult(key);
  });
  after(async () => {
    await stopSessions();
    await stopAll();
  });

  function isSilence(answer: Answer, what = ""): void {
    assert.equal(answer.bytes.length, 0, what);
    assert.ok(answer.closedAfterMs !== undefined, `it is closed: ${what}`);
  }

  /** How much longer, in milliseconds, a closing takes for this id than for one that does not exist. */
  async function timeBetween(port: number, how: Omit<Knock, "id">): Promise<number> {
    const times: Record<string, number[]> = { [id]: [], [unknown]: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const asked of round % 2 ? [id, unknown] : [unknown, id]) {
        const answer = await knock(port, { ...how, id: asked });
        isSilence(answer);
        times[asked]!.push(answer.closedAfterMs!);
      }
    }
    return median(times[id]!) - median(times[unknown]!);
  }

  it("is the same silence as of an unknown id, whatever grant they show: none, another's, forged, expired, of another video", async () => {
    const forgery = grantOf(stranger, id, stranger.fingerprint);
    const tampered = Uint8Array.from(grantOf(ownerKey, id, stranger.fingerprint));
    tampered[tampered.length - 8]! ^= 1;
    const grants: Record<string, Uint8Array | undefined> = {
      none: undefined,
      "replayed: made out to the friend": grantOf(ownerKey, id, holderKey.fingerprint),
      "signed by oneself": forgery,
      "with a broken signature": tampered,
      "of another video": grantOf(ownerKey, otherId, stranger.fingerprint),
      expired: grantOf(ownerKey, id, stranger.fingerprint, Date.now() - 1000),
      "good for too long": grantOf(ownerKey, id, stranger.fingerprint, Date.now() + 30 * 24 * HOUR_MS),
      nonsense: Buffer.from("d5:granti1ee"),
      "of the friend's making": grantOf(holderKey, id, stranger.fingerprint),
    };
    for (const peer of [owner, holder]) {
      const port = await portOf(peer);
      for (const [what, grant] of Object.entries(grants)) {
        for (const asked of [id, unknown]) {
          const answer = await knock(port, { identity: stranger, id: asked, ...(grant ? { grant } : {}) });
          isSilence(answer, `${what} at ${peer.config.peerId}`);
        }
      }
    }
  });

  it("is silence at the owner even with a grant, where they are no friends (any more); other holders go by the grant", async () => {
    const grant = grantOf(ownerKey, id, stranger.fingerprint);
    isSilence(await knock(await portOf(owner), { identity: stranger, id, grant }));
    const { bytes, closedAfterMs } = await knock(await portOf(holder), { identity: stranger, id, grant }, 1_000);
    assert.equal(closedAfterMs, undefined);
    const types = messagesIn(bytes).map(({ type }) => type);
    assert.ok(types.includes("bitfield") && types.includes("piece"), types.join());
  });

  it("takes the same time as for an unknown id, with a grant and without", async () => {
    const good = grantOf(ownerKey, id, holderKey.fingerprint);
    for (const grant of [undefined, good]) {
      for (const peer of [owner, holder]) {
        const port = await portOf(peer);
        const differences: number[] = [];
        while (differences.length < TRIES && !differences.some((ms) => Math.abs(ms) < TOLERANCE_MS)) {
          differences.push(await timeBetween(port, { identity: stranger, ...(grant ? { grant } : {}) }));
        }
        assert.ok(Math.abs(differences.at(-1)!) < TOLERANCE_MS, `${differences} ms at ${peer.config.peerId}`);
      }
    }
  });

  it("is nothing while they have not shown what they have: an unknown id is waited on just as long", async () => {
    for (const asked of [id, unknown]) {
      const answer = await knock(await portOf(owner), { identity: stranger, id: asked, half: true }, 700);
      assert.deepEqual(answer, { bytes: Buffer.alloc(0), closedAfterMs: undefined });
    }
  });

  it("is nothing over plain BitTorrent, by v2 or v1 hash, with a grant or without", async () => {
    const library = readFileSync(join(owner.config.dataDir, "library.json"), "utf8");
    const v1 = new RegExp(`"id":"${id}","v1":"([0-9a-f]{40})"`).exec(library)?.[1];
    assert.ok(v1, "the v1 hash is in the library");
    const grant = grantOf(ownerKey, id, holderKey.fingerprint);
    for (const peer of [owner, holder]) {
      for (const asked of [id, v1, unknown]) {
        const how: Knock = { id: asked.padEnd(64, "0"), grant };
        isSilence(await knock(await portOf(peer), how));
      }
    }
  });

  it("is no word at the tracker: not listed, no record, no source, no swarm, and nobody calls back", async () => {
    const raw = await RawPeer.join({ port: tracker.port, peerId: "mallory" });
    assert.deepEqual((await raw.list()).rows, []);
    assert.deepEqual((await raw.list({ ids: [id as VideoId] })).rows, []);
    const key = recordKeyOf(ownerKey.fingerprint, id as VideoId);
    const records = await raw.ask({ type: "records", keys: [key] });
    assert.deepEqual("records" in records ? records.records : [], []);
    for (const hash of [id, id.slice(0, 40)]) assert.deepEqual(await raw.sourcesOf(hash), []);
    raw.terminate();
  });

  it("is no video in the list of the owner or of a friend who holds it, and an error by id or link", async () => {
    const mallory = await startPeer("mallory", { trackers: [address] });
    for (const peer of [owner, holder]) await mallory.session.connect(`${LOOPBACK}:${await portOf(peer)}`);
    await mallory.session.refresh();
    assert.deepEqual((await mallory.session.queryNetwork({ limit: 100 })).videos, []);
    await assert.rejects(mallory.session.download({ source: id }), { code: "unknown-video" });
    await assert.rejects(mallory.session.download({ source: link }), { code: "unknown-video" });
    assert.deepEqual((await mallory.session.snapshot()).videos, []);
    // A link from before it was for friends, or one without the word that it is: as if its owner had nothing.
    const plain = link.replace("&a=friends", "");
    const { key } = await mallory.session.download({ source: plain });
    await assert.rejects(mallory.session.downloadResult(key), { code: "unknown-video" });
    const [video] = (await mallory.session.snapshot()).videos;
    assert.equal(video!.bytesDone, 0);
    await mallory.session.stop();
  });

  it("is nothing on a call back through a tracker", async () => {
    const identity = await makeIdentity();
    const eve = await startListener(identity);
    const raw = await RawPeer.join({ port: tracker.port, peerId: "eve", listenPort: eve.port, identity });
    const everyone = await shareFile(owner, await randomFile(join(tempDir(), "open.mp4"), MIB, 3));
    for (const asked of [id, everyone.id]) {
      const answer = await raw.ask({ type: "callback", to: ownerKey.fingerprint, id: asked as VideoId });
      assert.equal(answer.type, "done");
    }
    await until("the owner calls back for the other video", () => eve.wire.length > 0);
    const { infoHash20 } = await readHandshake(eve.wire[0]!.socket, handshakeDeadline());
    assert.equal(Buffer.from(infoHash20).toString("hex"), everyone.id.slice(0, 40));
    assert.equal(eve.wire.length, 1);
    raw.terminate();
    await stopListener(eve);
  });
});
