import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made = new Set<string>();

process.on("exit", () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/** A fresh, empty folder (its real path), removed when the process ends; `removeTempDir` removes it earlier. */
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
