/**
 * How long the extension host's main thread keeps others waiting while the engine does two things at once in its worker: a file is
 * imported, and another one arrives, every change of either told to the main thread.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { makeVideo, sha256 } from "../files.mjs";
import { Streamlet } from "../sides/streamlet.mjs";

export const title = "main thread's delay during a download and an import at the same time";

const MAX_DELAY_MS = 20;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const { path, digest } = await bench.video();
  const streamlet = new Streamlet(bench);
  const imported = makeVideo(join(bench.dir, "imported.mp4"), bench.size);
  await streamlet.prepare(path);
  const both = async () => {
    const { sender, link } = await streamlet.share(path);
    const engine = await streamlet.engine("host");
    bench.warm();
    const out = join(bench.dir, "host.mp4");
    const { p50, p99, max } = await engine.do("importWhileDownloading", imported, link, out);
    await engine.stop();
    await sender.terminate();
    if ((await sha256(out)) !== digest) throw new Error("the file differs from the original");
    rmSync(out);
    streamlet.forget("host");
    return { p50, p99, max, figures: [p50, p99, max].map((ms) => ms.toFixed(1)).join(", ") };
  };
  bench.note("milliseconds: median, 99 of 100, longest");
  const { "both at once": runs } = await bench.interleave({ "both at once": both });
  const worst = Math.max(...runs.map(({ p99 }) => p99));
  bench.atMost("main thread's delay, p99 of the worst run", [worst], MAX_DELAY_MS, "ms");
  rmSync(imported);
}
