import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ffmpeg } from "../../src/peer/media/ffmpeg";
import { Gateway, type StreamSource } from "../../src/peer/stream/gateway";
import { conversionUrl, fetchConverted, ffmpeg, readConverted, readersOf } from "../helpers/converted";
import { CLIP_MP4, hasFfmpeg, makeClip } from "../helpers/makeClip";
import { box } from "../helpers/mp4Box";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

/** What must not come out. */
const SECRET = "the secret of this computer";

/** A file of a sharer who lies: served as it is, whatever it is. */
function sourceOf(bytes: Buffer, fileName = "talk.mp4"): StreamSource & { opened: number } {
  return {
    tag: "hostile",
    fileName,
    contentType: "video/mp4",
    opened: 0,
    size: async () => bytes.length,
    async open(position) {
      this.opened++;
      let at = position;
      return {
        read: async (maxBytes) => {
          const part = bytes.subarray(at, at + maxBytes);
          at += part.length;
          return part;
        },
        close: () => {},
      };
    },
  };
}

/** Says that the data of its track is in another file: an alias in its `dref` (QuickTime File Format, "data references"). */
function withExternalData(mov: Buffer, path: string): Buffer {
  const alias = Buffer.alloc(150);
  const name = Buffer.from(path.length % 2 === 0 ? path : `/${path}`);
  const absolute = Buffer.concat([Buffer.from([0, 2, 0, name.length]), name, Buffer.from([0xff, 0xff, 0, 0])]);
  const entry = box("alis", Buffer.alloc(4), alias, absolute);
  const dref = box("dref", Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]), entry);
  const at = mov.lastIndexOf("dref") - 4;
  const length = mov.readUInt32BE(at);
  const bytes = Buffer.concat([mov.subarray(0, at), dref, mov.subarray(at + length)]);
  // Every box around it grows with it.
  for (const kind of ["moov", "trak", "mdia", "minf", "dinf"]) {
    const start = bytes.lastIndexOf(kind, at) - 4;
    bytes.writeUInt32BE(bytes.readUInt32BE(start) + dref.length - length, start);
  }
  return bytes;
}

describe("Converting a video of somebody who means harm", function () {
  this.timeout(60_000);
  const folder = tempDir("hostile");
  const secret = join(folder, "secret.txt");
  const gateway = new Gateway(() => new Ffmpeg(undefined));

  before(function () {
    if (!hasFfmpeg()) skip(this, "ffmpeg is not installed; on Debian: apt-get install ffmpeg");
    writeFileSync(secret, SECRET);
  });
  after(() => gateway.stop());

  const convert = async (bytes: Buffer, fileName?: string) => {
    const source = sourceOf(bytes, fileName);
    const { id, url } = await gateway.open(source);
    gateway.allowConversion(id);
    const converted = await fetchConverted(url);
    gateway.close(id);
    return converted;
  };

  const clip = readFileSync(CLIP_MP4);
  const sdp =
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
  for (const [what, text] of [
    ["a playlist", `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://${secret}\n#EXT-X-ENDLIST\n`],
    ["a list of files", `ffconcat version 1.0\nfile '${secret}'\nfile '${CLIP_MP4}'\n`],
    ["a session description", sdp],
    ["a manifest", `<?xml version="1.0"?><MPD><Period><BaseURL>file://${secret}</BaseURL></Period></MPD>`],
    ["subtitles", `1\n00:00:00,000 --> 00:00:10,000\n${secret}\n`],
    ["a picture script", `push graphic-context\nimage over 0,0 0,0 'file://${secret}'\n`],
  ] as const) {
    for (const fileName of ["talk.mp4", "talk.m3u8"]) {
      it(`takes ${what} that is called ${fileName} for no video`, async () => {
        const { status, error, body } = await convert(Buffer.from(text), fileName);
        assert.deepEqual([status, error], [502, "not-a-video"]);
        assert.equal(body.length, 0);
      });
    }
  }

  it("opens no file that a video refers to as its data", async function () {
    if (process.platform === "win32") return skip(this, "there is no mkfifo");
    const raw = join(folder, "raw.mov");
    const red = ["-f", "lavfi", "-i", "color=red:size=32x32:rate=5:duration=2"];
    await ffmpeg(...red, "-c:v", "rawvideo", "-pix_fmt", "rgb24", raw);
    const outside = join(folder, "outside");
    writeFileSync(outside, SECRET.repeat(20_000));
    const crafted = join(folder, "crafted.mov");
    writeFileSync(crafted, withExternalData(readFileSync(raw), outside));
    const copied = join(folder, "copied");
    await ffmpeg(
      "-enable_drefs",
      "1",
      "-use_absolute_path",
      "1",
      "-i",
      crafted,
      "-c",
      "copy",
      "-f",
      "rawvideo",
      copied,
    );
    assert.ok(readFileSync(copied).includes(SECRET), "whoever allows it reads that file");
    // Opening it for reading would now wait for a writer, for ever.
    rmSync(outside);
    execFileSync("mkfifo", [outside]);
    const { status, body } = await convert(readFileSync(crafted));
    assert.ok(status === 502 || status === 200);
    assert.ok(!body.includes(SECRET));
  });

  it("writes no attachment, whatever it is called, and plays the video that it is in", async () => {
    const clipPath = await makeClip(join(folder, "with.mkv"), { seconds: 2 });
    const path = join(folder, "attached.mkv");
    const kind = ["-metadata:s:t", "mimetype=application/x-sh", "-metadata:s:t", `filename=${join(folder, "written")}`];
    await ffmpeg("-i", clipPath, "-c", "copy", "-attach", secret, ...kind, path);
    const { status, body } = await convert(readFileSync(path));
    assert.equal(status, 200);
    assert.ok((await readConverted(body)).video?.beginsWithKey);
    assert.ok(!body.includes(SECRET));
    assert.throws(() => readFileSync(join(folder, "written")));
  });

  it("refuses pictures of giant dimensions with a code", async () => {
    const path = join(folder, "giant.mkv");
    for (const codec of ["mjpeg", "mpeg4"]) {
      await ffmpeg("-f", "lavfi", "-i", "color=red:size=8190x4608:rate=1:duration=1", "-c:v", codec, path);
      const { status, error } = await convert(readFileSync(path));
      assert.deepEqual([status, error], [502, "unsupported-format"]);
    }
  });

  it("survives sample tables and elements that claim to be endless", async () => {
    const tables = Buffer.from(clip);
    for (const kind of ["stsz", "stts", "stco", "stsc", "ctts"]) {
      for (let at = tables.indexOf(Buffer.from(kind)); at >= 0; at = tables.indexOf(Buffer.from(kind), at + 4)) {
        tables.writeUInt32BE(0xffff_ffff, at + (kind === "stsz" ? 12 : 8));
      }
    }
    const begun = performance.now();
    const before = process.memoryUsage().rss;
    for (const bytes of [tables, box("ftyp", Buffer.from("isom0000isom")), clip.subarray(0, 4_000)]) {
      const { status, error } = await convert(bytes);
      assert.ok(status === 502 || status === 200, `${status} ${error}`);
    }
    assert.ok(performance.now() - begun < 20_000);
    assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20);
  });

  for (const [what, more] of [
    ["of which there is always more", Buffer.from([0xec, 0x42, 0x00, ...new Array(0x200).fill(0)])],
    ["that is nothing but noise behind its head", Buffer.alloc(4_099, 0x55)],
  ] as const) {
    it(`bounds one ${what}, and ends it with its page`, async function () {
      if (process.platform !== "linux") return skip(this, "processes are looked at in /proc");
      // EBML of type "matroska"; a segment of unknown length (RFC 8794, RFC 9559).
      const docType = Buffer.concat([
        Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x8b, 0x42, 0x82, 0x88]),
        Buffer.from("matroska"),
      ]);
      const head = Buffer.concat([docType, Buffer.from([0x18, 0x53, 0x80, 0x67, 0x01, ...new Array(7).fill(0xff)])]);
      const block = Buffer.concat(Array.from({ length: 200 }, () => more));
      const endless = sourceOf(head);
      endless.size = async () => 2 ** 40;
      let served = 0;
      endless.open = async (position) => {
        let at = position;
        return {
          read: async (maxBytes) => {
            const rest = at < head.length ? head.subarray(at) : block.subarray((at - head.length) % block.length);
            const part = rest.subarray(0, maxBytes);
            at += part.length;
            served += part.length;
            return part;
          },
          close: () => {},
        };
      };
      const { id, url } = await gateway.open(endless);
      gateway.allowConversion(id);
      const answer = fetch(conversionUrl(url)).then(
        ({ status }) => status,
        () => 0,
      );
      const answered = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 2_000))]);
      assert.ok(answered === 502 || served > 1_000_000, `${answered}, ${served} bytes were read`);
      for (const pid of readersOf(url)) {
        const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
        assert.ok(kib < 300_000, `${kib} KiB`);
      }
      gateway.close(id);
      await answer;
      assert.deepEqual(readersOf(url), []);
    });
  }
});
