import { skip } from "./skip";

/**
 * The tests of this suite tell one story: after a step of it has failed, those that follow are skipped, and the report says why.
 * Unlike mocha's `bail`, a failure in another suite leaves this one alone.
 */
export function oneStory(suite: Mocha.Suite): void {
  let failed: string | undefined;
  suite.beforeEach(function () {
    if (failed) skip(this, `not run, for "${failed}" failed`);
  });
  suite.afterEach(function () {
    if (this.currentTest?.state === "failed") failed ??= this.currentTest.title;
  });
}
