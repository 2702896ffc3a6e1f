/**
 * Text search and sort order of catalogues, the same at a tracker and in a peer that merges several of them: pages can only
 * be merged when every source means the same by "matches" and "comes first".
 */

/** Words of a query that count; more add nothing and cost time. */
const MAX_WORDS = 8;

/**
 * Compatibility forms, accents and case are folded away, so that `cafe` finds `Café`. Substrings are searched, not whole
 * words: that serves search-as-you-type, parts of words, and languages that write without spaces.
 */
export function foldText(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{Mn}/gu, "")
    .toLowerCase();
}

/** The folded words of a query; every one of them must occur. No words match everything. */
export function queryWords(text: string | undefined): string[] {
  if (text === undefined) return [];
  const words = foldText(text)
    .split(/\s+/)
    .filter((word) => word !== "");
  return [...new Set(words)].slice(0, MAX_WORDS);
}

export interface Searchable {
  title: string;
  description: string;
  ownerName: string;
}

/** What is searched: fields are apart, so that no word matches across two of them. */
export function haystackOf(video: Searchable): string {
  return foldText(`${video.title}\n${video.description}\n${video.ownerName}`);
}

export function matchesWords(haystack: string, words: readonly string[]): boolean {
  for (const word of words) if (!haystack.includes(word)) return false;
  return true;
}

/** Sort key of a name: folded, then compared by code unit, which needs no locale and is the same everywhere. */
export function nameKey(name: string): string {
  return foldText(name).trim();
}

/** Order of two keys by code unit. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
