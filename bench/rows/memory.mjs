/** Resident memory of both sides while a file far larger than any buffer goes from one to the other: the most that the kernel saw. */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { GIB, MIB, makeSparseVideo, sha256 } from "../files.mjs";
import { Streamlet } from "../sides/streamlet.mjs";

export const title = "resident memory of either side, one large file, TLS";

const FILE_BYTES = 20 * GIB;
const QUICK_BYTES = 256 * MIB;
const MAX_MEGABYTES = 200;
/** Left for everybody else on the disk. */
const SPARE_BYTES = 2 * GIB;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const size = bench.quick ? QUICK_BYTES : FILE_BYTES;
  const { bavail, bsize } = statfsSync(bench.dir);
  if (bavail * bsize < size + SPARE_BYTES) {
    return bench.skip("the transfer", `${bench.dir} has no room for ${size / GIB} GiB: name another folder with --dir`);
  }
  // What is read is a hole, what is written is not: the copy takes the disk that it would take of any file.
  const path = makeSparseVideo(join(bench.dir, "large.mp4"), size);
  const streamlet = new Streamlet(bench);
  const once = async () => {
    const digest = sha256(path);
    const { sender, link } = await streamlet.share(path, { name: "memory-sender" });
    const run = await streamlet.fetch({ sender, source: link, digest: await digest, size });
    await sender.terminate();
    return run;
  };
  const { transfer } = await bench.interleave({ transfer: once }, { rounds: 1 });
  const [{ senderRss, receiverRss, seconds }] = transfer;
  bench.atMost(`receiver, ${size / GIB} GiB`, [receiverRss / 1e6], MAX_MEGABYTES, "MB");
  bench.atMost(`sender, ${size / GIB} GiB, hashing it included`, [senderRss / 1e6], MAX_MEGABYTES, "MB");
  bench.tell("speed", [size / MIB / seconds], "MiB/s");
}
