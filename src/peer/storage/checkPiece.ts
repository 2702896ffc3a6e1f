import * as crypto from "node:crypto";
import { BLOCK_BYTES, HASH_BYTES } from "../../wire/constants";
import { merkleRoot } from "../../wire/merkle";
import type { PieceProof } from "./verifyProtocol";

/**
 * Compares a piece with its proof, block by block where there are leaf hashes. `bad` lists the wrong blocks, and is empty where only
 * the whole piece can be judged; `leaves` are the hashes as computed (absent for SHA-1).
 */
export function checkPiece(data: Buffer, proof: PieceProof): { bad?: number[]; leaves?: Uint8Array } {
  if (proof.sha1) {
    return crypto.createHash("sha1").update(data).digest().equals(proof.sha1) ? {} : { bad: [] };
  }
  const blocks = Math.ceil(data.length / BLOCK_BYTES);
  const leaves = Buffer.allocUnsafeSlow(blocks * HASH_BYTES);
  const bad: number[] = [];
  for (let block = 0; block < blocks; block++) {
    const begin = block * BLOCK_BYTES;
    const digest = crypto.hash("sha256", data.subarray(begin, Math.min(begin + BLOCK_BYTES, data.length)), "buffer");
    leaves.set(digest, block * HASH_BYTES);
    if (proof.leaves && digest.compare(proof.leaves, block * HASH_BYTES, (block + 1) * HASH_BYTES) !== 0)
      bad.push(block);
  }
  if (bad.length > 0) return { bad };
  if (!proof.leaves) {
    if (!proof.pieceHash) throw new Error("a piece needs something to be checked against");
    if (Buffer.compare(merkleRoot(leaves, proof.leafWidth, 0), proof.pieceHash) !== 0) return { bad: [] };
  }
  return { leaves };
}
