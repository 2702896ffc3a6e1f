import assert from "node:assert/strict";
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fingerprint } from "../../src/wire/types";
import { NameBook } from "../../tracker/nameBook";
import { decodeNames, encodeNames, NamesFile } from "../../tracker/namesFile";
import type { NameEntry } from "../../tracker/store";
import { smallDisk } from "../helpers/diskFull";
import { skip } from "../helpers/skip";
import { removeTempDir, tempDir } from "../helpers/tempDir";

const key = (seed: number): Fingerprint => seed.toString(16).padStart(64, "0") as Fingerprint;
const entry = (seed: number): NameEntry => ({
  name: `peer-${seed}`,
  owner: key(seed),
  firstSeen: seed,
  lastSeen: seed,
});
const nobodyOnline = () => false;

describe("The file of names", () => {
  let folder: string;
  let warnings: string[];
  const open = () => NameBook.open(new NamesFile(folder, (message) => warnings.push(message)), 1000);
  const file = () => join(folder, "names.json");
  const copy = () => join(folder, "names.copy.json");

  beforeEach(() => {
    folder = tempDir("names");
    warnings = [];
  });
  afterEach(() => removeTempDir(folder));

  it("keeps names over a restart, readable by its owner only", async () => {
    const book = await open();
    await book.claim("Alice", key(1), 5, nobodyOnline);
    const again = await open();
    assert.deepEqual(again.get("alice"), { name: "Alice", owner: key(1), firstSeen: 5, lastSeen: 5 });
    if (process.platform !== "win32") assert.equal(statSync(file()).mode & 0o777, 0o600);
    assert.deepEqual(warnings, []);
  });

  it("has a name on disk before the claim is answered", async () => {
    const book = await open();
    await Promise.all([1, 2, 3].map((seed) => book.claim(`peer-${seed}`, key(seed), 1, nobodyOnline)));
    assert.equal(decodeNames(readFileSync(file(), "utf8")).entries.length, 3);
  });

  it("loses nothing when it is cut in half, says so, and keeps the damaged one aside", async () => {
    const book = await open();
    for (let seed = 1; seed <= 20; seed++) await book.claim(`peer-${seed}`, key(seed), seed, nobodyOnline);
    const text = readFileSync(file(), "utf8");
    writeFileSync(file(), text.slice(0, text.length / 2));
    const again = await open();
    assert.equal(again.size, 20);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /damaged/);
    const aside = readdirSync(folder).find((name) => name.includes(".damaged-"));
    assert.equal(readFileSync(join(folder, aside ?? ""), "utf8"), text.slice(0, text.length / 2));
  });

  it("keeps every name that was written before the disk was full", async function () {
    const disk = smallDisk(1);
    if ("reason" in disk) skip(this, disk.reason);
    try {
      const names = () => NameBook.open(new NamesFile(disk.path, (message) => warnings.push(message)), 1000);
      const book = await names();
      for (let seed = 1; seed <= 20; seed++) await book.claim(`peer-${seed}`, key(seed), seed, nobodyOnline);
      for (let bytes = 1 << 19; bytes >= 1; bytes >>= 1) {
        try {
          appendFileSync(join(disk.path, "ballast"), Buffer.alloc(bytes));
        } catch {
          // No room for so much: half of it is tried next.
        }
      }
      await book.claim("late", key(99), 99, nobodyOnline);
      assert.match(warnings.join(), /could not be written/);
      const again = await names();
      assert.equal(again.size, 20);
    } finally {
      disk.remove();
    }
  });

  it("still tells the names before the cut when its copy is gone too", () => {
    const entries = Array.from({ length: 20 }, (_, seed) => entry(seed));
    const text = encodeNames(entries);
    for (let length = 0; length < text.length; length++) {
      const { whole, entries: read } = decodeNames(text.slice(0, length));
      const lines = text.slice(0, length).split("\n").length - 2;
      assert.ok(read.length >= Math.max(0, Math.min(20, lines)), `cut at ${length}`);
      assert.deepEqual(read, entries.slice(0, read.length));
      assert.equal(whole, length >= text.length - 1);
    }
  });

  it("is made anew from its copy when it is missing, empty or foreign", async () => {
    const book = await open();
    await book.claim("Alice", key(1), 1, nobodyOnline);
    for (const spoil of [
      () => rmSync(file()),
      () => writeFileSync(file(), ""),
      () => writeFileSync(file(), "[1,2,{}]"),
    ]) {
      spoil();
      const again = await open();
      assert.equal(again.get("alice")?.owner, key(1));
      await again.claim("Bob", key(2), 1, nobodyOnline);
      assert.ok(existsSync(copy()));
    }
  });

  it("gives a name that stands twice to whoever had it first", async () => {
    const later = { ...entry(2), name: "PEER-1" };
    writeFileSync(file(), encodeNames([later, entry(1)]));
    assert.equal((await open()).get("peer-1")?.owner, key(1));
  });

  it("serves on when it cannot be written, and says why", async () => {
    const book = await open();
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "a file where the folder was");
    assert.equal(await book.claim("Alice", key(1), 1, nobodyOnline), "granted");
    assert.match(warnings[0] ?? "", /could not be written/);
  });
});
