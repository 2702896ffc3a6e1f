import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import * as z from "zod";
import { copyFile } from "../../src/peer/storage/copyFile";
import { fileError } from "../../src/peer/storage/fileErrors";
import { safeFileName, uniquePath } from "../../src/peer/storage/fileNames";
import { readJson, writeAtomic, writeJson } from "../../src/peer/storage/jsonFile";
import { checkVideoFile, containerOf } from "../../src/peer/storage/videoFile";
import { type ErrorCode, StreamletError } from "../../src/wire/errors";
import { CLIP_MP4, CLIP_WEBM } from "../helpers/makeClip";
import { randomFile, seededBytes, sha256OfFile } from "../helpers/randomFile";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;
const isCode = (code: ErrorCode) => (error: unknown) => error instanceof StreamletError && error.code === code;
/** Root may read and write everything: for the time of `run` it becomes "nobody". */
async function unprivileged(run: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return run();
  process.seteuid?.(65534);
  try {
    await run();
  } finally {
    process.seteuid?.(0);
  }
}

describe("safeFileName", () => {
  const cases: [string, string][] = [
    ["movie.mp4", "movie.mp4"],
    ["Ünïcode 影片 🎬.mkv", "Ünïcode 影片 🎬.mkv"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\boot.mp4", "boot.mp4"],
    ["/abs/olute.mp4", "olute.mp4"],
    ["C:\\Users\\x.mp4", "x.mp4"],
    ["a/..", "a"],
    ["..", "video"],
    ["", "video"],
    [".mp4", "video.mp4"],
    [".hidden.mp4", "hidden.mp4"],
    ["trailing.mp4...  ", "trailing.mp4"],
    ["new\nline\u0000\u001b[31m.mp4", "newline[31m.mp4"],
    ["moc\u202e4pm.exe.mp4", "moc4pm.exe.mp4"],
    ["a:b|c?.mp4", "a_b_c_.mp4"],
    ["con.mp4", "_con.mp4"],
    ["NUL", "_NUL"],
    ["LPT1.tar.mp4", "_LPT1.tar.mp4"],
    ["com¹.mp4", "_com¹.mp4"],
    ["console.mp4", "console.mp4"],
    ["e\u0301.mp4", "\u00e9.mp4"],
    ["  many   spaces .mp4", "many spaces.mp4"],
    ["\ud800.mp4", "video.mp4"],
  ];
  for (const [given, expected] of cases) {
    it(`makes ${JSON.stringify(expected)} of ${JSON.stringify(given)}`, () =>
      assert.equal(safeFileName(given), expected));
  }

  it("cuts a name of 300 characters between characters and keeps its extension", () => {
    assert.equal(safeFileName(`${"x".repeat(300)}.mp4`), `${"x".repeat(196)}.mp4`);
    assert.equal(safeFileName(`${"影".repeat(300)}.webm`), `${"影".repeat(65)}.webm`);
    assert.equal(safeFileName(`${"🎬".repeat(300)}`), "🎬".repeat(50));
  });

  it("whatever it is given is a name of one file, and safe already", () => {
    const tricky = [
      ...'/\\.. :*?"<>|\0\n~-_',
      ".mp4",
      "con",
      "nul.",
      "\u202e",
      "\u200d",
      "\ud800",
      "影",
      "🎬",
      "e\u0301",
    ];
    const anything = fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point));
    const character = fc.oneof(fc.constantFrom(...tricky), anything);
    fc.assert(
      fc.property(fc.array(character, { maxLength: 120 }), (characters) => {
        const name = characters.join("");
        const safe = safeFileName(name);
        assert.ok(safe.length > 0 && Buffer.byteLength(safe) <= 201);
        assert.equal(basename(safe), safe);
        assert.doesNotMatch(safe, /[/\\:*?"<>|\p{Cc}]|^\.|[. ]$/u);
        assert.equal(safeFileName(safe), safe);
      }),
      { numRuns: 1000 },
    );
  });

  it("uniquePath steps aside for whole files and for unfinished ones", () => {
    const dir = tempDir("names");
    assert.equal(uniquePath(dir, "a.mp4"), join(dir, "a.mp4"));
    writeFileSync(join(dir, "a.mp4"), "");
    writeFileSync(join(dir, "a (2).mp4.part"), "");
    assert.equal(uniquePath(dir, "a.mp4"), join(dir, "a (3).mp4"));
  });
});

describe("checkVideoFile", () => {
  const dir = tempDir("video");
  const write = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const avi = Buffer.concat([Buffer.from("RIFF\0\0\0\0AVI LIST"), Buffer.alloc(64)]);

  it("tells the container of real clips", async () => {
    assert.equal((await checkVideoFile(CLIP_MP4)).container, "mp4");
    const webm = await checkVideoFile(CLIP_WEBM);
    assert.equal(webm.container, "webm");
    assert.equal(webm.size, statSync(CLIP_WEBM).size);
    assert.equal(webm.mtimeMs, statSync(CLIP_WEBM).mtimeMs);
  });

  it("goes by the content, not by which of the known extensions it has", async () => {
    assert.equal((await checkVideoFile(write("x.mkv", avi))).container, "avi");
    assert.equal((await checkVideoFile(write("X.FLV", Buffer.from("FLV\x01\x05\0\0\0\x09\0\0\0\0")))).container, "flv");
    assert.equal(
      (await checkVideoFile(write("q.mov", Buffer.from("\0\0\0\x14ftypqt  \0\0\0\0qt  ", "latin1")))).container,
      "mov",
    );
    assert.equal(
      (await checkVideoFile(write("old.mov", Buffer.from("\0\0\0\x08wide\0\0\x10\0mdat", "latin1")))).container,
      "mov",
    );
    const mkv = Buffer.from("1a45dfa39b4286810142f7810142f2810442f381084282886d6174726f736b61", "hex");
    assert.equal((await checkVideoFile(write("m.webm", mkv))).container, "matroska");
  });

  it("refuses other content under a video's name, a text cut short included", async () => {
    for (const content of [
      "hello, I am a text",
      "x",
      "\x1a\x45\xdf\xa3",
      "RIFF\0\0\0\0WAVEfmt ",
      "<html>ftyp</html>",
    ]) {
      await assert.rejects(checkVideoFile(write("t.mp4", Buffer.from(content, "latin1"))), isCode("not-a-video"));
    }
  });

  it("refuses with its own code: missing, folder, extension, empty", async () => {
    mkdirSync(join(dir, "folder.mp4"));
    await assert.rejects(checkVideoFile(join(dir, "none.mp4")), isCode("file-missing"));
    await assert.rejects(checkVideoFile(join(dir, "folder.mp4")), isCode("file-unreadable"));
    await assert.rejects(checkVideoFile(write("a.txt", "x")), isCode("unsupported-format"));
    await assert.rejects(checkVideoFile(write("noext", "x")), isCode("unsupported-format"));
    await assert.rejects(checkVideoFile(write("empty.mp4", "")), isCode("empty-file"));
  });

  it("refuses a file that it may not read", async function () {
    if (process.platform === "win32") skip(this, "Windows has no such permissions");
    const path = write("secret.mp4", seededBytes(100));
    chmodSync(dir, 0o755);
    chmodSync(path, 0);
    await unprivileged(() => assert.rejects(checkVideoFile(path), isCode("file-unreadable")));
  });

  it("never fails on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void containerOf(bytes)),
      { numRuns: 2000 },
    );
    const ebml = fc.uint8Array({ maxLength: 64 }).map((b) => Buffer.concat([Buffer.from("1a45dfa3", "hex"), b]));
    fc.assert(
      fc.property(ebml, (bytes) => void containerOf(bytes)),
      { numRuns: 2000 },
    );
  });
});

describe("copyFile", () => {
  it("copies every byte, and tells how far it is", async () => {
    const dir = tempDir("copy");
    const source = await randomFile(join(dir, "a.mp4"), 5 * MIB + 17);
    const seen: number[] = [];
    await copyFile(source, join(dir, "b.mp4"), { onProgress: (done) => seen.push(done) });
    assert.equal(await sha256OfFile(join(dir, "b.mp4")), await sha256OfFile(source));
    assert.equal(seen.at(-1), 5 * MIB + 17);
    assert.deepEqual(readdirSync(dir).sort(), ["a.mp4", "b.mp4"]);
  });

  it("does not replace a file unless told so, and never itself", async () => {
    const dir = tempDir("copy");
    const source = await randomFile(join(dir, "a.mp4"), 1000);
    writeFileSync(join(dir, "b.mp4"), "mine");
    await assert.rejects(copyFile(source, join(dir, "b.mp4")), isCode("file-exists"));
    assert.equal(readFileSync(join(dir, "b.mp4"), "utf8"), "mine");
    await copyFile(source, join(dir, "b.mp4"), { force: true });
    assert.equal(statSync(join(dir, "b.mp4")).size, 1000);
    await assert.rejects(copyFile(source, source, { force: true }), isCode("file-exists"));
    mkdirSync(join(dir, "folder"));
    await assert.rejects(copyFile(source, join(dir, "folder"), { force: true }), isCode("write-failed"));
  });

  it("does not replace a file that appears meanwhile", async () => {
    const dir = tempDir("copy");
    const source = await randomFile(join(dir, "a.mp4"), 3 * MIB);
    const target = join(dir, "b.mp4");
    await assert.rejects(
      copyFile(source, target, { onProgress: () => writeFileSync(target, "mine") }),
      isCode("file-exists"),
    );
    assert.equal(readFileSync(target, "utf8"), "mine");
    assert.equal(readdirSync(dir).length, 2);
  });

  it("leaves nothing behind when cancelled", async () => {
    const dir = tempDir("copy");
    const source = await randomFile(join(dir, "a.mp4"), 8 * MIB);
    const abort = new AbortController();
    const copying = copyFile(source, join(dir, "b.mp4"), { signal: abort.signal, onProgress: () => abort.abort() });
    await assert.rejects(copying, isCode("cancelled"));
    assert.deepEqual(readdirSync(dir), ["a.mp4"]);
  });

  it("says what is wrong: source missing, source changing, folder missing", async () => {
    const dir = tempDir("copy");
    const source = await randomFile(join(dir, "a.mp4"), 3 * MIB);
    await assert.rejects(copyFile(join(dir, "none.mp4"), join(dir, "b.mp4")), isCode("file-missing"));
    await assert.rejects(copyFile(source, join(dir, "none", "b.mp4")), isCode("write-failed"));
    const changing = copyFile(source, join(dir, "b.mp4"), {
      onProgress: () => writeFileSync(source, seededBytes(3 * MIB, 2)),
    });
    await assert.rejects(changing, isCode("file-changed"));
    assert.deepEqual(readdirSync(dir), ["a.mp4"]);
  });
});

describe("JSON files", () => {
  const schema = z.object({ name: z.string() });

  it("come back as they were written, with the mode asked for", async () => {
    const path = join(tempDir("json"), "sub", "a.json");
    assert.deepEqual(await readJson(path, schema), { state: "missing" });
    await writeJson(path, { name: "x" }, { mode: 0o600 });
    assert.deepEqual(await readJson(path, schema), { state: "ok", value: { name: "x" } });
    if (process.platform !== "win32") assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(path, "..")), ["a.json"]);
  });

  for (const [what, text] of [
    ["cut in half", '{"name": "x'],
    ["foreign", '{"title": 3}'],
    ["empty", ""],
  ] as const) {
    it(`are kept aside when ${what}, and said to be damaged`, async () => {
      const dir = tempDir("json");
      const path = join(dir, "a.json");
      writeFileSync(path, text);
      const read = await readJson(path, schema);
      assert.ok(read.state === "damaged");
      assert.equal(read.text, text);
      assert.equal(readFileSync(read.keptAt, "utf8"), text);
      assert.ok(read.keptAt.startsWith(`${path}.damaged-`));
      assert.equal(existsSync(path), false);
    });
  }

  it("stay as they were when the new content cannot be written", async function () {
    if (process.platform === "win32") skip(this, "Windows has no such permissions");
    const dir = tempDir("json");
    const path = join(dir, "a.json");
    await writeAtomic(path, "old");
    chmodSync(dir, 0o555);
    await unprivileged(() => assert.rejects(writeAtomic(path, "new"), isCode("write-failed")));
    assert.equal(readFileSync(path, "utf8"), "old");
  });
});

describe("fileError", () => {
  const system = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });
  const cases: [string, "read" | "write", ErrorCode][] = [
    ["ENOSPC", "write", "disk-full"],
    ["EDQUOT", "write", "disk-full"],
    ["EFBIG", "write", "disk-full"],
    ["EROFS", "write", "write-failed"],
    ["EACCES", "write", "write-failed"],
    ["EPERM", "write", "write-failed"],
    ["EACCES", "read", "file-unreadable"],
    ["EPERM", "read", "file-unreadable"],
    ["EIO", "read", "file-unreadable"],
    ["ENOENT", "read", "file-missing"],
    ["ENOENT", "write", "write-failed"],
    ["EISDIR", "read", "file-unreadable"],
    ["EWHATEVER", "write", "write-failed"],
  ];
  for (const [code, action, expected] of cases) {
    it(`makes ${expected} of ${code} while one tries to ${action}`, () => {
      const cause = system(code);
      const error = fileError(cause, action, "/x/y.mp4");
      assert.equal(error.code, expected);
      assert.match(error.message, new RegExp(`^Cannot ${action} /x/y\\.mp4: .+[.?]$`));
      assert.equal(error.cause, cause);
      assert.deepEqual(error.data, { path: "/x/y.mp4" });
    });
  }

  it("leaves errors alone that say already what is wrong", () => {
    const error = new StreamletError("cancelled", "The copy was cancelled.");
    assert.equal(fileError(error, "write", "/x"), error);
  });
});
