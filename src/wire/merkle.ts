/**
 * The merkle tree of a file (BEP 52): SHA-256 of its 16 KiB blocks are the leaves; a leaf beyond the end is 32 zero bytes; the width
 * is the number of blocks rounded up to a power of two. Layer 0 holds the leaves, layer k has one hash for 2^k of them.
 * A layer is one flat Uint8Array of 32-byte hashes; hashes that only cover what lies beyond the end are left out.
 */
import * as crypto from "node:crypto";
import { asBuffer, equalBytes } from "./bytes";
import { BLOCK_BYTES, HASH_BYTES, MAX_HASHES_PER_REQUEST, MAX_TREE_LAYERS } from "./constants";
import { StreamletError } from "./errors";

const PAIR_BYTES = 2 * HASH_BYTES;

const oneShotHash: typeof crypto.hash | undefined = crypto.hash;

/**
 * Writes SHA-256 of `data` into `target`. `crypto.hash` (Node 20.12) with a latin1 ("binary") digest makes no object per hash: about
 * three times as fast as `createHash` for the nodes of a tree.
 */
export const sha256Into: (data: Uint8Array, target: Buffer, offset: number) => void = oneShotHash
  ? (data, target, offset) => {
      target.write(oneShotHash("sha256", data, "binary"), offset, "latin1");
    }
  : (data, target, offset) => {
      crypto.createHash("sha256").update(data).digest().copy(target, offset);
    };

/** SHA-256 of one block (at most 16 KiB, and not padded where it is shorter). */
export function hashBlock(data: Uint8Array): Uint8Array {
  const digest = Buffer.allocUnsafeSlow(HASH_BYTES);
  sha256Into(data, digest, 0);
  return digest;
}

/** Writes the leaf hashes of consecutive blocks of `data` into `target` from `offset`; the last block may be short. */
export function hashBlocksInto(data: Uint8Array, target: Uint8Array, offset: number): void {
  const out = asBuffer(target);
  let at = offset;
  for (let begin = 0; begin < data.length; begin += BLOCK_BYTES) {
    sha256Into(data.subarray(begin, Math.min(begin + BLOCK_BYTES, data.length)), out, at);
    at += HASH_BYTES;
  }
}

const PAD_HASHES: readonly Uint8Array[] = padHashes();

function padHashes(): Uint8Array[] {
  const list: Uint8Array[] = [Buffer.alloc(HASH_BYTES)];
  for (let level = 0; level < MAX_TREE_LAYERS; level++) {
    const child = list[level] as Uint8Array;
    list.push(hashBlock(Buffer.concat([child, child])));
  }
  return list;
}

/** Root of 2^level leaves that are all zero. Shared: not to be written to. @throws StreamletError `invalid-argument` above layer 30 */
export function padHash(level: number): Uint8Array {
  const hash = PAD_HASHES[level];
  if (!hash) throw new StreamletError("invalid-argument", `A hash tree has no layer ${level}.`);
  return hash;
}

/** The layer above `layer`, whose missing last sibling is `padHash(padLevel)`. */
export function foldLayer(layer: Uint8Array, padLevel: number): Uint8Array {
  const above = Buffer.allocUnsafeSlow(Math.ceil(layer.length / PAIR_BYTES) * HASH_BYTES);
  foldInto(layer, above, padLevel);
  return above;
}

/** `target` may be `layer` itself: a hash is written where only hashes that have been read stood. @returns bytes written */
function foldInto(layer: Uint8Array, target: Buffer, padLevel: number): number {
  const whole = layer.length - (layer.length % PAIR_BYTES);
  let out = 0;
  for (let at = 0; at < whole; at += PAIR_BYTES) {
    sha256Into(layer.subarray(at, at + PAIR_BYTES), target, out);
    out += HASH_BYTES;
  }
  if (whole < layer.length) {
    sha256Into(Buffer.concat([layer.subarray(whole), padHash(padLevel)]), target, out);
    out += HASH_BYTES;
  }
  return out;
}

/**
 * Root over `width` (a power of two) hashes, of which `layer` holds the first ones; the others are `padHash(padLevel)`.
 * @throws StreamletError `invalid-argument` where `layer` is no list of hashes or wider than `width`
 */
export function merkleRoot(layer: Uint8Array, width: number, padLevel: number): Uint8Array {
  const count = layer.length / HASH_BYTES;
  if (!Number.isInteger(count) || !isPowerOfTwo(width) || count > width) {
    throw new StreamletError("invalid-argument", `${layer.length} bytes are no hashes of a tree of width ${width}.`);
  }
  const height = log2(width);
  if (count === 0) return Buffer.from(padHash(padLevel + height));
  if (height === 0) return Buffer.from(layer);
  let level = padLevel;
  let row = asBuffer(foldLayer(layer, level++));
  while (level < padLevel + height) {
    row = row.subarray(0, foldInto(row, row, level));
    level++;
  }
  return Buffer.from(row); // not a view on the whole scratch row
}

/** Hash of one piece in the piece layer, from its leaves (fewer where the file ends in it). */
export function pieceRootOf(leaves: Uint8Array, blocksPerPiece: number): Uint8Array {
  return merkleRoot(leaves, blocksPerPiece, 0);
}

/**
 * Pieces root of a file from the hashes of its pieces. For a file that is not longer than a piece that one hash is the root already:
 * `pieceRootOf(leaves, pieceLeafWidth(length, pieceLength))`.
 */
export function piecesRootOf(
  pieceLayer: Uint8Array,
  pieceCount: number,
  pieceLength: number,
  length: number,
): Uint8Array {
  if (pieceLayer.length !== pieceCount * HASH_BYTES || pieceCount !== Math.ceil(length / pieceLength)) {
    throw new StreamletError("invalid-argument", "The piece layer does not have one hash per piece.");
  }
  if (pieceCount === 1) return Buffer.from(pieceLayer);
  return merkleRoot(pieceLayer, ceilPowerOfTwo(pieceCount), log2(pieceLength / BLOCK_BYTES));
}

/** Leaves under the hash of a piece: all of a piece's, or those of the whole tree where the file is not longer than a piece. */
export function pieceLeafWidth(length: number, pieceLength: number): number {
  return length > pieceLength ? pieceLength / BLOCK_BYTES : ceilPowerOfTwo(Math.ceil(length / BLOCK_BYTES));
}

/** One stretch of a layer with the proof that it belongs to a tree, as in BEP 52's messages. */
export interface HashRange {
  /** Layer of the hashes asked for; 0 are the leaves. */
  base: number;
  /** First hash, a multiple of `length` rounded up to a power of two. */
  index: number;
  /** Count of hashes: a power of two, or less at the end of the layer. */
  length: number;
  /** Layers above `base` that the proof spans, those included that follow from the hashes themselves. */
  proofLayers: number;
}

/** Layers above the leaves: the pieces root is the one hash of layer `treeLayers(totalLeaves)`. */
export function treeLayers(totalLeaves: number): number {
  return log2(ceilPowerOfTwo(totalLeaves));
}

/** Proof layers that lead to the pieces root. @returns 0 for the root itself too */
export function proofLayersToRoot(totalLeaves: number, base: number): number {
  return Math.max(0, treeLayers(totalLeaves) - base - 1);
}

/**
 * Uncle hashes that follow `length` hashes: the first log2(length) - 1 proof layers follow from the hashes themselves. So a single hash
 * comes with its own sibling, then with the uncles. libtorrent asks for one where 512 pieces leave a rest of one, and hangs up on any
 * other answer; what it answers itself lacks the sibling, so ask for pairs.
 */
export function uncleCount(length: number, proofLayers: number): number {
  return Math.max(0, proofLayers - (log2(ceilPowerOfTwo(length)) - 1));
}

/** Whether the range lies within the tree, is aligned and its proof does not go beyond the root. Bounds come before memory. */
export function isValidRange(range: HashRange, totalLeaves: number): boolean {
  const { base, index, length, proofLayers } = range;
  const layers = treeLayers(totalLeaves);
  if (base > layers || length < 1 || length > MAX_HASHES_PER_REQUEST) return false;
  const width = 2 ** (layers - base);
  const span = ceilPowerOfTwo(length);
  if (index % span !== 0 || index + length > width) return false;
  if (length !== span && index + length !== realWidth(totalLeaves, base)) return false;
  return proofLayers <= Math.max(0, layers - base - 1);
}

/** Hashes of a layer that cover at least one block of the file. */
function realWidth(totalLeaves: number, layer: number): number {
  return Math.ceil(totalLeaves / 2 ** layer);
}

/** Where `buildHashes` finds the nodes of a tree. */
export interface TreeSource {
  /** Blocks of the file. */
  readonly totalLeaves: number;
  /**
   * `count` hashes of `layer` from `index`; undefined where they are not known. Never asked for what lies beyond the end.
   */
  nodes(layer: number, index: number, count: number): Uint8Array | undefined;
}

/**
 * The hashes of a `hashes` message: `length` hashes, then the uncles, lowest first.
 * @returns undefined where the request is invalid or a hash is not known: that calls for a `hash reject`
 */
export function buildHashes(source: TreeSource, range: HashRange): Uint8Array | undefined {
  const { base, index, length, proofLayers } = range;
  if (!isValidRange(range, source.totalLeaves) || base === treeLayers(source.totalLeaves)) return undefined;
  const uncles = uncleCount(length, proofLayers);
  const out = Buffer.allocUnsafeSlow((length + uncles) * HASH_BYTES);
  if (!copyNodes(source, base, index, length, out, 0)) return undefined;
  const span = ceilPowerOfTwo(length);
  let layer = base + log2(span);
  let node = index / span;
  for (let i = 0; i < uncles; i++) {
    if (!copyNodes(source, layer, siblingOf(node), 1, out, (length + i) * HASH_BYTES)) return undefined;
    node = Math.floor(node / 2);
    layer++;
  }
  return out;
}

function siblingOf(node: number): number {
  return node % 2 === 0 ? node + 1 : node - 1;
}

function copyNodes(
  source: TreeSource,
  layer: number,
  index: number,
  count: number,
  out: Buffer,
  offset: number,
): boolean {
  const real = Math.min(count, Math.max(0, realWidth(source.totalLeaves, layer) - index));
  if (real > 0) {
    const found = source.nodes(layer, index, real);
    if (found?.length !== real * HASH_BYTES) return false;
    out.set(found, offset);
  }
  for (let i = real; i < count; i++) out.set(padHash(layer), offset + i * HASH_BYTES);
  return true;
}

export interface HashProof {
  /** The hash that everything must lead to: the file's pieces root, or a known hash of a piece with `totalLeaves` = its blocks. */
  root: Uint8Array;
  base: number;
  index: number;
  /** Hashes of layer `base` from `index`. */
  hashes: Uint8Array;
  /** Lowest first; exactly as many as lead to the root. */
  uncles: Uint8Array;
  /** Blocks under the root. */
  totalLeaves: number;
}

/** Whether hashes from another peer are those of the tree with this root. False for every malformed proof as well. */
export function verifyHashes(proof: HashProof): boolean {
  const { root, base, index, hashes, uncles, totalLeaves } = proof;
  const length = hashes.length / HASH_BYTES;
  if (!Number.isInteger(length) || uncles.length % HASH_BYTES !== 0) return false;
  if (!isValidRange({ base, index, length, proofLayers: 0 }, totalLeaves)) return false;
  const span = ceilPowerOfTwo(length);
  const layer = base + log2(span);
  if (uncles.length / HASH_BYTES !== treeLayers(totalLeaves) - layer) return false;
  const pair = Buffer.allocUnsafe(PAIR_BYTES);
  let node = index / span;
  let hash = merkleRoot(hashes, span, base);
  for (let at = 0; at < uncles.length; at += HASH_BYTES) {
    const uncleFirst = node % 2 === 1;
    pair.set(hash, uncleFirst ? HASH_BYTES : 0);
    pair.set(uncles.subarray(at, at + HASH_BYTES), uncleFirst ? 0 : HASH_BYTES);
    hash = hashBlock(pair);
    node = Math.floor(node / 2);
  }
  return equalBytes(hash, root);
}

/** Splits what a `hashes` message carries. Undefined where the count is not what `length` and `proofLayers` call for. */
export function splitHashes(
  hashes: Uint8Array,
  length: number,
  proofLayers: number,
): { hashes: Uint8Array; uncles: Uint8Array } | undefined {
  if (hashes.length !== (length + uncleCount(length, proofLayers)) * HASH_BYTES) return undefined;
  return { hashes: hashes.subarray(0, length * HASH_BYTES), uncles: hashes.subarray(length * HASH_BYTES) };
}

/** A tree in memory from one of its layers upwards: twice the layer's size. Lower layers are unknown to it. */
export function treeAbove(layer: Uint8Array, level: number, totalLeaves: number): TreeSource {
  const rows = [layer];
  for (let k = level; k < treeLayers(totalLeaves); k++) rows.push(foldLayer(rows[rows.length - 1] as Uint8Array, k));
  return {
    totalLeaves,
    nodes: (at, index, count) => rows[at - level]?.subarray(index * HASH_BYTES, (index + count) * HASH_BYTES),
  };
}

export function isPowerOfTwo(n: number): boolean {
  return Number.isSafeInteger(n) && n > 0 && 2 ** Math.round(Math.log2(n)) === n;
}

/** Smallest power of two that is not below `n` (at least 1). */
export function ceilPowerOfTwo(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}

/** Of a power of two. */
function log2(power: number): number {
  return Math.round(Math.log2(power));
}
