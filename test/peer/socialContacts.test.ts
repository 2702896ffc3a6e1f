import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Contacts, MAX_CONTACTS } from "../../src/peer/social/contacts";
import { StreamletError } from "../../src/wire/errors";
import type { Fingerprint } from "../../src/wire/types";
import { tempDir } from "../helpers/tempDir";

const key = (n: number) => createHash("sha256").update(`person ${n}`).digest("hex") as Fingerprint;
const SELF = key(0);

if (process.env.STREAMLET_TEST_CHILD) void work(process.env.STREAMLET_TEST_CHILD);
else suite();

/** Adds friends for ever, and reports each only when it is on disk. */
async function work(dir: string): Promise<void> {
  const contacts = await Contacts.open(dir, SELF);
  for (let n = 1; n <= MAX_CONTACTS; n++) {
    await contacts.addFriend({ fingerprint: key(n) }, `friend-${n}`);
    process.send?.(n);
  }
}

function suite(): void {
  const fileOf = (dir: string) => join(dir, "contacts.json");
  const opened: Contacts[] = [];
  const open = async (dir: string) => {
    const contacts = await Contacts.open(dir, SELF);
    opened.push(contacts);
    return contacts;
  };
  // What writes to the end would write into a folder that is being removed.
  afterEach(async () => {
    for (const contacts of opened.splice(0)) await contacts.close();
  });
  const keptAside = (dir: string) => readdirSync(dir).filter((name) => name.startsWith("contacts.json.damaged-"));

  async function made(count: number): Promise<string> {
    const dir = tempDir("contacts");
    const contacts = await open(dir);
    for (let n = 1; n <= count; n++) await contacts.addFriend({ fingerprint: key(n) }, `friend-${n}`);
    await contacts.close();
    return dir;
  }

  describe("Contacts", () => {
    it("are empty in a new folder, and write nothing unasked", async () => {
      const dir = tempDir("contacts");
      const contacts = await open(dir);
      assert.deepEqual(contacts.list(), []);
      await contacts.close();
      assert.deepEqual(readdirSync(dir), []);
    });

    it("bring everything back after a restart", async () => {
      const dir = tempDir("contacts");
      const contacts = await open(dir);
      await contacts.addFriend({ fingerprint: key(1), host: "192.0.2.1", port: 5001 }, "bob");
      contacts.noteSeen(key(1), { peerId: "Bob2", at: 1234 });
      await contacts.block(key(2), "mallory");
      await contacts.close();
      const again = await open(dir);
      assert.deepEqual(again.list(), contacts.list());
      const { addedAt: _, ...bob } = again.get(key(1))!;
      const expected = { fingerprint: key(1), kind: "friend", peerId: "Bob2", lastSeen: 1234 };
      assert.deepEqual(bob, { ...expected, host: "192.0.2.1", port: 5001 });
      assert.ok(again.isBlocked(key(2)) && !again.isFriend(key(2)));
    });

    it("are the same when a friend is added again: a name or address that is given replaces the old one", async () => {
      const contacts = await open(tempDir("contacts"));
      const first = await contacts.addFriend({ fingerprint: key(1), host: "192.0.2.1", port: 5001 }, "bob");
      const again = await contacts.addFriend({ fingerprint: key(1) });
      assert.deepEqual(again, first);
      const moved = await contacts.addFriend({ fingerprint: key(1), host: "::1", port: 5002 }, "Robert");
      assert.deepEqual(moved, { ...first, host: "::1", port: 5002, peerId: "Robert" });
      assert.equal(contacts.list().length, 1);
    });

    it("end a friendship by a block, and a block by a friendship", async () => {
      const contacts = await open(tempDir("contacts"));
      await contacts.addFriend({ fingerprint: key(1) }, "bob");
      await contacts.block(key(1));
      assert.ok(contacts.isBlocked(key(1)) && !contacts.isFriend(key(1)));
      assert.equal(contacts.get(key(1))!.peerId, "bob");
      await contacts.addFriend({ fingerprint: key(1) });
      assert.ok(!contacts.isBlocked(key(1)) && contacts.isFriend(key(1)));
      await contacts.remove(key(1), "blocked");
      assert.ok(contacts.isFriend(key(1)));
      await contacts.remove(key(1), "friend");
      assert.deepEqual(contacts.list(), []);
    });

    it("know an impostor by a friend's name, compared without case, under another key", async () => {
      const contacts = await open(tempDir("contacts"));
      await contacts.addFriend({ fingerprint: key(1) }, "Bob");
      await contacts.addFriend({ fingerprint: key(2) }, "bob");
      assert.equal(contacts.isImpostor(key(3), "BOB"), true);
      assert.equal(contacts.isImpostor(key(3), "Bobby"), false);
      assert.equal(contacts.isImpostor(key(1), "bob"), false);
      assert.equal(contacts.isImpostor(key(2), "Bob"), false);
      assert.equal(contacts.isImpostor(SELF, "bob"), false);
      contacts.noteSeen(key(1), { peerId: "Robert", at: 1 });
      contacts.noteSeen(key(2), { peerId: "Robin", at: 1 });
      assert.equal(contacts.isImpostor(key(3), "Bob"), false);
      assert.equal(contacts.isImpostor(key(3), "robert"), true);
    });

    it("are never oneself, and never more than are kept", async () => {
      const contacts = await open(await made(MAX_CONTACTS));
      const is = (code: string) => (error: unknown) => error instanceof StreamletError && error.code === code;
      await assert.rejects(contacts.addFriend({ fingerprint: SELF }), is("invalid-argument"));
      await assert.rejects(contacts.block(SELF), is("invalid-argument"));
      await assert.rejects(contacts.addFriend({ fingerprint: key(1) }, "no name"), is("invalid-argument"));
      await assert.rejects(contacts.addFriend({ fingerprint: key(MAX_CONTACTS + 1) }), is("too-many"));
      await contacts.block(key(1));
      await contacts.remove(key(2), "friend");
      await contacts.addFriend({ fingerprint: key(MAX_CONTACTS + 1) });
    });
  });

  describe("A damaged contacts.json", () => {
    it("that is cut anywhere is kept aside, and everybody whose line is whole is there", async () => {
      const whole = readFileSync(fileOf(await made(5)));
      for (let cut = 1; cut < whole.length - 2; cut += 37) {
        const dir = tempDir("contacts");
        writeFileSync(fileOf(dir), whole.subarray(0, cut));
        const contacts = await open(dir);
        const lines = whole.subarray(0, cut).toString().split("\n").length - 2;
        assert.ok(contacts.list().length >= lines && contacts.list().length <= 5, `cut at ${cut}`);
        assert.ok(contacts.damaged?.message.includes("contacts.json"));
        assert.deepEqual(readFileSync(join(dir, keptAside(dir)[0]!)), whole.subarray(0, cut));
        assert.deepEqual((await open(dir)).list(), contacts.list());
      }
    });

    it("of another kind is kept aside and said, never thrown away", async () => {
      for (const text of [
        "",
        "[]",
        "null",
        '{"version":1}',
        "\0\0\0",
        '{"version":1,"contacts":[{"kind":"friend"}]}',
      ]) {
        const dir = tempDir("contacts");
        writeFileSync(fileOf(dir), text);
        const contacts = await open(dir);
        assert.deepEqual(contacts.list(), []);
        assert.equal(contacts.damaged?.code, "library-damaged");
        assert.equal(readFileSync(join(dir, keptAside(dir)[0]!), "utf8"), text);
      }
    });

    it("of a later version is refused and not touched", async () => {
      for (const text of ['{"version":2,"contacts":[]}', '{"version":2,"people":{}}']) {
        const dir = tempDir("contacts");
        writeFileSync(fileOf(dir), text);
        await assert.rejects(open(dir), (e) => e instanceof StreamletError && e.code === "library-damaged");
        assert.equal(readFileSync(fileOf(dir), "utf8"), text);
      }
    });
  });

  describe("Contacts of a killed process", function () {
    this.timeout(30_000);

    it("lose nobody that was reported as added", async () => {
      for (let round = 0; round < 3; round++) {
        const dir = tempDir("contacts");
        const child = fork(__filename, [], { env: { ...process.env, STREAMLET_TEST_CHILD: dir } });
        const reported = await reportedBeforeKill(child, 5 + 11 * round);
        const contacts = await open(dir);
        for (let n = 1; n <= reported; n++) assert.ok(contacts.isFriend(key(n)), `friend ${n} of ${reported}`);
        assert.equal(contacts.damaged, undefined);
      }
    });
  });

  function reportedBeforeKill(child: ChildProcess, count: number): Promise<number> {
    return new Promise((resolve) => {
      let last = 0;
      child.on("message", (n) => {
        last = n as number;
        if (last === count) child.kill("SIGKILL");
      });
      child.once("exit", () => resolve(last));
    });
  }
}
