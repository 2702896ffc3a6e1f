import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { HashTree } from "../../src/peer/storage/hashTree";
import { Library } from "../../src/peer/storage/library";
import { ResumeData } from "../../src/peer/storage/resumeData";
import { Content } from "../../src/peer/swarm/content";
import { toHex } from "../../src/wire/bytes";
import { BLOCK_BYTES, HASH_BYTES, V1_HASH_BYTES } from "../../src/wire/constants";
import { hashBlocksInto, pieceRootOf, piecesRootOf } from "../../src/wire/merkle";
import { buildInfo, pieceLengthFor } from "../../src/wire/metainfo";
import { newEntry } from "../helpers/libraryEntry";
import { portOf, startPeer, stopSessions, type TestPeer, videoWhere } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const SIZE = 20 * GIB + 12_345;
const PIECE = 4 * MIB;

/**
 * A video of 20 GiB that is a hole but for a few pieces of noise: at its begin, on both sides of 2^31, 2^32 and 2^34 bytes, and at
 * its end. Somebody has all of it, and somebody else all but those pieces.
 */
describe("A video of 20 GiB", function () {
  this.timeout(60_000);
  const content = new Content(SIZE, PIECE, undefined);
  const noisy = [0, 2 ** 31, 2 ** 32, 2 ** 34].flatMap((at) => (at === 0 ? [0] : [at / PIECE - 1, at / PIECE]));
  noisy.push(content.pieceCount - 1);
  const noise = new Map(noisy.map((piece) => [piece, randomBytes(content.pieceSize(piece))]));

  let alice: TestPeer;
  let bob: TestPeer;
  let key: string;

  before(async () => {
    const root = tempDir("huge");
    const file = join(root, "huge.mp4");
    const written = await open(file, "w");
    await written.truncate(SIZE);
    for (const [piece, bytes] of noise) await written.write(bytes, 0, bytes.length, piece * PIECE);
    await written.close();
    const hole = leavesOf(Buffer.alloc(PIECE));
    const leaves = (piece: number) => (noise.has(piece) ? leavesOf(noise.get(piece)!) : hole);
    const layer = Buffer.alloc(content.pieceCount * HASH_BYTES);
    const holeRoot = pieceRootOf(hole, content.blocksPerPiece);
    for (let piece = 0; piece < content.pieceCount; piece++) {
      layer.set(noise.has(piece) ? pieceRootOf(leaves(piece), content.blocksPerPiece) : holeRoot, piece * HASH_BYTES);
    }
    const piecesRoot = piecesRootOf(layer, content.pieceCount, PIECE, SIZE);
    const shape = { piecesRoot, length: SIZE, pieceLength: PIECE };
    const v1Pieces = Buffer.alloc(content.pieceCount * V1_HASH_BYTES); // nobody asks by them
    const { infoBytes, id, v1 } = buildInfo({
      name: "huge.mp4",
      length: SIZE,
      pieceLength: PIECE,
      piecesRoot,
      v1Pieces,
    });
    const facts = { id, v1, piecesRoot: toHex(piecesRoot), pieceLength: PIECE, size: SIZE, fileName: "huge.mp4" };

    const hers = join(root, "alice");
    const shelf = await Library.open(hers);
    const { mtimeMs } = await stat(file);
    const own = shelf.add(newEntry({ ...facts, path: file, mtimeMs, state: "ready", shared: true }));
    await shelf.saveInfo(own.key, infoBytes);
    const tree = HashTree.open(shelf.treePath(own.key), shape);
    tree.setPieceLayer(0, layer);
    for (let piece = 0; piece < content.pieceCount; piece++) tree.setLeaves(piece, leaves(piece));
    tree.close();
    await shelf.close();
    alice = await startPeer("alice", { dataDir: hers });

    const his = join(root, "bob");
    const shelves = await Library.open(his);
    await mkdir(join(his, "downloads"));
    const path = join(his, "downloads", "huge.mp4");
    const partPath = `${path}.part`;
    const ownerFingerprint = (await alice.session.snapshot()).peer.fingerprint;
    ({ key } = shelves.add(
      newEntry({ ...facts, origin: "obtained", path, partPath, state: "paused", shared: true, ownerFingerprint }),
    ));
    await shelves.saveInfo(key, infoBytes);
    const { resume } = ResumeData.open(shelves.resumePath(key), { id, partPath, size: SIZE, pieceLength: PIECE });
    await truncate(partPath, SIZE);
    for (let piece = 0; piece < content.pieceCount; piece++) if (!noise.has(piece)) resume.mark(piece);
    resume.close();
    assert.ok((await stat(shelves.resumePath(key))).size < 2_000, "its notes are small");
    await shelves.close();
    bob = await startPeer("bob", { dataDir: his });
  });
  after(stopSessions);

  it("has pieces of 4 MiB, so that bitfield and hashes stay small", () => {
    assert.equal(pieceLengthFor(SIZE), PIECE);
    assert.equal(content.pieceCount, 5121);
    assert.equal(content.pieceSize(5120), 12_345);
    assert.ok(content.isValidRange(5120, 0, 12_345) && !content.isValidRange(5120, 0, 12_346));
  });

  it("goes on where it was, plays from beyond 16 GiB while it comes, and is whole in seconds and little memory", async () => {
    const before = process.memoryUsage().rss;
    const paused = (await bob.session.snapshot()).videos[0]!;
    assert.equal(paused.bytesDone, SIZE - [...noise.values()].reduce((sum, { length }) => sum + length, 0));
    await alice.session.setVideoLimits((await alice.session.snapshot()).videos[0]!.key, {
      uploadLimit: 8 * MIB,
      downloadLimit: 0,
    });
    await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
    const { url } = await bob.session.openStream(key);
    await sameBytes(url, 2 ** 34 - 50_000, 100_000);
    await videoWhere(bob, "it is not whole yet", (v) => v.state === "downloading");
    const { path } = await bob.session.downloadResult(key);
    assert.equal((await stat(path)).size, SIZE);
    for (const at of [0, 2 ** 31 - 99, 2 ** 32 - 99, 2 ** 32 + 1, 2 ** 34 - 99, 9 * GIB])
      await sameBytes(url, at, 1_000);
    const tail = await fetch(url, { headers: { Range: "bytes=-100" } });
    assert.equal(tail.headers.get("content-range"), `bytes ${SIZE - 100}-${SIZE - 1}/${SIZE}`);
    assert.deepEqual(Buffer.from(await tail.arrayBuffer()), noise.get(5120)!.subarray(-100));
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 200 * MIB, `${Math.round(grown / MIB)} MiB`);
  });

  /** The part of the video that is at `from`. */
  function bytesAt(from: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (const [piece, data] of noise) {
      const at = piece * PIECE;
      const [begin, end] = [Math.max(from, at), Math.min(from + length, at + data.length)];
      if (begin < end) data.copy(bytes, begin - from, begin - at, end - at);
    }
    return bytes;
  }

  async function sameBytes(url: string, from: number, length: number): Promise<void> {
    const response = await fetch(url, { headers: { Range: `bytes=${from}-${from + length - 1}` } });
    assert.equal(response.status, 206);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytesAt(from, length)), `at ${from}`);
  }
});

/** Leaf hashes of a piece, without padding. */
function leavesOf(bytes: Buffer): Buffer {
  const leaves = Buffer.alloc(Math.ceil(bytes.length / BLOCK_BYTES) * HASH_BYTES);
  hashBlocksInto(bytes, leaves, 0);
  return leaves;
}
