import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type SmallDisk, smallDisk } from "../helpers/diskFull";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { shareFile, startPeer, stopSessions, videoWhere } from "../helpers/sessions";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;
const DISK_MIB = 8;

describe("a download onto a disk that fills up", function () {
  this.timeout(30_000);
  let disk: SmallDisk;

  before(function () {
    const mounted = smallDisk(DISK_MIB);
    if ("reason" in mounted) skip(this, mounted.reason);
    disk = mounted;
  });
  afterEach(stopSessions);
  after(() => disk?.remove());

  it("is refused at once where there is no room, and goes on when there is", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 6 * MIB, 41);
    const alice = await startPeer("alice");
    const bob = await startPeer("bob", { downloadsDir: join(disk.path, "a") });
    const { link } = await shareFile(alice, file);
    const ballast = join(disk.path, "ballast");
    writeFileSync(ballast, randomBytes(4 * MIB));
    const { key } = await bob.session.download({ source: link });
    await assert.rejects(bob.session.downloadResult(key), { code: "disk-full" });
    const failed = await videoWhere(bob, "it has failed", (v) => v.state === "failed");
    assert.equal(failed.error?.code, "disk-full");
    await rm(ballast);
    await bob.session.resume(key);
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
    await rm(path);
  });

  it("stops in the middle when another program takes the room, and loses nothing of what it has", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 6 * MIB, 42);
    const alice = await startPeer("alice", { uploadLimit: 2 * MIB });
    const bob = await startPeer("bob", { downloadsDir: join(disk.path, "b") });
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    await videoWhere(bob, "some is there", (v) => v.bytesDone >= MIB);
    const ballast = join(disk.path, "ballast");
    for (let room = true; room; ) {
      try {
        writeFileSync(ballast, randomBytes(64 * 1024), { flag: "a" });
      } catch {
        room = false;
      }
    }
    const failed = await videoWhere(bob, "it has failed", (v) => v.state === "failed");
    assert.equal(failed.error?.code, "disk-full");
    assert.ok(failed.bytesDone >= MIB);
    await rm(ballast);
    await bob.session.resume(key);
    const resumed = await videoWhere(bob, "it goes on", (v) => v.state === "downloading" || v.state === "ready");
    assert.ok(resumed.bytesDone >= failed.bytesDone);
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
  });
});
