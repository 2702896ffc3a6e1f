// node bench/hostThread.mjs DIST LINK OUT DATA
//
// Downloads like the extension does, the peer in a worker thread and every snapshot delivered to the main thread, and prints
// how long the main thread kept others waiting meanwhile: {"event":"done","p50","p99","max"} in milliseconds.
import { createHash, generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { createMessageConnection, PortMessageReader, PortMessageWriter } from "vscode-jsonrpc/node";

/** A timer this short sees every block of the loop; its own length is in each value and is taken off. */
const RESOLUTION_MS = 1;
const [dist, link, out, dataDir] = process.argv.slice(2);

const worker = new Worker(join(dist, "peerWorker.js"));
const connection = createMessageConnection(new PortMessageReader(worker), new PortMessageWriter(worker));
const call = (name, ...args) => connection.sendRequest(name, { args });
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

let downloading;
const whole = new Promise((resolve, reject) => {
  connection.onNotification("onDidChange", ({ args: [snapshot] }) => {
    const video = snapshot.videos.find(({ key }) => key === downloading);
    if (video?.state === "ready") resolve(video);
    else if (video?.error) reject(new Error(video.error.message));
  });
});
connection.listen();

const peerId = `host-${createHash("sha256").update(link).digest("hex").slice(0, 8)}`;
const pem = privateKey.export({ type: "pkcs8", format: "pem" });
await call("start", { peerId, privateKey: pem, port: 0, host: "127.0.0.1", trackers: [], dataDir });
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();
downloading = (await call("download", { source: link, out })).key;
await whole;
delays.disable();
const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
console.log(
  JSON.stringify({
    event: "done",
    p50: ms(delays.percentile(50)),
    p99: ms(delays.percentile(99)),
    max: ms(delays.max),
  }),
);
await call("stop");
process.exit(0);
