/** Text from others: which characters may be shown. Others could hide, reorder or fake what a person reads. */

/**
 * Control characters (a line break apart), bidirectional overrides and isolates, invisible characters other than the joiners
 * that scripts and emoji need, line and paragraph separators, tags, lone surrogates, and code points that are none.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\u{e0000}-\u{e0fff}]|\p{Surrogate}|\p{Noncharacter_Code_Point}/u;
const ALL_UNSAFE = new RegExp(UNSAFE.source, "gu");

const lenientUtf8 = new TextDecoder("utf-8");

/** Whether the text may be shown as it is. A line break (U+000A) is allowed only with `lines`. */
export function isSafeText(text: string, options: { lines?: boolean } = {}): boolean {
  return !UNSAFE.test(text) && (options.lines === true || !text.includes("\n"));
}

/**
 * The text without what `isSafeText` refuses, trimmed: for what people type or paste. Tabs become blanks; carriage returns go; line
 * breaks stay with `lines`, else become blanks.
 */
export function cleanText(text: string, options: { lines?: boolean } = {}): string {
  const spaced = text.replace(/\r\n?|\u2028|\u2029/g, "\n").replace(/\t/g, " ");
  const safe = spaced.replace(ALL_UNSAFE, "");
  return (options.lines ? safe : safe.replace(/\n+/g, " ")).trim();
}

/** Characters as people count them, nearly: code points. */
export function charCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Bytes from another program as one line for display: malformed UTF-8 becomes U+FFFD (and goes), the rest is cleaned and cut. */
export function visibleText(bytes: Uint8Array, maxChars: number): string {
  // At most 4 bytes a character: what lies behind cannot be shown and is not decoded.
  const text = cleanText(lenientUtf8.decode(bytes.subarray(0, 4 * maxChars)));
  return [...text].slice(0, maxChars).join("").trim();
}
