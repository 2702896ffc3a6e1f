// Mocha's usual output, plus the outcome as JSON in the file that STREAMLET_TEST_RESULTS names: tools/test.mjs adds suites up.
const { writeFileSync } = require("node:fs");
const Mocha = require("mocha");
const { follow } = require("./results.cjs");

module.exports = class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const outcome = { passed: 0, failed: [], skipped: [] };
    follow(runner, {
      pass: () => {
        outcome.passed += 1;
      },
      fail: (test) => outcome.failed.push(test.fullTitle()),
      skip: (test, why) => outcome.skipped.push({ title: test.fullTitle(), why }),
    });
    runner.once("end", () => {
      if (process.env.STREAMLET_TEST_RESULTS)
        writeFileSync(process.env.STREAMLET_TEST_RESULTS, JSON.stringify(outcome));
    });
  }
};
