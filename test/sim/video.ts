import { createCipheriv, createHash } from "node:crypto";
import { join } from "node:path";
import { HashTree } from "../../src/peer/storage/hashTree";
import { Content } from "../../src/peer/swarm/content";
import { BLOCK_BYTES, HASH_BYTES } from "../../src/wire/constants";
import { hashBlocksInto, pieceRootOf, piecesRootOf } from "../../src/wire/merkle";
import { buildInfo } from "../../src/wire/metainfo";
import type { VideoId } from "../../src/wire/types";

/** The video of a simulation: real bytes with their real hashes. */
export class SimVideo {
  readonly bytes: Buffer;
  readonly content: Content;
  readonly id: VideoId;
  readonly v1: string;
  readonly infoBytes: Uint8Array;
  private readonly leaves: Buffer;
  private readonly layer: Buffer;

  constructor(seed: number, size: number, pieceLength: number) {
    const key = createHash("sha256").update(`video ${seed}`).digest().subarray(0, 16);
    this.bytes = createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
    this.leaves = Buffer.alloc(Math.ceil(size / BLOCK_BYTES) * HASH_BYTES);
    hashBlocksInto(this.bytes, this.leaves, 0);
    const shape = new Content(size, pieceLength, undefined);
    this.layer = Buffer.concat(
      Array.from({ length: shape.pieceCount }, (_, piece) =>
        pieceRootOf(this.leavesOf(shape, piece), shape.leafWidth()),
      ),
    );
    const piecesRoot = piecesRootOf(this.layer, shape.pieceCount, pieceLength, size);
    const v1Pieces = Buffer.concat(
      Array.from({ length: shape.pieceCount }, (_, piece) => {
        const begin = piece * pieceLength;
        return createHash("sha1")
          .update(this.bytes.subarray(begin, begin + shape.pieceSize(piece)))
          .digest();
      }),
    );
    const { infoBytes, id, v1 } = buildInfo({ name: "clip.mp4", length: size, pieceLength, piecesRoot, v1Pieces });
    this.infoBytes = infoBytes;
    this.id = id;
    this.v1 = v1;
    this.content = new Content(size, pieceLength, piecesRoot);
  }

  /** @param whole every hash is known from the start, as whoever has imported the video knows them */
  openTree(folder: string, name: string, whole: boolean): HashTree {
    const { length, pieceLength, piecesRoot, pieceCount } = this.content;
    const tree = HashTree.open(join(folder, name), { length, pieceLength, piecesRoot: piecesRoot! });
    if (!whole) return tree;
    tree.setPieceLayer(0, this.layer);
    for (let piece = 0; piece < pieceCount; piece++) tree.setLeaves(piece, this.leavesOf(this.content, piece));
    return tree;
  }

  private leavesOf(content: Content, piece: number): Buffer {
    const first = piece * content.blocksPerPiece;
    return this.leaves.subarray(first * HASH_BYTES, (first + content.blockCount(piece)) * HASH_BYTES);
  }
}
