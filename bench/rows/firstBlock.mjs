/**
 * How long it takes from the first dial to the first bytes that a player gets of a video that this peer has never seen: they are of a
 * block that has been verified, and have come through the gateway's HTTP. Peers are up, as they are in an editor; nobody is connected.
 */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { MIB, makeVideo } from "../files.mjs";
import { Streamlet } from "../sides/streamlet.mjs";
import { slowLink } from "../slowLink.mjs";

export const title = "first verified block, TLS, of a video never seen before";

const ROUND_TRIP_MS = 50;
const MAX_LOOPBACK_MS = 10;
const MAX_ROUND_TRIP_MS = 200;
const VIDEO_BYTES = 4 * MIB;
/** Each is another video, so that nothing is known of it. */
const VIDEOS = 15;
/** The compiler has seen the code before in any editor that has been up for a while. */
const WARM_UP = 20;
/** The one before is being closed and deleted meanwhile. */
const PAUSE_MS = 40;
/** As a browser begins. */
const RANGE = "bytes=0-";

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const [videos, warmUp] = bench.quick ? [1, 1] : [VIDEOS, WARM_UP];
  const streamlet = new Streamlet(bench);
  const sender = await streamlet.engine("first-sender");
  const receiver = await streamlet.engine("first-receiver");
  const link = await slowLink({ port: sender.port, roundTripMs: ROUND_TRIP_MS });
  const links = [];
  for (let i = 0; i < warmUp + 2 * videos; i++) {
    const path = makeVideo(join(bench.dir, `first-${i}.mp4`), VIDEO_BYTES);
    links.push((await sender.do("share", path, "everyone")).link);
  }
  const measure = async (port) => {
    const source = links.pop().replaceAll(`:${sender.port}`, `:${port}`);
    const { key, opened, first } = await receiver.do("firstBytes", source, RANGE);
    await receiver.do("forget", key);
    await setTimeout(PAUSE_MS);
    const ms = first - opened;
    return {
      ms,
      first,
      figures: `${ms.toFixed(1)} ms from the dial, ${first.toFixed(1)} ms from asking for the video`,
    };
  };
  for (let i = 0; i < warmUp; i++) await measure(sender.port);
  const runs = await bench.interleave(
    { loopback: () => measure(sender.port), "50 ms round trip": () => measure(link.port) },
    { rounds: videos },
  );
  await receiver.stop();
  await sender.stop();
  await link.close();
  for (const [name, limit] of [
    ["loopback", MAX_LOOPBACK_MS],
    ["50 ms round trip", MAX_ROUND_TRIP_MS],
  ]) {
    const times = (key) => runs[name].map((run) => run[key]);
    bench.atMost(name, times("ms"), limit, "ms");
    bench.tell(`${name}, library and disk included`, times("first"), "ms");
  }
}
