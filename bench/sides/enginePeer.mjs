// node bench/sides/enginePeer.mjs DIST DATA [TRACKER]...
//
// A peer as the extension runs it: the engine in a worker thread, every snapshot delivered to the main thread, which has nothing
// else to do. Prints {"event":"ready","port","fingerprint"}, then does what lines of stdin ask ({"call","task","args"}) and prints
// {"event":"result","call","value"} for each; ends when stdin does.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, watch } from "node:fs";
import { get } from "node:http";
import { basename, dirname, join } from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { createMessageConnection, PortMessageReader, PortMessageWriter } from "vscode-jsonrpc/node";

/** A timer this short sees every block of the loop; its own length is in each value and is taken off. */
const RESOLUTION_MS = 1;
const [dist, dataDir, ...trackers] = process.argv.slice(2);

const say = (event) => console.log(JSON.stringify(event));
const worker = new Worker(join(dist, "peerWorker.js"));
const connection = createMessageConnection(new PortMessageReader(worker), new PortMessageWriter(worker));
const call = (name, ...args) => connection.sendRequest(name, { args });
const watchers = new Set();
const videos = new Map();
connection.onNotification("onDidChange", ({ args: [{ full, delta }] }) => {
  if (full) videos.clear();
  const { changed, removed } = full
    ? { changed: full.videos, removed: [] }
    : { changed: [], removed: [], ...delta.videos };
  for (const video of changed) videos.set(video.key, video);
  for (const key of removed) videos.delete(key);
  for (const look of watchers) look();
});
connection.listen();

/** Resolves with the video once it is in `state`. */
function untilVideo(key, state) {
  return new Promise((resolve, reject) => {
    const look = () => {
      const video = videos.get(key);
      if (video?.error) reject(new Error(video.error.message));
      else if (video?.state === state) resolve(video);
      else return;
      watchers.delete(look);
    };
    watchers.add(look);
    look();
  });
}

/** Resolves with the moment at which `path` has come into being. */
function untilFile(path) {
  return new Promise((resolve) => {
    const folder = watch(dirname(path), (_kind, name) => {
      if (name !== basename(path)) return;
      folder.close();
      resolve(performance.now());
    });
  });
}

/** Milliseconds of CPU that the main thread has taken, as Linux says; elsewhere how long its event loop was active. */
function mainThreadMs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1").split(" ")[0]) / 1e6;
  } catch {
    return performance.eventLoopUtilization().active;
  }
}

/** Runs `work`, and tells how long it took, what the main thread took of it, and how long that kept others waiting, in milliseconds. */
async function observed(work) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const before = mainThreadMs();
  const begun = performance.now();
  const ended = (await work()) ?? performance.now();
  const active = mainThreadMs() - before;
  delays.disable();
  const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const [p50, p99, max] = [delays.percentile(50), delays.percentile(99), delays.max].map(ms);
  return { seconds: (ended - begun) / 1000, active, p50, p99, max };
}

/** Resolves with the moment at which the first bytes of the body came. */
function firstBytes(url, range) {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { range } }, (response) => {
      if (response.statusCode !== 206) reject(new Error(`status ${response.statusCode}`));
      response.once("data", () => {
        resolve(performance.now());
        request.destroy();
      });
    });
    request.on("error", reject);
  });
}

const TASKS = {
  /** One of the engine's own functions (rpc/peerService.ts). */
  call: (name, ...args) => call(name, ...args),

  /** Downloads to `out`; the clock stops when the file has its final name. */
  download: (source, out) =>
    observed(async () => {
      const there = untilFile(out);
      const { key } = await call("download", { source, out });
      const at = await there;
      await untilVideo(key, "ready");
      return at;
    }),

  import: (path) =>
    observed(async () => {
      const { key } = await call("upload", { path, audience: "everyone", share: false });
      await untilVideo(key, "ready");
    }),

  /** Both at once, as in an editor in which one video is published while another arrives. */
  importWhileDownloading: (path, source, out) =>
    observed(async () => {
      await Promise.all([TASKS.import(path), TASKS.download(source, out)]);
    }),

  share: async (path, audience) => {
    const { key } = await call("upload", { path, audience, share: true });
    await untilVideo(key, "ready");
    return { key, ...(await call("link", key)) };
  },

  /**
   * Milliseconds from asking for a video to the first bytes that a player gets, which are of a verified block, and to when the stream
   * was open: whoever has it is being dialled then.
   */
  firstBytes: async (source, range) => {
    const begun = performance.now();
    const { id, key, url } = await call("openStream", source);
    const opened = performance.now() - begun;
    const first = (await firstBytes(url, range)) - begun;
    await call("closeStream", id);
    return { key, opened, first };
  },

  forget: async (key) => {
    await call("remove", key, { deleteFile: true });
  },
};

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const peerId = `engine-${process.pid}`;
const pem = privateKey.export({ type: "pkcs8", format: "pem" });
const { port, fingerprint } = await call("start", {
  peerId,
  privateKey: pem,
  port: 0,
  host: "127.0.0.1",
  trackers,
  dataDir,
});
say({ event: "ready", port, fingerprint });

for await (const line of createInterface({ input: process.stdin })) {
  const { call: id, task, args } = JSON.parse(line);
  TASKS[task](...args).then(
    (value) => say({ event: "result", call: id, value: value ?? null }),
    (error) => say({ event: "result", call: id, error: error.message }),
  );
}
await call("stop");
process.exit(0);
