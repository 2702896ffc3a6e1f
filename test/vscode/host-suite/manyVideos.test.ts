import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { App } from "../../../src/ui/app";
import { app, deleteProfiles, runProfile, until } from "./support";

const VIDEOS = 10_000;
const PAGE = 200;
/** Longer than this and a person sees that something hangs. */
const VISIBLE_STALL_MS = 100;

describe("a network of ten thousand videos", function () {
  this.timeout(60_000);
  let parts: App;
  let tracker: ChildProcess;
  let delay: IntervalHistogram;

  before(async () => {
    parts = await app();
    tracker = spawn(process.execPath, [join(__dirname, "fullTracker.mjs"), String(VIDEOS)], {
      env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [port] = await once(tracker.stdout!, "data");
    await runProfile(parts, "alice", `127.0.0.1:${String(port).trim()}`);
    await until("the first page", () => parts.network.videos.length >= PAGE);
  });
  beforeEach(() => {
    delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
  });
  afterEach(() => {
    delay.disable();
    const longest = delay.max / 1e6;
    assert.ok(longest < VISIBLE_STALL_MS, `the main thread stood still for ${longest.toFixed(0)} ms`);
  });
  after(async () => {
    await deleteProfiles(parts);
    tracker.stdin?.end();
    await once(tracker, "exit");
  });

  it("shows the first page and how many there are", () => {
    assert.equal(parts.network.videos.length, PAGE);
    assert.equal(parts.network.getChildren().length, PAGE + 1, "the videos, and a row that shows more");
  });

  it("refreshes without a row that vanishes or is drawn anew", async () => {
    const rows = parts.network.getChildren();
    for (let i = 0; i < 5; i++) await parts.service.refresh();
    const again = parts.network.getChildren();
    assert.equal(again.length, rows.length);
    assert.ok(rows.every((row, i) => row === again[i] || row.kind === "action"));
  });

  it("shows page after page", async () => {
    for (let pages = 2; pages <= 6; pages++) {
      parts.network.showMore();
      await until(`page ${pages}`, () => parts.network.videos.length === pages * PAGE);
    }
  });

  it("finds one among them as one types, and forgets the search again", async () => {
    const wanted = parts.network.videos[700]!;
    const text = wanted.title;
    for (let length = 3; length <= text.length; length += 3) parts.network.setSearch(text.slice(0, length));
    parts.network.setSearch(text);
    await until("the one", () => {
      const { videos } = parts.network;
      return videos.length > 0 && videos.length < PAGE && videos.some((v) => v.id === wanted.id);
    });
    parts.network.setSearch("");
    await until("all again", () => parts.network.videos.length >= PAGE);
  });
});
