import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made = new Set<string>();

function removeAll(): void {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
}
process.on("exit", removeAll);
// A worker of mocha's that runs files beside others may be ended before it has come to that.
if (typeof after === "function") after(removeAll);

/** A fresh, empty folder (its real path), removed when the tests of its file or its process end; `removeTempDir` removes it earlier. */
export function tempDir(name = "test"): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), `streamlet-${name}-`)));
  made.add(dir);
  return dir;
}

/** Removes a folder of `tempDir` now: for tests that fill it with much data. */
export function removeTempDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  made.delete(dir);
}
