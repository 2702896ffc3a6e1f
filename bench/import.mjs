/**
 * Import of a file (hashFile: read, SHA-256 of every block, piece layer, SHA-1 of every v1 piece, hash tree on disk) against nothing
 * but the hash functions over memory, in as many threads, in the same run. Bar: at least 80 % of raw speed.
 *
 *   node bench/import.mjs [--mib 1024] [--runs 5] [--json]
 */
import { randomFillSync } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import esbuild from "esbuild";

const MIB = 1024 * 1024;
const PIECE_BYTES = MIB;
/** What the project promises. */
const MIN_PERCENT = 80;
const options = {
  mib: { type: "string", default: "1024" },
  runs: { type: "string", default: "5" },
  json: { type: "boolean" },
};
const { values } = parseArgs({ options });
const size = Number(values.mib) * MIB;
const runs = Number(values.runs);
const threads = Math.max(2, Math.min(4, availableParallelism()));

/** What any import has to compute at least. The memory is larger than the caches, as a file is. */
const RAW_WORKER = `
const { parentPort, workerData: { bytes, pieceBytes } } = require("node:worker_threads");
const { hash, randomFillSync } = require("node:crypto");
const memory = randomFillSync(Buffer.allocUnsafeSlow(64 * 1024 * 1024));
parentPort.on("message", () => {
  for (let done = 0; done < bytes; done += pieceBytes) {
    const at = done % memory.length;
    for (let b = at; b < at + pieceBytes; b += 16384) hash("sha256", memory.subarray(b, b + 16384), "latin1");
    hash("sha1", memory.subarray(at, at + pieceBytes), "latin1");
  }
  parentPort.postMessage("done");
});
parentPort.postMessage("ready");
`;

const dir = mkdtempSync(join(tmpdir(), "streamlet-bench-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));

function writeFile(path) {
  const chunk = randomFillSync(Buffer.allocUnsafe(MIB));
  const fd = openSync(path, "w");
  for (let done = 0; done < size; done += MIB) {
    chunk.writeUInt32LE(done / MIB, 0);
    writeSync(fd, chunk);
  }
  closeSync(fd);
}

/** Freed memory of some machines faults in slowly: without this a run is off by more than 2x. */
function warmMemory() {
  writeFile(join(dir, "warm"));
  rmSync(join(dir, "warm"));
}

async function measured(run) {
  warmMemory();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuPerGib: ((user + system) / 1e6 / size) * 1024 * MIB };
}

async function rawWorkers() {
  const workers = Array.from({ length: threads }, () => {
    const workerData = { bytes: size / threads, pieceBytes: PIECE_BYTES };
    return new Worker(RAW_WORKER, { eval: true, workerData });
  });
  const all = () => Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
  await all();
  return {
    run: () => {
      const done = all();
      for (const worker of workers) worker.postMessage("go");
      return done;
    },
    end: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

function median(list) {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}

await esbuild.build({
  entryPoints: { hasher: "src/peer/storage/hasher.ts", hashWorker: "src/peer/storage/hashWorker.ts" },
  bundle: true,
  platform: "node",
  format: "cjs",
  outdir: dir,
  logLevel: "warning",
});
const { hashFile } = createRequire(import.meta.url)(join(dir, "hasher.js"));
const path = join(dir, "video.mp4");
writeFile(path);

const results = { import: [], raw: [] };
const delay = monitorEventLoopDelay({ resolution: 1 });
let rss = 0;
for (let i = 0; i <= runs; i++) {
  const raw = await rawWorkers();
  const rawRun = await measured(raw.run);
  await raw.end();
  const before = process.memoryUsage.rss();
  delay.reset();
  const importRun = await measured(async () => {
    delay.enable();
    const onProgress = () => {
      rss = Math.max(rss, process.memoryUsage.rss() - before);
    };
    await hashFile({ path, pieceLength: PIECE_BYTES, treePath: join(dir, "video.hashes"), onProgress });
    delay.disable();
  });
  if (i === 0) continue; // the first run of each warms the page cache and the compiler
  results.raw.push(rawRun);
  results.import.push(importRun);
}

const summary = {};
for (const [name, list] of Object.entries(results)) {
  const seconds = median(list.map((run) => run.seconds));
  summary[name] = {
    mibPerSecond: Math.round(size / MIB / seconds),
    seconds: Number(seconds.toFixed(3)),
    cpuPerGib: Number(median(list.map((run) => run.cpuPerGib)).toFixed(2)),
  };
}
/** Speed on the cores used: CPU seconds tell it also on a machine that has other things to do, where the clock does not. */
const percent = Math.round((summary.raw.cpuPerGib / summary.import.cpuPerGib) * 100);
const percentByClock = Math.round((summary.import.mibPerSecond / summary.raw.mibPerSecond) * 100);
const loop = { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
if (values.json)
  console.log(JSON.stringify({ bench: "import", threads, size, ...summary, percent, percentByClock, loop, rss }));
else {
  console.log(`${size / MIB} MiB, ${threads} threads, median of ${runs} runs`);
  for (const [name, { mibPerSecond, seconds, cpuPerGib }] of Object.entries(summary)) {
    console.log(`${name.padEnd(8)}${String(mibPerSecond).padStart(6)} MiB/s ${seconds} s, ${cpuPerGib} CPU s/GiB`);
  }
  console.log(
    `import is ${percent} % of raw speed by CPU time (bar: ${MIN_PERCENT} %), ${percentByClock} % by the clock`,
  );
  console.log(
    `caller's event loop delay p50 ${loop.p50.toFixed(1)} p99 ${loop.p99.toFixed(1)} ms, memory +${Math.round(rss / MIB)} MiB`,
  );
}
process.exitCode = percent >= MIN_PERCENT ? 0 : 1;
