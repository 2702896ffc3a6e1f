// What every row works with: a folder, the sizes of this run, interleaved rounds, and the lines of the table at the end.
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { machineUsage } from "./children.mjs";
import { MIB, makeVideo, sha256, warmMemory } from "./files.mjs";
import { median, short, withSpread } from "./statistics.mjs";

/** --when-idle: less than this many cores busy for so long; a machine that never rests is measured all the same. */
const IDLE_CORES = 0.1;
const IDLE_SECONDS = 2;
const MAX_IDLE_WAIT_SECONDS = 180;

export class Bench {
  /** Of the table: {row, what, figure, bar, ratio, held}; `held` is undefined where nothing was promised or judged. */
  lines = [];
  /** Sides and rows that this machine cannot show, with the reason: {what, why}. */
  skipped = [];
  /** Every run of every side, for the file of results: {row: {side: runs}}. */
  runs = {};
  #row = "";
  #video;

  /**
   * @param {{dir: string, dist: string, quick: boolean, rounds: number, size: number, sides?: string[], whenIdle: boolean,
   *   profiles?: string, install: boolean}} options `size` in bytes; `sides` are the only ones wanted; `profiles` is a folder for .cpuprofile files;
   *   `install` whether sides that are missing may be installed
   */
  constructor(options) {
    Object.assign(this, options);
  }

  /** The file that the rows move about, made once: random bytes, `size` of them. */
  async video() {
    if (this.#video === undefined) {
      const path = makeVideo(join(this.dir, "video.mp4"), this.size);
      this.#video = { path, digest: await sha256(path) };
    }
    return this.#video;
  }

  /** To be called right before a receiver starts: memory that nobody uses goes back to the machine's host within seconds. */
  warm() {
    warmMemory(this.dir, this.size);
  }

  begin(row) {
    this.#row = row;
    this.runs[row] = {};
  }

  wants(side) {
    return this.sides === undefined || this.sides.includes(side);
  }

  note(text) {
    console.log(`  ${text}`);
  }

  /** Says what is left out, and why. */
  skip(what, why) {
    this.skipped.push({ row: this.#row, what, why });
    console.log(`  skipped: ${what}: ${why}`);
  }

  /**
   * Runs each side once per round, in turn, each first as often as the other: the machine's pace changes from minute to minute.
   *
   * @template T
   * @param {Record<string, () => Promise<T & {figures: string}>>} sides
   * @param {{rounds?: number}} [options]
   * @returns {Promise<Record<string, T[]>>}
   */
  async interleave(sides, { rounds = this.rounds } = {}) {
    const names = Object.keys(sides);
    const runs = this.runs[this.#row];
    for (const name of names) runs[name] ??= [];
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 === 0 ? names : [...names].reverse()) {
        if (this.whenIdle) await untilIdle();
        const before = { at: performance.now(), cpu: machineUsage() };
        const run = await sides[name]();
        const seconds = (performance.now() - before.at) / 1000;
        const busy = (machineUsage() - before.cpu) / seconds;
        runs[name].push({ ...run, busyCores: busy });
        this.note(`round ${round + 1}: ${name}: ${run.figures}`);
      }
    }
    return runs;
  }

  /** A line of the table that nothing was promised about. */
  tell(what, numbers, unit) {
    this.#add({ what, figure: withSpread(numbers, unit), bar: "", ratio: "", held: undefined });
  }

  /** The median of `numbers` must not be above `limit`. */
  atMost(what, numbers, limit, unit) {
    const value = median(numbers);
    const figure = withSpread(numbers, unit);
    this.#judge({ what, figure, bar: `at most ${limit} ${unit}`, ratio: value / limit, held: value <= limit });
  }

  /** How many times as good as something else of the same run. */
  atLeast(what, ratio, limit, other, figure) {
    this.#judge({ what, figure, bar: `at least ${limit} x ${other}`, ratio, held: ratio >= limit });
  }

  /** One small round on a busy machine says whether it works, not how fast it is. */
  #judge({ held, ratio, ...line }) {
    this.#add({ ...line, ratio: `${short(ratio)} x`, held: this.quick ? undefined : held });
  }

  #add(line) {
    this.lines.push({ row: this.#row, ...line });
    const verdict = line.held === undefined ? "" : line.held ? " - held" : " - MISSED";
    const bar = line.bar === "" ? "" : `, ${line.bar}: ${line.ratio}`;
    console.log(`  ${line.what}: ${line.figure}${bar}${verdict}`);
  }
}

/** Waits until nobody else has used the machine for a while. */
async function untilIdle() {
  for (let quiet = 0, waited = 0; quiet < IDLE_SECONDS && waited < MAX_IDLE_WAIT_SECONDS; waited++) {
    const before = machineUsage();
    await setTimeout(1000);
    quiet = machineUsage() - before < IDLE_CORES ? quiet + 1 : 0;
  }
}

/** MiB per second of runs that moved `size` bytes each. */
export function rates(runs, size) {
  return runs.map(({ seconds }) => size / MIB / seconds);
}
