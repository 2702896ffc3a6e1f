import assert from "node:assert/strict";
import type { Crowd } from "./crowd";
import type { SimPeer } from "./peer";
import { homeLink, KIB, MIB, printTable, simulate, startAll, TIMEOUT_MS } from "./scenario";

/** A player begins with so much of the video, and reads so far ahead. */
const FIRST_SECONDS = 1;
const AHEAD_SECONDS = 20;
const READ_BYTES = 64 * KIB;

interface Watched {
  /** Milliseconds from the start of the peer to the first picture. */
  startMs: number;
  /** Milliseconds that the picture stood still. */
  stalledMs: number;
  wrongBytes: number;
}

/** Plays from the beginning as it comes: reads ahead, begins with a second of it, and stands still where it has no more. */
async function watch(crowd: Crowd, peer: SimPeer, bytesPerSecond: number): Promise<Watched> {
  const { clock, video } = crowd;
  const { length } = video.content;
  const reader = peer.play(length / bytesPerSecond).open();
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const watched: Watched = { startMs: 0, stalledMs: 0, wrongBytes: 0 };
  const began = clock.now();
  /** When the picture would be at the beginning, had it never stood still. */
  let zero: number | undefined;
  while (reader.position < length) {
    const at = reader.position;
    if (zero !== undefined) {
      const ahead = (at / bytesPerSecond) * 1000 - (clock.now() - zero);
      if (ahead > AHEAD_SECONDS * 1000) await wait(ahead - AHEAD_SECONDS * 1000);
    }
    const bytes = await reader.read(READ_BYTES);
    if (!bytes.equals(video.bytes.subarray(at, at + bytes.length))) watched.wrongBytes += bytes.length;
    if (zero === undefined) {
      if (reader.position < Math.min(length, FIRST_SECONDS * bytesPerSecond)) continue;
      zero = clock.now();
      watched.startMs = zero - began;
    } else {
      // What came now was due when the picture got there.
      const late = clock.now() - zero - (at / bytesPerSecond) * 1000;
      if (late > 0) {
        watched.stalledMs += late;
        zero += late;
      }
    }
  }
  reader.close();
  return watched;
}

describe("a player in a simulated crowd", function () {
  this.timeout(TIMEOUT_MS);
  after(printTable);

  it("that is half done begins within seconds, and never stalls at a quarter of what everybody gives", () =>
    simulate(
      "40 and 3 players, 12 MiB",
      { seed: 9, size: 12 * MIB, pieceLength: 128 * KIB, peersAnswered: 30 },
      (crowd) => {
        const link = () => homeLink(crowd, { up: 1_000_000, down: 4_000_000 });
        crowd.add("seed", link());
        for (let i = 0; i < 40; i++) crowd.add("leecher", link());
        startAll(crowd);
        const players = [12_000, 14_000, 16_000].map((ms) => {
          const peer = crowd.add("leecher", link());
          let watched: Watched | undefined;
          crowd.clock.after(ms, () => {
            peer.start();
            void watch(crowd, peer, 250_000).then((result) => {
              watched = result;
            });
          });
          return { peer, watched: () => watched };
        });
        crowd.isDone = () => crowd.allWhole && players.every(({ watched }) => watched() !== undefined);
        return () => {
          for (const { watched } of players) {
            const { startMs, stalledMs, wrongBytes } = watched()!;
            assert.ok(startMs < 7_000, `began after ${startMs} ms`);
            assert.equal(stalledMs, 0, "stood still");
            assert.equal(wrongBytes, 0);
          }
        };
      },
    ));
});
