import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Frame, Locator } from "playwright-core";
import { Program } from "../../tools/program.mjs";
import { oneStory } from "../helpers/oneStory";
import { randomFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { violationsOf } from "./support/axe";
import { contrastOf } from "./support/contrast";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";
import type { Workbench } from "./support/workbench";

const START_TIMEOUT_MS = 20_000;
/** WCAG 2.2, 1.4.3. */
const MIN_TEXT_CONTRAST = 4.5;
/** A limit that makes a download of it take three seconds. */
const SIZE = 6_000_000;
const RATE_KB = 2_000;

describe("settings, in the real VS Code", function () {
  this.timeout(120_000);
  oneStory(this);

  let tracker: { address: string; program: Program };
  let seeder: Program;
  let app: App;
  let alice: Streamlet;
  let window: Workbench;
  let page: Frame;

  before(async () => {
    tracker = await startTracker();
    const file = await randomFile(join(tempDir("clips"), "talk.mp4"), SIZE);
    const peer = ["--peer-id", "Carol", "--data", tempDir("carol"), "--host", "127.0.0.1", "--port", "0"];
    seeder = new Program("streamlet", ["share", file, "--name", "Talk", ...peer, "--tracker", tracker.address]);
    app = await App.start({ name: "settings", settings: { "workbench.colorTheme": "Dark 2026" } });
    window = await app.newWindow();
    alice = new Streamlet(window);
    await alice.open();
    await alice.createProfile({ peerId: "Alice", port: await freePort(), tracker: tracker.address });
    await seeder.event("shared", START_TIMEOUT_MS);
  });

  after(async () => {
    await app?.stop();
    await seeder?.stop();
    await tracker?.program.stop();
  });

  const settingsFile = () => join(app.server.userDir, "settings.json");
  const stored = (key: string) => (JSON.parse(readFileSync(settingsFile(), "utf8")) as Record<string, unknown>)[key];
  const untilStored = (key: string, value: unknown) =>
    until(
      () => JSON.stringify(stored(key)) === JSON.stringify(value),
      () => `settings.json has ${key} ${JSON.stringify(value)}, not ${JSON.stringify(stored(key))}`,
    );
  /** In the editor beside the page: VS Code in a browser does not see what other programs write into settings.json. */
  const edit = async (settings: Record<string, unknown>) => {
    const text = JSON.stringify({ ...JSON.parse(readFileSync(settingsFile(), "utf8")), ...settings }, undefined, 2);
    const lines = window.page.locator(".editor-instance .view-lines");
    await lines.click();
    await window.page.keyboard.press("Control+a");
    await window.page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
    await window.page.keyboard.press("Control+v");
    await window.page.keyboard.press("Control+s");
    await until(
      () => Object.entries(settings).every(([key, value]) => stored(key) === value),
      "settings.json is saved",
    );
  };
  const openJson = async () => {
    await window.command("Preferences: Open User Settings (JSON)");
    await window.page.locator(".editor-instance .view-lines").waitFor();
    await window.command("View: Move Editor into Next Group");
    await window.page.locator(".split-view-view .editor-group-container").nth(1).waitFor();
  };
  const openPage = async (where = window) => {
    await where.command("Streamlet: Open Settings");
    return where.webview("[data-setting]");
  };
  const number = (label: string, of = page) => field(of, label);
  const choice = (label: string, of = page) => of.getByRole("combobox", { name: label });
  const untilValue = (control: Locator, value: string) =>
    until(
      async () => (await control.inputValue()) === value,
      () => `the field shows ${value}`,
    );
  const attribute = (name: string) => page.evaluate(`document.documentElement.dataset.${name}`);
  const selectProfile = async (peerId: string) => {
    await window.command("Streamlet: Select Profile...");
    await window.pick(peerId);
    await alice.untilRunning(peerId);
  };

  it("every setting of the manifest has its field, with the value that counts", async () => {
    await openPage();
    await openJson();
    // Hidden behind the other tab for a moment, it was made anew.
    page = await window.webview("[data-setting]");
    const manifest = JSON.parse(readFileSync("package.json", "utf8"));
    const keys = await page.locator("[data-setting]").evaluateAll((all) => all.map((one) => one.dataset.setting));
    assert.deepEqual([...keys].sort(), Object.keys(manifest.contributes.configuration.properties).sort());
    await page.getByRole("heading", { name: "Of the profile Alice" }).waitFor();
    assert.equal(await number("Connections").inputValue(), "200");
    await page.getByRole("checkbox", { name: "Start when VS Code opens", checked: true }).waitFor();
  });

  it("what is changed on the page is in settings.json at once, and a default leaves no trace there", async () => {
    await number("Upload limit").fill("300");
    await untilStored("streamlet.limits.upload", 300);
    await page.getByRole("checkbox", { name: "Copy videos that are uploaded" }).click();
    await untilStored("streamlet.library.copyOnUpload", true);
    await choice("Display format").selectOption("mobile");
    await untilStored("streamlet.appearance.format", "mobile");
    await field(page, "Tracker 1").fill("localhost:6001");
    await untilStored("streamlet.defaultTrackers", ["localhost:6001"]);
    await page.getByRole("button", { name: "Reset to the default: Trackers of new profiles" }).click();
    await untilStored("streamlet.defaultTrackers", undefined);
    await untilValue(field(page, "Tracker 1"), "localhost:6000");
    await choice("Display format").selectOption("pc");
    await untilStored("streamlet.appearance.format", undefined);
    await page.getByRole("checkbox", { name: "Copy videos that are uploaded" }).click();
    await untilStored("streamlet.library.copyOnUpload", undefined);
  });

  it("what is changed in settings.json is on the page at once, and what is being typed stays", async () => {
    const upload = number("Upload limit");
    await upload.fill("45x");
    await edit({ "streamlet.limits.download": 700, "streamlet.startOnLaunch": false });
    await untilValue(number("Download limit"), "700");
    await page.getByRole("checkbox", { name: "Start when VS Code opens", checked: false }).waitFor();
    assert.equal(await upload.inputValue(), "45x");
    await page.locator(".note", { hasText: "Type a number." }).waitFor();
    assert.equal(stored("streamlet.limits.upload"), 300);
    await upload.press("Escape");
    await edit({ "streamlet.startOnLaunch": true, "streamlet.limits.upload": 400 });
    await page.getByRole("checkbox", { name: "Start when VS Code opens", checked: true }).waitFor();
    await untilValue(upload, "400");
  });

  it("refuses what cannot be used with the reason under the field, and says what settings.json should not have", async () => {
    for (const [typed, reason] of [
      ["0", "At least 1."],
      ["1.5", "Type a whole number."],
      ["501", "At most 500."],
    ] as const) {
      await number("Connections").fill(typed);
      await page.getByText(reason).waitFor();
    }
    await number("Connections").press("Escape");
    await field(page, "Downloads folder").fill("videos");
    await page.getByText("Type the whole path").waitFor();
    await field(page, "Downloads folder").press("Escape");
    await edit({ "streamlet.limits.uploadSlots": "many" });
    await page.getByText("settings.json has a value that cannot be used").waitFor();
    assert.equal(await number("Upload slots").inputValue(), "8");
    await page.getByRole("button", { name: "Reset to the default: Upload slots" }).press("Enter");
    await untilStored("streamlet.limits.uploadSlots", undefined);
  });

  it("a folder is chosen in a dialog", async () => {
    const folder = tempDir("videos");
    await page.getByRole("button", { name: "Choose..." }).first().click();
    const input = window.quickInput();
    await until(async () => (await input.inputValue()).startsWith("/"), "the dialog shows a folder");
    await until(async () => {
      await input.fill(`${folder}/`);
      await window.page.locator(".quick-input-widget .monaco-button", { hasText: /^Choose$/ }).click({ timeout: 1000 });
      await input.waitFor({ state: "hidden", timeout: 1000 });
      return true;
    }, "the dialog takes the folder");
    await untilValue(field(page, "Downloads folder"), folder);
    // A setting of this machine: in a remote window, and a browser's is one, it stands in a file of its own.
    const machine = JSON.parse(readFileSync(join(app.server.userDir, "..", "Machine", "settings.json"), "utf8"));
    assert.equal(machine["streamlet.downloadsFolder"], folder);
  });

  it("the page can be light while the editor is dark, and high contrast wins", async () => {
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    await choice("Theme").selectOption("light");
    await until(async () => (await background()) === "rgb(255, 255, 255)", "the page is light");
    assert.equal(await window.page.locator(".monaco-workbench.vs-dark").count(), 1);
    for (const selector of [
      "h1",
      ".intro",
      ".scope",
      "label",
      ".note:not([hidden])",
      "input",
      "select",
      "vscode-button",
      ".unit",
    ]) {
      const contrast = await contrastOf(page.locator(selector).first());
      assert.ok(contrast >= MIN_TEXT_CONTRAST, `${selector}: ${contrast.toFixed(2)}`);
    }
    assert.deepEqual(await violationsOf(page), []);
    await window.screenshot("settings/light in dark");
    await edit({ "workbench.colorTheme": "Default High Contrast" });
    await until(async () => (await background()) === "rgb(0, 0, 0)", "the page is of the high contrast theme");
    await window.screenshot("settings/high contrast");
    await edit({ "workbench.colorTheme": "Light 2026", "streamlet.appearance.theme": "dark" });
    await until(async () => (await background()) === "rgb(31, 31, 31)", "the page is dark");
    assert.deepEqual(await violationsOf(page), []);
    await window.screenshot("settings/dark in light");
    await edit({ "workbench.colorTheme": "Dark 2026" });
    await choice("Theme").selectOption("auto");
    await window.page.locator(".monaco-workbench.vs-dark").waitFor();
  });

  it("the mobile format is one narrow column; 300 pixels are enough", async () => {
    await window.page.locator(".editor-instance .view-lines").click();
    await window.command("View: Close Editor");
    const width = async () => (await page.locator("main").boundingBox())?.width ?? 0;
    await until(async () => (await width()) > 500, "the page is wide");
    await choice("Display format").selectOption("mobile");
    await until(async () => (await width()) <= 420, "the page is narrow");
    assert.ok(((await number("Connections").boundingBox())?.height ?? 0) >= 40);
    await window.screenshot("settings/mobile");
    await choice("Display format").selectOption("pc");
    await window.page.setViewportSize({ width: 700, height: 800 });
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert.equal(await page.evaluate(overflow), 0);
    await window.screenshot("settings/narrow");
    await window.page.setViewportSize({ width: 1280, height: 800 });
  });

  it("the settings of a profile are not forgotten", async () => {
    await number("Upload limit").fill("100");
    await choice("Theme").selectOption("light");
    await untilStored("streamlet.limits.upload", 100);
    await untilStored("streamlet.appearance.theme", "light");
    await window.command("View: Close All Editors");
    await window.webviewGone("[data-setting]");
    await window.command("Streamlet: Create Profile...");
    const form = await alice.profileForm();
    await field(form, "Peer ID").fill("Bob");
    await field(form, "Port").fill(String(await freePort()));
    await field(form, "Tracker 1").fill(tracker.address);
    await form.getByRole("button", { name: "Create Profile" }).click();
    await alice.untilRunning("Bob");
    page = await openPage();
    await page.getByRole("heading", { name: "Of the profile Bob" }).waitFor();
    assert.equal(await number("Upload limit").inputValue(), "100");
    await number("Upload limit").fill("250");
    await choice("Theme").selectOption("dark");
    await untilStored("streamlet.limits.upload", 250);
    await untilStored("streamlet.appearance.theme", "dark");

    await selectProfile("Alice");
    await page.getByRole("heading", { name: "Of the profile Alice" }).waitFor();
    await untilValue(number("Upload limit"), "100");
    await untilStored("streamlet.limits.upload", 100);
    await untilStored("streamlet.appearance.theme", "light");
    await until(async () => (await attribute("theme")) === "light", "the page looks as Alice wants it");

    await window.reload();
    await alice.open();
    await alice.untilRunning("Alice");
    assert.equal(stored("streamlet.limits.upload"), 100);
    await selectProfile("Bob");
    await untilStored("streamlet.limits.upload", 250);
    await untilStored("streamlet.appearance.theme", "dark");
  });

  it("two windows show the same settings, and what either changes is remembered for the profile", async () => {
    page = await openPage();
    await number("Upload limit").fill("1x");
    const second = await app.newWindow();
    const other = await openPage(second);
    assert.equal(await number("Upload limit", other).inputValue(), "250");
    await number("Download limit", other).fill(String(RATE_KB));
    await untilValue(number("Download limit"), String(RATE_KB));
    assert.equal(await number("Upload limit").inputValue(), "1x");
    await number("Upload limit").press("Escape");
    await choice("Theme").selectOption("auto");
    await untilValue(choice("Theme", other), "auto");
    await second.close();
  });

  it("the download limit reaches the engine", async () => {
    await window.command("View: Close All Editors");
    await alice.untilDescribed(alice.network, "Talk", /Carol/);
    const begun = Date.now();
    await alice.network.inlineAction("Talk", "Download");
    await alice.untilDescribed(alice.videos, "Talk", /On Network/);
    const seconds = (Date.now() - begun) / 1000;
    // A quarter of a second of the rate may pass at once.
    const least = SIZE / (RATE_KB * 1000) - 0.25;
    assert.ok(seconds >= least * 0.95, `${SIZE} bytes at ${RATE_KB} kB/s took only ${seconds} s`);
    assert.ok(seconds < least * 3, `${SIZE} bytes at ${RATE_KB} kB/s took ${seconds} s`);
  });

  it("a disk quota below what downloads take deletes nothing and says so", async () => {
    page = await openPage();
    await number("Disk quota for downloads").fill("0.001");
    await page.getByText("Downloaded videos take 6.0 MB, and 1.0 MB are allowed. Nothing is deleted").waitFor();
    assert.ok((await alice.videos.rows()).some((row) => row.label === "Talk"));
  });

  it("a quota that is set elsewhere than on the page is answered with how much is used and allowed, and what to do", async () => {
    await window.command("View: Close All Editors");
    await window.command("Preferences: Open User Settings (JSON)");
    await edit({ "streamlet.limits.diskQuota": 0.002 });
    const toast = window.toast(/Downloaded videos take 6\.0 MB, and 2\.0 MB are allowed.*raise the quota, or remove/s);
    await toast.waitFor();
    await window.screenshot("quota");
    await window.answerToast(/Downloaded videos take/, "Open Settings");
    page = await window.webview("[data-setting]");
    await untilValue(number("Disk quota for downloads"), "0.002");
  });
});
