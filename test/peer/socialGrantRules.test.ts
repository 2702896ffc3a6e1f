import assert from "node:assert/strict";
import {
  GRANT_LIFETIME_MS,
  GRANT_RENEW_BEFORE_MS,
  GrantIssuer,
  grantFits,
  HeldGrants,
} from "../../src/peer/social/grants";
import { Catalog, type CatalogPeer } from "../../src/peer/tracker/catalog";
import { TrackerClient } from "../../src/peer/tracker/trackerClient";
import { MAX_GRANT_LIFETIME_MS } from "../../src/wire/constants";
import { parseGrant, signGrant } from "../../src/wire/records";
import type { VideoId } from "../../src/wire/types";
import { makeIdentity as makeFullIdentity } from "../helpers/sockets";
import {
  makeIdentity,
  makeRecord,
  RawPeer,
  startTracker,
  stopAll,
  type TestIdentity,
  videoId,
} from "../tracker/support";

const self = makeIdentity();
const alice = makeIdentity();
const mallory = makeIdentity();
const id = videoId(1);

function grant(owner: TestIdentity, to: TestIdentity, change: { id?: VideoId; expires?: number } = {}): Uint8Array {
  const fields = { id, grantee: to.fingerprint, expires: Date.now() + 3_600_000, ...change };
  return signGrant(fields, owner.privateKey, owner.spki);
}

describe("grants that an owner makes out", () => {
  it("live long enough for a weekend, and are the same until half of that is over", async () => {
    const owner = await makeFullIdentity();
    let now = Date.now();
    const issuer = new GrantIssuer(owner, () => now);
    const first = issuer.grantFor(id, self.fingerprint);
    const { expires, ...terms } = parseGrant(first, { now });
    assert.equal(expires, now + GRANT_LIFETIME_MS);
    assert.ok(GRANT_LIFETIME_MS >= 48 * 3_600_000 && 2 * GRANT_LIFETIME_MS < MAX_GRANT_LIFETIME_MS);
    assert.ok(grantFits({ ...terms, expires }, { id, owner: owner.fingerprint, grantee: self.fingerprint, now }));
    now += GRANT_LIFETIME_MS - GRANT_RENEW_BEFORE_MS - 1;
    assert.equal(issuer.grantFor(id, self.fingerprint), first);
    now += 1;
    const renewed = issuer.grantFor(id, self.fingerprint);
    assert.equal(parseGrant(renewed, { now }).expires, now + GRANT_LIFETIME_MS);
    assert.notEqual(issuer.grantFor(id, alice.fingerprint), renewed);
  });
});

describe("a grant that is shown", () => {
  it("is good for one video of one owner, one person, and until it expires", () => {
    const now = Date.now();
    const shown = parseGrant(grant(alice, self), { now });
    const terms = { id, owner: alice.fingerprint, grantee: self.fingerprint, now };
    assert.equal(grantFits(shown, terms), true);
    assert.equal(grantFits(undefined, terms), false);
    assert.equal(grantFits(shown, { ...terms, id: videoId(2) }), false);
    assert.equal(grantFits(shown, { ...terms, owner: mallory.fingerprint }), false);
    assert.equal(grantFits(shown, { ...terms, grantee: mallory.fingerprint }), false);
    assert.equal(grantFits(shown, { ...terms, now: shown.expires }), false);
  });
});

describe("grants that one was given", () => {
  it("are kept when their owner has sent them, for oneself, and the one that lives longest counts", async () => {
    let now = Date.now();
    const taken: number[] = [];
    const held = new HeldGrants(
      self.fingerprint,
      () => now,
      ({ grant: { expires } }) => taken.push(expires - now),
    );
    const [short, long] = [1_000, 5_000].map((ms) => grant(alice, self, { expires: now + ms }));
    await held.takeAll(
      [
        short!,
        long!,
        short!,
        grant(alice, mallory),
        grant(mallory, self),
        Buffer.from("nonsense"),
        grant(alice, self, { expires: now - 1 }),
      ],
      alice.fingerprint,
    );
    assert.deepEqual(taken, [1_000, 5_000]);
    assert.deepEqual(held.get(alice.fingerprint, id)!.bytes, long);
    assert.equal(held.get(mallory.fingerprint, id), undefined);
    now += 5_000;
    assert.equal(held.get(alice.fingerprint, id), undefined);
  });
});

describe("records of videos for friends", () => {
  afterEach(stopAll);

  /** A connected peer that shows these. */
  function peerThat(identity: TestIdentity, records: Uint8Array[], grants: Uint8Array[]): CatalogPeer {
    return {
      peer: { peerId: "them", fingerprint: identity.fingerprint, host: "192.0.2.1", port: 5000 },
      queryCatalog: async () => ({ records, grants, total: records.length }),
      onDidChangeCatalog: () => () => undefined,
    };
  }

  function listed(peer: CatalogPeer): { ids: Promise<VideoId[]>; catalog: Catalog } {
    const catalog = new Catalog({
      self: { peerId: "Me", fingerprint: self.fingerprint, host: () => "127.0.0.1", port: () => 5000 },
    });
    catalog.addPeer(peer);
    const ids = catalog.query({ limit: 10 }).then(({ videos }) => videos.map((video) => video.id));
    return { ids, catalog };
  }

  it("are believed from their owner with a grant, and from nobody else, whatever grants are shown with them", async () => {
    const record = makeRecord(alice, 1, { audience: "friends" });
    const good = listed(peerThat(alice, [record], [grant(alice, self)]));
    assert.deepEqual(await good.ids, [id]);
    assert.equal((await good.catalog.recordsOf(id)).length, 1);
    const bad: [string, CatalogPeer][] = [
      ["without a grant", peerThat(alice, [record], [])],
      ["with a grant for somebody else", peerThat(alice, [record], [grant(alice, mallory)])],
      ["with a grant for another video", peerThat(alice, [record], [grant(alice, self, { id: videoId(2) })])],
      ["with an expired grant", peerThat(alice, [record], [grant(alice, self, { expires: Date.now() - 1 })])],
      ["with a grant of another key", peerThat(alice, [record], [grant(mallory, self)])],
      ["from somebody else, who shows the owner's grant", peerThat(mallory, [record], [grant(alice, self)])],
      ["from somebody else, with a grant of theirs", peerThat(mallory, [record], [grant(mallory, self)])],
    ];
    for (const [what, peer] of bad) {
      const { ids, catalog } = listed(peer);
      assert.deepEqual(await ids, [], what);
      assert.deepEqual(catalog.recordsAtHand(id), [], what);
    }
  });

  it("of a stranger keep nobody from asking the other peers, and are told to no tracker", async () => {
    const claim = makeRecord(mallory, 1, { audience: "friends" });
    const { ids, catalog } = listed(peerThat(mallory, [claim], [grant(mallory, self)]));
    assert.deepEqual(await ids, [id]);
    const ownersOf = async () => (await catalog.recordsOf(id)).map(({ owner }) => owner);
    const { port } = await startTracker();
    const client = new TrackerClient({ address: `127.0.0.1:${port}`, identity: self, peerId: "Me", port: () => 0 });
    catalog.addTracker(client);
    client.start();
    assert.ok(await client.waitOnline(5_000));
    const asked: unknown[] = [];
    const ask = client.query.bind(client);
    client.query = (query) => {
      asked.push(query.ids);
      return ask(query);
    };
    assert.deepEqual(await ownersOf(), [mallory.fingerprint]);
    catalog.addPeer(peerThat(alice, [makeRecord(alice, 1, { audience: "public" })], []));
    assert.deepEqual((await ownersOf()).sort(), [alice.fingerprint, mallory.fingerprint].sort());
    assert.deepEqual(asked, []);
    catalog.dispose();
    await client.stop();
  });

  it("are not taken by a tracker", async () => {
    const tracker = await startTracker();

    const raw = await RawPeer.join({ port: tracker.port, identity: alice });
    const [result] = await raw.publish(makeRecord(alice, 1, { audience: "friends" }));
    assert.ok(result && "error" in result && result.error);
    assert.deepEqual((await raw.list()).rows, []);
    raw.terminate();
  });
});
