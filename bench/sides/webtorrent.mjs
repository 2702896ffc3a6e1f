// webtorrent, from npm, in a folder of its own: it is no part of the extension, and is installed when it is first compared with.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { staleDependency } from "../../tools/install.mjs";
import { run as runProgram } from "../../tools/run.mjs";
import { JsonChild } from "../children.mjs";
import { sha256 } from "../files.mjs";
import { figures, meter } from "./meter.mjs";

const BENCH = dirname(dirname(fileURLToPath(import.meta.url)));
const SCRIPT = join(BENCH, "sides", "webtorrentPeer.mjs");

/** Why it cannot take part, or undefined. With `install`, installs it where that is possible, about 36 MB. */
export async function webtorrentMissing({ install }) {
  if (!staleDependency(BENCH)) return undefined;
  if (!install) return "it is not installed; `npm run bench` installs it";
  console.log("  Installing webtorrent to compare with ...");
  try {
    await runProgram("npm", ["ci", "--ignore-scripts", "--omit=optional", "--loglevel=error"], {
      cwd: BENCH,
      quiet: true,
    });
    return undefined;
  } catch (error) {
    return `it could not be installed (${error.message})`;
  }
}

export class Webtorrent {
  /** @param {import("../harness.mjs").Bench} bench */
  constructor(bench) {
    this.bench = bench;
    const { dir } = bench;
    this.torrent = join(dir, "v1.torrent");
    this.out = join(dir, "webtorrent");
  }

  async prepare(video) {
    const child = new JsonChild(process.execPath, [SCRIPT, "make", video, this.torrent]);
    const code = await child.ended;
    if (code !== 0 || !existsSync(this.torrent)) throw new Error(`webtorrent: ${child.stderr}`);
  }

  async transfer(video, digest) {
    const sender = new JsonChild(process.execPath, [SCRIPT, "seed", video, this.torrent]);
    const { port } = await sender.next(({ event }) => event === "ready");
    this.bench.warm();
    const stopMeter = meter(sender);
    mkdirSync(this.out);
    const receiver = new JsonChild(process.execPath, [SCRIPT, "get", this.torrent, this.out, String(port)]);
    const { seconds } = await receiver.next(({ event }) => event === "done");
    const costs = stopMeter(receiver);
    await receiver.close();
    await sender.close();
    if ((await sha256(join(this.out, "video.mp4"))) !== digest) throw new Error("webtorrent: the file differs");
    rmSync(this.out, { recursive: true });
    const run = { seconds, ...costs };
    return { ...run, figures: figures(run, this.bench.size) };
  }
}
