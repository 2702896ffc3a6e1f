import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import { parseRecord, type VideoRecord } from "../../src/wire/records";
import { readThumbnail } from "../../src/wire/thumbnail";
import { Program } from "../../tools/program.mjs";
import { hasFfmpeg, makeClip } from "../helpers/makeClip";
import { oneStory } from "../helpers/oneStory";
import { sha256OfFile } from "../helpers/randomFile";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

/** The tests tell one story, each goes on where the one before has ended. */
describe("what a video is made of, in the real VS Code", function () {
  this.timeout(120_000);
  oneStory(this);

  let tracker: Awaited<ReturnType<typeof startTracker>>;
  let alice: App;
  let hers: Streamlet;
  let clip: string;
  const folder = tempDir("media");
  /** While this file does not exist, copies stop half way. */
  const gate = join(folder, "gate");

  before(async function () {
    if (!hasFfmpeg()) return skip(this, "there is no ffmpeg here");
    tracker = await startTracker();
    clip = await makeClip(join(folder, "screen recording.mp4"), { seconds: 6, width: 1280, height: 720 });
    alice = await App.start({ name: "alice", settings: { "streamlet.ffmpegPath": slowFfmpeg() } });
    hers = new Streamlet(await alice.newWindow());
    await hers.open();
    await hers.createProfile({ peerId: "Alice", port: await freePort(), tracker: tracker.address });
  });

  after(async () => {
    await alice?.stop();
    await tracker?.program.stop();
  });

  /** The real one, but that copies wait at their middle until the gate opens. */
  function slowFfmpeg(): string {
    const path = join(folder, "ffmpeg");
    const waits = `case "$*" in *libx264*) echo out_time_us=3000000; while [ ! -e '${gate}' ]; do sleep 0.2; done;; esac`;
    writeFileSync(path, `#!/bin/sh\n${waits}\nexec ffmpeg "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Records that her profile has signed, by title. */
  function records(): Map<string, VideoRecord> {
    const profiles = join(alice.globalStorage(), "profiles");
    const found = readdirSync(profiles, { recursive: true, withFileTypes: true });
    return new Map(
      found
        .filter((entry) => entry.name.endsWith(".extras"))
        .flatMap((entry) => {
          const { record } = JSON.parse(readFileSync(join(entry.parentPath, entry.name), "utf8")) as {
            record?: string;
          };
          if (!record) return [];
          const read = parseRecord(Buffer.from(record, "base64"), { now: Date.now() });
          return [[read.title, read] as const];
        }),
    );
  }

  /** What is on disk of smaller copies. */
  function copies(): string[] {
    const profiles = join(alice.globalStorage(), "profiles");
    return readdirSync(profiles, { recursive: true })
      .map(String)
      .filter((path) => /[\\/]optimised[\\/].+/.test(path));
  }

  async function uploadForm(path: string): Promise<Frame> {
    await hers.window.command("Streamlet: Upload Video...");
    await hers.window.chooseFile(path);
    return hers.window.webview(".card");
  }

  /** What another person's peer is told, found by a word of it. */
  async function seenByOthers(search: string): Promise<{ name: string }[]> {
    const videos: { name: string }[] = [];
    const options = ["list", "--search", search, "--peer-id", "Bob", "--port", "0", "--host", "127.0.0.1"];
    const bob = new Program(
      "streamlet",
      [...options, "--tracker", tracker.address, "--data", tempDir("bob")],
      (event) => void (event.event === "video" && videos.push(event as never)),
    );
    await bob.exited;
    return videos;
  }

  const previewOf = (form: Frame) => form.locator(".preview img:not([hidden])");

  it("the upload form makes a preview from the file, says what is in it, and needs no more than Enter", async () => {
    const form = await uploadForm(clip);
    await form.getByText("0:06 · 1280 × 720").waitFor();
    await previewOf(form).waitFor();
    const source = (await previewOf(form).getAttribute("src")) ?? "";
    assert.match(source, /^data:image\/webp;base64,/);
    assert.equal(await form.getByRole("img", { name: "screen recording.mp4" }).count(), 1);
    await form
      .getByText(/At most|Up to/)
      .first()
      .waitFor();
    await hers.window.screenshot("media/upload");
    await field(form, "Name").press("Enter");
    await hers.window.webviewGone(".card");
    await hers.untilDescribed(hers.videos, "screen recording", /On Network/);

    const record = await until(() => records().get("screen recording"), "the record is on disk");
    assert.deepEqual([record.duration, record.width, record.height], [6, 1280, 720]);
    assert.match(record.codecs ?? "", /^avc1\.[0-9a-f]{6}, mp4a\.40\.2$/);
    assert.equal(record.indexRanges?.length, 1);
    assert.equal(Buffer.from(record.thumbnail!).toString("base64"), source.slice(source.indexOf(",") + 1));
    assert.deepEqual(readThumbnail(record.thumbnail!), { type: "image/webp", width: 320, height: 180 });
  });

  it("the edit form says what is wrong, and Escape changes nothing", async () => {
    await hers.videos.openMenu("screen recording");
    await hers.window.pickMenu(/^Edit Info/);
    const form = await hers.window.webview(".frame");
    assert.equal(await field(form, "Name").inputValue(), "screen recording");
    await previewOf(form).waitFor();
    await form.getByText("Audience: Everyone on my trackers").waitFor();
    await field(form, "Name").fill("");
    await form.getByText("Type a name for the video.").first().waitFor();
    await field(form, "Name").press("Enter");
    await field(form, "Name").fill("something else");
    await field(form, "Name").press("Escape");
    await hers.window.webviewGone(".frame");
    assert.ok((await hers.videos.rows()).some((row) => row.label === "screen recording"));
  });

  it("an edit by keyboard alone, with another frame, reaches the network as a newer record", async () => {
    const before = records().get("screen recording")!;
    await hers.videos.row("screen recording").click();
    await hers.window.command("Streamlet: Edit Info...");
    const form = await hers.window.webview(".frame");
    const { keyboard } = hers.window.page;
    await until(() => form.evaluate("document.hasFocus() && document.activeElement?.tagName === 'INPUT'"), "focus");
    await keyboard.type("Login bug, explained");
    await form.getByRole("button", { name: "Choose Frame" }).focus();
    const first = await previewOf(form).getAttribute("src");
    await keyboard.press("Enter");
    const slider = form.getByRole("slider");
    await slider.waitFor();
    await keyboard.press("End");
    await until(async () => (await slider.getAttribute("aria-valuetext")) === "Frame at 0:06", "the slider has moved");
    await until(async () => (await previewOf(form).getAttribute("src")) !== first, "another frame is shown");
    await hers.window.screenshot("media/edit");
    const chosen = await until(async () => {
      const source = await previewOf(form).getAttribute("src");
      await new Promise((resolve) => setTimeout(resolve, 300));
      return source === (await previewOf(form).getAttribute("src")) ? source : undefined;
    }, "the slider has come to rest");
    await keyboard.press("Enter");
    await hers.window.webviewGone(".frame");
    await hers.untilDescribed(hers.videos, "Login bug, explained", /On Network/);

    const record = await until(() => records().get("Login bug, explained"), "the new record is on disk");
    assert.ok(record.sequence > before.sequence);
    assert.equal(`data:image/webp;base64,${Buffer.from(record.thumbnail!).toString("base64")}`, chosen);
    await until(async () => (await seenByOthers("explained")).length === 1, "another peer sees the new name");
  });

  it("a change in another window is shown, and is not replaced unseen", async () => {
    const second = new Streamlet(await alice.newWindow());
    await second.open();
    await second.videos.row("Login bug, explained").waitFor();
    const open = async (person: Streamlet) => {
      await person.videos.openMenu("Login bug, explained");
      await person.window.pickMenu(/^Edit Info/);
      return person.window.webview(".frame");
    };
    const [mine, theirs] = [await open(hers), await open(second)];
    await field(mine, "Name").fill("Mine");
    await field(theirs, "Name").fill("Theirs");
    await field(theirs, "Name").press("Enter");
    await mine.getByText("The video was changed meanwhile").first().waitFor();
    await mine.locator("blockquote").getByText("Theirs").waitFor();
    await hers.window.screenshot("media/edit conflict");
    await mine.getByRole("button", { name: "Use This Instead" }).click();
    assert.equal(await field(mine, "Name").inputValue(), "Theirs");
    await field(mine, "Name").fill("Both");
    await field(mine, "Name").press("Enter");
    await hers.videos.row("Both").waitFor();
    await second.window.page.close();
  });

  it("a smaller copy shows its progress; cancelled, nothing is left but the original", async () => {
    const original = await sha256OfFile(clip);
    const form = await uploadForm(clip);
    await field(form, "Name").fill("Small");
    await form.getByRole("radio", { name: "A smaller copy, 720p" }).click();
    await form.getByRole("button", { name: "Upload", exact: true }).click();
    await hers.untilDescribed(hers.videos, "Small", /^optimising 50 %/);
    await hers.window.toast("Optimising “Small”").first().waitFor();
    assert.equal(copies().length > 0, true);
    await hers.window.screenshot("media/optimising");
    await hers.window.answerToast("Optimising “Small”", "Cancel");
    await hers.untilGone(hers.videos, "Small");
    await until(() => copies().length === 0, "nothing is left of the copy");
    assert.equal(await sha256OfFile(clip), original);
  });

  it("a smaller copy is shared in place of the file", async () => {
    writeFileSync(gate, "");
    const large = await makeClip(join(folder, "large.mkv"), { seconds: 2, width: 1920, height: 1080 });
    const form = await uploadForm(large);
    await form.getByText("0:02 · 1920 × 1080").waitFor();
    await form.getByRole("radio", { name: "A smaller copy, 720p" }).click();
    await form.getByRole("button", { name: "Upload", exact: true }).click();
    await hers.untilDescribed(hers.videos, "large", /On Network/);
    const record = await until(() => records().get("large"), "the record is on disk");
    assert.deepEqual([record.width, record.height, record.container], [1280, 720, "mp4"]);
    assert.ok(record.thumbnail, "it has a picture, whoever could decode it");
    assert.equal(existsSync(large), true);
  });
});
