export interface HashOptions {
  path: string;
  /** Bytes, a power of two >= 16 KiB. */
  pieceLength: number;
  /** Where the hash tree goes (the file that `HashTree.open` reads); appears there only when whole. Not kept when absent. */
  treePath?: string;
  signal?: AbortSignal;
  /** Total bytes hashed so far, after every few MiB. */
  onProgress?(bytes: number): void;
}

export interface HashedFile {
  piecesRoot: Uint8Array;
  /** 32 bytes per piece; empty for a file of one piece (BEP 52: it has no piece layer). */
  pieceLayer: Uint8Array;
  /** SHA-1 of each v1 piece, 20 bytes each. */
  v1Pieces: Uint8Array;
  size: number;
  mtimeMs: number;
}

/**
 * Hashes a file in worker threads, in bounded memory whatever its size.
 * Errors: file-missing, file-unreadable, empty-file, file-changed (while hashing), disk-full, write-failed, cancelled.
 */
export async function hashFile(_options: HashOptions): Promise<HashedFile> {
  throw new Error("in progress");
}
