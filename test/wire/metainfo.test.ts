import assert from "node:assert/strict";
import fc from "fast-check";
import { type BDict, type BValue, decode, decodeDictWithRaw, encode } from "../../src/wire/bencode";
import { toHex } from "../../src/wire/bytes";
import { BLOCK_BYTES, HASH_BYTES } from "../../src/wire/constants";
import { ceilPowerOfTwo, merkleRoot, pieceLeafWidth, pieceRootOf } from "../../src/wire/merkle";
import { buildInfo, buildTorrent, isInfoOf, parseInfo, parseTorrent, pieceLengthFor } from "../../src/wire/metainfo";
import {
  BUSY_MACHINE_MS,
  chance,
  contentOf,
  leavesOf,
  mutate,
  sha1Pieces,
  throwsCode,
  torrentFacts,
  torrentFile,
} from "./support";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

interface Hashed {
  piecesRoot: Uint8Array;
  /** Empty for a file that is not longer than a piece. */
  pieceLayer: Uint8Array;
  v1Pieces: Uint8Array;
}

function hashed(data: Uint8Array, pieceLength: number): Hashed {
  const leaves = leavesOf(data);
  const width = pieceLeafWidth(data.length, pieceLength);
  const layer: Uint8Array[] = [];
  for (let at = 0; at < leaves.length; at += width * HASH_BYTES) {
    layer.push(pieceRootOf(leaves.subarray(at, at + width * HASH_BYTES), width));
  }
  return {
    piecesRoot: merkleRoot(leaves, ceilPowerOfTwo(leaves.length / HASH_BYTES), 0),
    pieceLayer: layer.length > 1 ? Buffer.concat(layer) : new Uint8Array(),
    v1Pieces: sha1Pieces(data, pieceLength),
  };
}

/** An info dictionary of ours, changed before it is encoded. */
function changedInfo(change: (info: BDict, file: BDict) => void): Uint8Array {
  const { infoBytes } = buildInfo({
    name: "a.mp4",
    length: 40_000,
    pieceLength: 32 * KIB,
    ...hashed(contentOf("a", 40_000), 32 * KIB),
  });
  const info = decode(infoBytes) as BDict;
  const file = ((info.get("file tree") as BDict).get("a.mp4") as BDict).get("") as BDict;
  change(info, file);
  return encode(info);
}

describe("metainfo of libtorrent", function () {
  this.timeout(BUSY_MACHINE_MS);
  const facts = torrentFacts();

  for (const [name, fact] of Object.entries(facts)) {
    it(`is read, with its hashes and its verified piece layer: ${name}`, () => {
      const { info, infoBytes, pieceLayer, announce } = parseTorrent(torrentFile(name));
      const own = hashed(contentOf(name, fact.length), fact.pieceLength);
      assert.equal(info.name, fact.fileName);
      assert.equal(info.length, fact.length);
      assert.equal(info.pieceLength, fact.pieceLength);
      assert.equal(info.id, fact.id ?? undefined);
      assert.equal(info.v1, fact.v1 ?? undefined);
      assert.deepEqual(announce, fact.trackers);
      assert.equal(info.piecesRoot && toHex(info.piecesRoot), fact.id ? toHex(own.piecesRoot) : undefined);
      assert.equal(info.v1Pieces && toHex(info.v1Pieces), fact.v1 ? toHex(own.v1Pieces) : undefined);
      const layer = fact.id && own.pieceLayer.length > 0 ? toHex(own.pieceLayer) : undefined;
      assert.equal(pieceLayer && toHex(pieceLayer), layer);
      for (const hash of [fact.id, fact.v1]) if (hash) assert.ok(isInfoOf(infoBytes, hash));
      assert.ok(!isInfoOf(infoBytes, "0".repeat(64)) && !isInfoOf(infoBytes, "0".repeat(40)));
    });
  }

  for (const [name, fact] of Object.entries(facts).filter(([, { id, v1 }]) => id && v1)) {
    it(`is ours, byte for byte: ${name}`, () => {
      const own = hashed(contentOf(name, fact.length), fact.pieceLength);
      const { infoBytes, id, v1 } = buildInfo({
        name: fact.fileName,
        length: fact.length,
        pieceLength: fact.pieceLength,
        ...own,
      });
      const theirs = decodeDictWithRaw(torrentFile(name), "info");
      assert.equal(toHex(infoBytes), toHex(theirs.raw));
      assert.equal(id, fact.id);
      assert.equal(v1, fact.v1);
      const torrent = decode(buildTorrent({ infoBytes, ...own, announce: fact.trackers })) as BDict;
      assert.deepEqual(torrent.get("piece layers"), theirs.dict.get("piece layers"));
      assert.deepEqual(torrent.get("announce"), theirs.dict.get("announce"));
    });
  }

  for (const name of ["multiHybrid", "multiV2", "multiV1"]) {
    it(`is refused where it has several files: ${name}`, () => {
      throwsCode("multi-file-torrent", () => parseTorrent(torrentFile(name)));
    });
  }

  it("has the name of its file where the torrent is named after the file's folder, as BEP 52 has it", () => {
    const { info } = parseTorrent(torrentFile("folder"));
    assert.equal(info.name, "only.mp4");
    assert.equal(info.length, 40_000);
  });

  it("is refused after any change to its piece layer, its info dictionary changes the id", () => {
    const next = chance(3);
    const original = torrentFile("v2");
    const { info } = parseTorrent(original);
    for (let i = 0; i < 2000; i++) {
      const changed = mutate(original, next);
      try {
        const torrent = parseTorrent(changed);
        if (torrent.info.id === info.id) {
          assert.deepEqual(torrent.info, info);
          assert.ok(torrent.pieceLayer);
        }
      } catch (error) {
        assert.ok(["bad-metainfo", "multi-file-torrent"].includes((error as { code: string }).code), String(error));
      }
    }
  });
});

describe("metainfo of ours", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("has the piece length that the design gives for its size", () => {
    const steps: [number, number][] = [
      [1, 256 * KIB],
      [64 * MIB, 256 * KIB],
      [64 * MIB + 1, 512 * KIB],
      [512 * MIB, 512 * KIB],
      [512 * MIB + 1, MIB],
      [4 * GIB, MIB],
      [4 * GIB + 1, 2 * MIB],
      [16 * GIB, 2 * MIB],
      [16 * GIB + 1, 4 * MIB],
      [1024 * GIB, 4 * MIB],
    ];
    for (const [size, pieceLength] of steps) assert.equal(pieceLengthFor(size), pieceLength);
  });

  it("reads back what was built", () => {
    const parts = fc.record({
      name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
      length: fc.integer({ min: 1, max: 2 ** 30 }),
      pieceLength: fc.constantFrom(2 ** 18, 2 ** 20, 2 ** 22),
      piecesRoot: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    });
    fc.assert(
      fc.property(parts, ({ name, length, pieceLength, piecesRoot }) => {
        const v1Pieces = new Uint8Array(20 * Math.ceil(length / pieceLength)).fill(7);
        const { infoBytes, id, v1 } = buildInfo({ name, length, pieceLength, piecesRoot, v1Pieces });
        const info = parseInfo(infoBytes);
        assert.deepEqual(
          { ...info, piecesRoot: toHex(info.piecesRoot as Uint8Array), v1Pieces: toHex(info.v1Pieces as Uint8Array) },
          { name, length, pieceLength, piecesRoot: toHex(piecesRoot), v1Pieces: toHex(v1Pieces), id, v1 },
        );
      }),
    );
  });

  it("survives a torrent file, trackers included", () => {
    const own = hashed(contentOf("t", 100_000), 32 * KIB);
    const { infoBytes } = buildInfo({ name: "t.mp4", length: 100_000, pieceLength: 32 * KIB, ...own });
    const announce = ["http://a.example:6000/announce", "http://b.example/announce"];
    const torrent = parseTorrent(buildTorrent({ infoBytes, ...own, announce }));
    assert.equal(toHex(torrent.infoBytes), toHex(infoBytes));
    assert.equal(toHex(torrent.pieceLayer as Uint8Array), toHex(own.pieceLayer));
    assert.deepEqual(torrent.announce, announce);
  });

  it("cannot be built from parts that nobody would accept", () => {
    const good = { name: "a", length: 40_000, pieceLength: 32 * KIB, ...hashed(contentOf("a", 40_000), 32 * KIB) };
    for (const change of [
      { name: "" },
      { name: "x".repeat(1025) },
      { length: 0 },
      { length: -1 },
      { length: 2 ** 50 },
      { pieceLength: 8 * KIB },
      { pieceLength: 48 * KIB },
      { pieceLength: 32 * MIB },
      { piecesRoot: new Uint8Array(31) },
      { v1Pieces: new Uint8Array(20) },
    ]) {
      throwsCode("invalid-argument", () => buildInfo({ ...good, ...change }));
    }
  });
});

describe("metainfo of strangers", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("is refused where v1 and v2 do not describe the same file", () => {
    throwsCode("bad-metainfo", () => parseInfo(changedInfo((info) => info.set("length", 40_001))));
    throwsCode("bad-metainfo", () => parseInfo(changedInfo((info) => info.set("name", Buffer.from("b.mp4")))));
    throwsCode("bad-metainfo", () => parseInfo(changedInfo((_, file) => file.set("length", 39_999))));
  });

  it("is refused where a field is missing, of a wrong type, or out of range", () => {
    const wrong: [string, BValue | undefined][] = [
      ["piece length", undefined],
      ["piece length", 0],
      ["piece length", -16_384],
      ["piece length", 2 ** 40],
      ["piece length", 2n ** 60n],
      ["piece length", Buffer.from("x")],
      ["pieces", new Uint8Array(20)],
      ["pieces", new Uint8Array(41)],
      ["pieces", 4],
      ["length", 0],
      ["length", -1],
      ["length", 2n ** 63n],
      ["name", 5],
      ["name", new Uint8Array()],
      ["name", undefined],
      ["file tree", undefined],
      ["file tree", 1],
      ["file tree", new Map()],
      ["file tree", new Map([["", new Map()]])],
      ["meta version", 3],
      ["meta version", 1],
      ["meta version", Buffer.from("2")],
    ];
    for (const [key, value] of wrong) {
      throwsCode("bad-metainfo", () =>
        parseInfo(
          changedInfo((info) => {
            info.delete(key);
            if (value !== undefined) info.set(key, value);
          }),
        ),
      );
    }
    for (const [key, value] of [
      ["length", undefined],
      ["length", 0],
      ["pieces root", undefined],
      ["pieces root", new Uint8Array(20)],
    ] as const) {
      throwsCode("bad-metainfo", () =>
        parseInfo(
          changedInfo((_, file) => {
            file.delete(key);
            if (value !== undefined) file.set(key, value);
          }),
        ),
      );
    }
  });

  it("is refused where a file is a folder as well", () => {
    const tree = (info: BDict) => (info.get("file tree") as BDict).get("a.mp4") as BDict;
    throwsCode("bad-metainfo", () => parseInfo(changedInfo((info) => tree(info).set("x", new Map()))));
    throwsCode("multi-file-torrent", () =>
      parseInfo(changedInfo((info) => (info.get("file tree") as BDict).set("b", new Map()))),
    );
    throwsCode("multi-file-torrent", () => parseInfo(changedInfo((info) => info.set("files", []))));
  });

  it("keeps a name as it is, for those who make file names of it", () => {
    const name = Buffer.from("../\u202e\x07evil.mp4");
    const info = parseInfo(
      changedInfo((dict) => {
        const tree = dict.get("file tree") as BDict;
        dict.set("name", name);
        dict.set("file tree", new Map([[name.toString("latin1"), tree.get("a.mp4") as BValue]]));
      }),
    );
    assert.equal(info.name, "../\u202e\x07evil.mp4");
  });

  it("is refused where it is not canonical, or has more pieces than anyone holds", () => {
    const canonical = changedInfo(() => undefined);
    throwsCode("bad-metainfo", () => parseInfo(Buffer.concat([canonical, Buffer.from("e")])));
    throwsCode("bad-metainfo", () => parseInfo(Buffer.from("i1e")));
    throwsCode("bad-metainfo", () => parseInfo(new Uint8Array()));
    const length = BLOCK_BYTES * (2 ** 20 + 1);
    throwsCode("bad-metainfo", () =>
      parseInfo(
        changedInfo((info, file) => {
          info.set("piece length", BLOCK_BYTES);
          for (const key of ["length", "name", "pieces"]) info.delete(key);
          file.set("length", length);
        }),
      ),
    );
  });

  it("is refused where it is too large, before it is looked at", () => {
    throwsCode("bad-metainfo", () => parseInfo(new Uint8Array(16 * MIB + 1)));
    throwsCode("bad-metainfo", () => parseTorrent(new Uint8Array(64 * MIB + 1)));
  });

  it("is refused where the piece layer is missing, short, of another tree, or not a string", () => {
    const { dict } = decodeDictWithRaw(torrentFile("v2"), "info");
    const layers = dict.get("piece layers") as BDict;
    const [[root, layer]] = [...layers] as [[string, Uint8Array]];
    const swapped = Buffer.concat([layer.subarray(32, 64), layer.subarray(0, 32), layer.subarray(64)]);
    for (const value of [
      undefined,
      new Map(),
      new Map([[root, layer.subarray(32)]]),
      new Map([[root, swapped]]),
      new Map([[root, 1]]),
      5,
    ]) {
      const changed = new Map(dict);
      changed.delete("piece layers");
      if (value !== undefined) changed.set("piece layers", value as BValue);
      throwsCode("bad-metainfo", () => parseTorrent(encode(changed)));
    }
  });

  it("names only trackers that can be asked, each once, and not without end", () => {
    const { dict } = decodeDictWithRaw(torrentFile("v1"), "info");
    const tiers = [
      ["http://a/x", "javascript:alert(1)", "file:///etc/passwd", "http://a/x"],
      ["udp://b:1", "\xff\xfe", "https://"],
    ];
    const list = tiers.map((tier) => tier.map((url) => Buffer.from(url, "latin1")));
    const flood = Array.from({ length: 1000 }, (_, i) => [Buffer.from(`http://t${i}/`)]);
    dict.set("announce", Buffer.from("http://ignored/"));
    dict.set("announce-list", list);
    assert.deepEqual(parseTorrent(encode(dict)).announce, ["http://a/x", "udp://b:1"]);
    dict.set("announce-list", flood);
    assert.equal(parseTorrent(encode(dict)).announce.length, 64);
    dict.set("announce-list", 5);
    assert.deepEqual(parseTorrent(encode(dict)).announce, ["http://ignored/"]);
  });

  it("does not keep the whole file in memory", () => {
    const file = torrentFile("hybrid");
    const { info, infoBytes, pieceLayer } = parseTorrent(file);
    for (const part of [infoBytes, pieceLayer, info.piecesRoot, info.v1Pieces])
      assert.notEqual(part?.buffer, file.buffer);
  });
});
