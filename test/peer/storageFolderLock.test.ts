import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Worker } from "node:worker_threads";
import { FolderLock } from "../../src/peer/storage/folderLock";
import { StreamletError } from "../../src/wire/errors";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

if (process.env.STREAMLET_TEST_CHILD) void hold(process.env.STREAMLET_TEST_CHILD);
else suite();

/** Takes the lock, says how that went, and keeps it until killed. */
async function hold(folder: string): Promise<void> {
  const result = await FolderLock.acquire(folder).then(
    () => "held",
    (error) => (error instanceof StreamletError ? error.code : "other"),
  );
  process.send?.(result);
  setInterval(() => undefined, 60_000);
}

function suite(): void {
  describe("FolderLock", () => {
    const children = new Set<ChildProcess>();
    afterEach(() => {
      for (const child of children) child.kill("SIGKILL");
      children.clear();
    });

    function holder(folder: string): { child: ChildProcess; result: Promise<string> } {
      const child = fork(__filename, { env: { ...process.env, STREAMLET_TEST_CHILD: folder } });
      children.add(child);
      return { child, result: new Promise((resolve) => child.once("message", (message) => resolve(String(message)))) };
    }

    const inUseBy = (pid: number) => (error: unknown) => {
      assert.ok(error instanceof StreamletError);
      assert.equal(error.code, "data-folder-in-use");
      assert.equal(error.data?.pid, pid);
      assert.match(error.message, new RegExp(`in use by process ${pid}\\. Stop`));
      return true;
    };

    it("makes the folder, and is free again after its release", async () => {
      const folder = join(tempDir("lock"), "new", "folder");
      const lock = await FolderLock.acquire(folder);
      await lock.release();
      await lock.release();
      assert.deepEqual(readdirSync(folder), []);
      await (await FolderLock.acquire(folder)).release();
    });

    it("refuses a second holder in the same process, under whatever name the folder goes", async () => {
      const folder = tempDir("lock");
      const lock = await FolderLock.acquire(folder);
      await assert.rejects(FolderLock.acquire(folder), inUseBy(process.pid));
      await assert.rejects(FolderLock.acquire(`${relative(process.cwd(), folder)}/.`), inUseBy(process.pid));
      await lock.release();
    });

    it("tells another process which one holds it, and is free the moment that one is killed", async function () {
      this.timeout(10_000);
      const folder = tempDir("lock");
      const { child, result } = holder(folder);
      assert.equal(await result, "held");
      await assert.rejects(FolderLock.acquire(folder), inUseBy(child.pid ?? 0));
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      await (await FolderLock.acquire(folder)).release();
    });

    it("is held by a process that is stopped: it may go on at any moment", async function () {
      if (process.platform === "win32") skip(this, "Windows has no SIGSTOP");
      this.timeout(10_000);
      const folder = tempDir("lock");
      const { child, result } = holder(folder);
      assert.equal(await result, "held");
      child.kill("SIGSTOP");
      await assert.rejects(FolderLock.acquire(folder), inUseBy(child.pid ?? 0));
    });

    it("of several processes that want it at once, one gets it", async function () {
      this.timeout(15_000);
      const folder = tempDir("lock");
      const results = await Promise.all(Array.from({ length: 4 }, () => holder(folder).result));
      assert.deepEqual(results.sort(), ["data-folder-in-use", "data-folder-in-use", "data-folder-in-use", "held"]);
    });

    it("is free when the worker thread that held it is gone", async () => {
      const folder = tempDir("lock");
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads");
         process.env.STREAMLET_TEST_CHILD = workerData.folder;
         process.send = (message) => parentPort.postMessage(message);
         require(workerData.file);`,
        { eval: true, workerData: { folder, file: __filename }, env: {} },
      );
      assert.equal(await new Promise((resolve) => worker.once("message", resolve)), "held");
      await assert.rejects(FolderLock.acquire(folder), inUseBy(process.pid));
      await worker.terminate();
      await (await FolderLock.acquire(folder)).release();
    });

    it("says write-failed where there can be no folder", async () => {
      const dir = tempDir("lock");
      writeFileSync(join(dir, "file"), "");
      await assert.rejects(FolderLock.acquire(join(dir, "file")), { code: "write-failed" });
      await assert.rejects(FolderLock.acquire(join(dir, "file", "sub")), { code: "write-failed" });
    });
  });
}
