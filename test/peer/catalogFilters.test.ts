import assert from "node:assert/strict";
import { NOBODY_KNOWN } from "../../src/peer/social/contacts";
import type { NetworkQuery } from "../../src/peer/status";
import { Catalog } from "../../src/peer/tracker/catalog";
import { TrackerClient } from "../../src/peer/tracker/trackerClient";
import { parseRecord, type RecordFields } from "../../src/wire/records";
import type { Fingerprint } from "../../src/wire/types";
import { FakePeer } from "../helpers/fakeCatalogPeer";
import { until } from "../helpers/until";
import { makeIdentity, makeRecord, RawPeer, startTracker, stopAll } from "../tracker/support";

const self = makeIdentity();
const clips = new Map<string, Partial<RecordFields>>([
  ["short, unknown size", { duration: 20 }],
  ["short, small", { duration: 59.5, width: 640, height: 360 }],
  ["long, large", { duration: 1_200, width: 3_840, height: 2_160 }],
  ["long, middling", { duration: 600, width: 1_280, height: 720 }],
  ["nothing known", {}],
]);

describe("Filters of the catalogue", function () {
  this.timeout(20_000);
  const disposables: (() => unknown)[] = [];

  afterEach(async () => {
    for (const dispose of disposables.splice(0).reverse()) await dispose();
    await stopAll();
  });

  function makeCatalog(friends: () => Iterable<Fingerprint> = () => []): Catalog {
    const catalog = new Catalog({
      self: { peerId: "Me", fingerprint: self.fingerprint, host: () => "127.0.0.1", port: () => 5000 },
      people: { ...NOBODY_KNOWN, friends },
    });
    disposables.push(() => catalog.dispose());
    return catalog;
  }

  async function addTracker(catalog: Catalog, port: number): Promise<TrackerClient> {
    const client = new TrackerClient({ address: `127.0.0.1:${port}`, identity: self, peerId: "Me", port: () => 5000 });
    disposables.push(() => client.stop());
    catalog.addTracker(client);
    client.start();
    assert.ok(await client.waitOnline(5_000));
    return client;
  }

  /** Titles by name, and the total, which must not count what is filtered out. */
  async function listed(catalog: Catalog, query: Partial<NetworkQuery>): Promise<string[]> {
    const { videos, total } = await catalog.query({ limit: 100, sort: "name", ...query });
    assert.equal(total, videos.length);
    return videos.map(({ title }) => title);
  }

  const records = (owner: typeof self, ownerName: string) =>
    [...clips].map(([title, change], i) => makeRecord(owner, `${ownerName} ${i}`, { title, ownerName, ...change }));

  const RULES: [string, Partial<NetworkQuery>, string[]][] = [
    ["no filter", {}, [...clips.keys()].sort()],
    ["at least a minute", { minDuration: 60 }, ["long, large", "long, middling"]],
    ["at most a minute", { maxDuration: 60 }, ["short, small", "short, unknown size"]],
    [
      "both bounds, which count themselves",
      { minDuration: 600, maxDuration: 1_200 },
      ["long, large", "long, middling"],
    ],
    ["bounds at 0 want a known duration", { minDuration: 0, maxDuration: 59 }, ["short, unknown size"]],
    ["720p and more", { minHeight: 720 }, ["long, large", "long, middling"]],
    ["together with words", { minHeight: 1, text: "short" }, ["short, small"]],
    ["nothing that fits", { minHeight: 4_320 }, []],
  ];

  for (const [source, offer] of [
    [
      "one's own",
      async (catalog: Catalog) =>
        catalog.setOwn(
          records(self, "Me").map((bytes, i) => ({ record: parseRecord(bytes, { now: Date.now() }), receivedAt: i })),
        ),
    ],
    [
      "a tracker's",
      async (catalog: Catalog) => {
        const { port } = await startTracker();
        const alice = await RawPeer.join({ port });
        await alice.publish(...records(alice.identity, "Alice"));
        await addTracker(catalog, port);
      },
    ],
    [
      "a connected peer's",
      async (catalog: Catalog) => {
        const carol = new FakePeer();
        carol.records = records(carol.identity, "Carol");
        catalog.addPeer(carol);
      },
    ],
  ] as const) {
    it(`hold for ${source} videos, in the list and in its total`, async () => {
      const catalog = makeCatalog();
      await offer(catalog);
      for (const [rule, query, expected] of RULES) assert.deepEqual(await listed(catalog, query), expected, rule);
    });
  }

  it("hold for what is known of a tracker that is away and was never asked so", async () => {
    const catalog = makeCatalog();
    const tracker = await startTracker();
    const alice = await RawPeer.join({ port: tracker.port });
    await alice.publish(...records(alice.identity, "Alice"));
    const client = await addTracker(catalog, tracker.port);
    assert.equal((await listed(catalog, {})).length, clips.size);
    await tracker.stop();
    await until("it is away", () => client.status.state === "failed");
    assert.deepEqual(await listed(catalog, { minHeight: 2_160 }), ["long, large"]);
  });

  it("tell the total of all pages, not only of the one that is shown", async () => {
    const catalog = makeCatalog();
    const { port } = await startTracker();
    const alice = await RawPeer.join({ port });
    const many = Array.from({ length: 40 }, (_, i) => makeRecord(alice.identity, i, { duration: i }));
    await alice.publish(...many);
    await addTracker(catalog, port);
    const { videos, total } = await catalog.query({ limit: 5, sort: "newest", minDuration: 10 });
    assert.deepEqual([videos.length, total], [5, 30]);
  });

  it("ask a connected peer once, whatever is filtered", async () => {
    const catalog = makeCatalog();
    const carol = new FakePeer();
    carol.records = records(carol.identity, "Carol");
    catalog.addPeer(carol);
    for (const [, query] of RULES) if (!query.text) await catalog.query({ limit: 100, ...query });
    assert.equal(carol.queries, 1);
  });

  it("show friends' videos only, and follow who is a friend", async () => {
    const friends = new Set<Fingerprint>();
    const catalog = makeCatalog(() => friends);
    const { port } = await startTracker();
    const alice = await RawPeer.join({ port });
    const bob = await RawPeer.join({ port, peerId: "Bob" });
    await alice.publish(makeRecord(alice.identity, 1, { title: "hers" }));
    await bob.publish(makeRecord(bob.identity, 2, { title: "his", ownerName: "Bob" }));
    await addTracker(catalog, port);
    assert.deepEqual(await listed(catalog, { friendsOnly: true }), [], "nobody is a friend");
    friends.add(alice.identity.fingerprint);
    assert.deepEqual(await listed(catalog, { friendsOnly: true }), ["hers"]);
    assert.deepEqual(await listed(catalog, { friendsOnly: true, owner: bob.identity.fingerprint }), []);
    assert.deepEqual(await listed(catalog, { friendsOnly: true, owner: alice.identity.fingerprint }), ["hers"]);
    friends.add(bob.identity.fingerprint);
    assert.deepEqual(await listed(catalog, { friendsOnly: true }), ["hers", "his"]);
    friends.delete(alice.identity.fingerprint);
    assert.deepEqual(await listed(catalog, { friendsOnly: true }), ["his"]);
  });

  it("ask for the videos of more friends than one question may name", async () => {
    const { port } = await startTracker();
    const alice = await RawPeer.join({ port });
    const bob = await RawPeer.join({ port, peerId: "Bob" });
    await alice.publish(
      makeRecord(alice.identity, 1, { title: "hers" }),
      makeRecord(alice.identity, 3, { title: "also" }),
    );
    await bob.publish(makeRecord(bob.identity, 2, { title: "his", ownerName: "Bob" }));
    const strangers = Array.from({ length: 450 }, (_, i) => i.toString(16).padStart(64, "0") as Fingerprint);
    const catalog = makeCatalog(() => [...strangers, alice.identity.fingerprint, bob.identity.fingerprint]);
    await addTracker(catalog, port);
    assert.deepEqual(await listed(catalog, { friendsOnly: true }), ["also", "hers", "his"]);
  });

  it("are not lost in a text that is too long to be asked for", async () => {
    const catalog = makeCatalog();
    const { port } = await startTracker();
    const alice = await RawPeer.join({ port });
    await alice.publish(...records(alice.identity, "Alice"));
    const client = await addTracker(catalog, port);
    assert.deepEqual(await listed(catalog, { text: `short ${" short".repeat(500)}`, minHeight: 1 }), ["short, small"]);
    assert.equal(client.status.state, "online");
  });
});
