import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import {
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ResumeData, type ResumeTarget } from "../../src/peer/storage/resumeData";
import { Bitfield } from "../../src/wire/bitfield";
import { seededBytes } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";

const KIB = 1024;
const PIECE = 64 * KIB;
const PIECES = 203;
const SIZE = PIECES * PIECE - 5;

function target(dir: string, changes: Partial<ResumeTarget> = {}): ResumeTarget {
  return { id: "ab".repeat(32), partPath: join(dir, "video.mp4.part"), size: SIZE, pieceLength: PIECE, ...changes };
}

function pieceBytes(piece: number): Buffer {
  return seededBytes(Math.min(PIECE, SIZE - piece * PIECE), piece);
}

/** Downloads as the engine does: whole size first, then for each piece its data, then its mark; from the piece after the last marked one. */
function download(dir: string): void {
  const { resume } = ResumeData.open(join(dir, "a.resume"), target(dir));
  const fd = openSync(target(dir).partPath, "r+");
  ftruncateSync(fd, SIZE);
  process.send?.("started");
  for (let piece = resume.count(); piece < PIECES; piece++) {
    const data = pieceBytes(piece);
    writeSync(fd, data, 0, data.length, piece * PIECE);
    resume.mark(piece);
  }
}

if (process.env.STREAMLET_TEST_CHILD) download(process.env.STREAMLET_TEST_CHILD);
else suite();

function suite(): void {
  describe("ResumeData", () => {
    /** A download that stopped in the middle, in order. */
    function stopped(): { dir: string; path: string } {
      const dir = tempDir("resume");
      const path = join(dir, "a.resume");
      const opened = ResumeData.open(path, target(dir));
      assert.equal(opened.state, "fresh");
      truncateSync(target(dir).partPath, SIZE);
      for (const piece of [0, 7, 202]) opened.resume.mark(piece);
      opened.resume.mark(8);
      opened.resume.clear(8);
      opened.resume.close();
      return { dir, path };
    }

    it("a restart finds exactly the pieces that were marked", () => {
      const { dir, path } = stopped();
      const { resume, state } = ResumeData.open(path, target(dir));
      assert.equal(state, "trusted");
      assert.deepEqual([...Bitfield.fromBytes(resume.bits(), PIECES)], [0, 7, 202]);
      assert.equal(resume.count(), 3);
      assert.ok(resume.has(7) && !resume.has(8));
      resume.close();
    });

    it("the part file may be renamed or moved: it is the same file", () => {
      const { dir, path } = stopped();
      const moved = join(dir, "other.part");
      renameSync(target(dir).partPath, moved);
      const { resume, state } = ResumeData.open(path, target(dir, { partPath: moved }));
      assert.equal(state, "trusted");
      assert.equal(resume.count(), 3);
      resume.close();
    });

    it("knows its file again under the final name, and no other file", () => {
      const { dir, path } = stopped();
      const final = join(dir, "video.mp4");
      renameSync(target(dir).partPath, final);
      assert.ok(ResumeData.describes(path, final, target(dir)));
      renameSync(final, `${final}.old`);
      assert.ok(!ResumeData.describes(path, final, target(dir)));
      writeFileSync(final, seededBytes(SIZE));
      assert.ok(!ResumeData.describes(path, final, target(dir)));
    });

    it("without a part file it begins afresh", () => {
      const { dir, path } = stopped();
      rmSync(target(dir).partPath);
      const { resume, state } = ResumeData.open(path, target(dir));
      assert.equal(state, "fresh");
      assert.equal(resume.count(), 0);
      assert.equal(statSync(target(dir).partPath).size, 0);
      resume.close();
    });

    const doubts: Record<string, (dir: string, path: string) => Partial<ResumeTarget> | undefined> = {
      "the resume file is missing": (_dir, path) => void rmSync(path),
      "the resume file is cut in half": (_dir, path) => void truncateSync(path, Math.floor(statSync(path).size / 2)),
      "the resume file is empty": (_dir, path) => void writeFileSync(path, ""),
      "the resume file is foreign": (_dir, path) => void writeFileSync(path, seededBytes(100_000)),
      "the part file is shorter": (dir) => void truncateSync(target(dir).partPath, SIZE - PIECE),
      "the part file is longer": (dir) => void truncateSync(target(dir).partPath, SIZE + 1),
      "the part file is another one": (dir) => {
        const { partPath } = target(dir);
        writeFileSync(`${partPath}.new`, Buffer.alloc(SIZE));
        renameSync(`${partPath}.new`, partPath);
        return undefined;
      },
      "it is about another video": () => ({ id: "cd".repeat(32) }),
      "the piece length is another one": () => ({ pieceLength: 2 * PIECE }),
      "the machine has been restarted": (_dir, path) => {
        const text = readFileSync(path, "latin1");
        writeFileSync(path, text.replace(/"boot":"[^"]+"/, '"boot":"00000000-0000-0000-0000-000000000000"'), "latin1");
        return undefined;
      },
    };
    for (const [doubt, make] of Object.entries(doubts)) {
      it(`believes nothing, and says why, when ${doubt}; until a recheck is finished`, () => {
        const { dir, path } = stopped();
        const changed = target(dir, make(dir, path) ?? {});
        let opened = ResumeData.open(path, changed);
        assert.equal(opened.state, "recheck");
        assert.match(opened.reason ?? "", /^[A-Z].+\.$/);
        assert.equal(opened.resume.count(), 0);
        truncateSync(changed.partPath, SIZE);
        opened.resume.mark(7);
        opened.resume.close(); // killed in mid-check

        opened = ResumeData.open(path, changed);
        assert.equal(opened.state, "recheck");
        assert.equal(opened.resume.count(), 0);
        opened.resume.mark(7);
        opened.resume.finishRecheck();
        opened.resume.close();

        opened = ResumeData.open(path, changed);
        assert.equal(opened.state, "trusted");
        assert.ok(opened.resume.has(7));
        opened.resume.close();
      });
    }

    it("a restart of the machine before the first piece costs no recheck", () => {
      const dir = tempDir("resume");
      const path = join(dir, "a.resume");
      ResumeData.open(path, target(dir)).resume.close();
      truncateSync(target(dir).partPath, SIZE);
      writeFileSync(path, readFileSync(path, "latin1").replace(/"boot":"[^"]+"/, '"boot":"x"'), "latin1");
      let opened = ResumeData.open(path, target(dir));
      assert.equal(opened.state, "trusted");
      opened.resume.mark(3);
      opened.resume.close();
      opened = ResumeData.open(path, target(dir));
      assert.equal(opened.state, "trusted");
      assert.ok(opened.resume.has(3));
      opened.resume.close();
    });

    it("whenever the process is killed, all that is marked is in the part file", async function () {
      this.timeout(20_000);
      const dir = tempDir("resume");
      const path = join(dir, "a.resume");
      for (let kill = 0; kill < 8; kill++) {
        const child = fork(__filename, { env: { ...process.env, STREAMLET_TEST_CHILD: dir } });
        await new Promise((resolve) => child.once("message", resolve));
        await killWhen(child, () => countOf(path) > (kill + 1) * 15);
        const { resume, state } = ResumeData.open(path, target(dir));
        assert.equal(state, "trusted");
        const marked = [...Bitfield.fromBytes(resume.bits(), PIECES)];
        resume.close();
        assert.ok(marked.length > kill * 15);
        const part = readFileSync(target(dir).partPath);
        for (const piece of marked) {
          assert.ok(part.subarray(piece * PIECE, (piece + 1) * PIECE).equals(pieceBytes(piece)), `piece ${piece}`);
        }
        if (marked.length === PIECES) break;
      }
    });
  });

  /** Bits set in a resume file, read as any onlooker may. */
  function countOf(path: string): number {
    if (!existsSync(path)) return 0;
    const content = readFileSync(path);
    const bits = content.subarray(content.indexOf("\n") + 2);
    return bits.length === Math.ceil(PIECES / 8) ? Bitfield.fromBytes(bits, PIECES).count : 0;
  }

  async function killWhen(child: ChildProcess, due: () => boolean): Promise<void> {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    while (!due() && child.exitCode === null) await new Promise(setImmediate);
    child.kill("SIGKILL");
    await ended;
  }
}
