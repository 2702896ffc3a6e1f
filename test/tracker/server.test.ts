import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { MAX_PEER_FRAME_BYTES } from "../../src/wire/trackerMessages";
import { until } from "../helpers/until";
import { base64, HOUR_MS, makeIdentity, makeRecord, RawPeer, startTracker, stopAll, v1Hash, videoId } from "./support";

const statusOf = (port: number, suffix = "", headers: Record<string, string> = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${suffix}`, { headers });
    socket.on("unexpected-response", (_, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on("open", () => {
      resolve(101);
      socket.terminate();
    });
    socket.on("error", reject);
  });

describe("A tracker", () => {
  afterEach(stopAll);

  describe("asks who somebody is, and", () => {
    it("knows whoever proves a key, with the address that it sees", async () => {
      const { port } = await startTracker();
      const alice = RawPeer.dial({ port });
      await alice.hello();
      const welcome = await alice.next("welcome");
      assert.equal(welcome.peerId, "Alice");
      assert.equal(welcome.host, "127.0.0.1");
      assert.ok(Math.abs(welcome.time - Date.now()) < 5_000);
      const listed = await alice.get({ type: "directory", query: { limit: 10 } }, "directory");
      assert.deepEqual(
        listed.peers.map(({ peerId, fingerprint, host, port }) => ({ peerId, fingerprint, host, port })),
        [{ peerId: "Alice", fingerprint: alice.identity.fingerprint, host: "127.0.0.1", port: 5000 }],
      );
    });

    it("refuses a signature for another address, name, port, moment or key", async () => {
      const { port } = await startTracker();
      const other = makeIdentity();
      const spoiled: [string, (hello: object) => object][] = [
        ["address", (hello) => ({ ...hello, address: "ws://192.0.2.1:6000" })],
        ["name", (hello) => ({ ...hello, peerId: "Mallory" })],
        ["port", (hello) => ({ ...hello, port: 1 })],
        ["nonce", (hello) => ({ ...hello, nonce: "0".repeat(64) })],
        ["key", (hello) => ({ ...hello, key: base64(other.spki) })],
        ["key that is none", (hello) => ({ ...hello, key: base64(Buffer.alloc(91)) })],
        ["short key", (hello) => ({ ...hello, key: "AAAA" })],
      ];
      for (const [what, change] of spoiled) {
        const peer = RawPeer.dial({ port, change });
        await peer.hello();
        assert.equal((await peer.next("error")).code, "bad-signature", what);
        assert.equal((await peer.closed).code, 4003);
      }
    });

    it("refuses a hello that was made for an earlier connection", async () => {
      const { port } = await startTracker();
      const first = RawPeer.dial({ port });
      const hello = first.helloFor((await first.next("challenge")).nonce);
      first.send(hello);
      await first.next("welcome");
      const second = RawPeer.dial({ port });
      await second.next("challenge");
      second.send(hello);
      assert.equal((await second.next("error")).code, "bad-signature");
    });

    it("takes only hellos for its own addresses when its operator has named them", async () => {
      const { port } = await startTracker({ publicAddresses: ["wss://tracker.example:443"] });
      const wrong = RawPeer.dial({ port });
      await wrong.hello();
      assert.equal((await wrong.next("error")).code, "access-denied");
      await RawPeer.join({ port, address: "wss://tracker.example:443" });
    });

    it("refuses another version of the protocol with a sentence", async () => {
      const { port } = await startTracker();
      const peer = RawPeer.dial({ port, change: (hello) => ({ ...hello, version: 2 }) });
      await peer.hello();
      const error = await peer.next("error");
      assert.equal(error.code, "tracker-refused");
      assert.match(error.message, /version 1/);
    });

    it("answers nothing before the hello, and nobody who stays silent", async () => {
      const { port } = await startTracker({ limits: { helloTimeoutMs: 50 } });
      const eager = RawPeer.dial({ port });
      await eager.next("challenge");
      eager.send({ type: "query", request: 1, query: { sort: "newest", limit: 1 } });
      assert.equal((await eager.next("error")).code, "tracker-refused");
      const silent = RawPeer.dial({ port });
      assert.equal((await silent.next("error")).code, "tracker-refused");
      assert.equal((await silent.closed).code, 4003);
    });
  });

  describe("gives a name to one key, and", () => {
    it("tells a second key so, whatever its case, also after the first has gone", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port, peerId: "Alice" });
      for (let round = 0; round < 2; round++) {
        const thief = RawPeer.dial({ port, peerId: "ALICE" });
        await thief.hello();
        const error = await thief.next("error");
        assert.equal(error.code, "name-taken");
        assert.match(error.message, /"ALICE"/);
        alice.socket.close();
        await alice.closed;
      }
      await RawPeer.join({ port, peerId: "alice", identity: alice.identity });
    });

    it("refuses names that break the rule", async () => {
      const { port } = await startTracker();
      for (const peerId of ["", "a b", "é", "x".repeat(33), "..", "a/b", "a\u0000", "<b>"]) {
        const peer = RawPeer.dial({ port, peerId });
        await peer.hello();
        assert.equal((await peer.next("error")).code, "name-invalid", JSON.stringify(peerId));
      }
      for (const peerId of ["x", "A-b_c.9", "x".repeat(32)]) await RawPeer.join({ port, peerId });
    });

    it("frees it when its holder gives it up, and says goodbye", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      await alice.get({ type: "release" }, "done");
      assert.equal((await alice.closed).code, 1000);
      await RawPeer.join({ port });
    });

    it("lets the same key take over its own session", async () => {
      const { port } = await startTracker();
      const first = await RawPeer.join({ port });
      const second = await RawPeer.join({ port, identity: first.identity });
      assert.equal((await first.closed).code, 4001);
      assert.deepEqual(await second.directory(), ["Alice"]);
    });
  });

  describe("lists videos, and", () => {
    it("shows a published one to everybody, its signed record unchanged, until its owner goes", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob" });
      const record = makeRecord(alice.identity, 1);
      assert.deepEqual(await alice.publish(record), [{ id: videoId(1) }]);
      await alice.announce({ have: [videoId(1)], complete: true });
      const page = await bob.list();
      assert.equal(page.total, 1);
      const row = page.rows[0];
      assert.ok(row);
      assert.deepEqual([row.owner, row.id, row.sequence, row.sources], [alice.identity.fingerprint, videoId(1), 1, 1]);
      const { records } = await bob.get({ type: "records", keys: [`${row.owner}:${row.id}`] }, "records");
      assert.deepEqual(records, [base64(record)]);
      alice.socket.close();
      await alice.closed;
      await until("the video is gone", async () => (await bob.list()).total === 0);
      assert.deepEqual(await bob.directory(), ["Bob"]);
      assert.deepEqual(await bob.sourcesOf(videoId(1)), []);
    });

    it("takes a video from its owner only, nothing for friends, and nothing that is forged, expired or a withdrawal", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const mallory = makeIdentity();
      const forged = Buffer.from(makeRecord(alice.identity, 1));
      forged[forged.length - 10] = (forged[forged.length - 10] ?? 0) ^ 1;
      const results = await alice.publish(
        makeRecord(mallory, 1),
        makeRecord(alice.identity, 2, { audience: "friends" }),
        forged,
        makeRecord(alice.identity, 3, { expires: Date.now() - 1000 }),
        makeRecord(alice.identity, 4, { expires: Date.now() + 48 * HOUR_MS }),
        makeRecord(alice.identity, 5, { withdrawn: true }),
        Buffer.from("nonsense"),
        makeRecord(alice.identity, 6),
      );
      assert.deepEqual(
        results.map(({ error }) => error?.code),
        [
          "refused-video",
          "refused-video",
          "bad-signature",
          "clock-skew",
          "clock-skew",
          "bad-record",
          "bad-record",
          undefined,
        ],
      );
      assert.equal((await alice.list()).total, 1);
    });

    it("forgets a video that its owner withdraws, also as an older record, until that would have expired", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob" });
      await alice.publish(makeRecord(alice.identity, 1));
      await bob.announce({ have: [videoId(1)] });
      const withdrawal = makeRecord(alice.identity, 1, { sequence: 2, withdrawn: true });
      const stolen = await bob.get({ type: "withdraw", records: [base64(withdrawal)] }, "results");
      assert.equal(stolen.results[0]?.error?.code, "refused-video");
      const { results } = await alice.get({ type: "withdraw", records: [base64(withdrawal)] }, "results");
      assert.deepEqual(results, [{ id: videoId(1) }]);
      assert.equal((await bob.list()).total, 0);
      const [older] = await alice.publish(makeRecord(alice.identity, 1));
      assert.equal(older?.error?.code, "bad-record");
      assert.equal(older?.newest, 2);
      const [same] = await alice.publish(makeRecord(alice.identity, 1, { sequence: 3 }));
      assert.equal(same?.error, undefined);
    });

    it("finds the peers of a video by each of its hashes, not the asker itself", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob", listenPort: 0 });
      await alice.publish(makeRecord(alice.identity, 1));
      await alice.announce({ have: [videoId(1)] });
      await bob.announce({ want: [videoId(1)] });
      for (const hash of [videoId(1), videoId(1).slice(0, 40), v1Hash(1)]) {
        assert.deepEqual(await bob.sourcesOf(hash), [
          {
            fingerprint: alice.identity.fingerprint,
            peerId: "Alice",
            host: "127.0.0.1",
            port: 5000,
            have: true,
            want: false,
          },
        ]);
      }
      assert.deepEqual(
        (await alice.sourcesOf(videoId(1))).map(({ peerId, port, have, want }) => [peerId, port, have, want]),
        [["Bob", 0, false, true]],
      );
    });

    it("says after a start that it may not know everybody yet", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const { settlingMs } = await alice.list();
      assert.ok(settlingMs !== undefined && settlingMs > 0 && settlingMs <= 12_000);
    });
  });

  describe("tells subscribers that something has changed, and", () => {
    it("does so once a second at most, however much changes", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob" });
      await bob.get({ type: "subscribe", catalog: true, directory: false }, "done");
      const first = await bob.next("changed");
      const times = [performance.now()];
      assert.equal(first.directory, undefined);
      const publishing = (async () => {
        for (let i = 0; performance.now() - times[0]! < 2_200; i++) {
          await alice.publish(makeRecord(alice.identity, i));
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      for (let i = 0; i < 2; i++) {
        await bob.next("changed");
        times.push(performance.now());
      }
      await publishing;
      for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! > 900, `${times}`);
    }).timeout(10_000);

    it("tells nothing to those who have not asked, or while nothing changes", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob" });
      await bob.get({ type: "subscribe", catalog: true, directory: true }, "done");
      await bob.next("changed");
      // Longer than the second in which the next one may come.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      assert.deepEqual(bob.received, []);
      await alice.publish(makeRecord(alice.identity, 1));
      const changed = await bob.next("changed");
      assert.ok(changed.catalog !== undefined && changed.directory === undefined);
      assert.deepEqual(alice.received, []);
    }).timeout(10_000);
  });

  describe("passes on callbacks, and", () => {
    it("tells the other one whom to dial", async () => {
      const { port } = await startTracker();
      const alice = await RawPeer.join({ port, listenPort: 5001 });
      const bob = await RawPeer.join({ port, peerId: "Bob" });
      await alice.get({ type: "callback", to: bob.identity.fingerprint, id: videoId(1) }, "done");
      const { type: _, ...callback } = await bob.next("callback");
      assert.deepEqual(callback, {
        from: alice.identity.fingerprint,
        peerId: "Alice",
        host: "127.0.0.1",
        port: 5001,
        id: videoId(1),
      });
    });

    it("refuses them for peers that are not there, from peers that do not listen, and when there are too many", async () => {
      const { port } = await startTracker({ limits: { callbackRate: { burst: 2, perSecond: 0.1 } } });
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob", listenPort: 0 });
      const to = bob.identity.fingerprint;
      const absent = await alice.ask({ type: "callback", to: makeIdentity().fingerprint, id: videoId(1) });
      assert.equal(absent.type === "error" && absent.code, "unreachable");
      const deaf = await bob.ask({ type: "callback", to: alice.identity.fingerprint, id: videoId(1) });
      assert.equal(deaf.type === "error" && deaf.code, "unreachable");
      await alice.get({ type: "callback", to, id: videoId(1) }, "done");
      const flood = await alice.ask({ type: "callback", to, id: videoId(1) });
      assert.ok(flood.type === "error" && flood.code === "rate-limited" && (flood.retryAfterMs ?? 0) > 1_000);
    });
  });

  describe("limits what one connection or address may do, and", () => {
    const exemptLoopback = false;

    it("refuses too many connections of one address", async () => {
      const { port } = await startTracker({ limits: { exemptLoopback, connectionsPerAddress: 2 } });
      const alice = await RawPeer.join({ port });
      await RawPeer.join({ port, peerId: "Bob" });
      assert.equal(await statusOf(port), 429);
      alice.socket.close();
      await alice.closed;
      await until("there is room", async () => (await statusOf(port)) === 101);
    });

    it("refuses connections that come too fast, and too many in all", async () => {
      const fast = await startTracker({ limits: { exemptLoopback, connectRate: { burst: 1, perSecond: 0.1 } } });
      assert.equal(await statusOf(fast.port), 101);
      assert.equal(await statusOf(fast.port), 429);
      const full = await startTracker({ limits: { connections: 1 } });
      await RawPeer.join({ port: full.port });
      assert.equal(await statusOf(full.port), 503);
    });

    it("refuses requests and records that come too fast, says when to come back, and ends a flood", async () => {
      const { port } = await startTracker({
        limits: {
          requestRate: { burst: 5, perSecond: 100 },
          recordRate: { burst: 3, perSecond: 1 },
          ignoredRefusals: 4,
        },
      });
      const alice = await RawPeer.join({ port });
      await alice.publish(makeRecord(alice.identity, 1), makeRecord(alice.identity, 2));
      const records = [3, 4].map((seed) => base64(makeRecord(alice.identity, seed)));
      const slow = await alice.ask({ type: "publish", records });
      assert.ok(slow.type === "error" && slow.code === "rate-limited" && (slow.retryAfterMs ?? 0) > 500);
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => alice.ask({ type: "query", query: { sort: "newest", limit: 1 } })),
      );
      assert.ok(answers.some((answer) => answer.type === "error" && answer.code === "rate-limited"));
      for (let i = 0; i < 20; i++)
        alice.send({ type: "query", request: 1000 + i, query: { sort: "newest", limit: 1 } });
      assert.equal((await alice.closed).code, 1008);
    });

    it("counts requests of one address over all its connections", async () => {
      const { port } = await startTracker({
        limits: { exemptLoopback, requestRatePerAddress: { burst: 2, perSecond: 0.1 } },
      });
      const alice = await RawPeer.join({ port });
      const bob = await RawPeer.join({ port, peerId: "Bob" });
      await alice.list();
      await alice.list();
      const refused = await bob.ask({ type: "query", query: { sort: "newest", limit: 1 } });
      assert.equal(refused.type === "error" && refused.code, "rate-limited");
    });

    it("refuses too many new names of one address, not names that it knows", async () => {
      const { port } = await startTracker({ limits: { exemptLoopback, newNameRate: { burst: 1, perSecond: 0.01 } } });
      const alice = await RawPeer.join({ port });
      const bob = RawPeer.dial({ port, peerId: "Bob" });
      await bob.hello();
      assert.equal((await bob.next("error")).code, "rate-limited");
      await RawPeer.join({ port, identity: alice.identity });
    });

    it("refuses too many announced ids and too many records with a code", async () => {
      const { port } = await startTracker({ limits: { idsPerConnection: 2, recordsPerOwner: 1 } });
      const alice = await RawPeer.join({ port });
      const ids = [1, 2, 3].map(videoId);
      const announced = await alice.ask({ type: "announce", have: ids, want: [], gone: [] });
      assert.equal(announced.type === "error" && announced.code, "too-many");
      const results = await alice.publish(makeRecord(alice.identity, 1), makeRecord(alice.identity, 2));
      assert.deepEqual(
        results.map(({ error }) => error?.code),
        [undefined, "too-many"],
      );
    });

    it("closes on a frame that is too large and on binary frames", async () => {
      const { port } = await startTracker();
      const large = await RawPeer.join({ port });
      large.send("x".repeat(MAX_PEER_FRAME_BYTES + 1));
      assert.equal((await large.closed).code, 1009);
      const binary = await RawPeer.join({ port, peerId: "Bob" });
      binary.socket.send(Buffer.from("{}"));
      assert.equal((await binary.closed).code, 1003);
    });

    it("cuts off who asks and never reads", async () => {
      const { port } = await startTracker({ limits: { sendBufferBytes: 64 * 1024 } });
      const alice = await RawPeer.join({ port });
      const records = Array.from({ length: 100 }, (_, i) =>
        makeRecord(alice.identity, i, { description: "x".repeat(3_900) }),
      );
      for (let i = 0; i < records.length; i += 20) await alice.publish(...records.slice(i, i + 20));
      const keys = records.map((_, i) => `${alice.identity.fingerprint}:${videoId(i)}`);
      const greedy = await RawPeer.join({ port, peerId: "Bob" });
      greedy.socket.pause();
      for (let i = 0; i < 100; i++) greedy.send({ type: "records", request: i + 1, keys });
      await until("it is gone", async () => !(await alice.directory()).includes("Bob"));
    });
  });

  describe("lets in only whom it should, and", () => {
    it("wants the access token where it has one", async () => {
      const { port } = await startTracker({ accessToken: "s3cret&x" });
      assert.equal(await statusOf(port), 401);
      assert.equal(await statusOf(port, "/?token=wrong"), 401);
      assert.equal(await statusOf(port, "/?token=s3cret"), 401);
      await RawPeer.join({ port, suffix: "/?token=s3cret%26x" });
    });

    it("refuses web pages and other paths", async () => {
      const { port } = await startTracker();
      assert.equal(await statusOf(port, "", { Origin: "https://evil.example" }), 403);
      assert.equal(await statusOf(port, "/announce"), 404);
    });
  });

  it("tells on its HTTP port how it is, and nothing else there", async () => {
    const { port, httpPort } = await startTracker();
    const alice = await RawPeer.join({ port });
    await alice.publish(makeRecord(alice.identity, 1));
    const health = await fetch(`http://127.0.0.1:${httpPort}/healthz`);
    assert.equal(health.status, 200);
    const { uptimeSeconds, ...rest } = (await health.json()) as Record<string, unknown>;
    assert.equal(typeof uptimeSeconds, "number");
    assert.deepEqual(rest, { status: "ok", peers: 1, videos: 1, names: 1 });
    assert.equal((await fetch(`http://127.0.0.1:${httpPort}/names`)).status, 404);
    assert.equal((await fetch(`http://127.0.0.1:${httpPort}/healthz`, { method: "POST" })).status, 405);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 426);
  });

  it("says goodbye when it stops, and waits for nobody who does not answer", async () => {
    const tracker = await startTracker();
    const polite = await RawPeer.join({ port: tracker.port });
    const frozen = await RawPeer.join({ port: tracker.port, peerId: "Bob" });
    frozen.socket.pause();
    const before = performance.now();
    await tracker.stop();
    assert.ok(performance.now() - before < 3_000);
    assert.equal((await polite.closed).code, 1001);
    await assert.rejects(fetch(`http://127.0.0.1:${tracker.httpPort}/healthz`));
  });
});
