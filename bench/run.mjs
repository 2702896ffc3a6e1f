// npm run bench [-- --quick] [--rounds N] [--size MIB] [--only streamlet|libtorrent] [--dir DIR] [--cpu-prof]
//
// One peer gives, one takes, on the loopback, disk to disk, every block verified: `streamlet get` (TLS 1.3) against
// libtorrent 2 (v2 torrent, unencrypted), interleaved in one run, because the machine's pace changes from minute to minute.
// Needs `npm run build` first, and for the comparison Debian's python3-libtorrent.
import { spawnSync } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { JsonChild, usage } from "./children.mjs";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const HERE = dirname(fileURLToPath(import.meta.url));
const CLI = join(HERE, "..", "dist", "streamlet.js");
const PYTHON = "/usr/bin/python3";
const LIBTORRENT = join(HERE, "libtorrentPeer.py");
/** Streamlet's own choice for files of up to 4 GiB, so that both hash and announce alike. */
const PIECE_BYTES = MIB;
/** The bars of docs/architecture.md. */
const MAX_RSS_BYTES = 200e6;

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    size: { type: "string" },
    only: { type: "string" },
    dir: { type: "string", default: tmpdir() },
    "cpu-prof": { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 5));
const size = Number(flags.size ?? (flags.quick ? 64 : 1024)) * MIB;

const results = join(HERE, "results");
const stamp = new Date().toISOString().replace(/[:.]/g, "-");
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

async function sha256(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk);
  return hash.digest("hex");
}

/** What one transfer cost: the sender's share is counted from before its first connection to after the last block. */
function costs(seconds, senderBefore, sender, receiver) {
  return {
    seconds,
    senderCpu: sender.cpu - senderBefore.cpu,
    receiverCpu: receiver.cpu,
    senderRss: sender.rss,
    receiverRss: receiver.rss,
  };
}

function profiling(name) {
  return flags["cpu-prof"] ? ["--cpu-prof", `--cpu-prof-dir=${join(results, stamp, name)}`] : [];
}

function streamlet(name, args) {
  const common = ["--json", "--no-tracker", "--host", "127.0.0.1", "--port", "0", "--peer-id", name];
  return new JsonChild(process.execPath, [...profiling(name), CLI, ...args, ...common, "--data", join(dir, name)]);
}

const programs = {
  streamlet: {
    async prepare(video) {
      const begun = performance.now();
      const child = streamlet("sender", ["share", video]);
      await child.next(({ event }) => event === "shared");
      const { cpu, rss } = usage(child.pid);
      await child.stop();
      const seconds = (performance.now() - begun) / 1000;
      console.log(
        `streamlet share: hashed in ${seconds.toFixed(2)} s, CPU ${cpu.toFixed(2)} s, peak RSS ${mib(rss)} MiB`,
      );
    },
    async transfer(video, digest) {
      const sender = streamlet("sender", ["share", video]);
      const { link } = await sender.next(({ event }) => event === "shared");
      const before = usage(sender.pid);
      const receiver = streamlet("receiver", ["get", link, "--out", join(dir, "out.mp4")]);
      // The last progress line comes before the CLI reads the file again for its digest, which is not part of the transfer.
      await receiver.next(({ event, bytes, total }) => event === "progress" && bytes === total);
      const [receiverUsage, senderUsage] = [usage(receiver.pid), usage(sender.pid)];
      const done = await receiver.next(({ event }) => event === "done");
      if (done.sha256 !== digest) throw new Error("streamlet: the file differs from the original");
      await receiver.ended;
      await sender.stop();
      rmSync(join(dir, "receiver"), { recursive: true, force: true });
      return costs(done.seconds, before, senderUsage, receiverUsage);
    },
  },
  libtorrent: {
    async prepare(video) {
      const made = spawnSync(PYTHON, [LIBTORRENT, "make", video, join(dir, "v2.torrent"), String(PIECE_BYTES)]);
      if (made.status !== 0) throw new Error(`libtorrent: ${made.stderr}`);
    },
    async transfer(video, digest) {
      const sender = new JsonChild(PYTHON, [LIBTORRENT, "seed", video, join(dir, "v2.torrent")]);
      const { port } = await sender.next(({ event }) => event === "ready");
      const before = usage(sender.pid);
      const folder = join(dir, "libtorrent");
      mkdirSync(folder);
      const receiver = new JsonChild(PYTHON, [LIBTORRENT, "get", join(dir, "v2.torrent"), folder, String(port)]);
      const { seconds } = await receiver.next(({ event }) => event === "done");
      const [receiverUsage, senderUsage] = [usage(receiver.pid), usage(sender.pid)];
      await receiver.stop();
      await sender.stop();
      if ((await sha256(join(folder, "video.mp4"))) !== digest) throw new Error("libtorrent: the file differs");
      rmSync(folder, { recursive: true });
      return costs(seconds, before, senderUsage, receiverUsage);
    },
  },
};

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

function row(name, run) {
  const perGib = (cpu) => ((cpu * GIB) / size).toFixed(2);
  return {
    "": name,
    s: run.seconds.toFixed(2),
    "MiB/s": Math.round(size / MIB / run.seconds),
    "receiver CPU s/GiB": perGib(run.receiverCpu),
    "sender CPU s/GiB": perGib(run.senderCpu),
    "receiver peak MiB": mib(run.receiverRss),
    "sender peak MiB": mib(run.senderRss),
  };
}

function hasLibtorrent() {
  return existsSync(PYTHON) && spawnSync(PYTHON, ["-c", "import libtorrent"]).status === 0;
}

function chosen() {
  if (flags.only !== undefined) return [flags.only];
  if (hasLibtorrent()) return ["libtorrent", "streamlet"];
  console.log("No libtorrent to compare with: apt-get install python3-libtorrent.");
  return ["streamlet"];
}

async function main() {
  if (chosen().includes("streamlet") && !existsSync(CLI))
    throw new Error("dist/streamlet.js is missing: npm run build");
  const names = chosen();
  const video = join(dir, "video.mp4");
  makeVideo(video);
  const digest = await sha256(video);
  for (const name of names) await programs[name].prepare(video);
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Each goes first as often as the other.
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      warmMemory();
      const run = await programs[name].transfer(video, digest);
      rmSync(join(dir, "out.mp4"), { force: true });
      runs[name].push(run);
      console.log(`round ${round + 1}: ${name} ${run.seconds.toFixed(2)} s`);
    }
  }
  const middle = Object.fromEntries(names.map((name) => [name, medians(runs[name])]));
  console.log(`\n${mib(size)} MiB, one source, loopback, disk to disk, verified; median of ${rounds}:`);
  console.table(names.map((name) => row(name, middle[name])));

  const bars = {
    memory: Math.max(...(runs.streamlet?.flatMap((r) => [r.senderRss, r.receiverRss]) ?? [0])) <= MAX_RSS_BYTES,
  };
  if (names.length === 2) {
    const ratio = middle.libtorrent.seconds / middle.streamlet.seconds;
    console.log(`streamlet is ${ratio.toFixed(2)} times as fast as libtorrent in this run`);
    // One small round says whether it works, not how fast it is.
    if (!flags.quick) bars.speed = ratio >= 1;
  }
  mkdirSync(results, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cpus: cpus().length, kernel: release(), node: process.version };
  const file = join(results, `${stamp}.json`);
  writeFileSync(file, `${JSON.stringify({ stamp, machine, size, rounds, runs, medians: middle, bars }, null, 2)}\n`);
  console.log(`written to ${file}`);
  for (const [bar, held] of Object.entries(bars)) if (!held) console.log(`BAR MISSED: ${bar}`);
  process.exitCode = Object.values(bars).every(Boolean) ? 0 : 1;
}

await main();
