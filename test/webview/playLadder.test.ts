import assert from "node:assert/strict";
import type { Conversion } from "../../src/rpc/playerPanel";
import { type LadderState, nextStep, type Rung, SilenceWatch } from "../../src/webview/playLadder";

const state = (changes: Partial<Omit<LadderState, "failed">> & { failed?: Rung[] } = {}): LadderState => ({
  extension: "mp4",
  silent: false,
  conversion: "ask",
  ...changes,
  failed: new Set(changes.failed),
});

describe("the player's ladder", () => {
  it("begins with the browser's own player", () => {
    assert.deepEqual(nextStep(state()), { rung: "native" });
    assert.deepEqual(nextStep(state({ conversion: "allowed" })), { rung: "native" });
  });

  it("goes on with another container, then with a conversion", () => {
    assert.deepEqual(nextStep(state({ failed: ["native"] })), { rung: "remuxed" });
    const both: Rung[] = ["native", "remuxed"];
    assert.deepEqual(nextStep(state({ failed: both, conversion: "allowed" })), { rung: "converted", onlySound: false });
    assert.deepEqual(nextStep(state({ failed: both })), { missing: "picture" });
  });

  it("converts at once what nothing else reads", () => {
    for (const extension of ["avi", "flv", "wmv"]) {
      assert.deepEqual(nextStep(state({ extension, conversion: "allowed" })), { rung: "converted", onlySound: false });
      assert.deepEqual(nextStep(state({ extension })), { missing: "picture" });
    }
  });

  it("converts what would be silent, and shows it silent with a word where that may not be", () => {
    assert.deepEqual(nextStep(state({ silent: true, conversion: "allowed" })), { rung: "converted", onlySound: true });
    const others: Conversion[] = ["ask", "never", "missing", "failed"];
    for (const conversion of others) {
      assert.deepEqual(nextStep(state({ silent: true, conversion })), { rung: "native", missing: "sound" });
      const remuxed = nextStep(state({ silent: true, conversion, failed: ["native"] }));
      assert.deepEqual(remuxed, { rung: "remuxed", missing: "sound" });
    }
  });

  it("waits for word about ffmpeg where all depends on it, and only there", () => {
    const conversion = undefined;
    assert.deepEqual(nextStep(state({ conversion })), { rung: "native" });
    assert.deepEqual(nextStep(state({ conversion, silent: true })), {});
    assert.deepEqual(nextStep(state({ conversion, extension: "avi" })), {});
  });

  it("never leaves a person without picture, sound or a word, and comes to an end", () => {
    const conversions: Conversion[] = ["allowed", "ask", "never", "missing", "failed"];
    for (const extension of ["mp4", "mkv", "avi"])
      for (const conversion of conversions)
        for (const silent of [true, false])
          for (const failed of [[], ["native"], ["remuxed"], ["native", "remuxed"]] as Rung[][]) {
            const step = nextStep(state({ extension, conversion, silent, failed }));
            assert.ok(step.rung || step.missing, "something happens");
            assert.ok(!step.rung || !failed.includes(step.rung), "nothing is tried twice");
            if (silent && step.rung && step.rung !== "converted") assert.equal(step.missing, "sound");
          }
  });
});

describe("the watch for silence", () => {
  const play = (watch: SilenceWatch, from: number, to: number, bytes: number | undefined): boolean => {
    let silent = false;
    for (let time = from; time <= to; time += 0.25) silent = watch.look(time, bytes);
    return silent;
  };

  it("notices that nothing of the sound was decoded after a second and a half of playing", () => {
    const watch = new SilenceWatch();
    assert.equal(play(watch, 10, 11.25, 0), false);
    assert.equal(play(watch, 11.5, 11.75, 0), true);
  });

  it("counts playing, not jumps and not pauses", () => {
    const watch = new SilenceWatch();
    assert.equal(watch.look(0, 0), false);
    assert.equal(watch.look(60, 0), false);
    assert.equal(watch.look(undefined, 0), false);
    assert.equal(watch.look(120, 0), false);
    assert.equal(play(watch, 120, 121, 0), false);
  });

  it("is content with any sound, and with a browser that does not count it", () => {
    assert.equal(play(new SilenceWatch(), 0, 10, 1), false);
    assert.equal(play(new SilenceWatch(), 0, 10, undefined), false);
  });
});
