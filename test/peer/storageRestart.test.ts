import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LibraryEntry } from "../../src/peer/storage/library";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { shareFile, startPeer, stopSessions, type TestPeer, videoWhere } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;

describe("After an end at an unlucky moment", function () {
  this.timeout(40_000);
  afterEach(() => stopSessions());

  /** What a kill leaves that came before the library was written: the library as it was then. */
  function rewindLibrary(bob: TestPeer, changes: Partial<LibraryEntry>): void {
    const path = join(bob.config.dataDir, "library.json");
    const library = JSON.parse(readFileSync(path, "utf8")) as { entries: LibraryEntry[] };
    Object.assign(library.entries[0] ?? {}, changes);
    writeFileSync(path, JSON.stringify(library));
  }

  it("between the last rename and the library, the video is whole at the next start, with nobody to fetch it from", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 3 * MIB, 20);
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    const { path } = await bob.session.downloadResult(key);
    await stopSessions();
    rewindLibrary(bob, { state: "downloading", partPath: `${path}.part`, mtimeMs: undefined });

    const again = await startPeer("bob", bob.config);
    const video = await videoWhere(again, "it is whole", (v) => v.state === "ready");
    assert.equal(video.path, path);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
    assert.deepEqual(readdirSync(join(path, "..")), ["clip.mp4"]);
  });

  it("that cost the notes on a download, its data is checked, once, and none of it fetched again", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 6 * MIB, 21);
    const alice = await startPeer("alice", { uploadLimit: 2 * MIB });
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    await videoWhere(bob, "half is there", (v) => v.bytesDone >= 2 * MIB);
    await stopSessions();
    const notes = join(bob.config.dataDir, "resume", `${key}.resume`);
    const had = readFileSync(notes).subarray(-3).toString("hex");
    rmSync(notes);

    const again = await startPeer("bob", bob.config);
    await videoWhere(again, "it has been checked", (v) => v.bytesDone >= 2 * MIB && v.state === "downloading");
    await stopSessions();
    const checked = readFileSync(notes);
    assert.equal(checked.subarray(-3).toString("hex"), had);
    assert.equal(
      String.fromCharCode(checked[checked.indexOf("\n") + 1] ?? 0),
      "1",
      "no further check at the next start",
    );
  });
});
