import assert from "node:assert/strict";
import Mocha from "mocha";
import { follow } from "../../tools/results.cjs";
import { oneStory } from "../helpers/oneStory";
import { skip } from "../helpers/skip";

type Body = (this: Mocha.Context) => void;
const good: Body = () => undefined;
const bad: Body = () => {
  throw new Error("it does not work");
};

/** A run of suites, each by its name: what became of each test in order. */
async function outcomeOf(suites: Record<string, (suite: Mocha.Suite) => void>): Promise<string[]> {
  const mocha = new Mocha({ reporter: class {} as never });
  for (const [title, fill] of Object.entries(suites)) fill(Mocha.Suite.create(mocha.suite, title));
  const outcome: string[] = [];
  await new Promise((resolve) => {
    follow(mocha.run(resolve), {
      pass: (test) => outcome.push(`${test.fullTitle()}: passed`),
      fail: (test) => outcome.push(`${test.fullTitle()}: failed`),
      skip: (test, why) => outcome.push(`${test.fullTitle()}: ${why}`),
    });
  });
  return outcome;
}

const add = (suite: Mocha.Suite, title: string, body: Body) => suite.addTest(new Mocha.Test(title, body));

describe("the outcome of a test run", () => {
  it("a failed step skips the rest of its story, by name and with the reason, and no other story", async () => {
    const story = (second: Body) => (suite: Mocha.Suite) => {
      oneStory(suite);
      add(suite, "one", good);
      add(suite, "two", second);
      add(suite, "three", good);
      add(Mocha.Suite.create(suite, "later"), "four", good);
    };
    assert.deepEqual(await outcomeOf({ A: story(bad), B: story(good) }), [
      "A one: passed",
      "A two: failed",
      'A three: not run, for "two" failed',
      'A later four: not run, for "two" failed',
      "B one: passed",
      "B two: passed",
      "B three: passed",
      "B later four: passed",
    ]);
  });

  it("tests that mocha leaves out without a word, after a failed hook, are counted and named", async () => {
    const outcome = await outcomeOf({
      A: (suite) => {
        suite.beforeAll("start", bad);
        add(suite, "one", good);
        add(Mocha.Suite.create(suite, "later"), "two", good);
      },
      B: (suite) => {
        suite.afterEach("look", bad);
        add(suite, "one", good);
        add(suite, "two", good);
      },
      C: (suite) => add(suite, "one", good),
    });
    const hook = (title: string) => (line: string) => line.includes(title) && line.endsWith("failed");
    assert.deepEqual(
      outcome.filter((line) => !line.includes("hook")),
      ["B one: passed", "C one: passed"],
    );
    assert.equal(outcome.filter(hook("hook: start")).length, 3, "the hook, and two tests because of it");
    assert.equal(outcome.filter(hook("hook: look")).length, 2, "the hook, and the test after it");
  });

  it("what is skipped has its own reason", async () => {
    const outcome = await outcomeOf({
      A: (suite) => {
        add(suite, "one", function () {
          skip(this, "there is no ffmpeg");
        });
        add(suite, "two", good);
      },
    });
    assert.deepEqual(outcome, ["A one: there is no ffmpeg", "A two: passed"]);
  });
});
