/** From the click on Play, in the real VS Code, to the first frame on the screen: videos never seen before, from the loopback. */

import { makeClips } from "../clips.mjs";
import { Editor, editorMissing } from "../sides/editor.mjs";
import { Streamlet } from "../sides/streamlet.mjs";

export const title = "first frame after the click on Play, real player in the real VS Code, loopback";

const MAX_MS = 400;
const CLICKS = 20;
/** The compiler, the browser's processes and the gateway are warm in an editor that has played something before. */
const WARM_UP = 1;

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const why = await editorMissing(bench);
  if (why) return bench.skip("VS Code", why);
  const clicks = (bench.quick ? 1 : CLICKS) + WARM_UP;
  const titles = Array.from({ length: clicks }, (_, index) => `clip-${String(index).padStart(2, "0")}`);
  const clips = await makeClips(bench.dir, titles, { seconds: 10, bitrate: "2M", index: "front" });
  const streamlet = new Streamlet(bench);
  const tracker = await streamlet.tracker();
  const alice = streamlet.start("alice", ["share", ...clips], { trackers: [tracker.address] });
  let shared = 0;
  await alice.next(({ event }) => event === "shared" && ++shared === clicks);
  const editor = await Editor.start(bench, { tracker: tracker.address });
  try {
    await editor.untilListed(titles);
    const play = async (title) => {
      const { frame, told, metadata } = await editor.play(title);
      await editor.closePlayer();
      const figures = `${frame.toFixed(0)} ms: told to play after ${told.toFixed(0)}, size known after ${metadata.toFixed(0)}`;
      return { frame, told, metadata, figures };
    };
    const first = await play(titles[0]);
    bench.note(`warm-up: ${first.figures}`);
    let next = WARM_UP;
    const runs = await bench.interleave({ click: () => play(titles[next++]) }, { rounds: clicks - WARM_UP });
    const times = runs.click.map(({ frame }) => frame);
    bench.atMost("first frame", times, MAX_MS, "ms");
    bench.tell(
      "of that, until the player is told to play",
      runs.click.map(({ told }) => told),
      "ms",
    );
  } finally {
    await editor.stop();
    await alice.terminate();
    await tracker.child.terminate();
  }
}
