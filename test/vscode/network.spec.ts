import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import { shortFingerprint } from "../../src/wire/fingerprint";
import { parseTorrent } from "../../src/wire/metainfo";
import { Program } from "../../tools/program.mjs";
import { CLIP_MP4 } from "../helpers/makeClip";
import { oneStory } from "../helpers/oneStory";
import { JPEG } from "../helpers/pictures";
import { randomFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { makeRecord, RawPeer, startTracker, stopAll } from "../tracker/support";
import { App } from "./support/app";
import { freePort, Streamlet } from "./support/streamlet";
import { until } from "./support/until";

const PROGRAM_TIMEOUT_MS = 30_000;
/** Slow enough that a download is seen under way, on any machine. */
const UPLOAD_RATE = "1M";
const TALK = "Conference talk";
const TALK_BYTES = 8_000_000;

/** What is drawn: how many points of the canvas have the colour of this custom property. */
function pointsOf(property: string): string {
  return `(() => {
    const canvas = document.querySelector("canvas");
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = getComputedStyle(canvas).getPropertyValue("${property}").trim();
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let points = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) points++;
    return points;
  })()`;
}

describe("the Network view", function () {
  this.timeout(120_000);
  oneStory(this);
  let app: App;
  let alice: Streamlet;
  let bob: Program;
  let dora: RawPeer;
  let port: number;

  before(async () => {
    ({ port } = await startTracker());
    dora = await RawPeer.join({ port, peerId: "Dora" });
    const record = (seed: number, change: Parameters<typeof makeRecord>[2]) =>
      makeRecord(dora.identity, seed, { ownerName: "Dora", ...change });
    await dora.publish(
      record(1, { title: "Login bug", duration: 20, width: 640, height: 360, length: 3_000_000 }),
      record(2, {
        title: "Onboarding",
        description: "first line\nsecond line",
        duration: 1_500,
        width: 1_920,
        height: 1_080,
        length: 7_000_000,
        container: "mp4",
        codecs: "avc1.64001f",
        thumbnail: JPEG,
      }),
    );
    const other = await RawPeer.join({ port, peerId: "Dora2" });
    await other.publish(makeRecord(other.identity, 3, { title: "Another Dora's", ownerName: "Dora", length: 1_000 }));
    const talk = await randomFile(join(tempDir("talk"), "talk.mp4"), TALK_BYTES);
    const peer = ["--peer-id", "Bob", "--data", tempDir("bob"), "--host", "127.0.0.1", "--port", "0"];
    const options = ["--name", TALK, "--audience", "public", "--tracker", `127.0.0.1:${port}`];
    bob = new Program("streamlet", ["share", talk, ...peer, ...options, "--limit-up", UPLOAD_RATE]);
    await bob.event("shared", PROGRAM_TIMEOUT_MS);
    app = await App.start({ name: "alice" });
    alice = new Streamlet(await app.newWindow({ width: 1_280, height: 1_000 }));
    await alice.open();
    await alice.createProfile({ peerId: "Alice", port: await freePort(), tracker: `127.0.0.1:${port}` });
  });

  after(async () => {
    await app?.stop();
    await bob?.stop();
    await stopAll();
  });

  const labels = async () => (await alice.network.rows()).map((row) => row.label);
  const untilListed = (...expected: string[]) =>
    alice.network.untilRows(
      (rows) => rows.map((row) => row.label).join() === expected.join(),
      `Network shows ${expected}`,
    );
  const fact = (page: Frame, name: string) => page.locator(`dt:text-is("${name}") + dd`);

  it("lists videos with owner, duration, resolution and size, and tells owners of one name apart", async () => {
    const bug = await alice.untilDescribed(alice.network, "Login bug", /Dora/);
    assert.match(bug, /^Dora · [A-Z2-7]{7} · 0:20 · 360p · 3\.0 MB · 0 sources$/);
    const others = await alice.untilDescribed(alice.network, "Another Dora's", /Dora/);
    assert.notEqual(others.split(" · ")[1], bug.split(" · ")[1]);
    assert.match(await alice.untilDescribed(alice.network, TALK, /1 source/), /^Bob · 8.0 MB/);
  });

  it("one's own videos are listed in Network", async () => {
    await alice.upload(CLIP_MP4, "My clip");
    await alice.untilDescribed(alice.network, "My clip", /^Alice \(You\)/);
    await alice.window.clearToasts();
  });

  it("Refresh does not toggle the list: nothing disappears, comes back or changes its place", async () => {
    const before = await labels();
    assert.equal(before.length, 5);
    for (let i = 0; i < 6; i += 1) {
      await alice.network.titleAction("Refresh");
      for (let look = 0; look < 8; look += 1) assert.deepEqual(await labels(), before);
    }
  });

  it("searches, and says what is searched for", async () => {
    await alice.network.titleAction("Search Network");
    await alice.window.answer("onb");
    await untilListed("Onboarding");
    await alice.network.pane.getByText("“onb”", { exact: true }).waitFor();
    await alice.network.pane.getByText("1 found").waitFor();
    await alice.network.titleAction("Clear Search");
    await until(async () => (await labels()).length === 5, "everything is back");
  });

  it("filters step by step in one menu that shows what is on, and says so plainly", async () => {
    const { window, network } = alice;
    await network.titleAction("Filter Network");
    await window.pick("Duration");
    await window.pick("over 10 min");
    await untilListed("Onboarding");
    await window.pick("Owner");
    const doras = window.quickRows().filter({ has: window.page.locator(".label-name", { hasText: /^Dora$/ }) });
    await until(async () => (await doras.count()) === 2, "both Doras are offered, although only one is listed");
    await window.pick(shortFingerprint(dora.identity.fingerprint));
    await window.quickRows().filter({ hasText: "over 10 min" }).waitFor();
    await window.page.keyboard.press("Escape");
    await untilListed("Onboarding");
    await network.pane.getByText("2 filters: Dora, over 10 min", { exact: true }).waitFor();
    await network.titleAction("Clear Filters");
    await until(async () => (await labels()).length === 5, "everything is back");
  });

  it("says what to do when nothing passes the filters", async () => {
    const { window, network } = alice;
    await network.titleAction("Filter Network");
    await window.pick("Resolution");
    await window.pick("2160p");
    await window.quickRows().filter({ hasText: "2160p or more" }).waitFor();
    await window.page.keyboard.press("Escape");
    await network.welcome().getByText("No video passes the filters.").waitFor();
    await network.pane.getByText(/1 filter: 2160p or more · 0 found/).waitFor();
    await network.welcomeButton("Clear Filters");
    await until(async () => (await labels()).length === 5, "everything is back");
  });

  it("sorts by name, size and sources", async () => {
    const { window } = alice;
    const sortBy = async (order: string) => {
      await window.command("Streamlet: Sort Network By...");
      await window.pick(order);
    };
    await sortBy("Name");
    await untilListed("Another Dora's", TALK, "Login bug", "My clip", "Onboarding");
    await sortBy("Size");
    await untilListed(TALK, "Onboarding", "Login bug", "My clip", "Another Dora's");
  });

  it("copies a link to a video that is only offered", async () => {
    await alice.network.openMenu(TALK);
    await alice.window.pickMenu("Copy Link");
    await until(async () => /streamlet\.streamlet\/v\/[0-9a-f]{64}\?/.test(await alice.window.clipboard()), "a link");
  });

  it("shows details: picture, description, owner and figures", async () => {
    await alice.network.inlineAction("Onboarding", "Show Details");
    const page = await alice.window.webview(".picture > img");
    assert.equal(
      await page
        .locator(".picture > img")
        .evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth),
      16,
    );
    assert.equal(await page.locator("h1").textContent(), "Onboarding");
    assert.equal(await page.locator(".description").textContent(), "first line\nsecond line");
    assert.equal(await fact(page, "Owner").textContent(), "Dora");
    assert.match((await fact(page, "Fingerprint").textContent()) ?? "", /^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/);
    assert.equal(await fact(page, "Duration").textContent(), "25:00");
    assert.equal(await fact(page, "Resolution").textContent(), "1920 × 1080");
    assert.equal(await fact(page, "Format").textContent(), "mp4, avc1.64001f");
    assert.match((await fact(page, "Video id").textContent()) ?? "", /^[0-9a-f]{64}$/);
  });

  it("shows the pieces and the sources of a download, live", async () => {
    await alice.network.inlineAction(TALK, "Show Details");
    const page = await until(async () => {
      const found = await alice.window.webview("main.details");
      return (await found.locator("h1").textContent()) === TALK && found;
    }, "the details of the talk");
    await page.getByRole("cell", { name: "Bob" }).waitFor();
    await page.getByRole("cell", { name: "not connected" }).waitFor();
    await page.getByRole("button", { name: "Download", exact: true }).click();
    const text = page.locator(".piece-map + .note");
    const here = async () => Number(/^(\d+) of 31 pieces here/.exec((await text.textContent()) ?? "")?.[1]);
    const first = await until(async () => ((await here()) > 0 ? here() : undefined), "pieces come in");
    const points = await page.evaluate<number>(pointsOf("--piece-here"));
    assert.ok(points > 0);
    assert.ok((await page.evaluate<number>(pointsOf("--piece-sources"))) > 0);
    await until(async () => (await here()) > first, "more pieces come in, by themselves");
    await until(async () => (await page.evaluate<number>(pointsOf("--piece-here"))) > points, "and are drawn");
    assert.equal(await page.locator("canvas").getAttribute("aria-label"), await text.textContent());
    await page.getByRole("cell", { name: "Alice (You)" }).waitFor();
    const row = page.getByRole("row").filter({ hasText: "Bob" });
    assert.match((await row.textContent()) ?? "", /Streamlet.*encrypted.*100 %.*B\/s/);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("31 of 31 pieces here.").waitFor({ timeout: 40_000 });
    for (const name of ["Play", "Play in System Player", "Save Torrent File..."]) {
      await page.getByRole("button", { name, exact: true }).waitFor();
    }
  });

  it("shows a video in one tab, however often it is asked for", async () => {
    const tabs = (await alice.window.tabs()).length;
    await alice.videos.openMenu(TALK);
    await alice.window.pickMenu("Show Details");
    await alice.network.inlineAction("Onboarding", "Show Details");
    await alice.window.webview(".picture > img");
    assert.equal((await alice.window.tabs()).length, tabs);
  });

  it("saves the torrent file of a public video", async () => {
    await alice.window.clearToasts();
    const path = join(tempDir("torrents"), "talk.torrent");
    await alice.videos.openMenu(TALK);
    await alice.window.pickMenu("Save Torrent File...");
    await alice.window.chooseFile(path);
    await alice.window.toast(/torrent file is saved/).waitFor();
    assert.ok(existsSync(path));
    const { info, announce } = parseTorrent(readFileSync(path));
    assert.deepEqual([info.name, info.length], ["talk.mp4", TALK_BYTES]);
    assert.deepEqual(announce, [`http://127.0.0.1:${port}/announce`]);
    await alice.window.clearToasts();
  });

  it("icons are displayed: every one that a command, a view or a row names is there", async () => {
    const { page } = alice.window;
    const manifest = readFileSync("package.json", "utf8");
    const sources = readdirSync("src/ui", { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join("src/ui", name), "utf8"));
    const text = [manifest, ...sources].join("\n");
    const names = [...text.matchAll(/"?\$\(([a-z-]+)(?:~spin)?\)|new ThemeIcon\(\s*"([a-z-]+)/g)].map(
      ([, a, b]) => a ?? b,
    );
    assert.ok(names.length > 50);
    const missing = await page.evaluate<string[]>(`${JSON.stringify([...new Set(names)])}.filter((name) => {
      const icon = document.body.appendChild(document.createElement("span"));
      icon.className = "codicon codicon-" + name;
      const { content, fontFamily } = getComputedStyle(icon, "::before");
      icon.remove();
      return content === "none" || content === "normal" || !fontFamily.includes("codicon");
    })`);
    assert.deepEqual(missing, []);
    assert.equal(await page.evaluate("document.fonts.check('16px codicon')"), true);
    // The icon files of the activity bar and of the tabs, wherever the window loads them from.
    const files = await page.evaluate<string[]>(`[...document.querySelectorAll(
      '.activitybar .action-label[aria-label^="Streamlet"], .tabs-container .tab, .tabs-container .tab *',
    )].flatMap((node) => [null, "::before", "::after"].flatMap((part) => {
      const { maskImage, backgroundImage } = getComputedStyle(node, part);
      return [maskImage, backgroundImage].flatMap((image) => /url\\("([^"]+)"\\)/.exec(image)?.[1] ?? []);
    }))`);
    assert.ok(
      files.some((address) => address.includes("streamlet.svg")),
      files.join(),
    );
    assert.ok(
      files.some((address) => address.includes("tab-")),
      files.join(),
    );
    for (const address of new Set(files)) {
      const width = `new Promise((done) => {
        const image = new Image();
        image.onload = () => done(image.naturalWidth);
        image.onerror = () => done(0);
        image.src = ${JSON.stringify(address)};
      })`;
      assert.ok((await page.evaluate<number>(width)) > 0, `${address} is a picture`);
    }
    for (const [, file] of manifest.matchAll(/"(media\/[^"]+\.(?:svg|png))"/g)) assert.ok(existsSync(file ?? ""), file);
  });

  it("says in the open details that a video is gone, and that the profile is stopped", async () => {
    const page = await alice.window.webview(".picture > img");
    dora.terminate();
    await page.locator(".warning", { hasText: "Nobody offers this video any more" }).waitFor();
    await page.getByRole("status").getByText("Nobody offers this video any more").waitFor();
    assert.equal(await page.getByRole("button").count(), 0);
    assert.equal(await page.locator("h1").textContent(), "Onboarding", "what it was stays to be read");
    await alice.window.command("Streamlet: Stop Profile");
    await page.locator(".warning", { hasText: "The profile is stopped" }).waitFor();
    await alice.network.welcome().getByText("The profile is stopped.").waitFor();
  });
});
