import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { conversionUrl, fetchConverted, ffmpeg, holdConversion, readConverted, readersOf } from "../helpers/converted";
import { hasFfmpeg, makeClip } from "../helpers/makeClip";
import {
  linkVia,
  NO_LIMITS,
  portOf,
  shareFile,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";

const SECONDS = 10;
/** One of its key frames is at 4 s, none at 5 s. */
const KEY_EVERY = 2;
/** Of a video's first picture, and of a page's patience with it. */
const CLOSE = 0.15;

describe("Converting a video that plays", function () {
  this.timeout(60_000);
  const folder = tempDir("convert");
  const source = join(folder, "source.mp4");

  before(async function () {
    if (!hasFfmpeg()) skip(this, "ffmpeg is not installed; on Debian: apt-get install ffmpeg");
    await makeClip(source, { seconds: SECONDS, keyEvery: KEY_EVERY });
  });
  afterEach(stopSessions);

  const variant = async (name: string, ...args: string[]): Promise<string> => {
    const path = join(folder, name);
    await ffmpeg("-i", source, ...args, path);
    return path;
  };
  /** Shared by Alice, and open for conversion. */
  const opened = async (path: string): Promise<{ alice: TestPeer; url: string; id: string; key: string }> => {
    const alice = await startPeer("Alice");
    const { key } = await shareFile(alice, path);
    const { url, id } = await alice.session.openStream(key, "https://player.example");
    await alice.session.allowConversion(id);
    return { alice, url, id, key };
  };

  for (const [name, args, codecs] of [
    ["late.mp4", ["-c", "copy"], /^avc1\.64000c, flac$/],
    ["surround.mkv", ["-c:v", "copy", "-c:a", "ac3"], /^avc1\.64000c, flac$/],
    ["old.avi", ["-c:v", "mpeg4", "-g", "50", "-c:a", "libmp3lame"], /^avc1\.[0-9a-f]{6}, flac$/],
    ["live.flv", ["-c", "copy"], /^avc1\.64000c, flac$/],
    ["sorenson.flv", ["-c:v", "flv", "-g", "50", "-c:a", "mp3", "-ar", "44100"], /^avc1\.[0-9a-f]{6}, flac$/],
    [
      "web.webm",
      ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "50", "-c:a", "libopus"],
      /^vp09\.00\.\d\d\.08, flac$/,
    ],
    ["silent.mp4", ["-c:v", "copy", "-an"], /^avc1\.64000c$/],
    ["odd.mkv", ["-c:v", "mpeg4", "-g", "50", "-vf", "scale=321:179,setsar=3/2", "-an"], /^avc1\.[0-9a-f]{6}$/],
  ] as const) {
    it(`gives ${name} with its own times, from the key frame before where the page begins`, async () => {
      const { url } = await opened(await variant(name, ...args));
      for (const from of name === "late.mp4" ? [0, 5, SECONDS + 100] : [0, 5]) {
        const { status, body, duration, ...rest } = await fetchConverted(url, from);
        assert.equal(status, 200, rest.error);
        assert.match(rest.codecs ?? "", codecs);
        assert.ok(Math.abs((duration ?? 0) - SECONDS) < CLOSE, `${duration} s`);
        const { video, audio } = await readConverted(body);
        const read = [video?.codec?.replace(/^(vp09(?:\.\d\d){3}).*/, "$1"), audio?.codec];
        assert.equal(read.filter(Boolean).join(", "), rest.codecs);
        assert.ok(video?.beginsWithKey);
        assert.ok(Math.abs((video?.end ?? 0) - SECONDS) < CLOSE, `ends at ${video?.end} s`);
        const begin = Math.min(from, SECONDS - 1);
        assert.ok((video?.first ?? 99) <= begin + CLOSE, `${video?.first} s for ${from}`);
        assert.ok((video?.first ?? 0) >= begin - KEY_EVERY - CLOSE, `${video?.first} s for ${from}`);
        if (audio) assert.ok(Math.abs(audio.first - begin) < CLOSE, `sound from ${audio.first} s for ${from}`);
      }
    });
  }

  it("puts silence before sound that begins late, and goes on after sound that ends early", async () => {
    const sound = ["-itsoffset", "3", "-i", source, "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", "8"];
    const { url } = await opened(await variant("late.mkv", ...sound));
    const { body } = await fetchConverted(url, 0);
    const { video, audio } = await readConverted(body);
    assert.ok(Math.abs((video?.first ?? 9) - (audio?.first ?? 0)) < CLOSE, `${video?.first}, ${audio?.first}`);
    const short = await variant(
      "short.mp4",
      "-i",
      source,
      "-map",
      "0:v",
      "-c:v",
      "copy",
      "-map",
      "1:a",
      "-af",
      "atrim=0:5",
    );
    const { alice } = await opened(short);
    const { key } = (await alice.session.snapshot()).videos[0]!;
    const stream = await alice.session.openStream(key);
    await alice.session.allowConversion(stream.id);
    const rest = await fetchConverted(stream.url, 8);
    assert.equal(rest.status, 200, rest.error);
    assert.ok((await readConverted(rest.body)).video?.beginsWithKey);
  });

  it("is there for its own page only, once whoever watches has agreed", async () => {
    const alice = await startPeer("Alice");
    assert.equal(await alice.session.canConvert(), true);
    const { key } = await shareFile(alice, source);
    const { url, id } = await alice.session.openStream(key, "https://player.example");
    assert.deepEqual((({ status, error }) => [status, error])(await fetchConverted(url)), [403, "access-denied"]);
    await alice.session.allowConversion(id);
    const response = await fetch(conversionUrl(url), { headers: { Origin: "https://player.example" } });
    assert.equal(response.headers.get("access-control-allow-origin"), "https://player.example");
    assert.match(
      response.headers.get("access-control-expose-headers") ?? "",
      /X-Streamlet-Codecs.*X-Streamlet-Duration/,
    );
    assert.equal(response.headers.get("content-type"), "video/mp4");
    assert.equal(response.headers.get("content-length"), null);
    await response.arrayBuffer();
    for (const from of ["x", "-1", "1e99", "NaN"]) {
      assert.deepEqual((({ status, error }) => [status, error])(await fetchConverted(url, from)), [
        400,
        "invalid-argument",
      ]);
    }
    await assert.rejects(alice.session.allowConversion("A".repeat(22)), { code: "invalid-argument" });
    assert.equal((await fetch(url)).status, 200, "and as it is, as before");
  });

  it("says that ffmpeg is missing", async () => {
    const alice = await startPeer("Alice", { ffmpegPath: join(folder, "nowhere") });
    assert.equal(await alice.session.canConvert(), false);
    const { key } = await shareFile(alice, source);
    const { url, id } = await alice.session.openStream(key);
    await alice.session.allowConversion(id);
    const { status, error } = await fetchConverted(url);
    assert.deepEqual([status, error], [501, "ffmpeg-missing"]);
  });

  it("works while the video comes, index at its end, and takes what it needs first", async () => {
    const path = await variant(
      "long.mp4",
      "-c:v",
      "libx264",
      "-preset",
      "ultrafast",
      "-b:v",
      "4M",
      "-minrate",
      "4M",
      ...[...["-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr", "-g", "50", "-c:a", "aac"]],
    );
    const alice = await startPeer("Alice", { uploadLimit: 900_000 });
    const { link } = await shareFile(alice, path);
    const bob = await startPeer("Bob");
    const { url, id, key } = await bob.session.openStream(linkVia(link, await portOf(alice)));
    await bob.session.allowConversion(id);
    const begun = performance.now();
    const held = await holdConversion(url, 8);
    const took = performance.now() - begun;
    const video = (await bob.session.snapshot()).videos.find((v) => v.key === key);
    assert.equal(video?.state, "downloading");
    assert.ok(video.bytesDone < video.size * 0.75, `${video.bytesDone} of ${video.size} after ${Math.round(took)} ms`);
    held.abort();
    await alice.session.setLimits(NO_LIMITS);
    const { body } = await fetchConverted(url, 8);
    const { video: read } = await readConverted(body);
    assert.ok(read && read.first <= 8 && read.first > 5.8 && Math.abs(read.end - SECONDS) < CLOSE);
  });

  it("is cut off, not ended, when its download is paused", async () => {
    const path = await variant("paused.mp4", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "1", "-c:a", "aac");
    const alice = await startPeer("Alice", { uploadLimit: 400_000 });
    const { link } = await shareFile(alice, path);
    const bob = await startPeer("Bob");
    const { url, id, key } = await bob.session.openStream(linkVia(link, await portOf(alice)));
    await bob.session.allowConversion(id);
    const whole = fetchConverted(url);
    await videoWhere(bob, "some of it is here", (v) => v.bytesDone > 300_000);
    await bob.session.pause(key);
    const outcome = await whole.then(
      ({ status }) => status,
      () => "cut off",
    );
    assert.ok(outcome === "cut off" || outcome === 502, String(outcome));
  });

  describe("of which many bytes are made", () => {
    let url: string;
    let id: string;
    let key: string;
    let alice: TestPeer;
    const path = join(folder, "noise.mkv");
    before(async function () {
      if (process.platform !== "linux") skip(this, "processes are looked at in /proc");
      // Noise is large whoever compresses it: more than all the buffers on the way hold.
      const noise = "color=gray:size=640x360:rate=25:duration=20,noise=alls=100:allf=t";
      await ffmpeg("-f", "lavfi", "-i", noise, "-c:v", "mpeg4", "-q:v", "2", "-g", "25", path);
    });
    beforeEach(async () => {
      ({ alice, url, id, key } = await opened(path));
    });

    it("ends at once when its page goes away, when the stream is closed, and with the peer", async () => {
      const ends = async (end: () => unknown) => {
        assert.equal(readersOf(url).length, 1);
        await end();
        await until("it ends", () => readersOf(url).length === 0, 1_000);
      };
      const held = await holdConversion(url, 3);
      await ends(() => held.abort());
      await holdConversion(url);
      await ends(() => alice.session.closeStream(id));
      const next = await alice.session.openStream(key);
      await alice.session.allowConversion(next.id);
      await holdConversion(next.url);
      await ends(() => alice.session.stop());
    });

    it("is confined by the system, and knows of no proxy", async () => {
      process.env.http_proxy = "http://127.0.0.1:1";
      process.env.STREAMLET_TEST_TOKEN = "secret";
      try {
        const held = await holdConversion(url);
        const [pid] = readersOf(url);
        const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
        assert.match(limits, /^Max file size +0 +0 /m);
        assert.match(limits, /^Max core file size +0 +0 /m);
        assert.match(limits, /^Max open files +64 +64 /m);
        assert.match(limits, /^Max address space +2147483648 +2147483648 /m);
        assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "utf8"), /proxy|secret/);
        assert.ok(getPriority(pid) > 0);
        held.abort();
      } finally {
        delete process.env.http_proxy;
        delete process.env.STREAMLET_TEST_TOKEN;
      }
    });

    it("makes no more than a page takes", async () => {
      const held = await holdConversion(url);
      const [pid] = readersOf(url);
      const read = () => Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
      let before = -1;
      await until("it rests", () => {
        const now = read();
        const rests = now === before;
        before = now;
        return rests;
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal(read(), before);
      held.resume();
      await until("it goes on", () => held.received() > 8_000_000);
      held.abort();
    });

    it("runs so many times at once and no more", async () => {
      const held = await Promise.all([0, 1, 2].map((from) => holdConversion(url, from)));
      const { status, error } = await fetchConverted(url);
      assert.deepEqual([status, error], [503, "too-many"]);
      held[1]?.abort();
      const next = await holdConversion(url, 5);
      for (const each of [...held, next]) each.abort();
    });
  });
});
