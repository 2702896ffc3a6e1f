export interface RunListener {
  pass(test: Mocha.Test): void;
  fail(test: Mocha.Runnable, error: Error): void;
  skip(test: Mocha.Test, why: string): void;
}

export function follow(runner: Mocha.Runner, listener: RunListener): void;
