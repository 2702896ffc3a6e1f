import { StreamletError } from "../src/wire/errors";

/**
 * A cursor names the last row of a page, not its number: rows that come and go in between shift nothing. To everyone else
 * it is an opaque text.
 */
export function encodeCursor(value: string | number, key: string): string {
  return Buffer.from(JSON.stringify([value, key])).toString("base64url");
}

/** Errors: bad-message. */
export function decodeCursor(cursor: string): { value: string | number; key: string } {
  try {
    const [value, key, ...rest] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    if (rest.length === 0 && (typeof value === "string" || typeof value === "number") && typeof key === "string") {
      return { value, key };
    }
  } catch {
    // falls through to the one refusal
  }
  throw new StreamletError("bad-message", "The cursor is not one of this tracker's; start from the first page.");
}
