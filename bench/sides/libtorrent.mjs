// libtorrent 2, from Debian's python3-libtorrent: unencrypted, over TCP, with nothing on that looks for other peers.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureDebianPackages } from "../../tools/install.mjs";
import { JsonChild } from "../children.mjs";
import { MIB, sha256 } from "../files.mjs";
import { figures, meter } from "./meter.mjs";

/** Debian's Python: its libtorrent is built for this one. */
const PYTHON = "/usr/bin/python3";
const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), "libtorrentPeer.py");
/** Streamlet's own choice for files of up to 4 GiB, so that both hash and announce alike. */
const PIECE_BYTES = MIB;

/** Why it cannot take part, or undefined. With `install`, installs it where that is possible. */
export async function libtorrentMissing({ install }) {
  return (await ensureDebianPackages(["python3-libtorrent"], { install })).get("python3-libtorrent");
}

export class Libtorrent {
  /** @param {import("../harness.mjs").Bench} bench */
  constructor(bench) {
    this.bench = bench;
    const { dir } = bench;
    this.torrent = join(dir, "v2.torrent");
    this.out = join(dir, "libtorrent");
  }

  async prepare(video) {
    const made = spawnSync(PYTHON, [SCRIPT, "make", video, this.torrent, String(PIECE_BYTES)]);
    if (made.status !== 0) throw new Error(`libtorrent: ${made.stderr}`);
  }

  async transfer(video, digest) {
    const sender = new JsonChild(PYTHON, [SCRIPT, "seed", video, this.torrent]);
    const { port } = await sender.next(({ event }) => event === "ready");
    const run = await this.fetch({ sender, torrent: this.torrent, port, digest });
    await sender.close();
    return run;
  }

  /** Fetches from a process that listens on `port`, whatever it is. */
  async fetch({ sender, torrent, port, digest }) {
    this.bench.warm();
    const stopMeter = meter(sender);
    mkdirSync(this.out);
    const receiver = new JsonChild(PYTHON, [SCRIPT, "get", torrent, this.out, String(port)]);
    const { seconds } = await receiver.next(({ event }) => event === "done");
    const costs = stopMeter(receiver);
    await receiver.close();
    if ((await sha256(join(this.out, "video.mp4"))) !== digest) throw new Error("libtorrent: the file differs");
    rmSync(this.out, { recursive: true });
    const run = { seconds, ...costs };
    return { ...run, figures: figures(run, this.bench.size) };
  }
}
