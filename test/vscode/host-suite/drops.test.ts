import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CancellationTokenSource, DataTransfer, DataTransferItem, Uri } from "vscode";
import { storeDropped } from "../../../src/ui/uploads";
import { DropController } from "../../../src/ui/views/dropController";
import { app, deleteProfiles, runProfile } from "./support";

/** Drops `content` by MIME type and tells what came of it. */
async function drop(content: Record<string, string>) {
  const uploaded: Uri[] = [];
  const refused: string[] = [];
  const controller = new DropController({
    upload: async (uris) => void uploaded.push(...uris),
    store: async (name) => Uri.file(`/stored/${name}`),
    refuse: async (reason) => void refused.push(reason),
    reportError: (error) => {
      throw error;
    },
  });
  const data = new DataTransfer();
  for (const [type, value] of Object.entries(content)) data.set(type, new DataTransferItem(value));
  await controller.handleDrop(undefined, data, new CancellationTokenSource().token);
  return { uploaded: uploaded.map(String), refused };
}

describe("drops on My Videos", () => {
  it("take files by their URIs, one a line, comments aside", async () => {
    const list = "# from a file manager\r\nfile:///videos/a.mp4\r\nfile:///videos/b%20c.webm\r\n";
    assert.deepEqual(await drop({ "text/uri-list": list }), {
      uploaded: ["file:///videos/a.mp4", "file:///videos/b%20c.webm"],
      refused: [],
    });
  });

  it("say so when there is no file in it", async () => {
    const { uploaded, refused } = await drop({ "text/plain": "just text" });
    assert.deepEqual(uploaded, []);
    assert.equal(refused.length, 1);
  });

  describe("of content without a path", () => {
    before(async () => runProfile(await app(), "alice"));
    after(async () => deleteProfiles(await app()));

    it("are stored in the profile's folder, whatever they are called", async () => {
      const parts = await app();
      const folder = join(
        parts.context.globalStorageUri.fsPath,
        "profiles",
        parts.host.state?.activeId ?? "",
        "dropped",
      );
      for (const [name, stored] of [
        ["clip.mp4", "clip.mp4"],
        ["../../../evil.mp4", "evil.mp4"],
        ["C:\\videos\\con?.mp4", "con_.mp4"],
        ["...", "video.mp4"],
        ["a\u0000b.mp4", "a_b.mp4"],
        ["nul.mp4", "_nul.mp4"],
        [`${"ü".repeat(300)}.mp4`, `${"ü".repeat(60)}.mp4`],
      ] as const) {
        const uri = await storeDropped(parts, name, Buffer.from(name));
        assert.equal(dirname(uri.fsPath), folder);
        assert.equal(basename(uri.fsPath), stored);
        assert.equal(readFileSync(uri.fsPath, "utf8"), name);
      }
    });

    it("replace nothing that was dropped before", async () => {
      const parts = await app();
      const first = await storeDropped(parts, "same.mp4", Buffer.from("1"));
      const second = await storeDropped(parts, "same.mp4", Buffer.from("2"));
      assert.equal(basename(second.fsPath), "same (2).mp4");
      assert.ok(existsSync(first.fsPath));
      assert.equal(readFileSync(first.fsPath, "utf8"), "1");
    });
  });
});
