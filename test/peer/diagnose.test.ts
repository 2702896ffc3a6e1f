import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import { join } from "node:path";
import { diagnose, type Patient, type Surroundings } from "../../src/peer/diagnose";
import { IncomingLog } from "../../src/peer/net/incomingLog";
import { patientOf } from "../../src/peer/patient";
import { RunningPeer } from "../../src/peer/runningPeer";
import type { Check } from "../../src/peer/status";
import type { PeerConfig } from "../../src/rpc/peerService";
import { randomFile } from "../helpers/randomFile";
import { shareFile, startPeer, stopSessions, videoWhere } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { startTracker, stopAll } from "../tracker/support";

const GIB = 1024 ** 3;
const MACHINE: Surroundings = {
  platform: "linux",
  interfaces: () => ({}),
  freeBytes: async () => 100 * GIB,
  deadlineMs: 9_500,
};

function check(checks: readonly Check[], id: Check["id"]): Check {
  const found = checks.find((candidate) => candidate.id === id);
  assert.ok(found, `there is a check ${id}: ${JSON.stringify(checks)}`);
  return found;
}

describe("The connection doctor", function () {
  this.timeout(40_000);
  const peers: RunningPeer[] = [];
  const servers: Server[] = [];

  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.stop()));
    for (const server of servers.splice(0)) server.close();
    await stopSessions();
    await stopAll();
  });

  async function start(options: Partial<PeerConfig> = {}): Promise<RunningPeer> {
    const { session, config } = await startPeer("alice", options);
    await session.stop();
    const peer = await RunningPeer.start(config, () => {});
    peers.push(peer);
    return peer;
  }

  async function examine(peer: RunningPeer, changes: Partial<Patient> = {}, machine: Partial<Surroundings> = {}) {
    const patient = { ...patientOf(peer), ...changes };
    return diagnose(patient, new AbortController().signal, { ...MACHINE, ...machine });
  }

  it("finds a healthy peer healthy: the port answers, the tracker too, the clocks agree, there is room", async () => {
    const tracker = await startTracker();
    const peer = await start({ trackers: [`127.0.0.1:${tracker.port}`] });
    const checks = await examine(peer, { mediaTools: async () => ({ ffmpeg: "/usr/bin/ffmpeg", version: "7.1" }) });
    assert.deepEqual(check(checks, "port"), {
      id: "port",
      state: "ok",
      reason: "reachable",
      data: { port: peer.listenPort() },
    });
    const { subject, state, data } = check(checks, "tracker");
    assert.deepEqual([subject, state], [`127.0.0.1:${tracker.port}`, "ok"]);
    assert.ok(Number(data?.ms) >= 0);
    assert.equal(check(checks, "clock").state, "ok");
    assert.deepEqual(check(checks, "disk").data, { folder: join(peer.config.dataDir, "downloads"), free: 100 * GIB });
    assert.equal(check(checks, "ffmpeg").data?.version, "7.1");
    assert.equal(check(checks, "addresses").reason, "loopback-only");
  });

  it("never says what it cannot know: without anybody to ask, firewall and reach are skipped", async () => {
    const tracker = await startTracker();
    const checks = await examine(await start({ trackers: [`127.0.0.1:${tracker.port}`] }));
    assert.deepEqual([check(checks, "reach").state, check(checks, "reach").reason], ["skipped", "nobody-yet"]);
    assert.deepEqual([check(checks, "firewall").state, check(checks, "firewall").reason], ["skipped", "nobody-to-ask"]);
  });

  it("says which tracker does not answer, and still tests the other", async () => {
    const tracker = await startTracker();
    const dead = await unusedPort();
    const peer = await start({ trackers: [`127.0.0.1:${dead}`, `127.0.0.1:${tracker.port}`] });
    const found = (await examine(peer)).filter(({ id }) => id === "tracker");
    assert.deepEqual(
      found.map(({ subject, state, reason }) => [subject, state, reason]),
      [
        [`127.0.0.1:${dead}`, "problem", "tracker-unreachable"],
        [`127.0.0.1:${tracker.port}`, "ok", "online"],
      ],
    );
  });

  it("tells what is no tracker from what is not there, and does not wait for it to become one", async () => {
    const server = createServer((socket) =>
      socket
        .on("error", () => undefined)
        .resume()
        .end("SSH-2.0-OpenSSH_9.6\r\n"),
    ).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const checks = await examine(await start({ trackers: [`127.0.0.1:${port}`] }));
    assert.equal(check(checks, "tracker").reason, "tracker-protocol");
    assert.equal(check(checks, "clock").reason, "no-tracker");
  });

  it("says that a name does not exist, and never repeats a token", async () => {
    const checks = await examine(await start({ trackers: ["no-such-host.invalid:6000?token=secret"] }));
    assert.equal(check(checks, "tracker").reason, "name-unknown");
    assert.equal(check(checks, "tracker").data?.host, "no-such-host.invalid");
    assert.doesNotMatch(JSON.stringify(checks), /secret/);
  });

  it("reaches a tracker that was just started, without waiting for the next try", async () => {
    const port = await unusedPort();
    const peer = await start({ trackers: [`127.0.0.1:${port}`] });
    const starting = examine(peer);
    await startTracker({ port });
    assert.equal(check(await starting, "tracker").reason, "online");
  });

  it("finds a wrong clock by the tracker's", async () => {
    const tracker = await startTracker();
    const peer = await start({ trackers: [`127.0.0.1:${tracker.port}`] });
    const [client] = peer.trackers;
    assert.ok(client);
    assert.ok(await client.waitOnline(5_000));
    for (const [skewMs, state, reason] of [
      [90_000, "warning", "inexact"],
      [-3_600_000, "problem", "wrong"],
    ] as const) {
      Object.defineProperty(client, "clockSkewMs", { value: skewMs, configurable: true });
      const clock = check(await examine(peer), "clock");
      assert.deepEqual([clock.state, clock.reason], [state, reason]);
      assert.deepEqual(clock.data, { seconds: Math.abs(skewMs) / 1000, ahead: skewMs > 0 });
    }
  });

  it("notices that somebody else answers on one of its addresses", async () => {
    const peer = await start();
    const other = await start({ dataDir: tempDir("other") });
    const port = check(await examine(peer, { port: other.listenPort() }), "port");
    assert.deepEqual([port.state, port.reason], ["problem", "somebody-else"]);
  });

  it("notices that nothing answers on its own port", async () => {
    const port = await unusedPort();
    const found = check(await examine(await start(), { port }), "port");
    assert.deepEqual([found.state, found.reason, found.data], ["problem", "silent", { port }]);
  });

  it("warns of AirPlay's ports on macOS only", async () => {
    const peer = await start();
    const mac = { platform: "darwin" } as const;
    for (const port of [5000, 7000]) {
      assert.equal(check(await examine(peer, { port }, mac), "airplay").reason, "airplay-port");
    }
    assert.equal(check(await examine(peer, {}, mac), "airplay").state, "ok");
    assert.ok(!(await examine(peer, { port: 5000 })).some(({ id }) => id === "airplay"));
  });

  it("tells a network card's address from a tunnel's", async () => {
    const { host: _, ...patient } = patientOf(await start());
    const entry = (address: string) => ({ address }) as NetworkInterfaceInfo;
    const interfaces = () => ({ eth0: [entry("127.0.0.1")], tun0: [entry("127.0.0.2")] });
    const reasonOf = async (...addresses: string[]) => {
      const known = { ...patient, addresses, hasNetwork: true };
      const checks = await diagnose(known, new AbortController().signal, { ...MACHINE, interfaces });
      return check(checks, "addresses").reason;
    };
    assert.equal(await reasonOf("127.0.0.1"), "found");
    assert.equal(await reasonOf("127.0.0.1", "127.0.0.2"), "with-vpn");
    assert.equal(await reasonOf("127.0.0.2"), "vpn-only");
  });

  it("warns of a disk that is nearly full or that cannot be written to", async () => {
    const peer = await start();
    const disk = async (free: number) => check(await examine(peer, {}, { freeBytes: async () => free }), "disk");
    assert.deepEqual([(await disk(GIB / 2)).state, (await disk(GIB / 2)).reason], ["warning", "low"]);
    assert.deepEqual([(await disk(1_000)).state, (await disk(1_000)).reason], ["problem", "full"]);
    const unwritable = check(await examine(peer, { downloadsDir: "/proc/streamlet" }), "disk");
    assert.deepEqual([unwritable.state, unwritable.reason], ["problem", "unwritable"]);
  });

  it("gives up on what takes too long, and shows the rest", async () => {
    const stuck = () => new Promise<never>(() => {});
    const checks = await examine(await start(), { mediaTools: stuck }, { deadlineMs: 800 });
    assert.deepEqual([check(checks, "ffmpeg").state, check(checks, "ffmpeg").reason], ["skipped", "timeout"]);
    assert.equal(check(checks, "port").state, "ok");
  });

  it("ends at once when it is cancelled", async () => {
    const { session } = await startPeer("bob", { trackers: [`127.0.0.1:${await unusedPort()}`] });
    const begun = performance.now();
    const result = session.diagnose({ taskId: "one" });
    await session.cancelTask("one");
    await assert.rejects(result, { code: "cancelled" });
    assert.ok(performance.now() - begun < 3_000);
  });

  it("has others call back through the tracker to learn whether the way in is open", async () => {
    const tracker = await startTracker();
    const trackers = [`127.0.0.1:${tracker.port}`];
    const file = await randomFile(join(tempDir("video"), "clip.mp4"), 300_000, 7);
    const alice = await startPeer("alice", { trackers });
    const bob = await startPeer("bob", { trackers });
    const { id } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: (await alice.session.link((await keyOf(alice))!)).link });
    await videoWhere(bob, "it is whole", (video) => video.key === key && video.state === "ready");
    await alice.session.stop();
    const peer = await RunningPeer.start(alice.config, () => {});
    peers.push(peer);
    // Bob is on the same machine, and counts as somebody else all the same.
    const incoming = new IncomingLog(() => false);
    peer.incoming.note = (from) => incoming.note(from);
    const firewall = async () => check(await examine(peer, { incoming }), "firewall");
    assert.equal(patientOf(peer).videos[0], id);
    assert.match((await firewall()).reason, /^(called-back|open)$/);
    assert.equal(check(await examine(peer, { incoming }), "reach").reason, "reached");
    const deaf = new IncomingLog(() => false);
    assert.equal(check(await examine(peer, { incoming: deaf }), "firewall").reason, "not-called-back");
  });
});

async function keyOf(peer: Awaited<ReturnType<typeof startPeer>>): Promise<string | undefined> {
  return (await peer.session.snapshot()).videos[0]?.key;
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
