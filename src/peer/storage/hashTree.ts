import { closeSync, constants, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { Bitfield } from "../../wire/bitfield";
import { equalBytes } from "../../wire/bytes";
import { BLOCK_BYTES, HASH_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import {
  buildHashes,
  type HashRange,
  padHash,
  pieceLeafWidth,
  pieceRootOf,
  type TreeSource,
  treeLayers,
} from "../../wire/merkle";
import { fileError, systemCode } from "./fileErrors";
import { MerkleHeap } from "./merkleHeap";

/**
 * Trees of pieces kept in memory, as neighbours are asked for one after the other: 16 at 4 MiB a piece, hundreds of small pieces, each
 * of which the whole swarm asks for.
 */
const CACHED_BYTES = 272 * 1024;
const MIN_CACHED_PIECES = 16;
/** Of the objects that hold a tree. */
const TREE_OVERHEAD_BYTES = 512;

/** What is known of a file's tree before any hash of it is: from the record, the link or the info dictionary. */
export interface TreeShape {
  piecesRoot: Uint8Array;
  /** Bytes, > 0. */
  length: number;
  /** Bytes, a power of two >= 16 KiB. */
  pieceLength: number;
}

/**
 * The SHA-256 merkle tree of one video (BEP 52), as far as it is known, in a file of its own: all leaves of the video
 * (32 bytes per 16 KiB block), then its piece layer. The file says nothing else of itself, and needs not: what is read
 * counts only if it folds to the pieces root (piece layer) or to the piece's hash (leaves). So a half-written, foreign or
 * rotten file costs knowledge, never a wrong answer. Known piece hashes of a layer that is still incomplete are lost at a restart.
 *
 * All calls are synchronous and read or write at most the piece layer (once) or one piece's leaves at a time.
 * Hashes that are returned are views on its memory: not to be written to.
 * In memory: twice the piece layer, and the trees of the last pieces, 272 KiB or 16 of them. One file descriptor, open from first use until
 * `close`.
 */
export class HashTree {
  readonly pieceCount: number;
  readonly #path: string;
  readonly #shape: TreeShape;
  readonly #blocks: number;
  readonly #blocksPerPiece: number;
  /** Height of the piece layer above the leaves, and of the root; the same in a file of one piece. */
  readonly #pieceLevel: number;
  readonly #rootLevel: number;
  /** Piece layer and all above it; read from disk at first use. */
  #upper: MerkleHeap | undefined;
  /** Insertion order is order of use: the first is the next to go. */
  readonly #pieces = new Map<number, MerkleHeap>();
  readonly #mostPieces: number;
  /** Pieces whose leaves were looked for and are not in the file: a download asks for them every second until they come. */
  #absent: Bitfield;
  #fd: number | undefined;
  readonly #source: TreeSource;

  private constructor(path: string, shape: TreeShape) {
    this.#path = path;
    this.#shape = shape;
    this.pieceCount = Math.ceil(shape.length / shape.pieceLength);
    this.#blocks = Math.ceil(shape.length / BLOCK_BYTES);
    this.#rootLevel = treeLayers(this.#blocks);
    this.#blocksPerPiece = pieceLeafWidth(shape.length, shape.pieceLength);
    this.#pieceLevel = Math.log2(this.#blocksPerPiece);
    const treeBytes = 2 * this.#blocksPerPiece * HASH_BYTES + TREE_OVERHEAD_BYTES;
    this.#mostPieces = Math.max(MIN_CACHED_PIECES, Math.floor(CACHED_BYTES / treeBytes));
    this.#absent = new Bitfield(this.pieceCount);
    this.#source = {
      totalLeaves: this.#blocks,
      nodes: (layer, index, count) => this.#nodes(layer, index, count),
    };
  }

  /** Whatever is valid in the file at `path` is held; a missing or foreign file is an empty tree. Nothing is read before it is needed. */
  static open(path: string, shape: TreeShape): HashTree {
    return new HashTree(path, shape);
  }

  /** Hash of piece `piece`, or undefined while unknown. Of a file of one piece it is the pieces root. */
  pieceHash(piece: number): Uint8Array | undefined {
    if (piece < 0 || piece >= this.pieceCount) return undefined;
    return this.pieceCount === 1 ? this.#shape.piecesRoot : this.#upperTree().get(0, piece);
  }

  /** The whole piece layer (32 bytes per piece, empty for a file of one piece), or undefined while some of it is unknown. */
  pieceLayer(): Uint8Array | undefined {
    if (this.pieceCount === 1) return new Uint8Array();
    return this.#upperTree().get(0, 0, this.pieceCount);
  }

  /** Leaf hashes (32 bytes per 16 KiB block, the last piece's without padding), or undefined while unknown. */
  leavesOfPiece(piece: number): Uint8Array | undefined {
    return this.#pieceTree(piece)?.get(0, 0, this.#blocksOf(piece));
  }

  /**
   * Keeps hashes of the pieces from `first` on; those beyond the last piece are ignored. The caller has verified them
   * with their proof. Errors: bad-block if the layer is now whole and is not that of the pieces root (nothing of it is kept);
   * disk-full, write-failed (it is known all the same until `close`).
   */
  setPieceLayer(first: number, hashes: Uint8Array): void {
    const own = hashes.subarray(0, Math.max(0, this.pieceCount - first) * HASH_BYTES);
    if (this.pieceCount === 1 || own.length === 0) return;
    const upper = this.#upperTree();
    if (upper.complete) return;
    upper.set(first, own);
    if (upper.complete && !this.#isPiecesRoot(upper)) {
      this.#upper = this.#emptyUpper();
      throw new StreamletError("bad-block", "The piece hashes of this video do not belong to it.");
    }
    this.#write(own, (this.#blocks + first) * HASH_BYTES);
  }

  /**
   * Keeps the leaf hashes of a piece (without padding), which the caller has verified; its piece hash follows from them.
   * Errors: disk-full, write-failed; invalid-argument for a wrong count.
   */
  setLeaves(piece: number, leaves: Uint8Array): void {
    if (leaves.length !== this.#blocksOf(piece) * HASH_BYTES) {
      throw new StreamletError(
        "invalid-argument",
        `Piece ${piece} does not have ${leaves.length / HASH_BYTES} blocks.`,
      );
    }
    this.#pieces.delete(piece);
    if (!this.pieceHash(piece)) this.setPieceLayer(piece, pieceRootOf(leaves, this.#blocksPerPiece));
    this.#absent.clear(piece);
    this.#write(leaves, piece * this.#blocksPerPiece * HASH_BYTES);
  }

  /**
   * Answer to a hash request (BEP 52): the hashes asked for, then the uncles, lowest first. Undefined = to be rejected:
   * a range that is not in the tree or not aligned, or hashes that are not known (yet).
   */
  serve(range: HashRange): Uint8Array | undefined {
    return buildHashes(this.#source, range);
  }

  /** Closes the file and forgets what was cached; all that was set stays on disk, and a later call opens it again. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    if (this.#upper?.complete) this.#upper = undefined;
    this.#pieces.clear();
    this.#absent = new Bitfield(this.pieceCount);
  }

  /** `count` hashes of a layer, none of them beyond the end of the file; undefined where one is unknown. */
  #nodes(layer: number, index: number, count: number): Uint8Array | undefined {
    if (layer >= this.#pieceLevel) {
      return this.pieceCount === 1 ? undefined : this.#upperTree().get(layer - this.#pieceLevel, index, count);
    }
    const perPiece = 2 ** (this.#pieceLevel - layer);
    if ((index % perPiece) + count <= perPiece) {
      return this.#pieceTree(Math.floor(index / perPiece))?.get(layer, index % perPiece, count);
    }
    const nodes = new Uint8Array(count * HASH_BYTES);
    for (let done = 0; done < count; ) {
      const first = (index + done) % perPiece;
      const here = Math.min(count - done, perPiece - first);
      const found = this.#pieceTree(Math.floor((index + done) / perPiece))?.get(layer, first, here);
      if (!found) return undefined;
      nodes.set(found, done * HASH_BYTES);
      done += here;
    }
    return nodes;
  }

  #blocksOf(piece: number): number {
    if (piece < 0 || piece >= this.pieceCount) return 0;
    return Math.min(this.#blocksPerPiece, this.#blocks - piece * this.#blocksPerPiece);
  }

  #emptyUpper(): MerkleHeap {
    const width = 2 ** (this.#rootLevel - this.#pieceLevel);
    const upper = new MerkleHeap(width);
    const padding = new Uint8Array((width - this.pieceCount) * HASH_BYTES);
    for (let at = 0; at < padding.length; at += HASH_BYTES) padding.set(padHash(this.#pieceLevel), at);
    if (padding.length > 0) upper.set(this.pieceCount, padding);
    return upper;
  }

  #isPiecesRoot(tree: MerkleHeap): boolean {
    return tree.root !== undefined && equalBytes(tree.root, this.#shape.piecesRoot);
  }

  #upperTree(): MerkleHeap {
    if (this.#upper) return this.#upper;
    this.#upper = this.#emptyUpper();
    const layer = this.#read(this.#blocks * HASH_BYTES, this.pieceCount * HASH_BYTES);
    if (layer?.length === this.pieceCount * HASH_BYTES) {
      const stored = this.#emptyUpper();
      stored.set(0, layer);
      if (this.#isPiecesRoot(stored)) this.#upper = stored;
    }
    return this.#upper;
  }

  /** Tree over the leaves of a piece, from cache or disk, if they fold to the piece's hash. */
  #pieceTree(piece: number): MerkleHeap | undefined {
    const cached = this.#pieces.get(piece);
    if (cached) {
      this.#pieces.delete(piece);
      this.#pieces.set(piece, cached);
      return cached;
    }
    const expected = this.pieceHash(piece);
    if (!expected) return undefined;
    // With 16 KiB a piece the piece layer is the leaves.
    const leaves = this.#blocksPerPiece === 1 ? expected : this.#readLeaves(piece);
    if (!leaves) return undefined;
    const tree = new MerkleHeap(this.#blocksPerPiece);
    const padded = new Uint8Array(this.#blocksPerPiece * HASH_BYTES);
    padded.set(leaves);
    tree.set(0, padded);
    if (!tree.root || !equalBytes(tree.root, expected)) {
      this.#absent.set(piece);
      return undefined;
    }
    this.#pieces.set(piece, tree);
    const oldest = this.#pieces.keys().next();
    if (this.#pieces.size > this.#mostPieces && !oldest.done) this.#pieces.delete(oldest.value);
    return tree;
  }

  #readLeaves(piece: number): Uint8Array | undefined {
    if (this.#absent.get(piece)) return undefined;
    return this.#read(piece * this.#blocksPerPiece * HASH_BYTES, this.#blocksOf(piece) * HASH_BYTES);
  }

  #open(): number {
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#fd ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o666);
    return this.#fd;
  }

  /** Less where the file ends, nothing where it is missing, undefined where it cannot be read: then these hashes are not held, and nothing worse. */
  #read(position: number, length: number): Buffer | undefined {
    const bytes = Buffer.alloc(length);
    try {
      this.#fd ??= openSync(this.#path, constants.O_RDWR);
      for (let done = 0; done < length; ) {
        const read = readSync(this.#fd, bytes, done, length - done, position + done);
        if (read === 0) return bytes.subarray(0, done);
        done += read;
      }
    } catch (error) {
      if (systemCode(error) !== "ENOENT") return undefined;
      // Nothing has been put there yet, as with every new download.
      this.#absent = Bitfield.full(this.pieceCount);
      return bytes.subarray(0, 0);
    }
    return bytes;
  }

  #write(bytes: Uint8Array, position: number): void {
    try {
      const fd = this.#fd ?? this.#open();
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(fd, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      throw fileError(error, "write", this.#path);
    }
  }
}
