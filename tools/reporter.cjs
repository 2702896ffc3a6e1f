// Mocha's usual output, plus the outcome as JSON in the file that STREAMLET_TEST_RESULTS names: tools/test.mjs adds suites up.
const { writeFileSync } = require("node:fs");
const Mocha = require("mocha");

/** What `skip` of test/helpers/skip.ts has left on the test or on a suite around it. */
function skipReason(test) {
  for (let at = test; at; at = at.parent) if (at.skipReason) return at.skipReason;
  return "no reason given";
}

module.exports = class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const outcome = { passed: 0, failed: [], skipped: [] };
    runner.on("pass", () => {
      outcome.passed += 1;
    });
    runner.on("fail", (test) => outcome.failed.push(test.fullTitle()));
    runner.on("pending", (test) => outcome.skipped.push({ title: test.fullTitle(), why: skipReason(test) }));
    runner.once("end", () => {
      if (process.env.STREAMLET_TEST_RESULTS)
        writeFileSync(process.env.STREAMLET_TEST_RESULTS, JSON.stringify(outcome));
    });
  }
};
