import type { z } from "zod";
export type JsonRead<T> =
  | { state: "ok"; value: T }
  | { state: "missing" }
  /** Not JSON, or not of the schema. It was kept aside at `keptAt`. */
  | { state: "damaged"; text: string; keptAt: string; reason: string };
/** Errors: file-unreadable. */
export async function readJson<T>(_path: string, _schema: z.ZodType<T>): Promise<JsonRead<T>> {
  throw new Error("in progress");
}
/** Atomic: the old content or the new, never half of it. Makes the folder. Errors: disk-full, write-failed. */
export async function writeJson(_path: string, _value: unknown, _options: { mode?: number } = {}): Promise<void> {}
