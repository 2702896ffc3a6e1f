import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { WebSocketServer } from "ws";
import { TrackerClient, type TrackerClientOptions } from "../../src/peer/tracker/trackerClient";
import type { StreamletError } from "../../src/wire/errors";
import { runTracker } from "../../tracker/runTracker";
import { removeTempDir, tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";
import {
  makeIdentity,
  makeRecord,
  RawPeer,
  startTracker,
  stopAll,
  type TestIdentity,
  videoId,
} from "../tracker/support";

const clients = new Set<TrackerClient>();

function makeClient(port: number, options: Partial<TrackerClientOptions> = {}): TrackerClient {
  const client = new TrackerClient({
    address: `127.0.0.1:${port}`,
    identity: makeIdentity(),
    peerId: "Alice",
    port: () => 5000,
    ...options,
  });
  clients.add(client);
  client.start();
  return client;
}

const signed = (owner: TestIdentity, seed: number, change = {}) => ({
  id: videoId(seed),
  record: makeRecord(owner, seed, change),
});

const online = (client: TrackerClient) =>
  until(`${client.options.peerId} is online`, () => client.status.state === "online", 12_000);

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("A peer's client of a tracker", function () {
  this.timeout(20_000);
  const servers = new Set<Server>();

  afterEach(async () => {
    await Promise.all([...clients].map((client) => client.stop()));
    clients.clear();
    for (const server of servers) server.close();
    servers.clear();
    await stopAll();
  });

  it("makes true at the tracker what it was told before it was online, and tells when that is acknowledged", async () => {
    const { port } = await startTracker();
    const identity = makeIdentity();
    const alice = new TrackerClient({ address: `localhost:${port}`, identity, peerId: "Alice", port: () => 5001 });
    clients.add(alice);
    const acknowledged: string[] = [];
    alice.onDidAcknowledge((id) => acknowledged.push(id));
    alice.setPublished([signed(identity, 1), signed(identity, 2)]);
    alice.setAnnounced({ have: [videoId(1), videoId(2)], want: [videoId(3)] });
    assert.equal(alice.status.state, "connecting");
    assert.equal(await alice.waitOnline(10), false, "not started");
    alice.start();
    assert.equal(await alice.waitOnline(5_000), true);
    await until("both are acknowledged", () => [1, 2].every((seed) => alice.isAcknowledged(videoId(seed))));
    assert.deepEqual(acknowledged, [videoId(1), videoId(2)]);
    const bob = makeClient(port, { peerId: "Bob" });
    await online(bob);
    const { rows, total } = await bob.query({ sort: "newest", limit: 10 });
    assert.deepEqual([total, rows.map(({ sources }) => sources)], [2, [1, 1]]);
    const records = await bob.records(rows.map(({ owner, id }) => `${owner}:${id}` as const));
    assert.equal(records.length, 2);
    const [source] = (await bob.sources(videoId(1))).peers;
    assert.deepEqual(source, {
      fingerprint: identity.fingerprint,
      peerId: "Alice",
      host: "127.0.0.1",
      port: 5001,
      have: true,
      want: false,
    });
    assert.equal((await bob.sources(videoId(3).slice(0, 40))).peers[0]?.want, true);
    const directory = await bob.directory({ limit: 10 });
    assert.deepEqual(
      directory.peers.map(({ peerId }) => peerId),
      ["Alice", "Bob"],
    );
    assert.equal(bob.observedHost, "127.0.0.1");
  });

  it("tells changes as they come: more, fewer, renewed, withdrawn", async () => {
    const { port } = await startTracker();
    const identity = makeIdentity();
    const alice = makeClient(port, { identity });
    const bob = makeClient(port, { peerId: "Bob" });
    await Promise.all([online(alice), online(bob)]);
    const list = async () => (await bob.query({ sort: "newest", limit: 10 })).rows;
    alice.setPublished([signed(identity, 1)]);
    alice.setAnnounced({ have: [videoId(1)], want: [] });
    await until("it is listed", async () => (await list())[0]?.sources === 1);
    alice.setPublished([signed(identity, 1, { sequence: 2, title: "New title" })]);
    await until("it is renewed", async () => (await list())[0]?.sequence === 2);
    alice.setAnnounced({ have: [], want: [] });
    await until("it has no source", async () => (await list())[0]?.sources === 0);
    alice.setWithdrawn([signed(identity, 1, { sequence: 3, withdrawn: true })]);
    alice.setPublished([]);
    await until("it is withdrawn", async () => (await list()).length === 0);
  });

  it("tells of changes at the tracker", async () => {
    const { port } = await startTracker();
    const alice = makeClient(port);
    const seen = { catalog: 0, directory: 0 };
    alice.onDidChangeCatalog(() => seen.catalog++);
    alice.onDidChangeDirectory(() => seen.directory++);
    await until("the first news come", () => seen.catalog === 1 && seen.directory === 1);
    const bob = await RawPeer.join({ port, peerId: "Bob" });
    await until("Bob is noticed", () => seen.directory === 2);
    await bob.publish(makeRecord(bob.identity, 1));
    await until("his video is noticed", () => seen.catalog === 2);
  });

  it("passes callbacks on", async () => {
    const { port } = await startTracker();
    const alice = makeClient(port, { port: () => 5001 });
    const bob = makeClient(port, { peerId: "Bob" });
    await Promise.all([online(alice), online(bob)]);
    const asked: unknown[] = [];
    bob.onDidRequestCallback((from) => asked.push(from));
    await alice.requestCallback(bob.options.identity.fingerprint, videoId(1));
    await until("Bob is asked", () => asked.length > 0);
    const { fingerprint } = alice.options.identity;
    assert.deepEqual(asked, [{ fingerprint, peerId: "Alice", host: "127.0.0.1", port: 5001, id: videoId(1) }]);
    await assert.rejects(alice.requestCallback(makeIdentity().fingerprint, videoId(1)), { code: "unreachable" });
  });

  it("says goodbye when it stops", async () => {
    const { port } = await startTracker();
    const alice = makeClient(port);
    const bob = await RawPeer.join({ port, peerId: "Bob" });
    await online(alice);
    await alice.stop();
    assert.deepEqual(await bob.directory(), ["Bob"]);
    await assert.rejects(alice.query({ sort: "newest", limit: 1 }), { code: "tracker-unreachable" });
  });

  it("gives its name up when asked to", async () => {
    const { port } = await startTracker();
    const alice = makeClient(port);
    await online(alice);
    await alice.releaseName();
    await RawPeer.join({ port, peerId: "Alice" });
  });

  it("has everything back within 10 s of a restart of the tracker, untouched", async () => {
    const data = tempDir("restart");
    try {
      let tracker = await startTracker({ data });
      const { port } = tracker;
      const identity = makeIdentity();
      const alice = makeClient(port, { identity });
      const bob = makeClient(port, { peerId: "Bob" });
      const many = Array.from({ length: 300 }, (_, seed) => signed(identity, seed));
      alice.setPublished(many);
      alice.setAnnounced({ have: many.map(({ id }) => id), want: [] });
      await Promise.all([online(alice), online(bob)]);
      const total = async () => (await bob.query({ sort: "newest", limit: 1 }).catch(() => undefined))?.total;
      await until("all is told", async () => (await total()) === 300);
      const states: string[] = [];
      alice.onDidChangeStatus(({ state }) => states.push(state));
      await tracker.stop();
      await until("it is noticed", () => alice.status.state !== "online");
      assert.equal(alice.isAcknowledged(videoId(1)), false);
      await until("it is known to be away", () => alice.status.state === "failed");
      assert.equal(alice.status.error?.code, "tracker-unreachable");
      assert.match(alice.status.error?.message ?? "", new RegExp(`No tracker answers at 127.0.0.1:${port}`));
      assert.ok((alice.status.retryAt ?? 0) > Date.now() - 1_000);
      const restarted = performance.now();
      tracker = await startTracker({ data, port });
      await until("everything is back", async () => (await total()) === 300, 10_000);
      assert.equal((await bob.sources(videoId(299))).peers.length, 1);
      assert.ok(performance.now() - restarted < 10_000);
      assert.deepEqual([states[0], states.at(-1)], ["connecting", "online"]);
      const thief = RawPeer.dial({ port, peerId: "alice" });
      await thief.hello();
      assert.equal((await thief.next("error")).code, "name-taken", "names are kept");
    } finally {
      await stopAll();
      removeTempDir(data);
    }
  });

  it("notices a tracker that has fallen silent, and connects anew", async () => {
    const { port } = await startTracker({ heartbeatMs: 50 });
    const sockets: Socket[] = [];
    const line = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      for (const socket of [near, far]) {
        sockets.push(socket);
        socket.on("error", () => {});
        socket.on("close", () => near.destroy() && far.destroy());
      }
      near.pipe(far).pipe(near);
    });
    servers.add(line);
    const alice = makeClient(await portOf(line));
    await online(alice);
    for (const socket of sockets.splice(0)) socket.unpipe().pause();
    await until("it is noticed", () => alice.status.state === "connecting");
    await online(alice);
    for (const socket of sockets) socket.destroy();
  });

  it("is told when its name is taken, tries again slowly, and does not disturb the holder", async () => {
    const { port } = await startTracker();
    await RawPeer.join({ port, peerId: "ALICE" });
    const alice = makeClient(port, { wallClock: () => 1_000_000 });
    await until("it has failed", () => alice.status.state === "failed");
    assert.equal(alice.status.error?.code, "name-taken");
    assert.match(alice.status.error?.message ?? "", /"Alice" belongs to someone else/);
    assert.ok((alice.status.retryAt ?? 0) >= 1_030_000);
    assert.equal(await alice.waitOnline(10), false);
  });

  it("is told when its profile is online elsewhere, and does not fight over it", async () => {
    const { port } = await startTracker();
    const identity = makeIdentity();
    const first = makeClient(port, { identity });
    await online(first);
    const second = makeClient(port, { identity });
    await online(second);
    await until("the first has failed", () => first.status.state === "failed");
    assert.equal(first.status.error?.code, "tracker-refused");
    assert.match(first.status.error?.message ?? "", /from another place/);
    assert.equal(second.status.state, "online");
  });

  it("says so when its clock and the tracker's are far apart, and works all the same", async () => {
    const { port } = await startTracker();
    const alice = makeClient(port, { wallClock: () => Date.now() - 3_600_000 });
    await online(alice);
    assert.equal(alice.status.error?.code, "clock-skew");
    assert.match(alice.status.error?.message ?? "", /60 minutes behind/);
    assert.equal((await alice.query({ sort: "newest", limit: 1 })).total, 0);
  });

  it("needs the access token, shows its address without it, and says so when it is missing", async () => {
    const { port } = await startTracker({ accessToken: "s3cret&x" });
    const inside = makeClient(port, { address: `ws://127.0.0.1:${port}/?token=s3cret%26x` });
    await online(inside);
    assert.equal(inside.address, `ws://127.0.0.1:${port}`);
    const outside = makeClient(port, { peerId: "Bob" });
    await until("it has failed", () => outside.status.state === "failed");
    assert.equal(outside.status.error?.code, "access-denied");
    assert.match(outside.status.error?.message ?? "", /\?token=/);
  });

  it("tells of a record that the tracker refuses, and by what newer one", async () => {
    const { port } = await startTracker();
    const identity = makeIdentity();
    const raw = await RawPeer.join({ port, identity });
    await raw.publish(makeRecord(identity, 1, { sequence: 7 }));
    const refused: [string, StreamletError][] = [];
    const alice = makeClient(port, { identity });
    alice.onDidRefuse((id, error) => refused.push([id, error]));
    alice.setPublished([signed(identity, 1), signed(identity, 2, { audience: "friends" }), signed(identity, 3)]);
    await until("the third is acknowledged", () => alice.isAcknowledged(videoId(3)));
    assert.deepEqual(
      refused.map(([id, { code, data }]) => [id, code, data?.newest]),
      [
        [videoId(1), "bad-record", 7],
        [videoId(2), "refused-video", undefined],
      ],
    );
    assert.ok(!alice.isAcknowledged(videoId(1)));
  });

  it("gets on at a tracker that lets little through at a time", async () => {
    const { port } = await startTracker({
      limits: { recordRate: { burst: 100, perSecond: 200 }, requestRate: { burst: 4, perSecond: 20 } },
    });
    const identity = makeIdentity();
    const alice = makeClient(port, { identity });
    const many = Array.from({ length: 350 }, (_, seed) => signed(identity, seed));
    alice.setPublished(many);
    await until("all is told", () => many.every(({ id }) => alice.isAcknowledged(id)), 10_000);
    const answers = await Promise.all(Array.from({ length: 10 }, () => alice.query({ sort: "newest", limit: 1 })));
    assert.ok(answers.every(({ total }) => total === 350));
  });

  describe("says that what answers is no tracker when it is", () => {
    const failed = async (port: number): Promise<TrackerClient> => {
      const client = makeClient(port, { wallClock: () => 0 });
      await until("it has failed", () => client.status.state === "failed", 8_000);
      return client;
    };
    const assertNonsense = async (port: number) => {
      const { status } = await failed(port);
      assert.equal(status.error?.code, "tracker-protocol", status.error?.message);
      assert.match(status.error?.message ?? "", /is not a Streamlet tracker/);
      assert.ok((status.retryAt ?? 0) >= 30_000, "and tries again slowly");
    };

    it("a web server", async () => {
      const server = createHttpServer((_, response) => response.end("<h1>It works!</h1>"));
      servers.add(server);
      await assertNonsense(await portOf(server));
    });

    it("a server that echoes, or greets with something else", async () => {
      const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket));
      const ssh = createServer((socket) => socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9.2\r\n"));
      servers.add(echo).add(ssh);
      await assertNonsense(await portOf(echo));
      await assertNonsense(await portOf(ssh));
    });

    it("another WebSocket server, whatever it says", async () => {
      const sayings: (string | Buffer)[] = [
        "hello",
        "null",
        '{"type":"challenge","version":1,"nonce":"short"}',
        '{"type":"welcome","peerId":"Alice","host":"x","time":1,"heartbeatMs":1000}',
        Buffer.from([1, 2, 3]),
        '{"type":"challenge","version":1,"nonce":"NONCE"}{',
      ];
      for (const saying of sayings) {
        const http = createHttpServer();
        servers.add(http);
        const server = new WebSocketServer({ server: http });
        server.on("connection", (socket) => socket.send(saying));
        await assertNonsense(await portOf(http));
        server.close();
        for (const socket of server.clients) socket.terminate();
      }
    });

    it("one that turns to nonsense later on", async () => {
      const http = createHttpServer();
      servers.add(http);
      const server = new WebSocketServer({ server: http });
      server.on("connection", (socket) => {
        socket.send(JSON.stringify({ type: "challenge", version: 1, nonce: "0".repeat(64) }));
        socket.on("message", (data) => {
          const message = JSON.parse(String(data));
          if (message.type === "hello") {
            socket.send(JSON.stringify({ type: "welcome", peerId: "Alice", host: "h", time: 1, heartbeatMs: 1000 }));
            // A later version may say more; that is no nonsense.
            socket.send(JSON.stringify({ type: "weather", sunny: true }));
          } else socket.send(JSON.stringify({ type: "page", request: message.request, rows: "none" }));
        });
      });
      await assertNonsense(await portOf(http));
      server.close();
    });

    it("but that no tracker answers when nobody listens, or somebody hangs up", async () => {
      const rude = createServer((socket) => socket.destroy());
      servers.add(rude);
      const gone = createServer();
      const closedPort = await portOf(gone);
      gone.close();
      for (const port of [await portOf(rude), closedPort]) {
        const { status } = await failed(port);
        assert.equal(status.error?.code, "tracker-unreachable", status.error?.message);
      }
    });
  });

  it("refuses an address that is none, with a sentence", () => {
    for (const address of ["", "http://x:1", "host:99999", "host:0", "a b:1", "ws://h/path", "ws://u:p@h:1"]) {
      const make = () => new TrackerClient({ address, identity: makeIdentity(), peerId: "A", port: () => 0 });
      assert.throws(make, { code: "invalid-argument" }, address);
    }
  });

  it("serves as many clients as there are trackers", async () => {
    const trackers = await Promise.all([
      startTracker(),
      runTracker({ host: "127.0.0.1", port: 0, httpPort: 0, log() {} }),
    ]);
    const identity = makeIdentity();
    const both = trackers.map(({ port }) => makeClient(port, { identity }));
    for (const client of both) client.setPublished([signed(identity, 1)]);
    await until("both know", () => both.every((client) => client.isAcknowledged(videoId(1))));
    await Promise.all(both.map((client) => client.stop()));
    await trackers[1]?.stop();
  });
});
