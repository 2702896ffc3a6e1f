import assert from "node:assert/strict";
import * as crypto from "node:crypto";
import fc from "fast-check";
import { toHex } from "../../src/wire/bytes";
import { BLOCK_BYTES, HASH_BYTES } from "../../src/wire/constants";
import {
  buildHashes,
  ceilPowerOfTwo,
  foldLayer,
  type HashRange,
  hashBlock,
  isPowerOfTwo,
  isValidRange,
  merkleRoot,
  padHash,
  pieceLeafWidth,
  pieceRootOf,
  piecesRootOf,
  proofLayersToRoot,
  splitHashes,
  treeAbove,
  treeLayers,
  uncleCount,
  verifyHashes,
} from "../../src/wire/merkle";
import { BUSY_MACHINE_MS, contentOf, leavesOf, throwsCode, torrentFacts } from "./support";

const sha256 = (...parts: Uint8Array[]) => crypto.createHash("sha256").update(Buffer.concat(parts)).digest();

/** BEP 52 taken word for word: all leaves, zero hashes to a power of two, pairs up to the root. */
function plainRoot(leaves: Uint8Array, width: number): Uint8Array {
  let row = Array.from({ length: width }, (_, i) =>
    i * HASH_BYTES < leaves.length ? leaves.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES) : new Uint8Array(HASH_BYTES),
  );
  while (row.length > 1) row = row.flatMap((hash, i) => (i % 2 === 0 ? [sha256(hash, row[i + 1] as Uint8Array)] : []));
  return row[0] as Uint8Array;
}

const randomLeaves = (count: number) => contentOf(`leaves ${count}`, count * HASH_BYTES);

describe("merkle trees", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("hash a block as it is, the short last one without padding", () => {
    const data = contentOf("block", BLOCK_BYTES + 10);
    const [first, last] = [data.subarray(0, BLOCK_BYTES), data.subarray(BLOCK_BYTES)];
    assert.equal(toHex(hashBlock(last)), sha256(last).toString("hex"));
    assert.equal(toHex(leavesOf(data)), Buffer.concat([sha256(first), sha256(last)]).toString("hex"));
  });

  it("pad with the roots of zero leaves", () => {
    assert.equal(toHex(padHash(0)), "00".repeat(32));
    assert.equal(toHex(padHash(1)), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
    assert.equal(toHex(padHash(3)), toHex(plainRoot(new Uint8Array(), 8)));
    throwsCode("invalid-argument", () => padHash(31));
    throwsCode("invalid-argument", () => padHash(-1));
  });

  it("have the same root however they are built", () => {
    for (let count = 1; count <= 40; count++) {
      const leaves = randomLeaves(count);
      const width = ceilPowerOfTwo(count);
      const root = toHex(plainRoot(leaves, width));
      assert.equal(toHex(merkleRoot(leaves, width, 0)), root);
      assert.equal(
        toHex(merkleRoot(foldLayer(leaves, 0), Math.max(1, width / 2), 1)),
        width > 1 ? root : toHex(foldLayer(leaves, 0)),
      );
      assert.equal(toHex(merkleRoot(leaves, 64, 0)), toHex(plainRoot(leaves, 64)));
    }
  });

  it("do not change the layer that they are built from", () => {
    const leaves = randomLeaves(7);
    const before = toHex(leaves);
    merkleRoot(leaves, 8, 0);
    foldLayer(leaves, 0);
    const single = randomLeaves(1);
    merkleRoot(single, 1, 0).fill(0);
    assert.equal(toHex(leaves), before);
    assert.notEqual(toHex(single), "00".repeat(32));
  });

  it("refuse layers that are no hashes or wider than the tree", () => {
    throwsCode("invalid-argument", () => merkleRoot(new Uint8Array(33), 2, 0));
    throwsCode("invalid-argument", () => merkleRoot(new Uint8Array(3 * 32), 2, 0));
    throwsCode("invalid-argument", () => merkleRoot(new Uint8Array(32), 3, 0));
    throwsCode("invalid-argument", () => piecesRootOf(new Uint8Array(64), 3, 65_536, 150_000));
  });

  it("of a file: the pieces root follows from the piece layer as from the leaves", () => {
    for (const [length, pieceLength] of [
      [1, 262_144],
      [50_000, 262_144],
      [262_144, 262_144],
      [262_145, 262_144],
      [700_001, 131_072],
      [100_000, 16_384],
      [655_360, 65_536],
    ] as const) {
      const leaves = randomLeaves(Math.ceil(length / BLOCK_BYTES));
      const perPiece = pieceLeafWidth(length, pieceLength);
      const pieceCount = Math.ceil(length / pieceLength);
      const layer = Buffer.concat(
        Array.from({ length: pieceCount }, (_, i) =>
          pieceRootOf(leaves.subarray(i * perPiece * HASH_BYTES, (i + 1) * perPiece * HASH_BYTES), perPiece),
        ),
      );
      const root = plainRoot(leaves, ceilPowerOfTwo(leaves.length / HASH_BYTES));
      assert.equal(toHex(piecesRootOf(layer, pieceCount, pieceLength, length)), toHex(root));
    }
  });

  it("know powers of two", () => {
    assert.deepEqual([1, 2, 3, 4, 5, 512, 513].map(ceilPowerOfTwo), [1, 2, 4, 4, 8, 512, 1024]);
    assert.deepEqual([0, 1, 2, 3, 2 ** 40, 2 ** 40 + 1, -2, 0.5, Number.NaN].map(isPowerOfTwo), [
      false,
      true,
      true,
      false,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("merkle proofs", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("are those that libtorrent sends", () => {
    let compared = 0;
    for (const [name, facts] of Object.entries(torrentFacts())) {
      const leaves = leavesOf(contentOf(name, facts.length));
      const tree = treeAbove(leaves, 0, leaves.length / HASH_BYTES);
      for (const { request, hashes } of facts.answers) {
        const range = rangeOf(request);
        const own = buildHashes(tree, range);
        assert.equal(own && toHex(own), hashes ?? undefined, `${name}: ${request}`);
        compared++;
      }
    }
    assert.ok(compared >= 20);
  });

  it("of libtorrent verify, where they lead to the root", () => {
    let verified = 0;
    for (const [name, facts] of Object.entries(torrentFacts())) {
      const leaves = leavesOf(contentOf(name, facts.length));
      const totalLeaves = leaves.length / HASH_BYTES;
      const root = merkleRoot(leaves, ceilPowerOfTwo(totalLeaves), 0);
      for (const { request, hashes } of facts.answers) {
        const range = rangeOf(request);
        const parts = splitHashes(Buffer.from(hashes as string, "hex"), range.length, range.proofLayers);
        assert.ok(parts);
        const reachesRoot = range.proofLayers === proofLayersToRoot(totalLeaves, range.base);
        const wholeLayer = range.length === 2 ** (treeLayers(totalLeaves) - range.base);
        const good = verifyHashes({ root, base: range.base, index: range.index, totalLeaves, ...parts });
        assert.equal(good, reachesRoot || wholeLayer, `${name}: ${request}`);
        if (good) verified++;
      }
    }
    assert.ok(verified >= 15);
  });

  it("verify for every aligned range of every tree, and for nothing else", () => {
    for (const totalLeaves of [1, 2, 3, 5, 8, 13]) {
      const leaves = randomLeaves(totalLeaves);
      const tree = treeAbove(leaves, 0, totalLeaves);
      const root = merkleRoot(leaves, ceilPowerOfTwo(totalLeaves), 0);
      const layers = treeLayers(totalLeaves);
      for (let base = 0; base <= layers; base++) {
        for (let length = 1; length <= 2 ** (layers - base); length *= 2) {
          for (let index = 0; index < 2 ** (layers - base); index += length) {
            const range = { base, index, length, proofLayers: proofLayersToRoot(totalLeaves, base) };
            if (length === 1 && base === layers) continue; // the root itself: nothing to prove
            const all = buildHashes(tree, range);
            assert.ok(all, JSON.stringify({ totalLeaves, ...range }));
            const parts = splitHashes(all, length, range.proofLayers);
            assert.ok(parts);
            const proof = { root, base, index, totalLeaves, ...parts };
            assert.ok(verifyHashes(proof));
            assertEveryLieIsFound(proof);
          }
        }
      }
    }
  });

  function assertEveryLieIsFound(proof: Parameters<typeof verifyHashes>[0]): void {
    for (const field of ["hashes", "uncles"] as const) {
      for (let at = 0; at < proof[field].length; at += HASH_BYTES) {
        const wrong = Uint8Array.from(proof[field]);
        wrong[at] = (wrong[at] as number) ^ 1;
        assert.equal(verifyHashes({ ...proof, [field]: wrong }), false);
      }
      assert.equal(verifyHashes({ ...proof, [field]: proof[field].subarray(1) }), proof[field].length === 0);
      assert.equal(
        verifyHashes({ ...proof, [field]: Buffer.concat([proof[field], new Uint8Array(HASH_BYTES)]) }),
        false,
      );
    }
    assert.equal(verifyHashes({ ...proof, root: new Uint8Array(HASH_BYTES) }), false);
    assert.equal(verifyHashes({ ...proof, base: proof.base + 1 }), false);
  }

  it("work from the piece layer alone, and within one piece against its hash", () => {
    const leaves = randomLeaves(43); // 6 pieces of 8 blocks, the last of 3
    const root = merkleRoot(leaves, 64, 0);
    const layer = Buffer.concat(
      [0, 1, 2, 3, 4, 5].map((i) => pieceRootOf(leaves.subarray(i * 8 * HASH_BYTES, (i + 1) * 8 * HASH_BYTES), 8)),
    );
    const upper = treeAbove(layer, 3, 43);
    const hashes = buildHashes(upper, { base: 3, index: 4, length: 4, proofLayers: 2 });
    const parts = splitHashes(hashes as Uint8Array, 4, 2);
    assert.ok(parts && verifyHashes({ root, base: 3, index: 4, totalLeaves: 43, ...parts }));
    assert.equal(buildHashes(upper, { base: 0, index: 0, length: 8, proofLayers: 5 }), undefined);

    const last = treeAbove(leaves.subarray(40 * HASH_BYTES), 0, 8);
    const inPiece = buildHashes(last, { base: 0, index: 2, length: 2, proofLayers: 2 });
    assert.equal(inPiece, undefined, "the source does not know the padding of a piece as blocks");
    assert.ok(
      verifyHashes({
        root: layer.subarray(5 * HASH_BYTES),
        base: 0,
        index: 0,
        hashes: Buffer.concat([leaves.subarray(40 * HASH_BYTES), padHash(0)]),
        uncles: padHash(2),
        totalLeaves: 8,
      }),
    );
  });

  it("may be cut at the end of a layer, as BEP 52 allows", () => {
    const leaves = randomLeaves(43);
    const tree = treeAbove(leaves, 0, 43);
    const root = merkleRoot(leaves, 64, 0);
    const hashes = buildHashes(tree, { base: 0, index: 40, length: 3, proofLayers: 5 });
    const parts = splitHashes(hashes as Uint8Array, 3, 5);
    assert.ok(parts && verifyHashes({ root, base: 0, index: 40, totalLeaves: 43, ...parts }));
    assert.equal(buildHashes(tree, { base: 0, index: 32, length: 3, proofLayers: 5 }), undefined);
  });

  it("of a single hash begin with its sibling, and never go above the root", () => {
    const leaves = randomLeaves(5);
    const tree = treeAbove(leaves, 0, 5);
    const hashes = buildHashes(tree, { base: 0, index: 4, length: 1, proofLayers: 2 }) as Uint8Array;
    const layer = foldLayer(leaves, 0);
    const lower = merkleRoot(layer.subarray(0, 64), 2, 1);
    assert.equal(toHex(hashes), toHex(Buffer.concat([leaves.subarray(4 * 32), padHash(0), padHash(1), lower])));
    assert.equal(buildHashes(tree, { base: 3, index: 0, length: 1, proofLayers: 0 }), undefined);
    assert.equal(
      buildHashes(treeAbove(leaves.subarray(0, 32), 0, 1), { base: 0, index: 0, length: 1, proofLayers: 0 }),
      undefined,
    );
  });

  it("count uncles from log2(length) - 1 proof layers on", () => {
    assert.deepEqual(
      [
        [2, 0],
        [2, 1],
        [4, 1],
        [4, 2],
        [512, 3],
        [8, 10],
        [1, 0],
        [1, 3],
        [3, 5],
      ].map(([n, p]) => uncleCount(n as number, p as number)),
      [0, 1, 0, 1, 0, 8, 1, 4, 4],
    );
  });

  it("are refused for ranges unaligned, empty, too long, or beyond the tree, before any memory is taken", () => {
    const tree = { totalLeaves: 43, nodes: () => assert.fail("nothing may be looked up") };
    const good: HashRange = { base: 0, index: 8, length: 8, proofLayers: 5 };
    assert.ok(isValidRange(good, 43));
    for (const change of [
      { index: 4 },
      { index: 64 },
      { index: 2 ** 32 - 8 },
      { length: 0 },
      { length: 6 },
      { length: 1024, index: 0 },
      { length: 2 ** 32 - 1 },
      { base: 7 },
      { base: 2 ** 32 - 1 },
      { base: 5 },
      { proofLayers: 6 },
      { proofLayers: 2 ** 32 - 1 },
    ]) {
      assert.equal(buildHashes(tree, { ...good, ...change }), undefined, JSON.stringify(change));
    }
    assert.equal(splitHashes(new Uint8Array(64), 2 ** 32 - 1, 2 ** 32 - 1), undefined);
  });

  it("never verify after any change", () => {
    const leaves = randomLeaves(43);
    const tree = treeAbove(leaves, 0, 43);
    const root = merkleRoot(leaves, 64, 0);
    const all = buildHashes(tree, { base: 0, index: 16, length: 8, proofLayers: 5 }) as Uint8Array;
    fc.assert(
      fc.property(fc.nat(all.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const wrong = Uint8Array.from(all);
        wrong[at] = (wrong[at] as number) ^ change;
        const parts = splitHashes(wrong, 8, 5);
        assert.ok(parts);
        assert.equal(verifyHashes({ root, base: 0, index: 16, totalLeaves: 43, ...parts }), false);
      }),
    );
  });
});

function rangeOf(request: string): HashRange {
  const [base = 0, index = 0, length = 0, proofLayers = 0] = request.split(" ").map(Number);
  return { base, index, length, proofLayers };
}
