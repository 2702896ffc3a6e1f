// npm run bench [-- --quick] [--rounds N] [--size MIB] [--only streamlet|libtorrent] [--dir DIR] [--dist DIR] [--cpu-prof] [--when-idle]
//
// One peer gives, one takes, on the loopback, disk to disk, every block verified: `streamlet get` (TLS 1.3) against
// libtorrent 2 (v2 torrent, unencrypted), interleaved in one run, because the machine's pace changes from minute to minute.
// Then the same download with the peer in a worker thread, to see how long the main thread kept others waiting.
// Needs `npm run build` first (or another build by --dist), and for the comparison Debian's python3-libtorrent. Exit 1 if a bar
// is missed. --cpu-prof leaves profiles beside the results: node bench/profile.mjs FOLDER shows where the time went.
import { randomFillSync } from "node:crypto";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machineUsage } from "./children.mjs";
import { hasLibtorrent, Libtorrent, Streamlet, sha256 } from "./sides.mjs";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What the project promises; see docs/architecture.md. */
const MAX_RSS_BYTES = 200e6;
const MIN_SPEED_RATIO = 1;
const MAX_HOST_DELAY_MS = 20;
/** --when-idle: less than this many cores busy for so long; a machine that never rests is measured all the same. */
const IDLE_CORES = 0.1;
const IDLE_SECONDS = 2;
const MAX_IDLE_WAIT_SECONDS = 180;

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    size: { type: "string" },
    only: { type: "string" },
    dir: { type: "string", default: tmpdir() },
    dist: { type: "string", default: join(dirname(fileURLToPath(import.meta.url)), "..", "dist") },
    "cpu-prof": { type: "boolean", default: false },
    "when-idle": { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 5));
const size = Number(flags.size ?? (flags.quick ? 64 : 1024)) * MIB;

const results = join(dirname(fileURLToPath(import.meta.url)), "results");
const stamp = new Date().toISOString().replace(/[:.]/g, "-");
const profiles = flags["cpu-prof"] ? join(results, stamp) : undefined;
const dir = mkdtempSync(join(flags.dir, "streamlet-bench-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

/** Random bytes behind the head of an MP4, so that it counts as a video. */
function makeVideo(path) {
  const file = openSync(path, "w");
  const chunk = Buffer.alloc(MIB);
  for (let written = 0; written < size; written += chunk.length) {
    randomFillSync(chunk);
    if (written === 0) {
      chunk.writeUInt32BE(32, 0);
      chunk.write("ftypisom\0\0\x02\0isomiso2avc1mp41", 4, "latin1");
      chunk.writeUInt32BE(1, 32);
      chunk.write("mdat", 36, "latin1");
      chunk.writeBigUInt64BE(BigInt(size - 32), 40);
    }
    writeSync(file, chunk);
  }
  closeSync(file);
}

/** A virtual machine's freed memory may have gone back to its host: the first to touch it again would pay for that. */
function warmMemory() {
  const path = join(dir, "warm");
  const file = openSync(path, "w");
  const chunk = Buffer.alloc(MIB, 1);
  for (let written = 0; written < size; written += chunk.length) writeSync(file, chunk);
  closeSync(file);
  rmSync(path);
}

/** Waits until nobody else has used the machine for a while; what comes during a transfer is in its `othersCpu`. */
async function untilIdle() {
  for (let quiet = 0, waited = 0; quiet < IDLE_SECONDS && waited < MAX_IDLE_WAIT_SECONDS; waited++) {
    const before = machineUsage();
    await setTimeout(1000);
    quiet = machineUsage() - before < IDLE_CORES ? quiet + 1 : 0;
  }
}

function mib(bytes) {
  return Math.round(bytes / MIB);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function medians(runs) {
  return Object.fromEntries(Object.keys(runs[0]).map((key) => [key, median(runs.map((run) => run[key]))]));
}

function row(run) {
  const perGib = (cpu) => Number(((cpu * GIB) / size).toFixed(2));
  return {
    s: Number(run.seconds.toFixed(2)),
    "MiB/s": Math.round(size / MIB / run.seconds),
    "receiver CPU s/GiB": perGib(run.receiverCpu),
    "sender CPU s/GiB": perGib(run.senderCpu),
    "receiver peak MiB": mib(run.receiverRss),
    "sender peak MiB": mib(run.senderRss),
    "others' cores": Number(run.othersCpu.toFixed(2)),
  };
}

function chosenSides() {
  const all = { libtorrent: new Libtorrent(dir), streamlet: new Streamlet(dir, resolve(flags.dist), profiles) };
  if (flags.only !== undefined) return { [flags.only]: all[flags.only] };
  if (hasLibtorrent()) return all;
  console.log("No libtorrent to compare with: apt-get install python3-libtorrent.");
  return { streamlet: all.streamlet };
}

async function measure(sides, video, digest) {
  const names = Object.keys(sides);
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Each goes first as often as the other.
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      if (flags["when-idle"]) await untilIdle();
      warmMemory();
      const run = await sides[name].transfer(video, digest);
      runs[name].push(run);
      const others = Math.round(100 * run.othersCpu);
      console.log(`round ${round + 1}: ${name} ${run.seconds.toFixed(2)} s, others took ${others} % of a core`);
    }
  }
  return runs;
}

async function main() {
  const sides = chosenSides();
  const { streamlet } = sides;
  if (streamlet && !existsSync(join(flags.dist, "streamlet.js"))) throw new Error("There is no build: npm run build");
  const video = join(dir, "video.mp4");
  makeVideo(video);
  const digest = await sha256(video);
  const hashing = {};
  for (const [name, side] of Object.entries(sides)) {
    hashing[name] = await side.prepare(video);
    console.log(`${name} hashed it in ${hashing[name].seconds.toFixed(2)} s`);
  }
  const runs = await measure(sides, video, digest);
  const middle = Object.fromEntries(Object.entries(runs).map(([name, list]) => [name, medians(list)]));
  console.log(`\n${mib(size)} MiB, one source, loopback, disk to disk, verified; median of ${rounds}:`);
  console.table(Object.fromEntries(Object.entries(middle).map(([name, run]) => [name, row(run)])));

  const bars = [];
  const bar = (what, value, limit, held) => bars.push({ what, value: Number(value.toFixed(2)), limit, held });
  let hostThread;
  if (streamlet) {
    const peaks = [hashing.streamlet.rss, ...runs.streamlet.flatMap((run) => [run.senderRss, run.receiverRss])];
    bar(
      "peak memory of any Streamlet process, MB",
      Math.max(...peaks) / 1e6,
      MAX_RSS_BYTES / 1e6,
      Math.max(...peaks) <= MAX_RSS_BYTES,
    );
    warmMemory();
    hostThread = await streamlet.hostThread(video, digest);
    // One small round on a busy machine says whether it works, not how fast it is.
    const held = flags.quick || hostThread.p99 < MAX_HOST_DELAY_MS;
    bar("main thread's delay while downloading in a worker, p99 ms", hostThread.p99, MAX_HOST_DELAY_MS, held);
  }
  if (streamlet && sides.libtorrent) {
    const ratio = middle.libtorrent.seconds / middle.streamlet.seconds;
    bar("times as fast as libtorrent", ratio, MIN_SPEED_RATIO, flags.quick || ratio >= MIN_SPEED_RATIO);
  }
  console.table(bars);
  const machine = { cpu: cpus()[0]?.model, cpus: cpus().length, kernel: release(), node: process.version };
  const file = join(results, `${stamp}.json`);
  mkdirSync(results, { recursive: true });
  const report = { stamp, machine, size, rounds, hashing, runs, medians: middle, hostThread, bars };
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`written to ${file}`);
  process.exitCode = bars.every(({ held }) => held) ? 0 : 1;
}

await main();
