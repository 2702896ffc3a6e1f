/** One source against four, into a peer that runs as the extension runs it: the engine in a worker thread. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../files.mjs";
import { rates } from "../harness.mjs";
import { Streamlet } from "../sides/streamlet.mjs";
import { median, withSpread } from "../statistics.mjs";

export const title = "four sources against one, TLS, into the worker thread of an extension";

const SOURCES = 4;
/** No slower: what two runs of the same differ by does not count. */
const MIN_OF_ONE = 0.97;
/** The main thread is no busier, within one part in a hundred of its time. */
const MAX_MORE_BUSY_PERCENT = 1;
const MAX_DELAY_MS = 20;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const { size } = bench;
  const { path, digest } = await bench.video();
  const streamlet = new Streamlet(bench);
  const tracker = await streamlet.tracker();
  const trackers = [tracker.address];
  const names = Array.from({ length: SOURCES }, (_, index) => `source${index + 1}`);
  for (const name of names) await streamlet.prepare(path, { name, trackers });
  const fetch = async (count) => {
    const shared = [];
    for (const name of names.slice(0, count)) shared.push(await streamlet.share(path, { name, trackers }));
    const receiver = await streamlet.engine("receiver", { trackers });
    const out = join(bench.dir, "four.mp4");
    bench.warm();
    const seen = await receiver.do("download", shared[0].id, out);
    await receiver.stop();
    for (const { sender } of shared) await sender.terminate();
    if ((await sha256(out)) !== digest) throw new Error("the file differs from the original");
    rmSync(out);
    streamlet.forget("receiver");
    const busy = (100 * seen.active) / (1000 * seen.seconds);
    const figures = `${seen.seconds.toFixed(2)} s, main thread ${busy.toFixed(1)} % busy, delay p99 ${seen.p99.toFixed(1)} ms`;
    return { ...seen, busy, figures };
  };
  const runs = await bench.interleave({ "one source": () => fetch(1), "four sources": () => fetch(SOURCES) });
  await tracker.child.terminate();
  const [one, four] = [runs["one source"], runs["four sources"]];
  bench.tell("one source", rates(one, size), "MiB/s");
  const speed = median(rates(four, size));
  const figure = withSpread(rates(four, size), "MiB/s");
  bench.atLeast("four sources", speed / median(rates(one, size)), MIN_OF_ONE, "one source", figure);
  const busy = (list) => median(list.map((run) => run.busy));
  bench.tell(
    "main thread busy with one source",
    one.map((run) => run.busy),
    "%",
  );
  const more = busy(four) - busy(one);
  bench.atMost("main thread busier with four, points of a hundred", [more], MAX_MORE_BUSY_PERCENT, "%");
  const worst = Math.max(...[...one, ...four].map((run) => run.p99));
  bench.atMost("main thread's delay meanwhile, p99 of the worst run", [worst], MAX_DELAY_MS, "ms");
}
