import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CancellationTokenSource, MarkdownString, type TreeItem } from "vscode";
import type { App } from "../../../src/ui/app";
import type { VideosNode } from "../../../src/ui/views/videosTree";
import { app, deleteProfiles, runProfile, until } from "./support";

/** Where the project is; bundles of the suite are elsewhere. */
const ROOT = process.env.STREAMLET_TEST_ROOT ?? process.cwd();

describe("the views", () => {
  let parts: App;
  let folder: string;

  before(async () => {
    parts = await app();
    folder = mkdtempSync(join(tmpdir(), "streamlet-views-"));
    await runProfile(parts, "alice");
  });
  after(async () => {
    await deleteProfiles(parts);
    rmSync(folder, { recursive: true, force: true });
  });

  async function upload(title: string): Promise<string> {
    const path = join(folder, `${title.replace(/\W/g, "")}.mp4`);
    copyFileSync(join(ROOT, "test", "fixtures", "clip.mp4"), path);
    const { key } = await parts.service.upload({ path, title, audience: "everyone", share: true });
    await until("it is ready", () =>
      parts.host.state?.snapshot.videos.some((v) => v.key === key && v.state === "ready"),
    );
    return key;
  }
  const children = (node?: VideosNode) => parts.videos.getChildren(node);
  const section = (index: number) => children()[index] as VideosNode;
  const item = (node: VideosNode): TreeItem => parts.videos.getTreeItem(node);
  const tooltip = async (node: VideosNode): Promise<string> => {
    const resolved = await parts.videos.resolveTreeItem(item(node), node, new CancellationTokenSource().token);
    assert.ok(resolved.tooltip instanceof MarkdownString);
    return resolved.tooltip.value;
  };

  it("My Videos has two sections, whatever is in them", () => {
    assert.deepEqual(
      children().map((node) => item(node).label),
      ["Uploaded", "Network Obtained"],
    );
  });

  it("an upload is a row with a stable id, its state, and words for a screen reader", async () => {
    const key = await upload("Login bug");
    const [row] = children(section(0));
    assert.ok(row);
    const shown = item(row);
    assert.equal(shown.id, `video/${key}`);
    assert.equal(shown.label, "Login bug");
    assert.match(String(shown.description), /waiting for a tracker · .*105 kB/);
    assert.match(shown.accessibilityInformation?.label ?? "", /^Login bug, /);
    assert.equal(shown.contextValue, "video uploaded ready shared everyone");
  });

  it("a change refreshes that row alone, as the same object", async () => {
    const key = await upload("Demo");
    const before = children(section(0)).find((node) => item(node).label === "Demo");
    const fired: unknown[] = [];
    const listening = parts.videos.onDidChangeTreeData((what) => fired.push(what));
    await parts.service.unshare(key);
    await until("it is not shared", () => before && /not shared/.test(String(item(before).description)));
    listening.dispose();
    assert.ok(children(section(0)).includes(before as VideosNode));
    assert.ok(fired.every((what) => Array.isArray(what) && what.length === 1 && what[0] === before));
  });

  it("text of a video is never markup", async () => {
    await upload("**bold** [link](command:quit) $(trash) <img>");
    const row = children(section(0)).find((node) => String(item(node).label).startsWith("**bold**"));
    assert.ok(row);
    assert.doesNotMatch(await tooltip(row), /(^|[^\\])\[link\]\(/);
    assert.doesNotMatch(await tooltip(row), /<img>/);
  });

  it("Network shows one's own videos without any tracker, marked, with the Peer ID", async () => {
    await upload("Mine");
    const row = await until("it is listed", () =>
      parts.network.getChildren().find((node) => parts.network.getTreeItem(node).label === "Mine"),
    );
    const shown = parts.network.getTreeItem(row);
    assert.match(String(shown.description), /^alice \(You\) · .*105 kB/);
    assert.match(shown.contextValue ?? "", /^network mine owned ready/);
  });

  it("Peers has friends and connected users, oneself first with address and fingerprint", async () => {
    const { peers } = parts;
    const [friends, online] = peers.getChildren();
    assert.ok(friends && online);
    assert.deepEqual(
      peers.getChildren(friends).map((row) => peers.getTreeItem(row).command?.command),
      ["streamlet.addFriendByContact"],
    );
    const row = await until("somebody is listed", () => peers.getChildren(online).find(({ kind }) => kind === "peer"));
    const shown = peers.getTreeItem(row);
    assert.equal(shown.label, "alice (You)");
    assert.match(String(shown.description), /:\d+ · [A-Z2-7]{7}$/);
    assert.equal(peers.getParent(row), online);
  });
});
