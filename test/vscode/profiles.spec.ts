import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join, resolve } from "node:path";
import { oneStory } from "../helpers/oneStory";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { field, freePort, Streamlet } from "./support/streamlet";
import { until } from "./support/until";

/** Nobody listens there. */
const DEAD_TRACKER = "127.0.0.1:1";

describe("profiles, as a person handles them", function () {
  this.timeout(120_000);
  oneStory(this);
  let app: App;
  let mine: Streamlet;
  let taken: Server;
  let port: number;

  before(async () => {
    port = await freePort();
    taken = createServer().listen(port);
    await once(taken, "listening");
    app = await App.start({ name: "erin" });
    mine = new Streamlet(await app.newWindow());
    await mine.open();
  });
  after(async () => {
    taken.close();
    await app?.stop();
  });

  const toast = () => mine.window.toast(`Port ${port} is used by another program`);
  const choose = (button: RegExp) => toast().locator(".monaco-button", { hasText: button }).click();

  it("a taken port is named, in the form as a hint and then with three ways out", async () => {
    await mine.videos.welcomeButton("Create Profile");
    const form = await mine.profileForm();
    await field(form, "Peer ID").fill("Erin");
    await field(form, "Port").fill(String(port));
    await field(form, "Tracker 1").fill(DEAD_TRACKER);
    await form.getByText(`Port ${port} is used by another program`).waitFor();
    await form.getByRole("button", { name: "Create Profile" }).click();
    for (const button of [/^Use Port \d+$/, /^Edit Profile$/, /^Cancel$/]) {
      await toast().locator(".monaco-button", { hasText: button }).waitFor();
    }
    await mine.videos.welcome().getByText("used by another program").waitFor();
  });

  it("Cancel leaves the profile stopped, Edit Profile opens its form", async () => {
    await choose(/^Cancel$/);
    await mine.videos.welcomeButton("Start Profile");
    await choose(/^Edit Profile$/);
    const form = await mine.profileForm();
    assert.equal(await field(form, "Peer ID").inputValue(), "Erin");
    await form.getByRole("button", { name: "Cancel" }).click();
    await mine.window.webviewGone("main h1");
  });

  it("it gives way to the next free one, and stays as it was chosen over a reload", async () => {
    await mine.window.command("Streamlet: Start Profile");
    await choose(/^Use Port/);
    await mine.untilRunning("Erin");
    await mine.window.reload();
    await mine.open();
    await mine.untilRunning("Erin");
    assert.equal(await mine.window.toast(/is used by/).count(), 0);
  });

  it("the list has the one used last first, and choosing another switches to it", async () => {
    await mine.window.command("Streamlet: Create Profile...");
    const form = await mine.profileForm();
    await field(form, "Peer ID").fill("Fay");
    await field(form, "Port").fill(String(await freePort()));
    await field(form, "Tracker 1").fill(DEAD_TRACKER);
    await form.getByRole("button", { name: "Create Profile" }).click();
    await mine.untilRunning("Fay");
    const offered = async () => {
      await mine.window.command("Streamlet: Select Profile...");
      await mine.window.quickRows().filter({ hasText: "Erin" }).waitFor();
      return mine.window.quickRows().locator(".label-name").allInnerTexts();
    };
    assert.deepEqual((await offered()).slice(0, 2), ["Fay", "Erin"]);
    await mine.window.pick("Erin");
    await mine.untilRunning("Erin");
    assert.deepEqual((await offered()).slice(0, 2), ["Erin", "Fay"]);
    await mine.window.page.keyboard.press("Escape");
  });

  it("deleting says what goes, shows that it works, removes all of it, and leaves the uploaded file", async () => {
    const file = join(tempDir("uploaded"), "mine.mp4");
    copyFileSync(resolve("test/fixtures/clip.mp4"), file);
    await mine.upload(file, "Mine");
    await mine.videos.row("Mine").waitFor();
    const folders = () => readdirSync(join(app.globalStorage(), "profiles"));
    assert.equal(folders().length, 2);
    await mine.window.command("Streamlet: Delete Profile...");
    await mine.window.pick("Erin");
    const modal = mine.window.modal();
    for (const text of [
      "Delete the profile Erin?",
      "Videos in its library: 1; downloaded: 0",
      "its key, its library, its friends and chats",
      "Files that you uploaded stay where they are",
      "cannot be undone",
    ]) {
      await modal.getByText(text).first().waitFor();
    }
    await mine.window.answerModal("Delete Profile");
    await mine.window.toast("Deleting the profile Erin").waitFor();
    await mine.window.toast("The profile Erin is gone").waitFor();
    await until(() => folders().length === 1, "its folder is gone");
    assert.ok(existsSync(file));
    await mine.window.reload();
    await mine.open();
    await mine.window.command("Streamlet: Select Profile...");
    await mine.window.quickRows().filter({ hasText: "Fay" }).waitFor();
    assert.equal(await mine.window.quickRows().filter({ hasText: "Erin" }).count(), 0);
  });
});
