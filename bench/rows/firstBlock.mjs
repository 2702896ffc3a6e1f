/**
 * How long a player waits for the first bytes of a video that it has never seen: from asking the engine for a stream to the first
 * bytes of the HTTP response, which are of a block that has been verified. Peers are up, as they are in an editor; nobody is connected.
 */
import { join } from "node:path";
import { MIB, makeVideo } from "../files.mjs";
import { Streamlet } from "../sides/streamlet.mjs";
import { slowLink } from "../slowLink.mjs";

export const title = "first verified block, TLS, of a video never seen before";

const ROUND_TRIP_MS = 50;
const MAX_LOOPBACK_MS = 10;
const MAX_ROUND_TRIP_MS = 200;
const VIDEO_BYTES = 16 * MIB;
/** Each is another video, so that nothing is known of it. */
const VIDEOS = 10;
/** As a browser begins. */
const RANGE = "bytes=0-";

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const videos = bench.quick ? 2 : VIDEOS;
  const streamlet = new Streamlet(bench);
  const sender = await streamlet.engine("first-sender");
  const receiver = await streamlet.engine("first-receiver");
  const link = await slowLink({ port: sender.port, roundTripMs: ROUND_TRIP_MS });
  const measure = async (name, port) => {
    const path = makeVideo(join(bench.dir, `${name}.mp4`), VIDEO_BYTES);
    const { link: text } = await sender.do("share", path, "everyone");
    const source = text.replaceAll(`:${sender.port}`, `:${port}`);
    const { key, opened, first } = await receiver.do("firstBytes", source, RANGE);
    await receiver.do("forget", key);
    return { ms: first, figures: `${first.toFixed(1)} ms, of which ${opened.toFixed(1)} until the stream is open` };
  };
  // The compiler has seen the code before in any editor that has been up for a while.
  for (let i = 0; i < 2; i++) await measure(`warm-up-${i}`, sender.port);
  let count = 0;
  const runs = await bench.interleave(
    {
      loopback: () => measure(`near-${++count}`, sender.port),
      "50 ms round trip": () => measure(`far-${++count}`, link.port),
    },
    { rounds: videos, warm: 0 },
  );
  await receiver.stop();
  await sender.stop();
  await link.close();
  const times = (name) => runs[name].map(({ ms }) => ms);
  const bar = (name, limit) => bench.atMost(name, times(name), limit, "ms");
  bar("loopback", MAX_LOOPBACK_MS);
  bar("50 ms round trip", MAX_ROUND_TRIP_MS);
}
