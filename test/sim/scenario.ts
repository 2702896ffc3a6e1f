import assert from "node:assert/strict";
import { Crowd, type CrowdOptions, type Outcome } from "./crowd";
import type { Link } from "./network";

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** Ten simulated minutes: whoever is not whole by then never will be. */
const LIMIT_SECONDS = 600;
/** Real time, on a slow machine that does other things as well. */
export const TIMEOUT_MS = 240_000;

const table: { what: string; seed: number; outcome: Outcome; real: number }[] = [];

/** An uplink of 2 Mbit/s, a downlink of four times that, and 15 to 100 ms of the way to everybody else. */
export function homeLink(crowd: Crowd, more: Partial<Link> = {}): Link {
  return { up: 250_000, down: 1_000_000, delay: crowd.random.between(7.5, 50), loss: 0, ...more };
}

/**
 * Builds a crowd, runs it until every honest peer is whole, and checks what must hold of all of them: nobody lacks anything, nobody has a
 * wrong byte, nothing failed. What `prepare` returns checks the rest. A failure names the seed that repeats it.
 */
export async function simulate(
  what: string,
  options: CrowdOptions,
  prepare: (crowd: Crowd) => (outcome: Outcome) => void,
): Promise<void> {
  const began = performance.now();
  const crowd = new Crowd(options);
  try {
    const check = prepare(crowd);
    await crowd.run(LIMIT_SECONDS);
    const outcome = crowd.outcome();
    table.push({ what, seed: crowd.seed, outcome, real: (performance.now() - began) / 1000 });
    assert.deepEqual(outcome.unfinished, [], "everybody has all of it");
    assert.equal(outcome.wrongBytes, 0, "nobody has a wrong byte");
    for (const { error, host } of crowd.honest) assert.equal(error, undefined, `${host.name}: ${error}`);
    check(outcome);
  } catch (error) {
    if (error instanceof Error) error.message += ` (again: STREAMLET_SIM_SEED=${crowd.seed} npm run test:sim)`;
    throw error;
  } finally {
    crowd.close();
  }
}

/** Everybody begins within the first second. */
export function startAll(crowd: Crowd): void {
  for (const peer of crowd.peers) {
    if (peer.role === "seed") peer.start();
    else crowd.clock.after(crowd.random.between(0, 1_000), () => peer.start());
  }
}

export function atMost(outcome: Outcome, ratio: number): void {
  assert.ok(outcome.ratio <= ratio, `took ${outcome.ratio.toFixed(2)} of what capacity allows, at most ${ratio}`);
}

/** What was measured, for whoever reads the tests' output. */
export function printTable(): void {
  if (table.length === 0) return;
  const line = (cells: string[]) =>
    console.log(
      `    ${cells[0]!.padEnd(52)}${cells
        .slice(1)
        .map((c) => c.padStart(9))
        .join("")}`,
    );
  line(["simulated", "seed", "seconds", "bound", "ratio", "real s"]);
  for (const { what, seed, outcome, real } of table.splice(0)) {
    const { seconds, bound, ratio } = outcome;
    line([what, `${seed}`, seconds.toFixed(1), bound.toFixed(1), ratio.toFixed(2), real.toFixed(1)]);
  }
}
