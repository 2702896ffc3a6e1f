/** A Public video over plain BitTorrent in blocks of 16 KiB: between Streamlets that do not know each other, and to libtorrent. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../tools/install.mjs";
import { rates } from "../harness.mjs";
import { buildPlain } from "../plainBuild.mjs";
import { Libtorrent, libtorrentMissing } from "../sides/libtorrent.mjs";
import { perGib } from "../sides/meter.mjs";
import { Streamlet } from "../sides/streamlet.mjs";
import { median, withSpread } from "../statistics.mjs";

export const title = "one source, plain BitTorrent, blocks of 16 KiB";

const MIN_OF_LIBTORRENT = 1.5;
/** As a sender it has to be faster than libtorrent is. */
const MIN_AS_SENDER = 1;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const { dir } = bench;
  const { path, digest } = await bench.video();
  const dist = join(dir, "plain");
  await buildPlain(ROOT, dist);
  const streamlet = new Streamlet(bench, dist);
  await streamlet.prepare(path, { audience: "public" });
  const share = () => streamlet.share(path, { audience: "public" });
  const sides = {
    "Streamlet to Streamlet": async () => {
      const { sender, magnet, port } = await share();
      // A magnet link that names a peer (BEP 9) and no tracker: the peer is dialled as a stranger.
      const source = `${magnet.replace(/&tr=[^&]*/g, "")}&x.pe=127.0.0.1:${port}`;
      const run = await streamlet.fetch({ sender, source, digest });
      await sender.terminate();
      return run;
    },
  };
  const why = await libtorrentMissing(bench);
  if (why) bench.skip("libtorrent", why);
  else {
    const libtorrent = new Libtorrent(bench);
    await libtorrent.prepare(path);
    const torrent = await torrentOf(streamlet, path, join(dir, "streamlet.torrent"));
    sides["Streamlet to libtorrent"] = async () => {
      const { sender, port } = await share();
      const run = await libtorrent.fetch({ sender, torrent, port, digest });
      await sender.terminate();
      return run;
    };
    sides["libtorrent to libtorrent"] = () => libtorrent.transfer(path, digest);
  }
  report(bench, await bench.interleave(sides));
}

/** Writes the .torrent file that the extension saves of a public video. */
async function torrentOf(streamlet, path, torrent) {
  const engine = await streamlet.engine("torrent");
  const { key } = await engine.do("share", path, "public");
  const { data } = await engine.do("call", "torrentFile", key);
  await engine.stop();
  streamlet.forget("torrent");
  writeFileSync(torrent, Buffer.from(data, "base64"));
  return torrent;
}

function report(bench, runs) {
  const { size } = bench;
  const rate = (name) => rates(runs[name], size);
  const figure = (name) => withSpread(rate(name), "MiB/s");
  const both = "libtorrent to libtorrent";
  if (runs[both]) {
    bench.tell(both, rate(both), "MiB/s");
    for (const [name, limit] of [
      ["Streamlet to Streamlet", MIN_OF_LIBTORRENT],
      ["Streamlet to libtorrent", MIN_AS_SENDER],
    ]) {
      bench.atLeast(name, median(rate(name)) / median(rate(both)), limit, both, figure(name));
    }
  } else bench.tell("Streamlet to Streamlet", rate("Streamlet to Streamlet"), "MiB/s");
  const own = runs["Streamlet to Streamlet"];
  bench.tell("CPU of the receiver", perGib(own, "receiverCpu", size), "s/GiB");
  bench.tell("CPU of the sender", perGib(own, "senderCpu", size), "s/GiB");
}
