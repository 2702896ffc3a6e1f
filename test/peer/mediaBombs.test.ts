import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { probeVideo } from "../../src/peer/media/probe";
import type { Container } from "../../src/peer/storage/videoFile";
import { CLIP_MP4 } from "../helpers/makeClip";
import { box } from "../helpers/mp4Box";
import { shareFile, startPeer, stopSessions } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

/** Of the probe, and of a busy machine. */
const MAX_MS = 8_000;
const MAX_GROWTH_MIB = 400;

const ftyp = box("ftyp", Buffer.from("isom\0\0\x02\0isomiso2mp41", "latin1"));

/** The tables of the clip's samples, each of which says that it has so many entries. */
function tablesOf(entries: number): Buffer {
  const bytes = readFileSync(CLIP_MP4);
  for (const kind of ["stts", "stsz", "stsc", "stco", "ctts", "stss"]) {
    const count = kind === "stsz" ? 12 : 8;
    for (let at = bytes.indexOf(kind); at >= 0; at = bytes.indexOf(kind, at + 4))
      bytes.writeUInt32BE(entries, at + count);
  }
  return bytes;
}

/** One short entry that stands for four thousand million samples of one byte. */
function runLengths(): Buffer {
  const bytes = readFileSync(CLIP_MP4);
  for (let at = bytes.indexOf("stts"); at >= 0; at = bytes.indexOf("stts", at + 4))
    bytes.writeUInt32BE(0xffff_ffff, at + 12);
  for (let at = bytes.indexOf("stsz"); at >= 0; at = bytes.indexOf("stsz", at + 4)) {
    bytes.writeUInt32BE(1, at + 8);
    bytes.writeUInt32BE(0xffff_ffff, at + 12);
  }
  return bytes;
}

/** `kinds` in turn, each within the one before. */
function nested(depth: number, kinds: readonly string[]): Buffer {
  const bytes = Buffer.alloc(depth * 8);
  for (let level = 0; level < depth; level++) {
    bytes.writeUInt32BE((depth - level) * 8, level * 8);
    bytes.write(kinds[Math.min(level, kinds.length - 1)] as string, level * 8 + 4, "latin1");
  }
  return Buffer.concat([ftyp, bytes]);
}

// ---- RFC 8794: an element is its id, its length with a marker, its content ----

const EBML = Buffer.concat([Buffer.from("1a45dfa38b428288", "hex"), Buffer.from("matroska")]);
const SEGMENT = "18538067";

function element(id: string, content: Uint8Array, claimed?: bigint): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE((claimed ?? BigInt(content.length)) | (1n << 56n));
  return Buffer.concat([Buffer.from(id, "hex"), length, content]);
}

function matroska(...content: Uint8Array[]): Buffer {
  return Buffer.concat([EBML, element(SEGMENT, Buffer.concat(content))]);
}

function nestedElements(depth: number): Buffer {
  let bytes: Buffer = Buffer.alloc(0);
  // Only the innermost says how long it is; the others end with the file.
  for (let level = 0; level < depth; level++)
    bytes = Buffer.concat([Buffer.from("67c801ffffffffffffff", "hex"), bytes]);
  return matroska(element("1254c367", element("7373", bytes)));
}

const cuePoint = element(
  "bb",
  Buffer.concat([element("b3", Buffer.from([1])), element("b7", element("f1", Buffer.from([9])))]),
);

const BOMBS: readonly (readonly [string, Container, () => Buffer])[] = [
  ["tables of four thousand million entries", "mp4", () => tablesOf(0xffff_ffff)],
  ["tables that are larger than the file, and not absurd", "mp4", () => tablesOf(30_000_000)],
  ["an entry that stands for four thousand million", "mp4", runLengths],
  ["boxes within boxes", "mp4", () => nested(200_000, ["moov", "trak", "mdia", "minf", "stbl"])],
  ["tracks within tracks", "mp4", () => nested(200_000, ["moov", "trak"])],
  [
    "a hundred thousand empty tracks",
    "mp4",
    () => Buffer.concat([ftyp, box("moov", ...Array(100_000).fill(box("trak")))]),
  ],
  ["a million boxes of nothing", "mp4", () => Buffer.concat([ftyp, ...Array(1_000_000).fill(box("free"))])],
  ["a segment of 64 PiB", "matroska", () => Buffer.concat([EBML, element(SEGMENT, Buffer.alloc(9), 2n ** 56n - 2n)])],
  ["tracks of a petabyte", "matroska", () => matroska(element("1654ae6b", Buffer.alloc(64), 2n ** 50n))],
  [
    "a private part of four gigabytes",
    "matroska",
    () => matroska(element("1654ae6b", element("ae", element("63a2", Buffer.alloc(9), 2n ** 32n)))),
  ],
  ["tags within tags", "matroska", () => nestedElements(5_000)],
  ["cues without end", "matroska", () => matroska(element("1c53bb6b", Buffer.concat(Array(600_000).fill(cuePoint))))],
];

describe("A file that is made to keep its reader busy", function () {
  this.timeout(30_000);
  const folder = tempDir("bombs");
  afterEach(stopSessions);

  for (const [what, container, make] of BOMBS) {
    it(`costs no more than seconds and some memory: ${what}`, async () => {
      const path = join(folder, `bomb.${container === "mp4" ? "mp4" : "mkv"}`);
      writeFileSync(path, make());
      const before = process.memoryUsage().rss;
      const begun = performance.now();
      const info = await probeVideo({ path, container });
      const took = performance.now() - begun;
      assert.equal(info.container, container);
      assert.ok(took < MAX_MS, `${Math.round(took)} ms`);
      const grown = (process.memoryUsage().rss - before) / 2 ** 20;
      assert.ok(grown < MAX_GROWTH_MIB, `${Math.round(grown)} MiB`);
    });
  }

  it("is shared all the same, with nothing said of it that is not known", async () => {
    const path = join(folder, "shared.mp4");
    writeFileSync(path, runLengths());
    const alice = await startPeer("Alice");
    const { key, id } = await shareFile(alice, path);
    const video = (await alice.session.snapshot()).videos.find((v) => v.key === key);
    assert.deepEqual([video?.state, video?.shared, video?.id], ["ready", true, id]);
  });
});
