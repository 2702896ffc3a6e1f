/** What is known of a file's tree before any hash of it is: from the record, the link or the info dictionary. */
export interface TreeShape {
  piecesRoot: Uint8Array;
  /** Bytes. */
  length: number;
  pieceLength: number;
}

/** Fields of BEP 52's hash request, without the pieces root (the caller finds the tree by it). */
export interface HashRange {
  base: number;
  index: number;
  length: number;
  proofLayers: number;
}

/**
 * The SHA-256 merkle tree of one video (BEP 52), as far as it is known, in a file of its own.
 * All calls are synchronous; at most a few KiB are read from disk by each.
 */
export class HashTree {
  /** Whatever is valid in the file at `path` is held; a missing or foreign file is an empty tree. Nothing is read until it is needed. */
  static open(_path: string, _shape: TreeShape): HashTree {
    throw new Error("in progress");
  }
  readonly pieceCount: number = 0;
  /** Hash of piece `i`, or undefined while unknown. Of a one-piece file it is the pieces root. */
  pieceHash(_piece: number): Uint8Array | undefined {
    return undefined;
  }
  /** The whole piece layer (32 bytes per piece, empty for a one-piece file), or undefined while some of it is unknown. */
  pieceLayer(): Uint8Array | undefined {
    return undefined;
  }
  /** Leaf hashes (32 bytes per 16 KiB block, the last piece's without padding), or undefined while unknown. */
  leavesOfPiece(_piece: number): Uint8Array | undefined {
    return undefined;
  }
  hasLeaves(_piece: number): boolean {
    return false;
  }
  /** Keeps verified piece hashes from piece `first` on (any count; padding beyond the last piece is ignored). The caller has verified them. Errors: disk-full, write-failed. */
  setPieceLayer(_first: number, _hashes: Uint8Array): void {}
  /** Keeps the verified leaf hashes of a piece. Errors: disk-full, write-failed. */
  setLeaves(_piece: number, _leaves: Uint8Array): void {}
  /** Answer to a hash request: `length` hashes, then the uncles, lowest first; undefined = send a hash reject. */
  serve(_range: HashRange): Uint8Array | undefined {
    return undefined;
  }
  /** Closes the file; everything set so far stays on disk. */
  close(): void {}
}
