import { BLOCK_BYTES } from "../../wire/constants";

/** Shape of one video: `length` bytes cut into pieces of `pieceLength` (a power of two, at least 16 KiB) and blocks of 16 KiB. */
export class Content {
  readonly pieceCount: number;
  /** Blocks in a whole piece. */
  readonly blocksPerPiece: number;

  constructor(
    readonly length: number,
    readonly pieceLength: number,
    /** Root of the file's merkle tree (BEP 52); absent for v1-only torrents. */
    readonly piecesRoot: Uint8Array | undefined,
    /** SHA-1 hashes of the pieces (BEP 3), once the info dictionary is known. */
    readonly v1Pieces: Uint8Array | undefined = undefined,
  ) {
    this.pieceCount = Math.ceil(length / pieceLength);
    this.blocksPerPiece = Math.max(1, pieceLength / BLOCK_BYTES);
  }

  pieceSize(piece: number): number {
    return piece === this.pieceCount - 1 ? this.length - piece * this.pieceLength : this.pieceLength;
  }

  blockCount(piece: number): number {
    return Math.ceil(this.pieceSize(piece) / BLOCK_BYTES);
  }

  blockSize(piece: number, block: number): number {
    return Math.min(BLOCK_BYTES, this.pieceSize(piece) - block * BLOCK_BYTES);
  }

  /** Leaf hashes under one piece hash: a whole piece's, or the power of two that covers a file shorter than a piece (BEP 52). */
  leafWidth(): number {
    if (this.length > this.pieceLength) return this.blocksPerPiece;
    let width = 1;
    while (width * BLOCK_BYTES < this.length) width *= 2;
    return width;
  }

  isValidRange(piece: number, begin: number, length: number): boolean {
    return piece < this.pieceCount && length > 0 && begin + length <= this.pieceSize(piece);
  }
}
