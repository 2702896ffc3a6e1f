/**
 * Skips the running test, or from a `before` hook every test of its suite, and says why in the report.
 *
 * @param context `this` of the test or hook
 */
export function skip(context: Mocha.Context, why: string): never {
  const runnable = context.test;
  const owner = (runnable as { type?: string } | undefined)?.type === "hook" ? runnable?.parent : runnable;
  Object.assign(owner ?? {}, { skipReason: why });
  return context.skip();
}
