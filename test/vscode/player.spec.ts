import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import { Program } from "../../tools/program.mjs";
import { hasFfmpeg, makeClip } from "../helpers/makeClip";
import { oneStory } from "../helpers/oneStory";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

interface Playing {
  time: number;
  duration: number;
  paused: boolean;
  width: number;
  speed: number;
}

/** The part of an HTMLVideoElement that is used; tests are compiled without the types of a browser. */
interface Video {
  currentTime: number;
  duration: number;
  paused: boolean;
  videoWidth: number;
  playbackRate: number;
  pause(): void;
}

const stateOf = (page: Frame): Promise<Playing> =>
  page.locator("video").evaluate((node) => {
    const video = node as unknown as Video;
    const { currentTime, duration, paused, videoWidth, playbackRate } = video;
    return { time: currentTime, duration, paused, width: videoWidth, speed: playbackRate };
  });

describe("The player", function () {
  this.timeout(120_000);
  oneStory(this);
  let app: App;
  let bob: Streamlet;
  let alice: Program;
  let page: Frame;
  let size = 0;

  before(async function () {
    if (!hasFfmpeg()) skip(this, "ffmpeg is not installed; on Debian: apt-get install ffmpeg");
    const folder = tempDir("player");
    const clip = await makeClip(join(folder, "talk.mp4"), { seconds: 60, width: 640, height: 360 });
    writeFileSync(join(folder, "talk.de.srt"), "1\n00:00:00,000 --> 00:01:00,000\nGuten Tag\n");
    const tracker = await startTracker();
    alice = new Program("streamlet", [
      ...["share", clip, "--port", "0", "--host", "127.0.0.1", "--data", tempDir("alice"), "--peer-id", "Alice"],
      ...["--tracker", tracker.address, "--limit-up", "60k"],
    ]);
    ({ size } = await alice.event("shared", 20_000));
    app = await App.start({ name: "bob", settings: { "streamlet.defaultTrackers": [tracker.address] } });
    bob = new Streamlet(await app.newWindow());
    await bob.open();
    await bob.createProfile({ peerId: "Bob", port: await freePort(), tracker: tracker.address });
  });
  after(async () => app?.stop());

  it("plays a video of the network at once, long before it is whole", async () => {
    await bob.untilDescribed(bob.network, "talk", /Alice/);
    await bob.network.inlineAction("talk", "Play");
    page = await bob.window.webview("video");
    await until(async () => (await stateOf(page)).time > 0.3, "it plays", 30_000);
    const { width, duration } = await stateOf(page);
    assert.equal(width, 640);
    assert.ok(Math.abs(duration - 60) < 1);
    await bob.untilDescribed(bob.videos, "talk", /downloading/);
    assert.ok(size > 300_000, "at 60 kB/s all of it takes longer than this test has taken");
  });

  it("shows what is here, who gives it and how fast", async () => {
    await until(
      async () =>
        /downloading \d+ %.*peer.*from Alice \d+ [kM]?B\/s/.test((await page.locator("footer").textContent()) ?? ""),
      "state",
    );
    await page.locator("canvas.strip").waitFor();
    assert.match((await page.locator("canvas.strip").getAttribute("aria-label")) ?? "", /\d+ percent/);
  });

  it("is played with the keyboard alone", async () => {
    await page.locator("video").focus();
    await page.locator("video").press("k");
    await until(async () => (await stateOf(page)).paused, "k pauses");
    await page.locator("video").press("k");
    await until(async () => !(await stateOf(page)).paused, "k goes on");
    await page.locator("video").press(">");
    await until(async () => (await stateOf(page)).speed === 1.25, "> is faster");
    await page.locator("video").press("<");
    await until(async () => (await stateOf(page)).speed === 1, "< is slower again");
  });

  it("seeks to where nothing is yet, and plays on from there", async () => {
    await page.locator("video").evaluate((video) => {
      (video as unknown as Video).currentTime = 40;
    });
    await until(async () => (await stateOf(page)).time > 40.2, "it plays from 40 s on", 30_000);
  });

  it("copies a link that opens at this moment", async () => {
    await page.locator("video").press("k");
    await page.getByRole("button", { name: "Copy Link at This Time" }).click();
    const link = await until(async () => {
      const text = await bob.window.clipboard();
      return /#t=4\d$/.test(text) ? text : undefined;
    }, "the link names the time");
    await bob.window.command("Streamlet: Open Link...");
    await bob.window.answer(link.replace(/#t=.*/, "#t=41"));
    await bob.window.answerModal("Play");
    page = await until(async () => {
      const frame = await bob.window.webview("video");
      const time = await stateOf(frame).then(
        ({ time }) => time,
        () => 0,
      );
      return time >= 41 && time < 45 ? frame : undefined;
    }, "it plays from 41 s on");
  });

  it("gives other programs an address that outlives its tab", async () => {
    const opened = app.context.waitForEvent("page");
    await page.getByRole("button", { name: "System Player" }).click();
    const other = await opened;
    const address = other.url();
    await other.close();
    await bob.window.command("View: Close Editor");
    await bob.window.webviewGone("video");
    const answer = await fetch(address, { headers: { range: "bytes=0-99" } });
    assert.equal(answer.status, 206);
    assert.equal((await answer.arrayBuffer()).byteLength, 100);
    await bob.videos.inlineAction("talk", "Play");
    page = await bob.window.webview("video");
  });

  it("says that its source has gone, and remembers where it was", async () => {
    await alice.stop();
    await page.getByText("Nobody who has this video is online").waitFor({ timeout: 60_000 });
    const { time } = await stateOf(page);
    await page.locator("video").evaluate((video) => (video as unknown as Video).pause());
    await bob.window.command("View: Close Editor");
    await bob.window.webviewGone("video");
    await bob.videos.inlineAction("talk", "Play");
    page = await bob.window.webview("video");
    await until(async () => Math.abs((await stateOf(page)).time - time) < 3, "it is where it was", 30_000);
  });
});
