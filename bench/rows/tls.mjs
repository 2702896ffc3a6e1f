/** One source, TLS, every block verified: what most videos travel by. The others are unencrypted, as they are by default. */
import { rates } from "../harness.mjs";
import { Libtorrent, libtorrentMissing } from "../sides/libtorrent.mjs";
import { perGib } from "../sides/meter.mjs";
import { Nginx, nginxMissing } from "../sides/nginx.mjs";
import { Pump } from "../sides/pump.mjs";
import { Streamlet } from "../sides/streamlet.mjs";
import { Webtorrent, webtorrentMissing } from "../sides/webtorrent.mjs";
import { median, withSpread } from "../statistics.mjs";

export const title = "one source, TLS, every block verified";

const MIN_OF_LIBTORRENT = 1.4;
const MIN_OF_WEBTORRENT = 2.8;
const MIN_OF_PUMP = 0.55;
/** CPU seconds per GiB, of a machine on which libtorrent's receiver needs 2.3 and its sender 2.5. */
const MAX_RECEIVER_CPU = 2.6;
const MAX_SENDER_CPU = 1.5;
/** The same on any machine: times what libtorrent needs in the same run. */
const MAX_RECEIVER_OF_LIBTORRENT = 1.13;
const MAX_SENDER_OF_LIBTORRENT = 0.6;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const all = {
    streamlet: { make: () => new Streamlet(bench), missing: () => undefined },
    libtorrent: { make: () => new Libtorrent(bench), missing: libtorrentMissing },
    webtorrent: { make: () => new Webtorrent(bench), missing: webtorrentMissing },
    nginx: { make: () => new Nginx(bench), missing: nginxMissing },
    pump: { make: () => new Pump(bench), missing: () => undefined },
  };
  const { path, digest } = await bench.video();
  const sides = {};
  for (const [name, { make, missing }] of Object.entries(all)) {
    if (!bench.wants(name)) continue;
    const why = await missing(bench);
    if (why) {
      bench.skip(name, why);
      continue;
    }
    const side = make();
    await side.prepare(path);
    sides[name] = () => side.transfer(path, digest);
  }
  const runs = await bench.interleave(sides);
  report(bench, runs);
}

function report(bench, runs) {
  const { size } = bench;
  const rate = Object.fromEntries(Object.entries(runs).map(([name, list]) => [name, rates(list, size)]));
  const names = {
    libtorrent: "libtorrent 2, unencrypted",
    webtorrent: "webtorrent, unencrypted",
    nginx: "curl from nginx, unencrypted, unverified",
    pump: "bare TLS pump, memory to memory",
  };
  for (const name of Object.keys(names)) if (rate[name]) bench.tell(names[name], rate[name], "MiB/s");
  if (!rate.streamlet) return;
  const figure = withSpread(rate.streamlet, "MiB/s");
  const against = (name, limit, other) => {
    if (rate[name]) bench.atLeast("download", median(rate.streamlet) / median(rate[name]), limit, other, figure);
  };
  against("libtorrent", MIN_OF_LIBTORRENT, "libtorrent");
  against("webtorrent", MIN_OF_WEBTORRENT, "webtorrent");
  against("pump", MIN_OF_PUMP, "the bare TLS pump");
  const cpu = (name, key) => perGib(runs[name], key, size);
  const bar = (what, key, limit, ofLibtorrent) => {
    const list = cpu("streamlet", key);
    bench.atMost(`CPU of the ${what}`, list, limit, "s/GiB");
    if (!runs.libtorrent) return;
    const others = cpu("libtorrent", key);
    bench.tell(`the same, libtorrent's ${what}`, others, "s/GiB");
    bench.atMost(`CPU of the ${what}, of libtorrent's`, [median(list) / median(others)], ofLibtorrent, "x");
  };
  bar("receiver", "receiverCpu", MAX_RECEIVER_CPU, MAX_RECEIVER_OF_LIBTORRENT);
  bar("sender", "senderCpu", MAX_SENDER_CPU, MAX_SENDER_OF_LIBTORRENT);
}
