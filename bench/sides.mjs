// The two sides of the comparison: how each prepares a video, and one transfer of it with what the kernel counted.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { JsonChild, machineUsage, usage } from "./children.mjs";

const MIB = 1024 * 1024;
const HERE = dirname(fileURLToPath(import.meta.url));
const HOST_THREAD = join(HERE, "hostThread.mjs");
const PYTHON = "/usr/bin/python3";
const LIBTORRENT = join(HERE, "libtorrentPeer.py");
/** Streamlet's own choice for files of up to 4 GiB, so that both hash and announce alike. */
const PIECE_BYTES = MIB;

export async function sha256(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk);
  return hash.digest("hex");
}

export function hasLibtorrent() {
  return existsSync(PYTHON) && spawnSync(PYTHON, ["-c", "import libtorrent"]).status === 0;
}

/** To be called before the receiver starts; the result, called after the last block, says what the transfer cost. */
function meter(sender) {
  const before = { at: performance.now(), sender: usage(sender.pid).cpu, machine: machineUsage() };
  return (receiver) => {
    const [took, gave, machine] = [usage(receiver.pid), usage(sender.pid), machineUsage()];
    const senderCpu = gave.cpu - before.sender;
    const others = machine - before.machine - senderCpu - took.cpu;
    return {
      senderCpu,
      receiverCpu: took.cpu,
      senderRss: gave.rss,
      receiverRss: took.rss,
      // Cores that everything else kept busy meanwhile: with more than a few per cent the seconds say little.
      othersCpu: Math.max(0, (1000 * others) / (performance.now() - before.at)),
    };
  };
}

/** `dir` is a folder for everything, `dist` the build; with `profiles`, every thread of Streamlet leaves a .cpuprofile there. */
export class Streamlet {
  constructor(dir, dist, profiles) {
    this.dir = dir;
    this.dist = dist;
    this.profiles = profiles;
  }

  #node(name) {
    return this.profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${join(this.profiles, name)}`];
  }

  #start(name, args) {
    const common = ["--json", "--no-tracker", "--host", "127.0.0.1", "--port", "0", "--peer-id", name];
    const all = [
      ...this.#node(name),
      join(this.dist, "streamlet.js"),
      ...args,
      ...common,
      "--data",
      join(this.dir, name),
    ];
    return new JsonChild(process.execPath, all);
  }

  async #share(video) {
    const sender = this.#start("sender", ["share", video]);
    const { link } = await sender.next(({ event }) => event === "shared");
    return { sender, link };
  }

  /** Hashes the video, which later transfers find done. Seconds include the start of the program. */
  async prepare(video) {
    const begun = performance.now();
    const { sender } = await this.#share(video);
    const { cpu, rss } = usage(sender.pid);
    const seconds = (performance.now() - begun) / 1000;
    await sender.terminate();
    return { seconds, cpu, rss };
  }

  async transfer(video, digest) {
    const { sender, link } = await this.#share(video);
    const stopMeter = meter(sender);
    const out = join(this.dir, "out.mp4");
    const receiver = this.#start("receiver", ["get", link, "--out", out]);
    // The last progress line comes before the CLI reads the file again for its digest, which is not part of the transfer.
    await receiver.next(({ event, bytes, total }) => event === "progress" && bytes === total);
    const costs = stopMeter(receiver);
    const done = await receiver.next(({ event }) => event === "done");
    if (done.sha256 !== digest) throw new Error("streamlet: the file differs from the original");
    await receiver.ended;
    await sender.terminate();
    rmSync(out);
    rmSync(join(this.dir, "receiver"), { recursive: true });
    return { seconds: done.seconds, ...costs };
  }

  /** Event loop delay, in milliseconds, of a main thread whose worker downloads as the extension's does. */
  async hostThread(video, digest) {
    const { sender, link } = await this.#share(video);
    const out = join(this.dir, "out.mp4");
    const data = join(this.dir, "host");
    const host = new JsonChild(process.execPath, [...this.#node("host"), HOST_THREAD, this.dist, link, out, data]);
    const { p50, p99, max } = await host.next(({ event }) => event === "done");
    await host.ended;
    await sender.terminate();
    if ((await sha256(out)) !== digest) throw new Error("streamlet: the file differs from the original");
    rmSync(out);
    rmSync(data, { recursive: true });
    return { p50, p99, max };
  }
}

export class Libtorrent {
  constructor(dir) {
    this.torrent = join(dir, "v2.torrent");
    this.out = join(dir, "libtorrent");
  }

  async prepare(video) {
    const begun = performance.now();
    const made = spawnSync(PYTHON, [LIBTORRENT, "make", video, this.torrent, String(PIECE_BYTES)]);
    if (made.status !== 0) throw new Error(`libtorrent: ${made.stderr}`);
    return { seconds: (performance.now() - begun) / 1000 };
  }

  async transfer(video, digest) {
    const sender = new JsonChild(PYTHON, [LIBTORRENT, "seed", video, this.torrent]);
    const { port } = await sender.next(({ event }) => event === "ready");
    const stopMeter = meter(sender);
    mkdirSync(this.out);
    const receiver = new JsonChild(PYTHON, [LIBTORRENT, "get", this.torrent, this.out, String(port)]);
    const { seconds } = await receiver.next(({ event }) => event === "done");
    const costs = stopMeter(receiver);
    await receiver.close();
    await sender.close();
    if ((await sha256(join(this.out, "video.mp4"))) !== digest) throw new Error("libtorrent: the file differs");
    rmSync(this.out, { recursive: true });
    return { seconds, ...costs };
  }
}
