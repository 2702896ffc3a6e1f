import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Locator } from "playwright-core";
import { oneStory } from "../helpers/oneStory";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { freePort, Streamlet } from "./support/streamlet";
import { until } from "./support/until";
import type { Workbench } from "./support/workbench";

const CLIP = resolve("test/fixtures/clip.mp4");
const OTHER_CLIP = resolve("test/fixtures/clip.webm");

describe("without a tracker, and with one's own", function () {
  this.timeout(120_000);
  oneStory(this);
  let app: App;
  let mine: Streamlet;
  let folder: string;
  let trackerPort: number;

  before(async () => {
    folder = tempDir("files");
    trackerPort = await freePort();
    app = await App.start({ name: "frank", settings: { "streamlet.defaultTrackers": [`localhost:${trackerPort}`] } });
    mine = new Streamlet(await app.newWindow());
    await mine.open();
    await mine.createProfile({ peerId: "Frank", port: await freePort(), tracker: `localhost:${trackerPort}` });
  });
  after(async () => app?.stop());

  it("says which tracker does not answer, and what can be done", async () => {
    const welcome = mine.network.welcome();
    await welcome.getByText("No tracker answers").waitFor();
    for (const button of ["Start a Tracker Here", "Edit Profile", "Connect Manually"]) {
      await welcome.locator(".monaco-button", { hasText: button }).waitFor();
    }
    await mine.window.page.getByText(`localhost:${trackerPort} does not answer`).first().waitFor();
  });

  it("runs a tracker in a terminal, once, and is online by itself", async () => {
    await mine.network.welcomeButton("Start a Tracker Here");
    await mine.network.welcome().getByText("Nobody shares a video yet").waitFor();
    await mine.window.command("Streamlet: Start a Tracker Here");
    assert.ok((await mine.window.page.locator(".terminal-tabs-entry, .single-terminal-tab").count()) <= 1);
  });

  it("takes files that are dropped on My Videos", async () => {
    const files = [join(folder, "first.mp4"), join(folder, "second.webm")];
    copyFileSync(CLIP, files[0]!);
    copyFileSync(OTHER_CLIP, files[1]!);
    await drop(mine.window, files, mine.videos.row("Uploaded"));
    const form = await mine.window.webview(".card");
    await form.getByRole("button", { name: "Upload 2 Videos" }).click();
    await mine.untilDescribed(mine.videos, "first", /On Network/);
    await mine.untilDescribed(mine.videos, "second", /On Network/);
  });

  it("refuses what is no video, with the reason", async () => {
    const cases: [string, string | Buffer, RegExp][] = [
      ["notes.txt", "text", /notes\.txt cannot be shared: Streamlet takes MP4/],
      ["empty.mp4", "", /empty\.mp4 is empty/],
    ];
    for (const [name, content, reason] of cases) {
      writeFileSync(join(folder, name), content);
      await drop(mine.window, [join(folder, name)], mine.videos.row("Uploaded"));
      await mine.window.toast(reason).waitFor();
      await mine.window.clearToasts();
    }
    writeFileSync(join(folder, "fake.mp4"), "this is no video, whatever its name says");
    await drop(mine.window, [join(folder, "fake.mp4")], mine.videos.row("Uploaded"));
    const form = await mine.window.webview(".card");
    await form.getByRole("button", { name: "Upload", exact: true }).click();
    await mine.window.toast(/fake\.mp4 is not a video/).waitFor();
    await mine.window.clearToasts();
    assert.deepEqual(
      (await mine.videos.rows()).filter((row) => /notes|empty|fake/.test(row.label)),
      [],
    );
  });

  it("shows only what is searched for, and everything again", async () => {
    await mine.untilDescribed(mine.network, "second", /Frank/);
    await mine.network.titleAction("Search Network...");
    await mine.window.answer("first");
    await mine.untilGone(mine.network, "second");
    await mine.network.row("first").waitFor();
    await mine.network.titleAction("Clear Search");
    await mine.network.row("second").waitFor();
  });

  it("copies a link of this editor that holds no key and no token", async () => {
    await mine.videos.inlineAction("first", "Copy Link");
    const link = await until(async () => {
      const text = await mine.window.clipboard();
      return /^[a-z-]+:\/\/streamlet\.streamlet\/v\/[0-9a-f]{64}\?/.test(text) ? text : undefined;
    }, "the link is on the clipboard");
    assert.doesNotMatch(link, /token|key/i);
  });

  it("refuses a link that is cut, before anybody is contacted", async () => {
    await mine.window.command("Streamlet: Open Link...");
    await mine.window.answer("vscode://streamlet.streamlet/v/0123?r=4");
    await mine.window.toast(/not a Streamlet or magnet link/).waitFor();
    await mine.window.clearToasts();
  });

  it("says why a connection by hand does not work", async () => {
    await mine.window.command("Streamlet: Connect Manually...");
    await mine.window.answer(`127.0.0.1:${await freePort()}`);
    await mine.window.toast(/Nothing listens/).waitFor();
    await mine.window.clearToasts();
  });

  it("forgets a video by keyboard alone, and leaves its file", async () => {
    await mine.videos.row("second").click();
    await mine.window.page.keyboard.press("Delete");
    await mine.window.answerModal("Remove");
    await mine.untilGone(mine.videos, "second");
    await mine.untilGone(mine.network, "second");
  });

  it("stops and starts the profile", async () => {
    await mine.window.command("Streamlet: Stop Profile");
    await mine.videos.welcomeButton("Start Profile");
    await mine.untilDescribed(mine.videos, "first", /On Network/);
  });

  it("what was done before anybody looked at the first steps is ticked there", async () => {
    await mine.window.command("Streamlet: Show First Steps");
    const step = (title: string) => mine.window.page.locator(".getting-started-step", { hasText: title });
    const isTicked = async (title: string) =>
      (await step(title).locator(".codicon-getting-started-step-checked").count()) > 0;
    await step("Create a profile").waitFor();
    for (const done of ["Create a profile", "Upload a video", "Meet others"]) assert.ok(await isTicked(done), done);
    assert.equal(await isTicked("Watch or download"), false);
  });
});

/** Drops files from outside, as an operating system's file manager does. */
async function drop(window: Workbench, files: string[], target: Locator): Promise<void> {
  const box = await target.boundingBox();
  assert.ok(box);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const devTools = await window.page.context().newCDPSession(window.page);
  const data = { files, items: [], dragOperationsMask: 19 };
  const dispatch = (type: "dragEnter" | "dragOver" | "drop") =>
    devTools.send("Input.dispatchDragEvent", { type, ...at, data });
  await dispatch("dragEnter");
  // VS Code makes a row a target only after the mouse has rested on it for some events.
  for (let i = 0; i < 4; i++) {
    await dispatch("dragOver");
    await window.page.waitForTimeout(150);
  }
  await dispatch("drop");
  await devTools.detach();
}
