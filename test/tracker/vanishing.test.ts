/** Peers that go without a goodbye. This file is also what it kills: run with `peer PORT` it is a peer with one video. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { until } from "../helpers/until";
import { makeRecord, RawPeer, startTracker, stopAll, videoId } from "./support";

const HEARTBEAT_MS = 200;

async function runPeer(port: number): Promise<void> {
  const peer = await RawPeer.join({ port, peerId: "Doomed" });
  await peer.publish(makeRecord(peer.identity, 1));
  await peer.announce({ have: [videoId(1)], complete: true });
  process.send?.("ready");
}

/** A cable between a peer and a tracker, which can be pulled: then nothing passes any more and neither end is told. */
async function cable(port: number): Promise<{ port: number; pull(): void; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    pull() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

if (process.argv[2] === "peer") {
  void runPeer(Number(process.argv[3]));
} else {
  describe("A peer that vanishes without goodbye", () => {
    afterEach(stopAll);

    const seenBy = async (watcher: RawPeer) => ({
      peers: await watcher.directory(),
      videos: (await watcher.list()).total,
      sources: (await watcher.sourcesOf(videoId(1))).length,
    });
    const THERE = { peers: ["Doomed", "Watcher"], videos: 1, sources: 1 };
    const GONE = { peers: ["Watcher"], videos: 0, sources: 0 };

    it("by kill -9 is gone from the directory, and its videos from the list", async () => {
      const { port } = await startTracker({ heartbeatMs: HEARTBEAT_MS });
      const watcher = await RawPeer.join({ port, peerId: "Watcher" });
      const child = fork(__filename, ["peer", String(port)], { execArgv: [] });
      await new Promise((resolve) => child.once("message", resolve));
      assert.deepEqual(await seenBy(watcher), THERE);
      child.kill("SIGKILL");
      await until("it is gone", async () => (await seenBy(watcher)).peers.length === 1);
      assert.deepEqual(await seenBy(watcher), GONE);
    }).timeout(10_000);

    it("by SIGSTOP, its connection open for ever, is gone after three and a half heartbeats", async () => {
      const { port } = await startTracker({ heartbeatMs: HEARTBEAT_MS });
      const watcher = await RawPeer.join({ port, peerId: "Watcher" });
      const child = fork(__filename, ["peer", String(port)], { execArgv: [] });
      try {
        await new Promise((resolve) => child.once("message", resolve));
        child.kill("SIGSTOP");
        const before = performance.now();
        await until("it is gone", async () => (await seenBy(watcher)).peers.length === 1);
        assert.ok(performance.now() - before < HEARTBEAT_MS * 15);
        assert.deepEqual(await seenBy(watcher), GONE);
      } finally {
        child.kill("SIGKILL");
      }
    }).timeout(10_000);

    it("by a pulled cable is gone likewise, while those who answer stay", async () => {
      const { port } = await startTracker({ heartbeatMs: HEARTBEAT_MS });
      const watcher = await RawPeer.join({ port, peerId: "Watcher" });
      const line = await cable(port);
      try {
        const address = `ws://127.0.0.1:${line.port}`;
        const doomed = await RawPeer.join({ port: line.port, peerId: "Doomed", address });
        await doomed.publish(makeRecord(doomed.identity, 1));
        await doomed.announce({ have: [videoId(1)] });
        await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS * 5));
        assert.deepEqual(await seenBy(watcher), THERE, "who is there stays");
        line.pull();
        await until("it is gone", async () => (await seenBy(watcher)).peers.length === 1);
        assert.deepEqual(await seenBy(watcher), GONE);
      } finally {
        line.close();
      }
    }).timeout(10_000);
  });
}
