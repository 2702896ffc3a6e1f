// What became of each test of a mocha run. Mocha itself says nothing of tests that it leaves out after a failure of a hook (or after
// any failure, where a suite bails): here they are skipped, with the reason, so that the sum of a run is true.

/** What `skip` of test/helpers/skip.ts has left on the test or on a suite around it. */
function skipReason(test) {
  for (let at = test; at; at = at.parent) if (at.skipReason) return at.skipReason;
  return "no reason given";
}

/** Tests of this suite and all within it. */
function testsOf(suite) {
  return [...suite.tests, ...suite.suites.flatMap(testsOf)];
}

/** The failure that kept a test from being run: of a hook or test in the nearest suite around it. */
function failureBefore(test, failures) {
  for (let suite = test.parent; suite; suite = suite.parent) {
    const found = failures.find((failed) => failed.parent === suite);
    if (found) return `not run, for ${found.title} failed`;
  }
  return "not run";
}

/** Follows a run to its end. Each listener is called once for each test; `fail` also for hooks. */
exports.follow = (runner, { pass, fail, skip }) => {
  const seen = new Set();
  const failures = [];
  runner.on("pass", (test) => {
    seen.add(test);
    pass(test);
  });
  runner.on("fail", (test, error) => {
    seen.add(test);
    failures.push(test);
    fail(test, error);
  });
  runner.on("pending", (test) => {
    seen.add(test);
    skip(test, skipReason(test));
  });
  runner.prependOnceListener("end", () => {
    for (const test of testsOf(runner.suite)) if (!seen.has(test)) skip(test, failureBefore(test, failures));
  });
};
