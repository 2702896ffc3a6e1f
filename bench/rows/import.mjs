/**
 * Import of a file (hashFile: read, SHA-256 of every block, piece layer, SHA-1 of every v1 piece, hash tree on disk) against nothing
 * but the hash functions over memory, in as many threads, in the same run.
 */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import esbuild from "esbuild";
import { ROOT } from "../../tools/install.mjs";
import { GIB, MIB } from "../files.mjs";
import { rates } from "../harness.mjs";
import { median, withSpread } from "../statistics.mjs";

export const title = "import (hash v1 and v2) against the hash functions alone";

const MIN_OF_RAW = 0.8;
const MAX_DELAY_MS = 20;
const PIECE_BYTES = MIB;
/** As many as the import takes (importQueue.ts). */
const THREADS = Math.max(2, Math.min(4, availableParallelism()));

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

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const { dir, size } = bench;
  const { path } = await bench.video();
  await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: { hasher: "src/peer/storage/hasher.ts", hashWorker: "src/peer/storage/hashWorker.ts" },
    bundle: true,
    platform: "node",
    format: "cjs",
    outdir: join(dir, "hasher"),
    logLevel: "warning",
  });
  const { hashFile } = createRequire(import.meta.url)(join(dir, "hasher", "hasher.js"));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const importFile = () => {
    bench.warm();
    return measured(size, async () => {
      delay.enable();
      await hashFile({ path, pieceLength: PIECE_BYTES, treePath: join(dir, "video.hashes"), onProgress: () => {} });
      delay.disable();
    });
  };
  await importFile(); // the first one brings the file into the page cache
  delay.reset();
  const runs = await bench.interleave({ import: importFile, "hash functions alone": () => rawHashing(size) });
  const [own, raw] = [runs.import, runs["hash functions alone"]];
  bench.tell("hash functions alone", rates(raw, size), "MiB/s");
  const ratio = median(rates(own, size)) / median(rates(raw, size));
  bench.atLeast("import", ratio, MIN_OF_RAW, "the hash functions alone", withSpread(rates(own, size), "MiB/s"));
  bench.tell(
    "CPU of the import",
    own.map((run) => run.cpuPerGib),
    "s/GiB",
  );
  bench.tell(
    "CPU of the hash functions alone",
    raw.map((run) => run.cpuPerGib),
    "s/GiB",
  );
  bench.atMost("caller's delay meanwhile, p99", [delay.percentile(99) / 1e6], MAX_DELAY_MS, "ms");
}

async function measured(size, work) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuPerGib = ((user + system) / 1e6 / size) * GIB;
  return { seconds, cpuPerGib, figures: `${seconds.toFixed(2)} s, CPU ${cpuPerGib.toFixed(2)} s/GiB` };
}

async function rawHashing(size) {
  const workers = Array.from({ length: THREADS }, () => {
    const workerData = { bytes: size / THREADS, pieceBytes: PIECE_BYTES };
    return new Worker(RAW_WORKER, { eval: true, workerData });
  });
  const all = () => Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
  await all();
  const result = await measured(size, () => {
    const done = all();
    for (const worker of workers) worker.postMessage("go");
    return done;
  });
  await Promise.all(workers.map((worker) => worker.terminate()));
  return result;
}
