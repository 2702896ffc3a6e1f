import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Library } from "../../src/peer/storage/library";
import { StreamletError } from "../../src/wire/errors";
import type { VideoId } from "../../src/wire/types";
import { newEntry } from "../helpers/libraryEntry";
import { tempDir } from "../helpers/tempDir";

if (process.env.STREAMLET_TEST_CHILD) void work(process.env.STREAMLET_TEST_CHILD);
else suite();

/** Adds entries for ever, and reports each only when it is on disk. */
async function work(dir: string): Promise<void> {
  const library = await Library.open(dir, { writeDelayMs: 0 });
  for (;;) {
    const { key } = library.add(newEntry({ record: "cmVjb3Jk" }));
    await library.saveInfo(key, Buffer.from(key));
    await library.flush();
    process.send?.(key);
  }
}

function suite(): void {
  const id = (n: number) => createHash("sha256").update(String(n)).digest("hex") as VideoId;
  const titles = (library: Library) => library.entries().map((entry) => entry.title);
  const fileOf = (dir: string) => join(dir, "library.json");

  /** A library of `count` entries titled "0", "1" ... on disk; the folder and the keys. */
  async function made(count: number): Promise<{ dir: string; keys: string[] }> {
    const dir = tempDir("library");
    const library = await Library.open(dir);
    const keys = Array.from(
      { length: count },
      (_, i) => library.add(newEntry({ title: String(i), addedAt: 1000 + i })).key,
    );
    await library.close();
    return { dir, keys };
  }

  describe("Library", () => {
    it("is empty and undamaged in a new folder, and writes nothing unasked", async () => {
      const dir = join(tempDir("library"), "new");
      const library = await Library.open(dir);
      assert.deepEqual(library.entries(), []);
      assert.deepEqual(library.report.damaged, []);
      await library.close();
      assert.deepEqual(readdirSync(dir), []);
    });

    it("brings every field back after a restart", async () => {
      const dir = tempDir("library");
      let library = await Library.open(dir);
      const added = library.add({
        ...newEntry(),
        origin: "obtained",
        id: id(1),
        v1: "0".repeat(40),
        piecesRoot: id(2),
        pieceLength: 1 << 20,
        partPath: "/videos/a.mp4.part",
        mtimeMs: 1234.5678,
        duration: 4.02,
        container: "mp4",
        codecs: "avc1.42c01e,mp4a.40.2",
        width: 320,
        height: 180,
        state: "failed",
        error: { code: "disk-full", message: "full", data: { path: "/x", missing: 3, sure: true } },
        ownerFingerprint: id(3) as never,
        sequence: 7,
        record: "cmVjb3Jk",
        grant: "Z3JhbnQ=",
        thumbnail: "dGh1bWI=",
        trackers: ["localhost:6000"],
        peers: ["127.0.0.1:5000"],
      });
      await library.close();
      library = await Library.open(dir);
      assert.deepEqual(library.entries(), [added]);
      await library.close();
    });

    it("keeps large fields out of the file that every change rewrites", async () => {
      const dir = tempDir("library");
      const library = await Library.open(dir);
      library.add(newEntry({ thumbnail: "A".repeat(20_000) }));
      await library.close();
      assert.ok(statSync(fileOf(dir)).size < 1000);
    });

    it("add, update and remove count at once, and on disk after flush", async () => {
      const dir = tempDir("library");
      const library = await Library.open(dir);
      const { key } = library.add(newEntry({ title: "a", error: { code: "internal", message: "x" } }));
      const other = library.add(newEntry({ title: "b", id: id(1) }));
      assert.equal(library.findById(id(1)), other);
      const updated = library.update(key, { title: "c", error: undefined, id: id(2) });
      assert.ok(!("error" in updated));
      assert.equal(library.get(key), updated);
      assert.equal(library.findById(id(2)), updated);
      library.remove(other.key);
      assert.equal(library.findById(id(1)), undefined);
      assert.deepEqual(titles(library), ["c"]);
      await library.flush();
      const again = await Library.open(dir);
      assert.deepEqual(again.entries(), [updated]);
      await library.close();
    });

    it("finds the oldest of several entries with one id", async () => {
      const library = await Library.open(tempDir("library"));
      library.add(newEntry({ title: "young", id: id(1), addedAt: 2000 }));
      library.add(newEntry({ title: "old", id: id(1), addedAt: 1000 }));
      assert.equal(library.findById(id(1))?.title, "old");
      assert.deepEqual(titles(library), ["old", "young"]);
      await library.close();
    });

    it("refuses to update what is not there", async () => {
      const library = await Library.open(tempDir("library"));
      assert.throws(() => library.update("none", { title: "x" }), { code: "unknown-video" });
      library.remove("none");
      await library.close();
    });

    it("does not write what changes nothing, and writes many changes once", async () => {
      const dir = tempDir("library");
      const library = await Library.open(dir, { writeDelayMs: 20 });
      const { key } = library.add(newEntry({ trackers: ["a"] }));
      await library.flush();
      const before = statSync(fileOf(dir));
      assert.equal(library.update(key, { title: "A video", trackers: ["a"] }), library.get(key));
      await library.flush();
      assert.equal(statSync(fileOf(dir)).ino, before.ino, "each write makes a new file");
      for (let i = 0; i < 100; i++) library.update(key, { title: String(i) });
      assert.equal(statSync(fileOf(dir)).ino, before.ino);
      await library.close();
      assert.match(readFileSync(fileOf(dir), "utf8"), /"title":"99"/);
    });

    it("writes in the background soon after a change", async () => {
      const dir = tempDir("library");
      const library = await Library.open(dir, { writeDelayMs: 1 });
      library.add(newEntry());
      while (!existsSync(fileOf(dir))) await new Promise(setImmediate);
      await library.close();
    });

    it("keeps info dictionaries, and gives them out only if they are what the id says", async () => {
      const dir = tempDir("library");
      const library = await Library.open(dir);
      const info = Buffer.from("d4:name1:xe");
      const hash = (algorithm: string) => createHash(algorithm).update(info).digest("hex");
      const v2 = library.add(newEntry());
      assert.equal(await library.readInfo(v2.key), undefined);
      await library.saveInfo(v2.key, info);
      library.update(v2.key, { id: hash("sha256") as VideoId });
      assert.deepEqual(await library.readInfo(v2.key), info);
      library.update(v2.key, { id: id(9) });
      assert.equal(await library.readInfo(v2.key), undefined);
      const v1 = library.add(newEntry({ v1: hash("sha1") }));
      await library.saveInfo(v1.key, info);
      assert.deepEqual(await library.readInfo(v1.key), info);
      library.update(v1.key, { v1: "0".repeat(40) });
      assert.equal(await library.readInfo(v1.key), undefined);
      await library.close();
    });

    it("deletes the files of a removed entry, and sweeps at the next start what a kill has left", async () => {
      const { dir, keys } = await made(2);
      let library = await Library.open(dir);
      const [first = "", second = ""] = keys;
      for (const key of [first, second, "leftover"]) {
        await library.saveInfo(key, Buffer.from("x"));
        for (const path of [library.treePath(key), `${library.treePath(key)}.part`, library.resumePath(key)]) {
          mkdirSync(join(path, ".."), { recursive: true });
          writeFileSync(path, "x");
        }
      }
      library.remove(first);
      await library.close();
      assert.ok(!existsSync(library.treePath(first)) && !existsSync(library.resumePath(first)));
      library = await Library.open(dir);
      for (const kind of ["info", "hashes", "resume"]) {
        const names = readdirSync(join(dir, kind));
        assert.ok(names.length > 0 && names.every((name) => name.startsWith(second)), `${kind}: ${names}`);
      }
      await library.close();
    });

    it("loses nothing that was flushed when it is killed", async function () {
      this.timeout(20_000);
      const dir = tempDir("library");
      const flushed: string[] = [];
      for (let kill = 0; kill < 4; kill++) {
        const child: ChildProcess = fork(__filename, { env: { ...process.env, STREAMLET_TEST_CHILD: dir } });
        const goal = flushed.length + 5 + kill;
        await new Promise<void>((resolve) => {
          child.on("message", (key) => {
            flushed.push(String(key));
            if (flushed.length === goal) child.kill("SIGKILL");
          });
          child.once("exit", () => resolve());
        });
        const library = await Library.open(dir);
        assert.deepEqual(library.report.damaged, []);
        for (const key of flushed) {
          assert.equal(library.get(key)?.record, "cmVjb3Jk");
          assert.equal(String(await library.readInfo(key)), key);
        }
        await library.close();
      }
    });
  });

  describe("A damaged library", () => {
    /** Opens it, checks that it was reported and kept, and that the next start finds it whole. */
    async function recovered(dir: string, text: string): Promise<Library> {
      const library = await Library.open(dir);
      assert.equal(library.report.damaged.length, 1);
      const [error] = library.report.damaged;
      assert.equal(error?.code, "library-damaged");
      assert.match(error?.message ?? "", /is kept as .+\.damaged-/);
      assert.equal(readFileSync(String(error?.data?.keptAt), "utf8"), text);
      const again = await Library.open(dir);
      assert.deepEqual(again.report.damaged, []);
      assert.deepEqual(again.entries(), library.entries());
      return library;
    }

    it("cut at any byte keeps every entry before the cut, even without its last good copy", async () => {
      const { dir } = await made(3);
      const text = readFileSync(fileOf(dir), "utf8");
      const lines = text.split("\n");
      for (let cut = 0; cut < text.length - 1; cut += 37) {
        const damaged = tempDir("library");
        const half = text.slice(0, cut);
        writeFileSync(fileOf(damaged), half);
        const library = await recovered(damaged, half);
        const whole = lines.slice(1, 4).filter(
          (_, i) =>
            cut >=
            lines
              .slice(0, i + 2)
              .join("\n")
              .replace(/,$/, "").length,
        );
        assert.equal(library.entries().length, whole.length, `cut at ${cut}`);
      }
    });

    it("gets the entries after the cut from its last good copy", async () => {
      const { dir, keys } = await made(3);
      const library = await Library.open(dir);
      library.update(keys[0] ?? "", { title: "newer" });
      await library.close(); // the first write of a session makes the copy
      const text = readFileSync(fileOf(dir), "utf8");
      const half = text.slice(0, text.length / 2);
      writeFileSync(fileOf(dir), half);
      assert.deepEqual(titles(await recovered(dir, half)), ["newer", "1", "2"]);
    });

    it("loses one entry where one entry is foreign, and keeps details that are merely odd", async () => {
      const { dir } = await made(3);
      const good = JSON.parse(readFileSync(fileOf(dir), "utf8"));
      good.entries[1] = { key: "../../etc/passwd" };
      good.entries[2].duration = "long";
      good.entries[2].error = { code: "from-the-future" };
      const text = JSON.stringify(good);
      writeFileSync(fileOf(dir), text);
      const library = await recovered(dir, text);
      assert.deepEqual(titles(library), ["0", "2"]);
      assert.equal(library.entries()[1]?.duration, undefined);
    });

    for (const text of [
      "",
      "{}",
      "null",
      "[]",
      "\0\0\0\0",
      '{"version":"x","entries":[]}',
      '{"version":1,"entries":{}}',
    ]) {
      it(`that reads ${JSON.stringify(text)} is reported and kept, and the last good copy used`, async () => {
        const { dir } = await made(2);
        writeFileSync(`${fileOf(dir)}.bak`, readFileSync(fileOf(dir)));
        writeFileSync(fileOf(dir), text);
        const library = await recovered(dir, text);
        assert.deepEqual(titles(library), ["0", "1"]);
      });
    }

    it("that is gone is had from its last good copy, and that is said", async () => {
      const { dir } = await made(2);
      writeFileSync(`${fileOf(dir)}.bak`, readFileSync(fileOf(dir)));
      rmSync(fileOf(dir));
      const library = await Library.open(dir);
      assert.deepEqual(titles(library), ["0", "1"]);
      assert.match(library.report.damaged[0]?.message ?? "", /was missing: .* 2 from its last good copy/);
    });

    it("never becomes the last good copy", async () => {
      const { dir, keys } = await made(2);
      const good = readFileSync(fileOf(dir), "utf8");
      writeFileSync(`${fileOf(dir)}.bak`, good);
      writeFileSync(fileOf(dir), "half");
      const library = await Library.open(dir);
      library.update(keys[0] ?? "", { title: "x" });
      await library.close();
      assert.equal(readFileSync(`${fileOf(dir)}.bak`, "utf8"), good);
    });

    it("sweeps no files of entries that it may have lost", async () => {
      const { dir } = await made(1);
      mkdirSync(join(dir, "hashes"));
      writeFileSync(join(dir, "hashes", "lost.hashes"), "x");
      writeFileSync(fileOf(dir), "half");
      await (await Library.open(dir)).close();
      await (await Library.open(dir)).close();
      assert.deepEqual(readdirSync(join(dir, "hashes")), ["lost.hashes"]);
    });

    it("of a newer version is refused and not touched", async () => {
      const dir = tempDir("library");
      const text = '{"version":99,"entries":[],"more":1}';
      writeFileSync(fileOf(dir), text);
      await assert.rejects(Library.open(dir), (error: unknown) => {
        assert.ok(error instanceof StreamletError);
        assert.equal(error.code, "library-damaged");
        assert.match(error.message, /newer version of Streamlet\. Update/);
        return true;
      });
      assert.deepEqual(readdirSync(dir), ["library.json"]);
      assert.equal(readFileSync(fileOf(dir), "utf8"), text);
    });

    it("costs no entry where only the notes beside it are damaged", async () => {
      const dir = tempDir("library");
      const library = await Library.open(dir);
      const { key } = library.add(newEntry({ title: "a", record: "cmVjb3Jk" }));
      await library.close();
      writeFileSync(join(dir, "extras", `${key}.extras`), '{"record":');
      const again = await Library.open(dir);
      assert.equal(again.get(key)?.title, "a");
      assert.equal(again.get(key)?.record, undefined);
      assert.match(again.report.damaged[0]?.message ?? "", /Notes on the video "a" were damaged/);
      await again.close();
    });
  });
}
