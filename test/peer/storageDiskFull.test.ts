import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { copyFile } from "../../src/peer/storage/copyFile";
import { hashFile } from "../../src/peer/storage/hasher";
import { HashTree } from "../../src/peer/storage/hashTree";
import { writeAtomic } from "../../src/peer/storage/jsonFile";
import { Library } from "../../src/peer/storage/library";
import { ResumeData } from "../../src/peer/storage/resumeData";
import { StreamletError } from "../../src/wire/errors";
import { type SmallDisk, smallDisk } from "../helpers/diskFull";
import { newEntry } from "../helpers/libraryEntry";
import { randomFile } from "../helpers/randomFile";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;

const diskFull = (error: unknown) => {
  assert.ok(error instanceof StreamletError);
  assert.equal(error.code, "disk-full");
  assert.match(error.message, /[Ff]ree some space/);
  return true;
};

/** Uses up the disk but for `leave` bytes. */
function fill(disk: SmallDisk, leave = 0): void {
  const path = join(disk.path, "filler");
  const fd = openSync(path, "w");
  try {
    const chunk = Buffer.alloc(65_536);
    for (;;) writeSync(fd, chunk);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    closeSync(fd);
  }
  truncateSync(path, statSync(path).size - leave);
}

describe("On a full disk", () => {
  let disk: SmallDisk;

  beforeEach(function () {
    const made = smallDisk(8);
    if ("reason" in made) skip(this, made.reason);
    disk = made;
  });
  afterEach(() => disk?.remove());

  const free = () => rmSync(join(disk.path, "filler"));

  it("a file that is written atomically keeps its old content", async () => {
    const path = join(disk.path, "a.json");
    await writeAtomic(path, "old");
    fill(disk, 100_000); // room for a part of the new content: the write comes back short
    await assert.rejects(writeAtomic(path, "n".repeat(200_000)), diskFull);
    assert.equal(readFileSync(path, "utf8"), "old");
    assert.ok(!existsSync(`${path}.new`));
  });

  it("the library says so, keeps what it had, and writes the rest when there is room again", async () => {
    const errors: unknown[] = [];
    const library = await Library.open(disk.path, { writeDelayMs: 1, onError: (error) => errors.push(error) });
    const { key } = library.add(newEntry({ title: "first" }));
    await library.flush();
    fill(disk);
    library.add(newEntry({ title: "second", description: "d".repeat(100_000) }));
    await assert.rejects(library.flush(), diskFull);
    library.update(key, { title: "renamed" });
    while (errors.length === 0) await new Promise(setImmediate); // the write in the background
    assert.ok(diskFull(errors[0]));
    assert.match(readFileSync(join(disk.path, "library.json"), "utf8"), /"first"/);
    free();
    await library.close();
    const again = await Library.open(disk.path);
    assert.deepEqual(again.report.damaged, []);
    assert.deepEqual(
      again
        .entries()
        .map((entry) => entry.title)
        .sort(),
      ["renamed", "second"],
    );
    await again.close();
  });

  it("an import says so and leaves no half hash tree", async () => {
    const path = await randomFile(join(tempDir("full"), "a.mp4"), 64 * MIB);
    fill(disk, 65_536); // its tree needs 132 KiB
    const treePath = join(disk.path, "hashes", "a.tree");
    await assert.rejects(hashFile({ path, pieceLength: MIB, treePath }), diskFull);
    assert.deepEqual(readdirSync(join(disk.path, "hashes")), []);
  });

  it("a download says so when neither its notes nor its hashes can be kept", () => {
    const target = { id: "ab".repeat(32), partPath: join(disk.path, "a.part"), size: 10 * MIB, pieceLength: MIB };
    const { resume } = ResumeData.open(join(disk.path, "a.resume"), target);
    fill(disk);
    resume.mark(3); // in place: needs no room
    resume.close();
    assert.throws(() => ResumeData.open(join(disk.path, "b.resume"), target), diskFull);
    const shape = { piecesRoot: Buffer.alloc(32), length: 10 * MIB, pieceLength: MIB };
    const tree = HashTree.open(join(disk.path, "b.tree"), shape);
    assert.throws(() => tree.setLeaves(3, Buffer.alloc(64 * 32, 1)), diskFull);
    tree.close();
    free();
    assert.equal(ResumeData.open(join(disk.path, "a.resume"), target).resume.count(), 0, "the empty part file lost it");
  });

  it("a copy is refused before it begins, or stopped when the room runs out meanwhile; nothing is left of it", async () => {
    const dir = tempDir("full");
    const large = await randomFile(join(dir, "large.mp4"), 9 * MIB);
    const small = await randomFile(join(dir, "small.mp4"), 6 * MIB);
    const target = join(disk.path, "copy.mp4");
    let began = false;
    await assert.rejects(copyFile(large, target, { onProgress: () => (began = true) }), diskFull);
    assert.equal(began, false);
    const onProgress = () => {
      if (!began) fill(disk);
      began = true;
    };
    await assert.rejects(copyFile(small, target, { onProgress }), diskFull);
    assert.deepEqual(readdirSync(disk.path), ["filler"]);
    free();
    await copyFile(small, target);
    assert.equal(statSync(target).size, 6 * MIB);
  });
});
