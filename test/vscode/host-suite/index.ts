import { appendFileSync } from "node:fs";
import Mocha from "mocha";
import { follow } from "../../../tools/results.cjs";

/** Activation, a peer, a tracker and a transfer happen in single tests here, on machines that do other things too. */
const TIMEOUT_MS = 60_000;

/**
 * Runs the `*.test.ts` files of this folder inside the extension host; VS Code calls it (`extensionTestsPath`).
 *
 * The console of an extension host reaches nobody in a readable form, so results go into the file that the environment
 * variable STREAMLET_TEST_RESULTS names, one JSON object per line, as they happen.
 *
 * @throws Error if a test fails or none ran
 */
export async function run(): Promise<void> {
  const results = process.env.STREAMLET_TEST_RESULTS;
  const report = (event: object): void => {
    if (results) appendFileSync(results, `${JSON.stringify(event)}\n`);
  };
  const mocha = new Mocha({ ui: "bdd", timeout: TIMEOUT_MS, reporter: class {} as never });
  mocha.suite.emit("pre-require", globalThis as never, "host-suite", mocha);
  require("host-suite:tests");

  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    follow(runner, {
      pass: (test) => report({ event: "pass", title: test.fullTitle(), ms: test.duration }),
      fail: (test, error) => report({ event: "fail", title: test.fullTitle(), error: error.stack ?? String(error) }),
      skip: (test, why) => report({ event: "pending", title: test.fullTitle(), why }),
    });
    runner.on("end", () => report({ event: "end" }));
  });
  if (failures > 0) throw new Error(`${failures} tests failed.`);
}
