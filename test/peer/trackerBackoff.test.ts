import assert from "node:assert/strict";
import { reconnectDelay, refusedDelay } from "../../src/peer/tracker/backoff";

describe("A tracker that is away", () => {
  /** Tries from the moment it went until `endMs`. */
  function tries(endMs: number, random: number): number[] {
    const at: number[] = [];
    let now = 0;
    for (let attempt = 0; now < endMs; attempt++) {
      now += reconnectDelay(attempt, now, random);
      at.push(now);
    }
    return at;
  }

  it("is tried so often that everybody is back within 10 s of a restart, even an hour later", () => {
    for (const random of [0, 0.5, 0.999_999]) {
      const at = tries(3_600_000, random);
      for (let i = 1; i < at.length; i++) {
        const gap = at[i]! - at[i - 1]!;
        // Of 10 s, 1 s is left for connecting and telling; a dead host takes 5 s to time out, which is none of the gap's.
        assert.ok(gap <= (at[i - 1]! < 60_000 ? 3_000 : 8_000), `${gap} ms at ${at[i - 1]}`);
      }
    }
  });

  it("is tried soon at first, and not by everybody in the same moment", () => {
    assert.ok(reconnectDelay(0, 0, 0) < 500);
    assert.ok(reconnectDelay(0, 0, 0.99) > 1.5 * reconnectDelay(0, 0, 0));
  });

  it("for good is tried twice a minute", () => {
    const delay = reconnectDelay(1_000, 2 * 3_600_000, 0.999_999);
    assert.ok(delay > 29_000 && delay <= 30_000);
  });

  it("or that refuses is left alone for as long as it says, and for half a minute at least", () => {
    assert.ok(refusedDelay(undefined, 0) >= 30_000);
    assert.ok(refusedDelay(120_000, 0) >= 120_000);
    assert.ok(refusedDelay(undefined, 0.99) <= 45_000);
  });
});
