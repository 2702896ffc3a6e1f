import assert from "node:assert/strict";
import { get } from "node:http";
import { type BDict, decode } from "../../src/wire/bencode";
import { Announcer } from "../../tracker/announce";
import { systemClock } from "../../tracker/clock";
import { Directory } from "../../tracker/directory";
import { DEFAULT_LIMITS } from "../../tracker/limits";
import { MemoryStore } from "../../tracker/memoryStore";
import { forgetfulNames, NameBook } from "../../tracker/nameBook";
import type { RunningTracker } from "../../tracker/runTracker";
import { makeIdentity, makeRecord, RawPeer, startTracker, stopAll, v1Hash, videoId } from "./support";

const PUBLIC = { audience: "public" } as const;
const v2Short = (seed: string | number) => videoId(seed).slice(0, 40);

/** As clients write it: every byte in percent-encoding. */
function percent(hex: string): string {
  return hex.replace(/../g, "%$&");
}

function peerId(letter: string): string {
  return percent(Buffer.from(letter.repeat(20)).toString("hex"));
}

interface Reply {
  status: number;
  body: Buffer;
}

function request(port: number, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    }).on("error", reject);
  });
}

const textOf = (dict: BDict, key: string) => Buffer.from(dict.get(key) as Uint8Array).toString();

/** Addresses of a compact list (BEP 23). */
function addresses(dict: BDict): string[] {
  const bytes = Buffer.from(dict.get("peers") as Uint8Array);
  assert.equal(bytes.length % 6, 0);
  return Array.from({ length: bytes.length / 6 }, (_, i) => {
    const at = i * 6;
    return `${bytes.subarray(at, at + 4).join(".")}:${bytes.readUInt16BE(at + 4)}`;
  }).sort();
}

describe("the tracker for ordinary BitTorrent clients", () => {
  let tracker: RunningTracker;
  let alice: RawPeer;

  const dictOf = async (path: string, headers?: Record<string, string>): Promise<BDict> => {
    const { status, body } = await request(tracker.port, path, headers);
    assert.equal(status, 200, body.toString());
    const dict = decode(body);
    assert.ok(dict instanceof Map);
    return dict;
  };
  const announce = (hash: string, letter: string, port: number, more = ""): Promise<BDict> =>
    dictOf(`/announce?info_hash=${percent(hash)}&peer_id=${peerId(letter)}&port=${port}&left=9${more}`);
  const scrape = async (...hashes: string[]): Promise<Record<string, unknown>> => {
    const files = (await dictOf(`/scrape?${hashes.map((hash) => `info_hash=${percent(hash)}`).join("&")}`)).get(
      "files",
    );
    return Object.fromEntries(
      [...(files as BDict)].map(([key, value]) => [
        Buffer.from(key, "latin1").toString("hex"),
        Object.fromEntries(value as BDict),
      ]),
    );
  };

  beforeEach(async () => {
    tracker = await startTracker();
    const identity = makeIdentity();
    alice = await RawPeer.join({ port: tracker.port, identity, listenPort: 5001 });
    await alice.publish(makeRecord(identity, 1, PUBLIC), makeRecord(identity, 2));
    await alice.announce({ have: [videoId(1), videoId(2)], complete: true });
  });
  afterEach(stopAll);

  it("names the Streamlet peers that hold a public video, and the clients that came before, never oneself", async () => {
    assert.deepEqual(addresses(await announce(v1Hash(1), "a", 7001)), ["127.0.0.1:5001"]);
    assert.deepEqual(addresses(await announce(v1Hash(1), "b", 7002)), ["127.0.0.1:5001", "127.0.0.1:7001"]);
    assert.deepEqual(addresses(await announce(v1Hash(1), "a", 7001)), ["127.0.0.1:5001", "127.0.0.1:7002"]);
  });

  it("makes one swarm of the v1 hash and of the v2 hash", async () => {
    await announce(v1Hash(1), "a", 7001);
    assert.deepEqual(addresses(await announce(v2Short(1), "b", 7002)), ["127.0.0.1:5001", "127.0.0.1:7001"]);
    assert.deepEqual(addresses(await announce(v1Hash(1), "c", 7003)), [
      "127.0.0.1:5001",
      "127.0.0.1:7001",
      "127.0.0.1:7002",
    ]);
  });

  it("tells Streamlet peers of the clients of a public video, by any of its hashes", async () => {
    await announce(v1Hash(1), "a", 7001);
    for (const hash of [videoId(1), v2Short(1), v1Hash(1)]) {
      const { plain } = await alice.get({ type: "peers", hash, limit: 50 }, "peers");
      assert.deepEqual(plain, [{ host: "127.0.0.1", port: 7001 }], hash);
    }
  });

  it("answers for a video that is not public as for one that does not exist", async () => {
    const unknown = await announce(v1Hash(99), "a", 7001);
    assert.match(textOf(unknown, "failure reason"), /Public/);
    for (const hash of [v1Hash(2), v2Short(2)]) assert.deepEqual(await announce(hash, "a", 7001), unknown);
    assert.deepEqual(await scrape(v1Hash(2), v1Hash(99)), {});
  });

  it("stops at once when the owner takes a video back or narrows its audience", async () => {
    const { identity } = alice;
    await announce(v1Hash(1), "a", 7001);
    await alice.publish(makeRecord(identity, 1, { sequence: 2 }));
    assert.ok((await announce(v1Hash(1), "a", 7001)).has("failure reason"));
    const { plain } = await alice.get({ type: "peers", hash: videoId(1), limit: 50 }, "peers");
    assert.equal(plain, undefined);
  });

  it("forgets who says stopped, and counts who is whole and who has become so", async () => {
    await announce(v1Hash(1), "a", 7001);
    await announce(v1Hash(1), "b", 7002, "&event=started");
    assert.deepEqual(await scrape(v1Hash(1)), { [v1Hash(1)]: { complete: 1, downloaded: 0, incomplete: 2 } });
    await dictOf(`/announce?info_hash=${percent(v1Hash(1))}&peer_id=${peerId("a")}&port=7001&left=0&event=completed`);
    await announce(v1Hash(1), "b", 7002, "&event=stopped");
    assert.deepEqual(await scrape(v2Short(1)), { [v2Short(1)]: { complete: 2, downloaded: 1, incomplete: 0 } });
    assert.deepEqual(addresses(await announce(v1Hash(1), "c", 7003)), ["127.0.0.1:5001", "127.0.0.1:7001"]);
  });

  it("takes a client at the address that it comes from, whatever ip it names", async () => {
    await announce(v1Hash(1), "a", 7001, "&ip=192.0.2.66&ipv4=192.0.2.66");
    assert.deepEqual(addresses(await announce(v1Hash(1), "b", 7002)), ["127.0.0.1:5001", "127.0.0.1:7001"]);
  });

  it("gives at most as many peers as are asked for, and dictionaries where they are asked for", async () => {
    await announce(v1Hash(1), "a", 7001);
    assert.equal(addresses(await announce(v1Hash(1), "b", 7002, "&numwant=1")).length, 1);
    assert.equal(addresses(await announce(v1Hash(1), "b", 7002, "&numwant=0")).length, 0);
    const list = (await announce(v1Hash(1), "b", 7002, "&compact=0")).get("peers") as BDict[];
    const client = list.find((peer) => peer.get("port") === 7001);
    assert.ok(client);
    assert.equal(textOf(client, "ip"), "127.0.0.1");
    assert.equal(textOf(client, "peer id"), "a".repeat(20));
  });

  it("says in bencoding what is wrong with a request", async () => {
    const hash = `info_hash=${percent(v1Hash(1))}`;
    const me = `peer_id=${peerId("a")}`;
    for (const query of [
      "",
      `${hash}&${me}`,
      `${hash}&${me}&port=0`,
      `${hash}&${me}&port=70000`,
      `${hash}&peer_id=short&port=1`,
      `info_hash=%zz&${me}&port=1`,
      `info_hash=${percent(v1Hash(1)).slice(3)}&${me}&port=1`,
    ]) {
      assert.ok((await dictOf(`/announce?${query}`)).has("failure reason"), query);
    }
    assert.ok((await dictOf("/scrape")).has("failure reason"));
    const many = Array.from({ length: 75 }, (_, n) => `info_hash=${percent(v1Hash(n))}`).join("&");
    assert.ok((await dictOf(`/scrape?${many}`)).has("failure reason"));
    assert.equal((await request(tracker.port, `/announce?${"x".repeat(9_000)}`)).status, 414);
  });

  it("keeps web pages out, and those without its access token", async () => {
    const path = `/announce?info_hash=${percent(v1Hash(1))}&peer_id=${peerId("a")}&port=7001`;
    assert.equal((await request(tracker.port, path, { Origin: "https://example.org" })).status, 403);
    const closed = await startTracker({ accessToken: "se cret" });
    assert.equal((await request(closed.port, path)).status, 401);
    assert.equal((await request(closed.port, `/announce?token=wrong&${path.split("?")[1]}`)).status, 401);
    assert.equal((await request(closed.port, `/announce?token=se%20cret&${path.split("?")[1]}`)).status, 200);
  });

  it("counts each torrent of a scrape as a request", async () => {
    const requestRatePerAddress = { burst: 10, perSecond: 0.001 };
    const strict = await startTracker({ limits: { exemptLoopback: false, requestRatePerAddress } });
    const path = `/scrape?${Array.from({ length: 8 }, (_, n) => `info_hash=${percent(v1Hash(n))}`).join("&")}`;
    assert.equal((await request(strict.port, path)).status, 200);
    assert.equal((await request(strict.port, path)).status, 429);
  });

  it("leaves the WebSocket where it is", async () => {
    assert.equal((await request(tracker.port, "/")).status, 426);
    assert.equal((await request(tracker.port, "/announce/x")).status, 426);
  });

  it("tells somebody elsewhere the address by which this machine was reached, and IPv6 addresses in BEP 7's form", async () => {
    const clock = systemClock;
    const store = new MemoryStore(await NameBook.open(forgetfulNames, 10), clock, DEFAULT_LIMITS);
    const owner = makeIdentity();
    const record = { ...PUBLIC, id: videoId(1), v1: v1Hash(1) };
    await store.openSession({
      session: "s",
      fingerprint: owner.fingerprint,
      peerId: "A",
      host: "127.0.0.1",
      port: 5001,
      onlineSince: 0,
    });
    const bytes = makeRecord(owner, 1, record);
    const directory = new Directory({ store, clock, limits: DEFAULT_LIMITS, publicAddresses: [] });
    const info = (await store.findSession(owner.fingerprint))!;
    const member = { info, host: "127.0.0.1", localHost: "127.0.0.1", dialledHost: "localhost" };
    await directory.publish(member, [Buffer.from(bytes).toString("base64")], false);
    await store.announce("s", { have: [videoId(1)], want: [], gone: [], complete: true });
    const announcer = new Announcer(store, () => clock.now());
    const ask = async (host: string, dialledHost: string) => {
      const query = `info_hash=${percent(v1Hash(1))}&peer_id=${peerId("b")}&port=9&left=0`;
      return decode(await announcer.announce(query, { host, localHost: "192.0.2.1", dialledHost })) as BDict;
    };
    assert.deepEqual(addresses(await ask("2001:db8::5", "192.0.2.7")), ["192.0.2.7:5001"]);
    // A name cannot be told in a compact answer.
    const second = await ask("198.51.100.9", "tracker.example");
    assert.deepEqual(addresses(second), ["192.0.2.1:5001"]);
    assert.equal(
      Buffer.from(second.get("peers6") as Uint8Array).toString("hex"),
      "20010db8000000000000000000000005" + "0009",
    );
  });
});
