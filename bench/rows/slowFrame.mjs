/**
 * A video over a slow link, in the real VS Code: the first frame although moov stands at the end, a seek to where nothing has arrived,
 * and what of the time after that nothing moves.
 */
import { makeClips } from "../clips.mjs";
import { Editor, editorMissing } from "../sides/editor.mjs";
import { Streamlet } from "../sides/streamlet.mjs";
import { slowLink } from "../slowLink.mjs";

export const title = "first frame and seek at 50 ms round trip and 20 Mbit/s, 8 Mbit/s video, moov at the end";

const ROUND_TRIP_MS = 50;
const BYTES_PER_SECOND = 20e6 / 8;
const MAX_FIRST_MS = 2_000;
const MAX_SEEK_MS = 1_500;
/** What clocks and the last frame are off by; a stall that a person sees is longer. */
const MAX_STALLED_MS = 100;
const WATCH_BEFORE_MS = 1_000;
const WATCH_AFTER_MS = 10_000;
/** Of the loopback, and not the one that everybody else has: there the link listens. Trackers see the peer come from 127.0.0.1. */
const BEHIND_THE_LINK = "127.0.0.2";

/** @param {import("../harness.mjs").Bench} bench */
export async function run(bench) {
  const why = await editorMissing(bench);
  if (why) return bench.skip("VS Code", why);
  const seconds = bench.quick ? 20 : 60;
  const titles = Array.from({ length: bench.rounds + 1 }, (_, index) => `slow-${index}`);
  const clips = await makeClips(bench.dir, titles, { seconds, bitrate: "8M", index: "end" });
  const streamlet = new Streamlet(bench);
  const tracker = await streamlet.tracker();
  const editor = await Editor.start(bench, { tracker: tracker.address });
  let next = 0;
  const play = async () => {
    const index = next++;
    // A peer for each: nothing else is on the link then.
    const options = { trackers: [tracker.address], host: BEHIND_THE_LINK };
    const alice = streamlet.start(`alice-${index}`, ["share", clips[index]], options);
    const { port } = await alice.next(({ event }) => event === "ready");
    const link = await slowLink({
      ...{ host: BEHIND_THE_LINK, port, listenPort: port },
      ...{ roundTripMs: ROUND_TRIP_MS, bytesPerSecond: BYTES_PER_SECOND },
    });
    try {
      await editor.untilListed([titles[index]]);
      const { page, frame } = await editor.play(titles[index]);
      await editor.watch(page, WATCH_BEFORE_MS);
      const seek = await editor.seek(page, seconds / 2);
      const stalled = await editor.watch(page, bench.quick ? WATCH_BEFORE_MS : WATCH_AFTER_MS);
      await editor.closePlayer();
      const figures = `first frame ${frame.toFixed(0)} ms, seek ${seek.toFixed(0)} ms, then stalled ${stalled.toFixed(0)} ms`;
      return { frame, seek, stalled, figures };
    } finally {
      await alice.terminate();
      await link.close();
    }
  };
  try {
    bench.note(`warm-up: ${(await play()).figures}`);
    const { watched } = await bench.interleave({ watched: play });
    const bar = (what, key, limit) => {
      const times = watched.map((run) => run[key]);
      bench.atMost(what, times, limit, "ms");
    };
    bar("first frame", "frame", MAX_FIRST_MS);
    bar("seek to the middle", "seek", MAX_SEEK_MS);
    bar("stalled afterwards", "stalled", MAX_STALLED_MS);
  } finally {
    await editor.stop();
    await tracker.child.terminate();
  }
}
