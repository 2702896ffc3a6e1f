import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";
import { promisify } from "node:util";
import type { Frame } from "playwright-core";
import { Program } from "../../tools/program.mjs";
import { hasFfmpeg } from "../helpers/makeClip";
import { oneStory } from "../helpers/oneStory";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { violationsOf } from "./support/axe";
import { freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

const run = promisify(execFile);

const SECONDS = 8;
const WIDTH = 320;
/** From the first picture on: encoders like to begin with more. */
const BIT_RATE = ["-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "600k"];
const PICTURES = {
  h264: ["-c:v", "libx264", "-preset", "ultrafast", ...BIT_RATE],
  vp9: ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", ...BIT_RATE],
  mpeg4: ["-c:v", "mpeg4", ...BIT_RATE],
  sorenson: ["-c:v", "flv", ...BIT_RATE],
};
/** What is shared: how ffmpeg makes it. The noise brings a clip to two and a half megabytes. */
const CLIPS: Record<string, string[]> = {
  "index first.mp4": [...PICTURES.h264, "-c:a", "aac", "-movflags", "+faststart"],
  "index last.mp4": [...PICTURES.h264, "-c:a", "aac"],
  "apple.m4v": [...PICTURES.h264, "-c:a", "aac", "-f", "mp4"],
  "quicktime.mov": [...PICTURES.h264, "-c:a", "aac"],
  "web.webm": [...PICTURES.vp9, "-c:a", "libopus"],
  "avc.mkv": [...PICTURES.h264, "-c:a", "aac"],
  "vp9.mkv": [...PICTURES.vp9, "-c:a", "libopus"],
  "desktop avc.mkv": [...PICTURES.h264, "-c:a", "aac"],
  "desktop web.webm": [...PICTURES.vp9, "-c:a", "libopus"],
  "dolby.mp4": [...PICTURES.h264, "-c:a", "ac3"],
  "desktop dolby.mkv": [...PICTURES.h264, "-c:a", "eac3"],
  "windows.avi": [...PICTURES.mpeg4, "-c:a", "libmp3lame"],
  "flash.flv": [...PICTURES.sorenson, "-c:a", "libmp3lame", "-ar", "44100"],
};
/** A clip takes fourteen seconds, and plays long before it is whole. */
const RATE_KB = 180;

interface Playing {
  time: number;
  width: number;
  /** Bytes of sound that were decoded. */
  sound: number;
  /** In the page's own hands, by Media Source Extensions. */
  buffered: boolean;
  state: string;
}

/** The part of an HTMLVideoElement that is used; tests are compiled without the types of a browser. */
interface Video {
  currentTime: number;
  ended: boolean;
  videoWidth: number;
  webkitAudioDecodedByteCount: number;
  currentSrc: string;
  pause(): void;
  play(): Promise<void>;
}

/**
 * What VS Code on the desktop does: it has no demultiplexer for Matroska and WebM (here: a `<video>` that asks for an address that
 * says `desktop` gets something else), and says of sound that it decodes it when it does not (here: AC-3, which this Chromium really
 * does not decode).
 */
async function playLikeTheDesktop({ context }: App, name: string): Promise<void> {
  // Only where it is needed: a browser whose requests are looked at keeps nothing in its cache, and VS Code loads slowly.
  await context.unrouteAll();
  if (!/desktop/.test(name)) return;
  await context.route(
    ({ pathname }) => /desktop/.test(pathname),
    (route) =>
      route.request().resourceType() === "media"
        ? route.fulfill({ contentType: "video/mp4", body: "not a video" })
        : route.continue(),
  );
}
const SAYS_YES = `{
  const { prototype } = HTMLMediaElement;
  const { canPlayType } = prototype;
  prototype.canPlayType = function (type) {
    return type.includes("ac-3") ? "probably" : canPlayType.call(this, type);
  };
}`;

const stateOf = (page: Frame): Promise<Playing> =>
  page.locator("main.player").evaluate((main) => {
    const player = main as unknown as { querySelector(selector: string): unknown };
    const video = player.querySelector("video") as Video;
    return {
      time: video.currentTime,
      width: video.videoWidth,
      sound: video.webkitAudioDecodedByteCount,
      buffered: video.currentSrc.startsWith("blob:"),
      state: (player.querySelector("footer .note") as { textContent: string }).textContent,
    };
  });

describe("Formats in the player", function () {
  this.timeout(120_000);
  oneStory(this);
  const folder = tempDir("formats");
  /** Bob's ffmpeg; it is not there at first. */
  const ffmpeg = join(folder, "ffmpeg");
  let app: App;
  let bob: Streamlet;
  let alice: Program;

  before(async function () {
    if (!hasFfmpeg()) skip(this, "ffmpeg is not installed; on Debian: apt-get install ffmpeg");
    const tracker = await startTracker();
    const files: string[] = [];
    for (const [file, args] of Object.entries(CLIPS)) {
      const path = join(folder, file);
      const source = `testsrc=size=${WIDTH}x180:rate=25:duration=${SECONDS}`;
      const tone = `sine=frequency=440:sample_rate=48000:duration=${SECONDS}`;
      const inputs = ["-f", "lavfi", "-i", source, "-f", "lavfi", "-i", tone, "-vf", "noise=alls=20:allf=t"];
      const output = ["-g", "12", "-pix_fmt", "yuv420p", ...args, path];
      await run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-y", ...inputs, ...output]);
      files.push(path);
    }
    const whole = readFileSync(join(folder, "index first.mp4"));
    const cut = join(folder, "cut.mp4");
    writeFileSync(cut, whole.subarray(0, whole.length / 2));
    const damaged = join(folder, "damaged.mp4");
    writeFileSync(damaged, Buffer.concat([whole.subarray(0, 32), randomBytes(300_000)]));
    files.push(cut, damaged);
    const shared: string[] = [];
    alice = new Program(
      "streamlet",
      [
        ...["share", ...files, "--port", "0", "--host", "127.0.0.1", "--data", tempDir("alice"), "--peer-id", "Alice"],
        ...["--tracker", tracker.address],
      ],
      (event) => {
        if (event.event === "shared") shared.push(event.name);
      },
    );
    await until(() => shared.length === files.length, "everything is shared", 60_000);
    app = await App.start({
      name: "bob",
      settings: {
        "streamlet.defaultTrackers": [tracker.address],
        "streamlet.ffmpegPath": ffmpeg,
        "streamlet.limits.download": RATE_KB,
      },
    });
    await app.context.addInitScript(SAYS_YES);
    bob = new Streamlet(await app.newWindow({ width: 1280, height: 1400 }));
    await bob.open();
    await bob.createProfile({ peerId: "Bob", port: await freePort(), tracker: tracker.address });
  });
  after(async () => {
    await app?.stop();
    await alice?.stop();
  });

  /** Opens it in the player. */
  async function open(name: string): Promise<Frame> {
    await bob.untilDescribed(bob.network, name, /Alice/);
    await playLikeTheDesktop(app, name);
    await bob.network.inlineAction(name, "Play");
    return bob.window.webview(`video[aria-label="Video: ${name}"]`);
  }

  /** Waits until picture and sound play; returns how. Leaves it paused. */
  async function plays(page: Frame, from = 0): Promise<Playing> {
    const playing = await until(
      async () => {
        const now = await stateOf(page);
        return now.time > from + 0.3 && now.time < from + 5 && now.width === WIDTH && now.sound > 0 ? now : undefined;
      },
      "picture and sound play",
      30_000,
    );
    await page.locator("video").evaluate((video) => (video as unknown as Video).pause());
    return playing;
  }

  /** Its download would take part of the rate from the next one, and its requests part of those that a browser makes. */
  async function stop(name: string): Promise<void> {
    await bob.window.command("View: Close All Editors");
    const row = (await bob.videos.rows()).find(({ label }) => label === name);
    if (!row || !/downloading/.test(row.description)) return;
    await bob.videos.inlineAction(name, "Pause");
    await bob.untilDescribed(bob.videos, name, /paused/);
  }

  const seek = (page: Frame, to: number) =>
    page.locator("video").evaluate((node, time) => {
      const video = node as unknown as Video;
      video.currentTime = time;
      void video.play();
    }, to);

  const buttonsOf = (page: Frame) => page.locator(".over .buttons vscode-button").allInnerTexts();

  for (const file of [
    "index first.mp4",
    "index last.mp4",
    "apple.m4v",
    "quicktime.mov",
    "web.webm",
    "avc.mkv",
    "vp9.mkv",
  ]) {
    it(`plays ${file} while it downloads`, async () => {
      const name = parse(file).name;
      const { state } = await plays(await open(name));
      assert.match(state, /downloading/);
      await stop(name);
    });
  }

  for (const file of ["desktop avc.mkv", "desktop web.webm"]) {
    it(`plays ${file} where <video> does not know its container, and seeks to what is not here yet`, async () => {
      const name = parse(file).name;
      const page = await open(name);
      const first = await plays(page);
      assert.ok(first.buffered);
      assert.match(first.state, /downloading/);
      await seek(page, 5.1);
      await plays(page, 5.1);
      await seek(page, 0.5);
      await plays(page, 0.5);
      await stop(name);
    });
  }

  it("plays a file that was cut off to where it ends, and is not stuck there", async () => {
    const page = await open("cut");
    await plays(page);
    await seek(page, SECONDS - 1);
    await until(
      async () =>
        (await page.locator("video").evaluate((video) => (video as unknown as Video).ended)) ||
        /interrupted|cannot show/.test(await page.locator(".over").innerText()),
      "it has ended, or says why it does not go on",
      30_000,
    );
    await seek(page, 0.5);
    await plays(page, 0.5);
    await stop("cut");
  });

  it("says of a file that is no video what can be done", async () => {
    const page = await open("damaged");
    await page.getByText("This editor cannot show this kind of video.").waitFor();
    assert.deepEqual(await buttonsOf(page), ["Open in Browser", "Play in System Player", "Try Again"]);
    assert.deepEqual(await violationsOf(page), []);
    await stop("damaged");
  });

  it("says that sound is missing, and what to do, where there is no ffmpeg", async () => {
    const page = await open("dolby");
    await page.getByText("cannot decode the sound of this video (AC-3").waitFor();
    await until(async () => (await stateOf(page)).time > 0.3, "the picture plays");
    await page.getByText("streamlet.ffmpegPath").waitFor();
    assert.deepEqual(await buttonsOf(page), ["Open in Browser", "Play in System Player", "Try Again"]);
  });

  it("offers to convert once ffmpeg is there, and converts when the person agrees", async () => {
    writeFileSync(ffmpeg, '#!/bin/sh\nexec ffmpeg "$@"\n');
    chmodSync(ffmpeg, 0o755);
    const page = await bob.window.webview('video[aria-label="Video: dolby"]');
    await page.getByRole("button", { name: "Try Again" }).click();
    await page.getByRole("button", { name: "Convert with ffmpeg" }).waitFor();
    assert.deepEqual(await buttonsOf(page), ["Convert with ffmpeg", "Open in Browser", "Play in System Player"]);
    assert.deepEqual(await violationsOf(page), []);
    await page.getByRole("button", { name: "Convert with ffmpeg" }).press("Enter");
    const { buffered } = await plays(page);
    assert.ok(buffered);
    await page.locator("footer").getByText("Sound is converted with ffmpeg").waitFor();
    assert.equal(await page.locator(".over").isVisible(), false);
    await stop("dolby");
  });

  it("asks again for another video, unless told not to", async () => {
    const page = await open("windows");
    await page.getByText("cannot show this kind of video").waitFor();
    await page.getByRole("checkbox", { name: "Always convert without asking" }).press(" ");
    await page.getByRole("button", { name: "Convert with ffmpeg" }).click();
    await plays(page);
    await stop("windows");
  });

  it("converts FLV without asking", async () => {
    const page = await open("flash");
    const { buffered } = await plays(page);
    assert.ok(buffered);
    await stop("flash");
  });

  it("converts MKV without asking, and seeks in it", async () => {
    const page = await open("desktop dolby");
    await plays(page);
    await page.locator("footer").getByText("Sound is converted with ffmpeg").waitFor();
    await seek(page, 5.1);
    const { buffered } = await plays(page, 5.1);
    assert.ok(buffered);
  });
});
