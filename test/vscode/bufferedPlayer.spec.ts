import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import esbuild from "esbuild";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../../tools/chromium.mjs";
import { hasFfmpeg } from "../helpers/makeClip";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { until } from "./support/until";

const run = promisify(execFile);

const SECONDS = 180;
/** Of bufferedPlayer.ts, and what a segment may add to them: pictures between two key frames. */
const AHEAD_SECONDS = 60 + 3;
const BEHIND_SECONDS = 40 + 3;
/** For a browser whose buffer is full sooner. */
const FULL_SECONDS = 25;

/** What the page does: plays the clip, and tells how. */
const PAGE = `
  import { playSegments } from "./src/webview/bufferedPlayer";
  import { openRemuxed } from "./src/webview/remuxed";
  globalThis.begin = async (at) => {
    const video = document.querySelector("video");
    const url = new URL("/clip.mkv", location.href).href;
    const source = await openRemuxed(url, async () => true, new AbortController().signal);
    globalThis.failures = [];
    globalThis.end?.();
    globalThis.end = playSegments(video, source, at, (failure) => failures.push(failure.message));
    void video.play().catch(() => undefined);
  };
  globalThis.look = () => {
    const video = document.querySelector("video");
    const { buffered } = video;
    const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
    return { time: video.currentTime, ended: video.ended, duration: video.duration, ranges, failures };
  };
`;

interface Look {
  time: number;
  ended: boolean;
  duration: number;
  ranges: [number, number][];
  failures: string[];
}

/** Bytes of the clip, by ranges, as the gateway gives them. */
function serve(files: Record<string, { type: string; body: Buffer | string }>): Promise<Server> {
  const server = createServer((request, response) => {
    const file = files[request.url ?? ""];
    if (!file) return response.writeHead(404).end();
    const body = Buffer.from(file.body);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    if (!range) return response.writeHead(200, { "Content-Type": file.type }).end(body);
    const [begin, end] = [Number(range[1]), range[2] ? Number(range[2]) + 1 : body.length];
    response.writeHead(206, { "Content-Range": `bytes ${begin}-${end - 1}/${body.length}` });
    return response.end(body.subarray(begin, end));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

describe("A long video in the page's own hands", function () {
  this.timeout(60_000);
  let browser: Browser;
  let server: Server;
  let page: Page;

  before(async function () {
    if (!hasFfmpeg()) skip(this, "ffmpeg is not installed; on Debian: apt-get install ffmpeg");
    const clip = join(tempDir("long"), "clip.mkv");
    const picture = `testsrc=size=160x90:rate=10:duration=${SECONDS}`;
    const inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", `sine=duration=${SECONDS}`];
    const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    await run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-y", ...inputs, ...codecs, clip]);
    const { outputFiles } = await esbuild.build({
      stdin: { contents: PAGE, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      format: "esm",
      write: false,
    });
    const html = '<!doctype html><video muted width="160"></video><script type="module" src="/page.js"></script>';
    server = await serve({
      "/": { type: "text/html", body: html },
      "/page.js": { type: "text/javascript", body: outputFiles[0]!.text },
      "/remuxWorker.js": { type: "text/javascript", body: readFileSync("dist/webview/remuxWorker.js") },
      "/clip.mkv": { type: "video/x-matroska", body: readFileSync(clip) },
    });
    browser = await launchChromium();
    page = await browser.newPage();
  });
  after(async () => {
    await browser?.close();
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  });
  beforeEach(async () => {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("globalThis.begin");
  });

  const look = () => page.evaluate<Look>("look()");
  const buffered = async (): Promise<[number, number]> => (await look()).ranges.at(0) ?? [0, 0];
  const seek = (to: number) => page.evaluate(`document.querySelector("video").currentTime = ${to}`);
  const speed = (rate: number) => page.evaluate(`document.querySelector("video").playbackRate = ${rate}`);

  it("is read a minute ahead and no further, and begins anew where somebody seeks to", async () => {
    await page.evaluate("begin(0)");
    await until(async () => (await buffered())[1] > 50, "it reads ahead");
    await page.evaluate('document.querySelector("video").pause()');
    const { time, duration, ranges } = await look();
    assert.ok(Math.abs(duration - SECONDS) < 1);
    assert.ok(ranges.length === 1 && ranges[0]![1] < time + AHEAD_SECONDS, JSON.stringify(ranges));
    await seek(150.5);
    await until(async () => (await buffered())[1] > 150.5, "the new place is there");
    const [begin] = await buffered();
    assert.ok(begin > 147.9 && begin <= 150.5, `begins at the key frame before: ${begin}`);
    await until(async () => (await buffered())[1] > SECONDS - 0.5, "it is read to its end");
    await seek(20);
    await until(async () => (await buffered())[0] < 20.1 && (await buffered())[1] > 21, "and back again");
    assert.deepEqual((await look()).failures, []);
  });

  it("leaves no more than what is played soon and was just played, to its end", async () => {
    await page.evaluate("begin(60)");
    await speed(16);
    await until(async () => {
      const { ended, ranges, failures } = await look();
      assert.deepEqual(failures, []);
      const [begin, end] = [ranges.at(0)?.[0] ?? 0, ranges.at(-1)?.[1] ?? 0];
      assert.ok(end - begin < AHEAD_SECONDS + BEHIND_SECONDS, `${end - begin} s are kept`);
      return ended;
    }, "it plays to its end");
    assert.ok((await buffered())[0] > 70, "what was played long ago has gone");
  });

  it("goes on where the browser's buffer is full sooner", async () => {
    await page.evaluate(`{
      const append = SourceBuffer.prototype.appendBuffer;
      SourceBuffer.prototype.appendBuffer = function (bytes) {
        const { buffered } = this;
        if (buffered.length > 0 && buffered.end(0) - buffered.start(0) > ${FULL_SECONDS})
          throw new DOMException("full", "QuotaExceededError");
        append.call(this, bytes);
      };
    }`);
    await page.evaluate("begin(120)");
    await speed(16);
    await until(async () => (await look()).ended, "it plays to its end", 30_000);
    assert.deepEqual((await look()).failures, []);
  });

  it("says so where a browser takes nothing of it", async () => {
    await page.evaluate(`SourceBuffer.prototype.appendBuffer = () => {
      throw new DOMException("full", "QuotaExceededError");
    }`);
    await page.evaluate("begin(0)");
    await until(async () => (await look()).failures.length === 1, "it is said");
  });

  it("is given up where the file has caught its reader", async () => {
    await page.route("**/remuxWorker.js", (route) => route.fulfill({ body: "for (;;);" }));
    await page.clock.install();
    let outcome: unknown;
    void page.evaluate("begin(0).then(() => 'plays', (error) => error.reason)").then((reason) => {
      outcome = reason;
    });
    await until(async () => {
      await page.clock.runFor(1_000);
      return outcome === "unsupported";
    }, "the page says so");
  });
});
