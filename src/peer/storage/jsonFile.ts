import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import type * as z from "zod";
import { fileError, systemCode } from "./fileErrors";

/** Two seconds in all: scanners are done by then. */
const RENAME_TRIES = 40;
const RENAME_PAUSE_MS = 50;

export type JsonRead<T> =
  | { state: "ok"; value: T }
  | { state: "missing" }
  /** Not JSON, or not of the schema. The file has been renamed to `keptAt`; `text` is its content. */
  | { state: "damaged"; text: string; keptAt: string; reason: string };

/** Reads and validates a JSON file; a damaged one is kept aside as `<path>.damaged-<time>`. Errors: file-unreadable. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<JsonRead<T>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { state: "missing" };
    throw fileError(error, "read", path);
  }
  let reason: string;
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return { state: "ok", value: parsed.data };
    const issue = parsed.error.issues[0];
    reason = `${issue?.path.join(".") || "content"}: ${issue?.message ?? "not as expected"}`;
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  return { state: "damaged", text, keptAt: await keepAside(path), reason };
}

/** Name under which a damaged file is kept. */
export function damagedName(path: string): string {
  return `${path}.damaged-${new Date().toISOString().replace(/[:.]/g, "-")}`;
}

async function keepAside(path: string): Promise<string> {
  const keptAt = damagedName(path);
  try {
    await rename(path, keptAt);
  } catch (error) {
    throw fileError(error, "write", path);
  }
  return keptAt;
}

/**
 * Writes a file so that a reader finds the old content or the new one, whatever happens, a power failure included. Makes the
 * folder. One writer at a time per path. Errors: disk-full, write-failed (the old content is untouched then).
 *
 * write-file-atomic is not used: it ignores short writes, so a disk that fills up in mid-write puts half a file in place.
 */
export async function writeAtomic(path: string, data: string | Uint8Array, options: { mode?: number } = {}) {
  const half = `${path}.new`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(half, "w", options.mode ?? 0o666);
    try {
      if (options.mode !== undefined) await file.chmod(options.mode); // one left by a kill may have another
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameOver(half, path);
  } catch (error) {
    await rm(half, { force: true }).catch(() => undefined); // the error that follows says more
    throw fileError(error, "write", path);
  }
}

/** On Windows a virus scanner or an indexer may hold the old file for a moment. */
async function renameOver(from: string, to: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await rename(from, to);
    } catch (error) {
      const busy = ["EPERM", "EACCES", "EBUSY"].includes(systemCode(error));
      if (process.platform !== "win32" || !busy || tries === RENAME_TRIES) throw error;
      await setTimeout(RENAME_PAUSE_MS);
    }
  }
}

/** `writeAtomic` of a value as JSON. */
export async function writeJson(path: string, value: unknown, options: { mode?: number } = {}): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, undefined, 2)}\n`, options);
}
