/** A name that is safe on every platform, never a path, at most 200 bytes of UTF-8 with its extension kept; `fallback` when nothing usable is left. */
export function safeFileName(_untrusted: string, _fallback = "video"): string {
  throw new Error("in progress");
}
/** `folder/name`, or `folder/name (2).ext` and so on while that exists. */
export function uniquePath(_folder: string, _name: string): string {
  throw new Error("in progress");
}
