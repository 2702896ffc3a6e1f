/**
 * A profile with ten thousand videos of its own, as the extension runs it: how long it takes to start for the first time (every
 * record has to be signed) and to stop; and while one more video downloads, what crosses the port to the extension host and the
 * socket to a second window, and how long either thread kept others waiting.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { serialize } from "node:v8";
import { BroadcastChannel } from "node:worker_threads";
import esbuild from "esbuild";
import { ROOT } from "../../tools/install.mjs";
import { MIB, makeVideo } from "../files.mjs";
import { Streamlet } from "../sides/streamlet.mjs";

export const title = "ten thousand videos of one's own in the worker thread of an extension";

const VIDEOS = 10_000;
const QUICK_VIDEOS = 500;
const KIB = 1024;
const MAX_KIB_PER_SECOND = 20;
const MAX_HOST_DELAY_MS = 20;
/** Going through all videos once, on a thread that also receives. */
const MAX_ENGINE_DELAY_MS = 75;
/** At a start every row is new once: read, shown and sent whole. */
const MAX_START_DELAY_MS = 250;
const MAX_STOP_SECONDS = 2;
/** A timer this short sees every block of the loop; its own length is in each value and is taken off. */
const RESOLUTION_MS = 1;
/** Bytes per second of the download, and how long it is looked at. */
const DOWNLOAD_RATE = 2 * MIB;
const SECONDS = 8;
const QUICK_SECONDS = 2;
/** The first bytes of an MP4: so much makes a file a video. */
const HEAD = "\0\0\0 ftypisom\0\0\x02\0isomiso2avc1mp41";

/** The extension's own ends of both borders, and what a tree keeps of the rows. */
const HOST = `
export { Engine } from "./src/ui/host/engine";
export { Follower, followOwner } from "./src/ui/host/follower";
export { stoppedSnapshot } from "./src/ui/host/snapshots";
export { NodeList } from "./src/ui/views/nodeList";
`;

/** The engine's thread with a clock in it: how long its loop was blocked since somebody asked last. */
const clockedWorker = (worker) => `
const { monitorEventLoopDelay } = require("node:perf_hooks");
const { BroadcastChannel } = require("node:worker_threads");
const delay = monitorEventLoopDelay({ resolution: ${RESOLUTION_MS} });
const channel = new BroadcastChannel("engine-delay");
channel.onmessage = ({ data }) => {
  if (data !== "read") return;
  channel.postMessage(Math.max(0, delay.max / 1e6 - ${RESOLUTION_MS}));
  delay.reset();
};
channel.unref();
delay.enable();
require(${JSON.stringify(worker)});
`;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const count = bench.quick ? QUICK_VIDEOS : VIDEOS;
  const dir = join(bench.dir, "library");
  mkdirSync(dir);
  const result = await measure(bench, dir, count);
  rmSync(dir, { recursive: true });
  const { first, second, download } = result;
  bench.runs.library.engine = [result];
  bench.note(`${count} videos`);
  bench.tell("first start", [first.seconds], "s");
  bench.tell("until the tracker knows all of them", [first.told], "s");
  bench.atMost("engine's longest delay in it", [first.delay], MAX_START_DELAY_MS, "ms");
  bench.atMost("stop right after it", [first.stop], MAX_STOP_SECONDS, "s");
  bench.tell("second start", [second.seconds], "s");
  bench.tell("until the tracker knows all of them again", [second.told], "s");
  bench.atMost("engine's longest delay in the second", [second.delay], MAX_START_DELAY_MS, "ms");
  bench.atMost("over the port while one downloads", [download.port], MAX_KIB_PER_SECOND, "KiB/s");
  bench.atMost("to a second window meanwhile", [download.socket], MAX_KIB_PER_SECOND, "KiB/s");
  bench.atMost("main thread's longest delay meanwhile", [download.hostDelay], MAX_HOST_DELAY_MS, "ms");
  bench.atMost("engine's longest delay meanwhile", [download.delay], MAX_ENGINE_DELAY_MS, "ms");
  bench.atMost("stop in mid-download", [second.stop], MAX_STOP_SECONDS, "s");
}

async function measure(bench, dir, count) {
  const host = await openHost(bench.dist, dir);
  const { service } = host;
  const streamlet = new Streamlet(bench);
  const tracker = await streamlet.tracker();
  const { privateKey, fingerprint } = await service.createIdentity();
  const dataDir = join(dir, "data");
  makeLibrary({ dir, dataDir, count, fingerprint });
  const trackers = [tracker.address];
  const config = { peerId: "alice", privateKey, port: 0, host: "127.0.0.1", trackers, dataDir };

  const isTold = () => host.videos().length === count && host.videos().every(({ publishedOn }) => publishedOn > 0);
  const start = async () => {
    let started;
    const { seconds, delay } = await host.timed(async () => {
      const begun = performance.now();
      await service.start(config);
      started = (performance.now() - begun) / 1000;
      while (!isTold()) await sleep(50);
    });
    return { seconds: started, told: seconds, delay };
  };
  const first = await start();
  first.stop = (await host.timed(() => service.stop())).seconds;
  const second = await start();

  const seconds = bench.quick ? QUICK_SECONDS : SECONDS;
  const bytes = (2 * seconds + 6) * DOWNLOAD_RATE;
  const path = makeVideo(join(dir, "download.mp4"), bytes);
  const sender = streamlet.start("slow", ["share", path, "--limit-up", String(DOWNLOAD_RATE)]);
  const { link } = await sender.next(({ event }) => event === "shared");
  const { key } = await service.download({ source: link, out: join(dir, "out.mp4") });
  const isUnderWay = () => host.videos().some((video) => video.key === key && video.downRate > 0);
  while (!isUnderWay()) await sleep(50);
  await sleep(1000);
  const download = await host.delays(seconds);
  Object.assign(download, await host.traffic(seconds));
  if (!isUnderWay()) throw new Error("the download ended before it was measured");
  second.stop = (await host.timed(() => service.stop())).seconds;
  await host.close();
  await sender.terminate();
  await tracker.child.terminate();
  streamlet.forget("slow");
  return { first, second, download };
}

/** The engine in its worker, the state kept and handed on as the owner's window does. */
async function openHost(dist, dir) {
  const bundle = join(dir, "host.cjs");
  await esbuild.build({
    stdin: { contents: HOST, resolveDir: ROOT },
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile: bundle,
    logLevel: "warning",
  });
  const { Engine, Follower, followOwner, stoppedSnapshot, NodeList } = createRequire(import.meta.url)(bundle);
  const worker = join(dir, "clockedWorker.js");
  writeFileSync(worker, clockedWorker(join(dist, "peerWorker.js")));
  let follower;
  let state = { snapshot: stoppedSnapshot(), profiles: [], connections: [] };
  const rows = new NodeList((video) => video.key);
  const engine = new Engine(worker, {
    onDidChange: (snapshot) => {
      state = { ...state, snapshot };
      rows.update(snapshot.videos);
      follower?.send(state);
    },
    onDidCrash: (error) => {
      throw error;
    },
    onOutput: (line) => console.error(line),
  });

  const channel = new BroadcastChannel("engine-delay");
  const engineDelay = async () => {
    const answer = once(channel, "message");
    channel.postMessage("read");
    return (await answer)[0].data;
  };
  await engine.service.snapshot(); // it listens
  return {
    service: engine.service,
    videos: () => state.snapshot.videos,

    async timed(work) {
      await engineDelay();
      const begun = performance.now();
      await work();
      return { seconds: (performance.now() - begun) / 1000, delay: await engineDelay() };
    },

    async delays(seconds) {
      await engineDelay();
      const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      delay.enable();
      await sleep(seconds * 1000);
      delay.disable();
      return { hostDelay: Math.max(0, delay.max / 1e6 - RESOLUTION_MS), delay: await engineDelay() };
    },

    /** KiB/s over the port and to a second window: a time of its own, for counting takes time as well. */
    async traffic(seconds) {
      const server = createServer({ pauseOnConnect: true }).listen(localSocket(dir));
      await once(server, "listening");
      const socket = connect(localSocket(dir));
      const [accepted] = await once(server, "connection");
      follower = new Follower(accepted, {}, state, () => {});
      followOwner(socket, () => {});
      await sleep(2000); // the whole state, once
      let port = 0;
      const read = socket.bytesRead;
      engine.worker.on("message", (message) => {
        port += serialize(message).length;
      });
      await sleep(seconds * 1000);
      const per = (bytes) => bytes / KIB / seconds;
      const result = { port: per(port), socket: per(socket.bytesRead - read) };
      follower.close();
      follower = undefined;
      server.close();
      return result;
    },

    async close() {
      channel.close();
      await engine.dispose();
    },
  };
}

function localSocket(dir) {
  return process.platform === "win32" ? `\\\\.\\pipe\\streamlet-bench-${process.pid}` : join(dir, "socket");
}

/** Whole videos of one's own that no tracker has heard of; only their files are small. */
function makeLibrary({ dir, dataDir, count, fingerprint }) {
  const folder = join(dir, "videos");
  mkdirSync(folder);
  mkdirSync(dataDir);
  const lines = Array.from({ length: count }, (_, index) => {
    const path = join(folder, `video${index}.mp4`);
    writeFileSync(path, HEAD);
    const { size, mtimeMs } = statSync(path);
    return JSON.stringify({
      key: `entry${String(index).padStart(16, "0")}`,
      origin: "uploaded",
      id: randomBytes(32).toString("hex"),
      v1: randomBytes(20).toString("hex"),
      piecesRoot: randomBytes(32).toString("hex"),
      pieceLength: MIB,
      title: `Recording number ${index} of the weekly demo`,
      description: "What was new, and what is still missing.",
      fileName: `video${index}.mp4`,
      path,
      size,
      mtimeMs,
      duration: 60,
      container: "mp4",
      codecs: "avc1.64001f, mp4a.40.2",
      width: 1280,
      height: 720,
      audience: "everyone",
      shared: true,
      state: "ready",
      addedAt: 1_700_000_000_000 + index,
      owner: "alice",
      ownerFingerprint: fingerprint,
      sequence: 0,
    });
  });
  writeFileSync(join(dataDir, "library.json"), `{"version":1,"entries":[\n${lines.join(",\n")}\n]}\n`);
}
