import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Ffmpeg } from "../../src/peer/media/ffmpeg";
import { optimiseVideo } from "../../src/peer/media/optimise";
import { probeVideo } from "../../src/peer/media/probe";
import { makeThumbnail } from "../../src/peer/media/thumbnails";
import { optimisedSize } from "../../src/peer/smallerCopy";
import { readThumbnail } from "../../src/wire/thumbnail";
import { CLIP_MP4, CLIP_WEBM, hasFfmpeg, makeClip } from "../helpers/makeClip";
import { skip } from "../helpers/skip";
import { stubFfmpeg } from "../helpers/stubFfmpeg";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";

const NO_FFMPEG = "there is no ffmpeg here";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const pidsIn = (file: string) => (existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : []);

describe("ffmpeg", function () {
  this.timeout(60_000);
  before(function () {
    if (process.platform === "win32") skip(this, "its stand-ins are shell scripts");
  });

  it("is found where the setting says, or on the PATH, and tells its version", async () => {
    const { path } = stubFfmpeg("exit 0");
    assert.deepEqual(await new Ffmpeg(path).tools(), { ffmpeg: path, version: "0.0-stub" });
    const env = { PATH: `/nowhere:relative:${dirname(path)}` };
    assert.deepEqual(await new Ffmpeg(undefined, env).tools(), { ffmpeg: path, version: "0.0-stub" });
  });

  it("is not found where the setting names something else, nor in a folder that is relative", async () => {
    for (const path of ["/nowhere/ffmpeg", "/bin/sh", "ffmpeg", CLIP_MP4]) {
      assert.deepEqual(await new Ffmpeg(path).tools(), {}, path);
    }
    assert.deepEqual(await new Ffmpeg(undefined, { PATH: ".::bin" }).tools(), {});
    await assert.rejects(new Ffmpeg("/nowhere/ffmpeg").run([]), { code: "ffmpeg-missing" });
  });

  it("that crashes, ends with an error, or writes without end is ffmpeg-failed, with its last words", async () => {
    const cases = {
      "kill -SEGV $$": /ended by SIGSEGV/,
      "echo first >&2; echo 'Unknown encoder libx264' >&2; exit 1": /Unknown encoder libx264/,
      "exit 3": /ended with 3/,
      "cat /dev/zero": /more than was asked for/,
    };
    for (const [script, message] of Object.entries(cases)) {
      await assert.rejects(new Ffmpeg(stubFfmpeg(script).path).run([]), { code: "ffmpeg-failed", message });
    }
  });

  it("that hangs and ignores SIGTERM is ended with all that it has started", async () => {
    const { path, pids } = stubFfmpeg("trap '' TERM INT HUP; sleep 1000 & echo $! >> \"$PIDS\"; wait; sleep 1000");
    for (const options of [{ timeoutMs: 500 }, { stallMs: 500 }]) {
      await assert.rejects(new Ffmpeg(path).run([], options), { code: "ffmpeg-failed", message: /in time/ });
    }
    const abort = new AbortController();
    const running = new Ffmpeg(path).run([], { signal: abort.signal });
    await until("it runs", () => pidsIn(pids).length === 6);
    abort.abort();
    await assert.rejects(running, { code: "cancelled" });
    await until("all have ended", () => !pidsIn(pids).some(isAlive));
  });

  it("is not started for somebody who has cancelled already", async () => {
    const { path, pids } = stubFfmpeg("exit 0");
    await assert.rejects(new Ffmpeg(path).run([], { signal: AbortSignal.abort() }), { code: "cancelled" });
    assert.deepEqual(pidsIn(pids), []);
  });

  it("makes a picture of a frame that fits into 320 x 180, of at most 16 KiB", async function () {
    if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
    const ffmpeg = new Ffmpeg(undefined);
    const folder = tempDir();
    const large = await makeClip(join(folder, "large.mkv"), { seconds: 1, width: 1280, height: 960, audio: false });
    for (const [path, container, size] of [
      [CLIP_WEBM, "webm", "160 x 90"],
      [large, "matroska", "240 x 180"],
    ] as const) {
      const info = await probeVideo({ path, container });
      const picture = await makeThumbnail(ffmpeg, path, info);
      const header = readThumbnail(Buffer.from(picture?.data ?? "", "base64"));
      assert.equal(header && `${header.width} x ${header.height}`, size);
    }
  });

  it("that makes no picture, or none that may be shown, costs nothing but the picture", async () => {
    for (const script of ["exit 1", "echo '<svg/>'", "kill -9 $$"]) {
      assert.equal(await makeThumbnail(new Ffmpeg(stubFfmpeg(script).path), CLIP_MP4, {}), null);
    }
  });

  it("makes a smaller copy: H.264 and AAC, the index in front, no larger than was said", async function () {
    if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
    const folder = tempDir();
    const source = await makeClip(join(folder, "clip.mkv"), { seconds: 3, width: 1600, height: 901 & ~1 });
    const info = await probeVideo({ path: source, container: "matroska" });
    const size = readFileSync(source).length;
    const target = join(folder, "copy.mp4.part");
    const parts: number[] = [];
    const job = { source, target, height: 720, size, info } as const;
    await optimiseVideo(new Ffmpeg(undefined), job, { onProgress: (part) => parts.push(part) });
    const made = await probeVideo({ path: target, container: "mp4" });
    assert.deepEqual([made.width, made.height], [1280, 720]);
    assert.match(made.codecs ?? "", /^avc1\.[0-9a-f]{6}, mp4a\.40\.2$/);
    assert.equal(made.indexRanges?.length, 1, "fast start");
    assert.equal(parts.at(-1)! > 0.9, true, `${parts}`);
    const bytes = readFileSync(target).length;
    assert.ok(bytes <= optimisedSize(720, { size, duration: 3 }) * 1.1, `${bytes} of ${size}`);
  });

  it("does not enlarge a video", async function () {
    if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
    const target = join(tempDir(), "copy.mp4");
    const info = await probeVideo({ path: CLIP_WEBM, container: "webm" });
    await optimiseVideo(new Ffmpeg(undefined), { source: CLIP_WEBM, target, height: 1080, size: 50_000, info });
    const made = await probeVideo({ path: target, container: "mp4" });
    assert.deepEqual([made.width, made.height], [160, 90]);
  });

  it("that hangs while it makes a copy is ended", async () => {
    const { path } = stubFfmpeg("sleep 1000");
    const job = { source: CLIP_MP4, target: join(tempDir(), "copy.mp4"), height: 720, size: 1, info: {} } as const;
    await assert.rejects(optimiseVideo(new Ffmpeg(path), job, { stallMs: 300 }), { code: "ffmpeg-failed" });
  });

  it("that finds no room is disk-full", async () => {
    const { path } = stubFfmpeg("echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1");
    const job = { source: CLIP_MP4, target: join(tempDir(), "copy.mp4"), height: 720, size: 1, info: {} } as const;
    await assert.rejects(optimiseVideo(new Ffmpeg(path), job), { code: "disk-full" });
  });
});
