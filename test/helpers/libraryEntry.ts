import type { LibraryEntry } from "../../src/peer/storage/library";

/** A valid new entry of the library, as an upload makes one; `changes` on top. */
export function newEntry(changes: Partial<LibraryEntry> = {}): Omit<LibraryEntry, "key" | "addedAt" | "sequence"> {
  return {
    origin: "uploaded",
    title: "A video",
    description: "",
    fileName: "a.mp4",
    path: process.platform === "win32" ? "C:\\videos\\a.mp4" : "/videos/a.mp4",
    size: 1000,
    audience: "everyone",
    shared: false,
    state: "hashing",
    owner: "alice",
    ownerFingerprint: "",
    ...changes,
  };
}
