import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../../tools/program.mjs";
import { oneStory } from "../helpers/oneStory";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

describe("several windows of one person", function () {
  this.timeout(180_000);
  oneStory(this);

  const TITLE = "Long recording";
  const SIZE = 24_000_000;
  let tracker: { address: string; program: Program };
  let owner: App;
  let viewer: App;
  let hers: Streamlet;
  let first: Streamlet;
  let second: Streamlet;
  let file: string;

  before(async () => {
    tracker = await startTracker();
    file = await randomFile(join(tempDir("recording"), "recording.mp4"), SIZE);
    owner = await App.start({ name: "carol" });
    // Slow enough that the download is under way while windows come and go.
    viewer = await App.start({ name: "dave", settings: { "streamlet.limits.download": 1500 } });
    hers = new Streamlet(await owner.newWindow());
    first = new Streamlet(await viewer.newWindow());
    await hers.open();
    await hers.createProfile({ peerId: "Carol", port: await freePort(), tracker: tracker.address });
    await hers.upload(file, TITLE);
    await first.open();
    await first.createProfile({ peerId: "Dave", port: await freePort(), tracker: tracker.address });
  });

  after(async () => {
    await owner?.stop();
    await viewer?.stop();
    await tracker?.program.stop();
  });

  const percent = async (window: Streamlet) => {
    const rows = await window.videos.rows();
    return Number(/(\d+) %/.exec(rows.find((row) => row.label === TITLE)?.description ?? "")?.[1] ?? Number.NaN);
  };

  it("show the same download, with progress in the row and in a toast that can cancel it", async () => {
    await first.untilDescribed(first.network, TITLE, /Carol/);
    await first.network.inlineAction(TITLE, "Download");
    await first.untilDescribed(first.videos, TITLE, /downloading \d+ % · .*B\/s · 1 peer/);
    await first.window
      .toast(/Downloading .*Long recording/)
      .getByText("Cancel")
      .waitFor();
    second = new Streamlet(await viewer.newWindow());
    await second.open();
    await second.untilDescribed(second.videos, TITLE, /downloading \d+ %/);
    await second.untilDescribed(second.network, TITLE, /Carol/);
  });

  it("pause and resume it from either window", async () => {
    await second.videos.inlineAction(TITLE, "Pause");
    await first.untilDescribed(first.videos, TITLE, /^paused/);
    await first.videos.inlineAction(TITLE, "Resume");
    await second.untilDescribed(second.videos, TITLE, /downloading/);
  });

  it("the one that ran the peer closes: the other takes over, and the download goes on where it was", async () => {
    const before = await percent(second);
    await first.window.close();
    const seen: string[] = [];
    await until(async () => {
      const row = (await second.videos.rows()).find((candidate) => candidate.label === TITLE);
      seen.push(row?.description ?? "gone");
      return !row || !/downloading \d+ % · .*peer$/.test(row.description) || (await percent(second)) > before;
    }, "the download moves");
    assert.ok(!seen.includes("gone"), "it never leaves the view");
    await second.untilDescribed(second.videos, TITLE, /On Network/, 60_000);
  });

  it("the file is the owner's, byte by byte, and can be saved elsewhere", async () => {
    const copy = join(tempDir("saved"), "copy.mp4");
    await second.videos.openMenu(TITLE);
    await second.window.pickMenu("Save to Device...");
    await second.window.chooseFile(copy);
    await second.window.toast(`is saved to ${copy}`).waitFor();
    assert.equal(await sha256OfFile(copy), await sha256OfFile(file));
  });

  it("a download goes with its file when it is deleted", async () => {
    await second.videos.openMenu(TITLE);
    await second.window.pickMenu("Delete Download...");
    await second.window.answerModal("Delete");
    await second.untilGone(second.videos, TITLE);
    await second.untilDescribed(second.network, TITLE, /Carol/);
  });

  it("an edited port restarts the peer without a reload, and the running download goes on where it was", async () => {
    await second.network.inlineAction(TITLE, "Download");
    await second.untilDescribed(second.videos, TITLE, /downloading [1-9]\d* %/);
    await second.window.command("Streamlet: Edit Profile...");
    const form = await second.profileForm();
    const port = await freePort();
    await field(form, "Port").fill(String(port));
    const before = await percent(second);
    await form.getByRole("button", { name: "Save" }).click();
    await second.untilDescribed(second.peers, "Dave (You)", new RegExp(`:${port}\\b`));
    await until(async () => (await percent(second)) > before, "the download goes on");
  });

  it("the process of the one that runs the peer is killed in mid-download: a follower takes over and finishes", async function () {
    if (process.platform === "win32") skip(this, "Windows has no kill -9");
    const third = new Streamlet(await viewer.newWindow());
    await third.open();
    await third.untilDescribed(third.videos, TITLE, /downloading/);
    const [profile] = readdirSync(join(viewer.globalStorage(), "profiles"));
    const ownerPid = () => Number(readFileSync(join(viewer.globalStorage(), "profiles", profile!, "lock.pid"), "utf8"));
    const killed = ownerPid();
    const before = await percent(third);
    process.kill(killed, "SIGKILL");
    await until(() => ownerPid() !== killed, "another process holds the profile");
    await until(async () => (await percent(third)) > before, "the download goes on in the other window");
    await third.untilDescribed(third.videos, TITLE, /On Network/, 60_000);
    const copy = join(tempDir("saved"), "after the kill.mp4");
    await third.videos.openMenu(TITLE);
    await third.window.pickMenu("Save to Device...");
    await third.window.chooseFile(copy);
    await third.window.toast(`is saved to ${copy}`).waitFor();
    assert.equal(await sha256OfFile(copy), await sha256OfFile(file));
  });
});
