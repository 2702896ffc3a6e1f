import assert from "node:assert/strict";
import { LiveQuery } from "../../src/ui/views/liveQuery";

/** A clock that stands still until it is told otherwise. */
class Clock {
  time = 0;
  private timers: { at: number; callback: () => void }[] = [];
  readonly now = () => this.time;
  readonly setTimer = (callback: () => void, ms: number) => this.timers.push({ at: this.time + ms, callback });
  async advance(ms: number): Promise<void> {
    this.time += ms;
    const due = this.timers.filter((timer) => timer.at <= this.time);
    this.timers = this.timers.filter((timer) => timer.at > this.time);
    for (const timer of due) timer.callback();
    await settle();
  }
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("a live query", () => {
  let clock: Clock;
  let asked: { resolve: (answer: string) => void; reject: (error: Error) => void }[];
  let answers: string[];
  let errors: unknown[];
  let query: LiveQuery<string>;

  beforeEach(() => {
    clock = new Clock();
    asked = [];
    answers = [];
    errors = [];
    query = new LiveQuery<string>({
      query: () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
      onAnswer: (answer) => answers.push(answer),
      onError: (error) => errors.push(error),
      intervalMs: 500,
      setTimer: clock.setTimer,
      now: clock.now,
    });
  });

  it("asks at once the first time, and then not more often than its interval", async () => {
    query.invalidate();
    await clock.advance(0);
    asked[0]?.resolve("first");
    await settle();
    for (let i = 0; i < 10; i++) query.invalidate();
    await clock.advance(499);
    assert.equal(asked.length, 1);
    await clock.advance(1);
    assert.equal(asked.length, 2);
  });

  it("has one question under way, and asks again when something changed meanwhile", async () => {
    query.invalidate();
    await clock.advance(0);
    query.invalidate();
    query.invalidate();
    await clock.advance(1000);
    assert.equal(asked.length, 1);
    asked[0]?.resolve("old");
    await settle();
    await clock.advance(500);
    assert.equal(asked.length, 2);
    asked[1]?.resolve("new");
    await settle();
    assert.deepEqual(answers, ["old", "new"]);
  });

  it("leaves the last answer where it is when a question fails", async () => {
    query.invalidate();
    await clock.advance(0);
    asked[0]?.reject(new Error("tracker is down"));
    await settle();
    assert.deepEqual(answers, []);
    assert.equal(errors.length, 1);
    query.invalidate();
    await clock.advance(500);
    assert.equal(asked.length, 2);
  });

  it("drops the answer to a question of before a restart", async () => {
    query.restart();
    query.restart();
    asked[1]?.resolve("second");
    await settle();
    asked[0]?.resolve("first, late");
    await settle();
    assert.deepEqual(answers, ["second"]);
  });

  it("can ask again after it was cancelled in mid-question", async () => {
    query.restart();
    query.cancel();
    asked[0]?.resolve("too late");
    await settle();
    query.invalidate();
    await clock.advance(500);
    asked[1]?.resolve("again");
    await settle();
    assert.deepEqual(answers, ["again"]);
  });
});
