import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hashFile } from "../../src/peer/storage/hasher";
import { HashTree } from "../../src/peer/storage/hashTree";
import type { ErrorCode } from "../../src/wire/errors";
import { randomFile, seededBytes } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";

const KIB = 1024;
const MIB = 1024 * KIB;
const BLOCK = 16 * KIB;

const sha = (algorithm: string, ...parts: Uint8Array[]) => createHash(algorithm).update(Buffer.concat(parts)).digest();
const isCode = (code: ErrorCode) => (error: unknown) => (error as { code?: string }).code === code;

/** BEP 52 by the letter: leaves padded with zero hashes to a power of two; layers up to the root. */
function referenceLayers(bytes: Buffer): Buffer[][] {
  let layer: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK) layer.push(sha("sha256", bytes.subarray(at, at + BLOCK)));
  while (layer.length & (layer.length - 1)) layer.push(Buffer.alloc(32));
  const layers = [layer];
  while (layer.length > 1) {
    const below = layer;
    layer = below.flatMap((hash, i) => (i % 2 === 0 ? [sha("sha256", hash, below[i + 1] as Buffer)] : []));
    layers.push(layer);
  }
  return layers;
}

describe("hashFile", () => {
  const sizes = [1, BLOCK - 1, BLOCK, BLOCK + 1, 64 * KIB, 65 * KIB, 3 * 64 * KIB, 1 * MIB + 5, 19 * MIB + 12345];
  for (const size of sizes) {
    it(`agrees with BEP 3 and BEP 52 for ${size} bytes in pieces of 64 KiB`, async () => {
      const dir = tempDir("hasher");
      const pieceLength = 64 * KIB;
      const path = await randomFile(join(dir, "a.mp4"), size);
      const bytes = readFileSync(path);
      const hashed = await hashFile({ path, pieceLength, treePath: join(dir, "hashes", "a.tree") });
      const layers = referenceLayers(bytes);
      assert.deepEqual(Buffer.from(hashed.piecesRoot), layers.at(-1)?.[0]);
      const pieces = Math.ceil(size / pieceLength);
      const layer = pieces === 1 ? [] : (layers[2]?.slice(0, pieces) ?? []);
      assert.deepEqual(Buffer.from(hashed.pieceLayer), Buffer.concat(layer));
      const v1: Buffer[] = [];
      for (let at = 0; at < size; at += pieceLength) v1.push(sha("sha1", bytes.subarray(at, at + pieceLength)));
      assert.deepEqual(Buffer.from(hashed.v1Pieces), Buffer.concat(v1));
      assert.equal(hashed.size, size);
      const leaves = layers[0]?.slice(0, Math.ceil(size / BLOCK)) ?? [];
      assert.deepEqual(readFileSync(join(dir, "hashes", "a.tree")), Buffer.concat([...leaves, ...layer]));
    });
  }

  it("reports progress that grows to the whole size", async () => {
    const path = await randomFile(join(tempDir("hasher"), "a.mp4"), 40 * MIB);
    const seen: number[] = [];
    await hashFile({ path, pieceLength: MIB, onProgress: (bytes) => seen.push(bytes) });
    assert.equal(seen.at(-1), 40 * MIB);
    assert.ok(seen.length >= 4);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  });

  it("stops when cancelled and leaves no half tree behind", async () => {
    const dir = tempDir("hasher");
    const path = await randomFile(join(dir, "a.mp4"), 64 * MIB);
    const abort = new AbortController();
    const after: number[] = [];
    const hashing = hashFile({
      path,
      pieceLength: MIB,
      treePath: join(dir, "hashes", "a.tree"),
      signal: abort.signal,
      onProgress: (bytes) => {
        if (abort.signal.aborted) after.push(bytes);
        abort.abort();
      },
    });
    await assert.rejects(hashing, isCode("cancelled"));
    assert.deepEqual(after, []);
    assert.deepEqual(readdirSync(join(dir, "hashes")), []);
  });

  it("does not begin when cancelled before", async () => {
    await assert.rejects(
      hashFile({ path: "/none", pieceLength: MIB, signal: AbortSignal.abort() }),
      isCode("cancelled"),
    );
  });

  const during: Record<string, (path: string) => void> = {
    grows: (path) => appendFileSync(path, "more"),
    "is cut": (path) => truncateSync(path, MIB),
    "is written to": (path) => utimesSync(path, new Date(), new Date(Date.now() + 5000)),
    "is replaced by another": (path) => {
      writeFileSync(`${path}.new`, seededBytes(MIB, 9));
      renameSync(`${path}.new`, path);
    },
    vanishes: (path) => renameSync(path, `${path}.gone`),
  };
  for (const [what, change] of Object.entries(during)) {
    it(`says file-changed when the file ${what} meanwhile`, async () => {
      const dir = tempDir("hasher");
      const path = await randomFile(join(dir, "a.mp4"), 32 * MIB);
      let done = false;
      const onProgress = () => {
        if (!done) change(path);
        done = true;
      };
      const treePath = join(dir, "a.tree");
      await assert.rejects(hashFile({ path, pieceLength: MIB, treePath, onProgress }), isCode("file-changed"));
      assert.ok(!existsSync(treePath) && !existsSync(`${treePath}.part`));
    });
  }

  it("refuses a missing file, a folder and an empty file with their own codes", async () => {
    const dir = tempDir("hasher");
    writeFileSync(join(dir, "empty.mp4"), "");
    await assert.rejects(hashFile({ path: join(dir, "none.mp4"), pieceLength: MIB }), isCode("file-missing"));
    await assert.rejects(hashFile({ path: dir, pieceLength: MIB }), isCode("file-unreadable"));
    await assert.rejects(hashFile({ path: join(dir, "empty.mp4"), pieceLength: MIB }), isCode("empty-file"));
  });

  it("says write-failed when the tree cannot be written", async () => {
    const dir = tempDir("hasher");
    const path = await randomFile(join(dir, "a.mp4"), MIB);
    const treePath = join(path, "no-folder.tree");
    await assert.rejects(hashFile({ path, pieceLength: MIB, treePath }), isCode("write-failed"));
  });
});

describe("HashTree", () => {
  const PIECE = 64 * KIB;
  /** 11 pieces, the last one with 2 blocks. */
  const SIZE = 10 * PIECE + BLOCK + 77;

  async function imported(size = SIZE) {
    const dir = tempDir("tree");
    const path = await randomFile(join(dir, "a.mp4"), size);
    const treePath = join(dir, "a.tree");
    const hashed = await hashFile({ path, pieceLength: PIECE, treePath });
    const shape = { piecesRoot: hashed.piecesRoot, length: size, pieceLength: PIECE };
    return { dir, treePath, hashed, shape, layers: referenceLayers(readFileSync(path)) };
  }

  /** What BEP 52 wants as an answer. */
  function expected(layers: Buffer[][], base: number, index: number, length: number, proofLayers: number): Buffer {
    const parts = layers[base]?.slice(index, index + length) ?? [];
    for (let layer = Math.log2(length); layer <= proofLayers; layer++) {
      parts.push(layers[base + layer]?.[(index >> layer) ^ 1] as Buffer);
    }
    return Buffer.concat(parts);
  }

  for (const size of [BLOCK + 1, PIECE, PIECE + 1, SIZE, 16 * PIECE]) {
    it(`serves every aligned range of every layer with every proof, for ${size} bytes`, async () => {
      const { treePath, shape, layers } = await imported(size);
      const tree = HashTree.open(treePath, shape);
      const root = layers.length - 1;
      let served = 0;
      for (let base = 0; base < root; base++) {
        const width = layers[base]?.length ?? 0;
        for (let length = 2; length <= Math.min(512, width); length *= 2) {
          for (let index = 0; index < width; index += length) {
            for (let proofLayers = 0; proofLayers <= root - base - 1; proofLayers++) {
              const answer = tree.serve({ base, index, length, proofLayers });
              assert.ok(answer, `${base} ${index} ${length} ${proofLayers}`);
              assert.deepEqual(Buffer.from(answer), expected(layers, base, index, length, proofLayers));
              served++;
            }
          }
        }
      }
      assert.ok(served > 0);
      tree.close();
    });
  }

  it("rejects what is not aligned, not in the tree, too much, or beyond the root", async () => {
    const { treePath, shape } = await imported();
    const tree = HashTree.open(treePath, shape);
    const good = { base: 0, index: 4, length: 4, proofLayers: 5 };
    assert.ok(tree.serve(good));
    for (const bad of [
      { index: 2 },
      { index: 64 },
      { index: 2 ** 32 - 4 },
      { length: 3 },
      { length: 0 },
      { length: 1024, index: 0 },
      { length: 128, index: 0 },
      { base: 6 },
      { base: 4294967295 },
      { proofLayers: 6 },
      { proofLayers: 4294967295 },
    ]) {
      assert.equal(tree.serve({ ...good, ...bad }), undefined, JSON.stringify(bad));
    }
    tree.close();
  });

  it("knows nothing but the root at first, and serves nothing then", async () => {
    const { dir, shape } = await imported();
    const tree = HashTree.open(join(dir, "new.tree"), shape);
    assert.equal(tree.pieceLayer(), undefined);
    assert.equal(tree.pieceHash(0), undefined);
    assert.equal(tree.leavesOfPiece(0), undefined);
    assert.equal(tree.serve({ base: 0, index: 0, length: 4, proofLayers: 0 }), undefined);
    assert.equal(tree.serve({ base: 2, index: 0, length: 2, proofLayers: 0 }), undefined);
  });

  it("a download's tree serves what has been set so far, also after a restart", async () => {
    const { dir, treePath, shape, hashed, layers } = await imported();
    const source = HashTree.open(treePath, shape);
    const path = join(dir, "sub", "download.tree");
    let tree = HashTree.open(path, shape);
    tree.setPieceLayer(0, hashed.pieceLayer.subarray(0, 8 * 32));
    assert.equal(tree.pieceLayer(), undefined);
    assert.deepEqual(tree.serve({ base: 2, index: 4, length: 4, proofLayers: 0 })?.length, 4 * 32);
    assert.equal(tree.serve({ base: 2, index: 8, length: 4, proofLayers: 0 }), undefined);
    // as the message brings it: padded to a power of two
    tree.setPieceLayer(8, Buffer.concat(layers[2]?.slice(8, 16) ?? []));
    assert.deepEqual(Buffer.from(tree.pieceLayer() ?? []), Buffer.from(hashed.pieceLayer));
    for (const piece of [3, 10]) tree.setLeaves(piece, source.leavesOfPiece(piece) as Uint8Array);
    tree.close();

    tree = HashTree.open(path, shape);
    assert.deepEqual(Buffer.from(tree.pieceLayer() ?? []), Buffer.from(hashed.pieceLayer));
    const range = { base: 0, index: 12, length: 4, proofLayers: 5 };
    assert.deepEqual(Buffer.from(tree.serve(range) ?? []), expected(layers, 0, 12, 4, 5));
    assert.equal(tree.leavesOfPiece(10)?.length, 2 * 32);
    assert.equal(tree.serve({ ...range, index: 8 }), undefined, "leaves of piece 2 are not held");
    tree.close();
    source.close();
  });

  it("knows leaves that were looked for in vain once they have come", async () => {
    const { dir, treePath, shape, hashed } = await imported();
    const source = HashTree.open(treePath, shape);
    const tree = HashTree.open(join(dir, "b.tree"), shape);
    tree.setPieceLayer(0, hashed.pieceLayer);
    for (const piece of [3, 10, 0]) {
      assert.equal(tree.leavesOfPiece(piece), undefined);
      tree.setLeaves(piece, source.leavesOfPiece(piece)!);
      assert.deepEqual(tree.leavesOfPiece(piece), source.leavesOfPiece(piece));
    }
    source.close();
    tree.close();
  });

  it("knows leaves that are the piece layer, with pieces of one block, also before there is a file", async () => {
    const dir = tempDir("tree");
    const path = await randomFile(join(dir, "a.mp4"), 3 * BLOCK);
    const { piecesRoot, pieceLayer } = await hashFile({ path, pieceLength: BLOCK });
    const tree = HashTree.open(join(dir, "b.tree"), { piecesRoot, length: 3 * BLOCK, pieceLength: BLOCK });
    assert.equal(tree.leavesOfPiece(1), undefined);
    tree.setPieceLayer(0, pieceLayer);
    assert.deepEqual(Buffer.from(tree.leavesOfPiece(1)!), Buffer.from(pieceLayer.subarray(32, 64)));
    tree.close();
  });

  it("takes a piece's hash from its leaves when they come first", async () => {
    const { dir, treePath, shape } = await imported();
    const source = HashTree.open(treePath, shape);
    const tree = HashTree.open(join(dir, "b.tree"), shape);
    tree.setLeaves(10, source.leavesOfPiece(10) as Uint8Array);
    assert.deepEqual(tree.pieceHash(10), source.pieceHash(10));
    assert.deepEqual(tree.leavesOfPiece(10), source.leavesOfPiece(10));
    source.close();
    tree.close();
  });

  it("keeps nothing of a piece layer that does not lead to the pieces root", async () => {
    const { dir, shape, hashed } = await imported();
    const tree = HashTree.open(join(dir, "b.tree"), shape);
    const wrong = Buffer.from(hashed.pieceLayer);
    wrong[5] = (wrong[5] ?? 0) ^ 1;
    assert.throws(() => tree.setPieceLayer(0, wrong), isCode("bad-block"));
    assert.equal(tree.pieceHash(1), undefined);
    tree.setPieceLayer(0, hashed.pieceLayer);
    assert.ok(tree.pieceHash(1));
    tree.close();
  });

  it("refuses a wrong count of leaves", async () => {
    const { dir, shape } = await imported();
    const tree = HashTree.open(join(dir, "b.tree"), shape);
    assert.throws(() => tree.setLeaves(0, new Uint8Array(3 * 32)), isCode("invalid-argument"));
    assert.throws(() => tree.setLeaves(10, new Uint8Array(4 * 32)), isCode("invalid-argument"));
  });

  it("never serves what has rotted or been cut on disk: it is unknown then", async () => {
    const { treePath, shape } = await imported();
    const bytes = readFileSync(treePath);
    bytes[12 * 32] = (bytes[12 * 32] ?? 0) ^ 1; // first leaf of piece 3
    writeFileSync(treePath, bytes);
    let tree = HashTree.open(treePath, shape);
    assert.equal(tree.leavesOfPiece(3), undefined);
    assert.ok(tree.leavesOfPiece(2));
    tree.close();
    truncateSync(treePath, bytes.length - 1);
    tree = HashTree.open(treePath, shape);
    assert.equal(tree.pieceLayer(), undefined);
    assert.equal(tree.leavesOfPiece(2), undefined);
    tree.close();
    writeFileSync(treePath, seededBytes(bytes.length, 3));
    tree = HashTree.open(treePath, shape);
    assert.equal(tree.pieceLayer(), undefined);
    tree.close();
  });

  it("in a file of one piece the piece's hash is the pieces root", async () => {
    const { treePath, shape } = await imported(PIECE - 5);
    const tree = HashTree.open(treePath, shape);
    assert.deepEqual(tree.pieceHash(0), shape.piecesRoot);
    assert.equal(tree.pieceLayer()?.length, 0);
    assert.equal(tree.leavesOfPiece(0)?.length, 4 * 32);
    tree.close();
  });
});
