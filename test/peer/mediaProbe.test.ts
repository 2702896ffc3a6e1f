import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ffmpeg } from "../../src/peer/media/ffmpeg";
import { indexRangesOf } from "../../src/peer/media/indexRanges";
import { cleanInfo } from "../../src/peer/media/mediaInfo";
import { probeVideo, readDescription } from "../../src/peer/media/probe";
import type { Container } from "../../src/peer/storage/videoFile";
import { CLIP_MP4, CLIP_WEBM, hasFfmpeg, makeClip } from "../helpers/makeClip";
import { randomFile } from "../helpers/randomFile";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

const NO_FFMPEG = "there is no ffmpeg here";

/** A probe worker that does this instead. */
function workerOf(script: string): string {
  const path = join(tempDir("worker"), "worker.js");
  writeFileSync(path, script);
  return path;
}

const readerOf = (bytes: Buffer) => (position: number, length: number) => bytes.subarray(position, position + length);

describe("what a video is made of", function () {
  this.timeout(60_000);

  it("is read from MP4 and WebM", async () => {
    const mp4 = await probeVideo({ path: CLIP_MP4, container: "mp4" });
    assert.deepEqual(mp4, {
      container: "mp4",
      duration: 4,
      width: 320,
      height: 180,
      codecs: "avc1.64000c, mp4a.40.2",
      indexRanges: [[0, 4472]],
    });
    const webm = await probeVideo({ path: CLIP_WEBM, container: "webm" });
    const { width, height, codecs, indexRanges } = webm;
    assert.deepEqual(
      { width, height, indexRanges },
      {
        width: 160,
        height: 90,
        indexRanges: [
          [0, 662],
          [49_649, 49_707],
        ],
      },
    );
    assert.match(codecs ?? "", /^vp09\.[0-9.]+, opus$/);
  });

  for (const [extension, container] of [
    ["mov", "mov"],
    ["mkv", "matroska"],
    ["avi", "avi"],
    ["flv", "flv"],
  ] as const) {
    it(`is read from ${extension.toUpperCase()}`, async function () {
      if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
      const path = await makeClip(join(tempDir(), `clip.${extension}`), { seconds: 2 });
      const info = await probeVideo({ path, container }, { ffmpeg: new Ffmpeg(undefined) });
      assert.deepEqual([info.width, info.height, info.container], [320, 180, container]);
      assert.ok(Math.abs((info.duration ?? 0) - 2) < 0.2, `${info.duration} s`);
    });
  }

  it("is what is shown: turned as the file says, with square pixels", async function () {
    if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
    const folder = tempDir();
    const clip = await makeClip(join(folder, "clip.mp4"), { seconds: 1 });
    const wide = join(folder, "wide.mp4");
    execFileSync("ffmpeg", ["-v", "error", "-i", clip, "-vf", "setsar=2/1", wide]);
    const { width, height } = await probeVideo({ path: wide, container: "mp4" });
    assert.deepEqual([width, height], [640, 180]);

    // The matrix of the track header (ISO/IEC 14496-12, 8.3.2), turned by 90 degrees.
    const bytes = readFileSync(clip);
    const matrix = bytes.indexOf("tkhd") + 4 + 40;
    const turned = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000];
    for (const [i, value] of turned.entries()) bytes.writeInt32BE(value, matrix + 4 * i);
    const upright = join(folder, "upright.mp4");
    writeFileSync(upright, bytes);
    const { width: w, height: h } = await probeVideo({ path: upright, container: "mp4" });
    assert.deepEqual([w, h], [180, 320]);
  });

  it("is unknown for a file that only begins like a video, that is gone, and without ffmpeg for AVI", async () => {
    const path = await randomFile(join(tempDir(), "noise.mp4"), 300_000);
    const noise = await probeVideo({ path, container: "mp4" });
    assert.deepEqual(noise, { container: "mp4" });
    assert.deepEqual(await probeVideo({ path: "/nowhere/a.mp4", container: "mp4" }), { container: "mp4" });
    assert.deepEqual(await probeVideo({ path, container: "avi" }), { container: "avi" });
  });

  it("is unknown after 3 s, whatever keeps the reader busy", async () => {
    const workerFile = workerOf("for (;;);");
    const begun = performance.now();
    assert.deepEqual(await probeVideo({ path: CLIP_MP4, container: "mp4" }, { workerFile }), { container: "mp4" });
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(seconds >= 3 && seconds < 8, `${seconds} s`);
  });

  it("is unknown where reading it takes too much memory", async () => {
    const workerFile = workerOf("const all = []; for (;;) all.push(new Array(1e5).fill(all.length));");
    const before = process.memoryUsage().rss;
    assert.deepEqual(await probeVideo({ path: CLIP_MP4, container: "mp4" }, { workerFile }), { container: "mp4" });
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < 400, `${grown} MiB`);
  });

  it("is unknown at once when nobody wants to know any more", async () => {
    const abort = new AbortController();
    const workerFile = workerOf("for (;;);");
    const probing = probeVideo({ path: CLIP_MP4, container: "mp4" }, { workerFile, signal: abort.signal });
    abort.abort();
    const begun = performance.now();
    assert.deepEqual(await probing, { container: "mp4" });
    assert.ok(performance.now() - begun < 2_500);
  });

  it("never costs more than that, nor says what a record cannot hold, after any mutation", async () => {
    const folder = tempDir();
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    for (let round = 0; round < 24; round++) {
      const source = round % 2 === 0 ? CLIP_MP4 : CLIP_WEBM;
      const container: Container = round % 2 === 0 ? "mp4" : "webm";
      const bytes = readFileSync(source);
      // The index is in the first few KiB of both.
      for (let i = 0; i < 1 + random(12); i++) bytes[random(4_400)] = random(4) === 0 ? 0xff : random(256);
      const path = join(folder, `mutated${round}`);
      writeFileSync(path, round % 5 === 4 ? bytes.subarray(0, random(bytes.length)) : bytes);
      const begun = performance.now();
      const info = await probeVideo({ path, container });
      assert.ok(performance.now() - begun < 8_000, `round ${round}`);
      assert.deepEqual(cleanInfo(info, bytes.length), info, `round ${round}`);
    }
  });

  it("holds nothing that a record cannot", () => {
    const size = 1_000;
    for (const raw of [
      { duration: Number.NaN },
      { duration: -1 },
      { duration: 1e9 },
      { width: 10 },
      { width: 1.5, height: 1 },
      { width: 70_000, height: 70_000 },
      { codecs: "avc1\n" },
      { codecs: "x".repeat(201) },
      { indexRanges: [[0, 1_001]] },
      { indexRanges: [[5, 5]] },
      { indexRanges: [] },
      { indexRanges: Array.from({ length: 9 }, (_, i) => [i, i + 1]) },
      "nonsense",
      undefined,
    ]) {
      assert.deepEqual(cleanInfo(raw, size), {});
    }
  });

  it("is read from what ffmpeg says of a file", () => {
    const text = [
      "Input #0, avi, from 'file:/a.avi':",
      "  Duration: 01:02:03.50, start: 0.000000, bitrate: 180 kb/s",
      "  Stream #0:0: Video: mpeg4 (Simple Profile) (FMP4 / 0x34504D46), yuv420p, 720x576 [SAR 16:15 DAR 4:3], 25 fps",
      "  Stream #0:1(eng): Audio: mp3 (U[0][0][0] / 0x0055), 44100 Hz, mono, fltp, 64 kb/s",
    ].join("\n");
    const info = { duration: 3723.5, width: 768, height: 576, codecs: "mp4v.20, mp4a.6B" };
    assert.deepEqual(readDescription(text), info);
    assert.deepEqual(readDescription("file:/a.avi: Invalid data found when processing input"), {});
  });
});

describe("the ranges that a player reads first", () => {
  const box = (kind: string, size: number) => {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32BE(size, 0);
    bytes.write(kind, 4, "latin1");
    return bytes;
  };
  const rangesOf = (...boxes: Buffer[]) => {
    const file = Buffer.concat(boxes);
    return indexRangesOf("mp4", file.length, readerOf(file));
  };

  it("are head and index of an MP4, wherever the index is", () => {
    assert.deepEqual(rangesOf(box("ftyp", 24), box("moov", 500), box("mdat", 5_000)), [[0, 524]]);
    assert.deepEqual(rangesOf(box("ftyp", 24), box("mdat", 5_000), box("moov", 500)), [
      [0, 40],
      [5_024, 5_524],
    ]);
  });

  it("are not said of a file without an index, of nonsense, or of formats that have none", () => {
    assert.equal(rangesOf(box("ftyp", 24), box("mdat", 5_000)), undefined);
    const beyond = box("moov", 500);
    beyond.writeUInt32BE(0x7fffffff, 0);
    assert.equal(rangesOf(box("ftyp", 24), beyond), undefined);
    const noise = Buffer.alloc(2_000, 0xff);
    for (const container of ["mp4", "matroska", "avi"] as const) {
      assert.equal(indexRangesOf(container, noise.length, readerOf(noise)), undefined);
    }
  });

  it("are never outside of the file, and found in bounded time, after any mutation of a WebM", () => {
    const clip = readFileSync(CLIP_WEBM);
    for (let at = 0; at < 700; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const bytes = Buffer.from(clip);
        bytes[at] = value;
        for (const [begin, end] of indexRangesOf("webm", bytes.length, readerOf(bytes)) ?? []) {
          assert.ok(begin >= 0 && begin < end && end <= bytes.length);
        }
      }
    }
  });
});
