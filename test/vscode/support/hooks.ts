import { closeBrowser } from "./app";

/** Mocha's root hooks of the suite in `test/vscode`: what the specs share is ended once, after the last. */
export const mochaHooks = {
  async afterAll(): Promise<void> {
    await closeBrowser();
  },
};
