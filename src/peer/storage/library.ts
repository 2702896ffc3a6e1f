import type { ErrorInfo } from "../../wire/errors";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { Audience, VideoState } from "../status";

/** One video of the library as it is kept on disk. Rates, peers and progress are not kept: they come from the engine and the resume data. */
export interface LibraryEntry {
  /** Made by `Library.add`: 21 characters that are safe in a file name. */
  key: string;
  origin: "uploaded" | "obtained";
  /** Absent while hashing. */
  id?: VideoId;
  /** v1 info-hash, 40 hex digits, of hybrids and v1-only torrents. */
  v1?: string;
  /** Hex; absent while hashing and for v1-only torrents. */
  piecesRoot?: string;
  pieceLength?: number;
  title: string;
  description: string;
  /** Name in the info dictionary, fixed at upload. */
  fileName: string;
  /** Absolute path that the whole video has or will have. */
  path: string;
  /** Absolute path of the .part file while it is not whole. */
  partPath?: string;
  size: number;
  /** Modification time (ms) of the file when it was hashed or completed: a file with another one counts as changed. */
  mtimeMs?: number;
  duration?: number;
  container?: string;
  codecs?: string;
  width?: number;
  height?: number;
  audience: Audience;
  /** The person wants it offered to others (whether it is depends on the profile running). */
  shared: boolean;
  state: VideoState;
  error?: ErrorInfo;
  addedAt: number;
  owner: string;
  ownerFingerprint: Fingerprint | "";
  /** Sequence number of the newest record signed (own) or received (obtained); 0 = none yet. */
  sequence: number;
  /** The owner's newest signed record and, for friends' videos, the grant: base64. */
  record?: string;
  grant?: string;
  /** JPEG or WebP, base64. */
  thumbnail?: string;
  /** Trackers (as in a link or .torrent) and peers to ask besides the profile's. */
  trackers?: string[];
  peers?: string[];
}

export interface LibraryReport {
  /** One error (library-damaged) for each file that had to be repaired; its message says what was kept where. */
  damaged: ErrorInfo[];
}

/** The videos of a profile, persistent in `<dataDir>/library.json`. Changes count at once in memory and are written soon after. */
export class Library {
  /** Opens or creates it. Never throws a damaged library away: see `report`. Errors: file-unreadable, write-failed, disk-full. */
  static async open(
    _dataDir: string,
    _options: { onError?(error: Error): void; writeDelayMs?: number } = {},
  ): Promise<Library> {
    throw new Error("in progress");
  }
  readonly report: LibraryReport = { damaged: [] };
  /** In order of `addedAt`. */
  entries(): readonly LibraryEntry[] {
    return [];
  }
  get(_key: string): LibraryEntry | undefined {
    return undefined;
  }
  findById(_id: VideoId): LibraryEntry | undefined {
    return undefined;
  }
  add(
    _entry: Omit<LibraryEntry, "key" | "addedAt" | "sequence"> &
      Partial<Pick<LibraryEntry, "key" | "addedAt" | "sequence">>,
  ): LibraryEntry {
    throw new Error("in progress");
  }
  /** Replaces the given fields (`undefined` deletes one). A change that changes nothing is not written. Throws internal for an unknown key. */
  update(_key: string, _changes: Partial<Omit<LibraryEntry, "key">>): LibraryEntry {
    throw new Error("in progress");
  }
  /** Also deletes the info, hash tree and resume file of the entry. */
  remove(_key: string): void {}
  /** Keeps the raw info dictionary of a video; on disk when it resolves. */
  async saveInfo(_key: string, _infoBytes: Uint8Array): Promise<void> {}
  /** The raw info dictionary, or undefined when it is missing or does not hash to the entry's id (or v1 info-hash). */
  async readInfo(_key: string): Promise<Uint8Array | undefined> {
    return undefined;
  }
  /** `<dataDir>/hashes/<key>.tree`: for hashFile and HashTree. */
  treePath(_key: string): string {
    return "";
  }
  /** `<dataDir>/resume/<key>.resume`: for ResumeData. */
  resumePath(_key: string): string {
    return "";
  }
  /** Resolves when everything so far is on disk. Errors: disk-full, write-failed. */
  async flush(): Promise<void> {}
  /** flush, then no more writes. */
  async close(): Promise<void> {}
}
