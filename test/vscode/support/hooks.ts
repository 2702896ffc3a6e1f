import { closeBrowser, photographWindows } from "./app";

/** Mocha's root hooks of the suite in `test/vscode`. */
export const mochaHooks = {
  /** What the screen showed when a test failed says more than its message. */
  async afterEach(this: Mocha.Context): Promise<void> {
    const test = this.currentTest;
    if (test?.state !== "failed") return;
    const name = `failed/${test
      .fullTitle()
      .replace(/[^a-zA-Z0-9]+/g, "-")
      .slice(0, 80)}`;
    const pictures = await photographWindows(name).catch(() => []);
    for (const path of pictures) console.log(`      ${path}`);
  },
  /** What the specs share is ended once, after the last. */
  async afterAll(): Promise<void> {
    await closeBrowser();
  },
};
