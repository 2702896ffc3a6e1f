import { createCipheriv, createHash } from "node:crypto";
import { join } from "node:path";
import { checkPiece } from "../../src/peer/storage/checkPiece";
import { HashTree } from "../../src/peer/storage/hashTree";
import type { PieceProof } from "../../src/peer/storage/verifyProtocol";
import { Content } from "../../src/peer/swarm/content";
import { equalBytes } from "../../src/wire/bytes";
import { BLOCK_BYTES, HASH_BYTES } from "../../src/wire/constants";
import { hashBlocksInto, pieceRootOf, piecesRootOf } from "../../src/wire/merkle";
import { buildInfo } from "../../src/wire/metainfo";
import type { VideoId } from "../../src/wire/types";

type PieceCheck = ReturnType<typeof checkPiece>;

/** The video of a simulation: real bytes with their real hashes. */
export class SimVideo {
  readonly bytes: Buffer;
  readonly content: Content;
  readonly id: VideoId;
  readonly v1: string;
  readonly infoBytes: Uint8Array;
  /** Of each piece, by its position: what was said of the right bytes, and of which hashes. */
  private readonly checks = new Map<number, { proof: Uint8Array; result: PieceCheck }>();
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

  /**
   * `checkPiece`, which says the same of the same bytes and the same hashes: two hundred peers are not made to hash each piece two
   * hundred times.
   */
  check(data: Buffer, position: number, proof: PieceProof): PieceCheck {
    const expected = this.bytes.subarray(position, position + data.length);
    const isUsual = proof.leaves !== undefined && data.equals(expected);
    const before = isUsual ? this.checks.get(position) : undefined;
    if (before && equalBytes(before.proof, proof.leaves!)) return before.result;
    const result = checkPiece(data, proof);
    if (isUsual) this.checks.set(position, { proof: Buffer.from(proof.leaves!), result });
    return result;
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
