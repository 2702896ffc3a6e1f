import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ChatStore,
  MAX_ALL_BYTES,
  MAX_CHAT_BYTES,
  MAX_CHAT_MESSAGES,
  MAX_CHATS,
  MAX_STRANGER_CHATS,
  MAX_STRANGER_MESSAGES,
  MAX_WAITING_MESSAGES,
} from "../../src/peer/social/chatStore";
import { MAX_CHAT_CHARS } from "../../src/wire/control";
import type { Fingerprint } from "../../src/wire/types";
import { smallDisk } from "../helpers/diskFull";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";

const FRIEND = { now: 1_000, isFriend: () => true };
const STRANGER = { now: 1_000, isFriend: (who: string) => who === person(99) };
const ALL = { limit: 200 };

function person(n: number): Fingerprint {
  return n.toString(16).padStart(64, "0") as Fingerprint;
}
const BOB = person(0xb0b);

const openStore = (dir: string) => ChatStore.open(dir, () => undefined);
const texts = (store: ChatStore, who = BOB) => store.history(who, ALL).messages.map(({ text }) => text);
const fileOf = (dir: string, who = BOB) => join(dir, "chats", `${who}.jsonl`);
const aside = (dir: string) => readdirSync(join(dir, "chats")).filter((name) => name.includes(".damaged-"));

/** Writes for ever, and tells its parent of what has been promised. */
async function chatter(dir: string): Promise<void> {
  const store = await openStore(dir);
  for (let n = store.history(BOB, ALL).messages.length; ; n++) {
    // Some share a write, some do not.
    const said = store.addTheirs(BOB, { id: `their-${n}`, text: `theirs ${n}`, sentAt: n }, FRIEND);
    if (n % 3 !== 0) await said;
    void said.then(() => process.send?.(`theirs ${n}`));
  }
}

if (process.env.STREAMLET_TEST_CHILD) void chatter(process.env.STREAMLET_TEST_CHILD);
else suite();

function suite(): void {
  describe("conversations on disk", function () {
    this.timeout(30_000);

    it("are there after a restart: texts, order, who said it, unread, what waits, and the name", async () => {
      const dir = tempDir("chats");
      const store = await openStore(dir);
      const { id: first } = await store.addOwn(BOB, "hello\nBob", 10);
      await store.addOwn(BOB, "are you there?", 20);
      await store.addTheirs(BOB, { id: "x", text: "yes", sentAt: 25 }, { ...FRIEND, now: 30 });
      await store.markRead(BOB);
      await store.addTheirs(BOB, { id: "y", text: "🎬", sentAt: 999 }, { ...FRIEND, now: 40 });
      await store.setDelivered(BOB, first);
      await store.setName(BOB, "Bob");
      const before = { page: store.history(BOB, ALL), chats: store.summaries() };
      await store.close();

      const again = await openStore(dir);
      assert.deepEqual({ page: again.history(BOB, ALL), chats: again.summaries() }, before);
      assert.deepEqual(before.chats, [{ fingerprint: BOB, peerId: "Bob", unread: 1, lastAt: 40, waiting: 1 }]);
      assert.deepEqual(
        before.page.messages.map(({ id: _, ...rest }) => rest),
        [
          { from: "me", text: "hello\nBob", sentAt: 10, state: "delivered" },
          { from: "me", text: "are you there?", sentAt: 20, state: "waiting" },
          { from: "them", text: "yes", sentAt: 25, state: "delivered" },
          { from: "them", text: "🎬", sentAt: 40, state: "delivered" },
        ],
        "sentAt is never in the future",
      );
    });

    it("are read in pages from the end", async () => {
      const store = await openStore(tempDir("chats"));
      for (let n = 0; n < 25; n++) void store.addTheirs(BOB, { id: `${n}`, text: `${n}`, sentAt: n }, FRIEND);
      await store.close();
      const seen: string[] = [];
      for (let before: string | undefined, more = true; more; ) {
        const page = store.history(BOB, { limit: 10, ...(before === undefined ? {} : { before }) });
        seen.unshift(...page.messages.map(({ text }) => text));
        before = page.messages[0]!.id;
        more = page.more;
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 25 }, (_, n) => `${n}`),
      );
      assert.deepEqual(store.history(BOB, { before: "gone", limit: 10 }), { messages: [], more: false });
      assert.deepEqual(store.history(person(7), ALL), { messages: [], more: false });
    });

    it("hold a message once, however often it comes, and never take an id of theirs for one of ours", async () => {
      const dir = tempDir("chats");
      const store = await openStore(dir);
      const { id } = await store.addOwn(BOB, "mine", 1);
      const said = { id, text: "theirs, with the same id", sentAt: 1 };
      assert.deepEqual(await Promise.all([1, 2, 3].map(() => store.addTheirs(BOB, said, FRIEND))), [true, true, true]);
      assert.deepEqual(texts(store), ["mine", said.text]);
      const ids = store.history(BOB, ALL).messages.map((message) => message.id);
      assert.equal(new Set(ids).size, 2);
      await store.close();
      const again = await openStore(dir);
      await again.addTheirs(BOB, said, FRIEND);
      assert.deepEqual(texts(again), ["mine", said.text]);
      assert.equal(again.get(BOB)!.waiting, 1);
    });

    it("lose nothing that was promised when the process is killed, whenever that is", async function () {
      this.timeout(60_000);
      const dir = tempDir("chats");
      for (let round = 0; round < 6; round++) {
        const child: ChildProcess = fork(__filename, { env: { ...process.env, STREAMLET_TEST_CHILD: dir } });
        const promised: string[] = [];
        child.on("message", (text) => promised.push(String(text)));
        await once(child, "message");
        await new Promise((resolve) => setTimeout(resolve, 20 + round * 23));
        child.kill("SIGKILL");
        await once(child, "close");
        const store = await openStore(dir);
        const entries = texts(store);
        for (const text of promised) {
          const n = Number(text.split(" ")[1]);
          assert.ok(store.get(BOB)!.has({ id: `their-${n}`, from: "them" }), `${text} was promised`);
        }
        assert.equal(new Set(entries).size, entries.length, "each once");
        const numbers = entries.map((text) => Number(text.split(" ")[1]));
        assert.deepEqual(
          numbers,
          [...numbers].sort((a, b) => a - b),
          "in order",
        );
        assert.deepEqual(aside(dir), [], "a line that a kill has cut off is no damage");
        await store.delete(BOB);
      }
    });

    it("lose only the line that was being written when the file is cut anywhere", async () => {
      const dir = tempDir("chats");
      const store = await openStore(dir);
      for (let n = 0; n < 3; n++) await store.addTheirs(BOB, { id: `${n}`, text: `${n}`, sentAt: n }, FRIEND);
      await store.close();
      const whole = readFileSync(fileOf(dir));
      const ends = [...whole.entries()].flatMap(([index, byte]) => (byte === 10 ? [index + 1] : []));
      for (let cut = 0; cut <= whole.length; cut += 7) {
        writeFileSync(fileOf(dir), whole.subarray(0, cut));
        const again = await openStore(dir);
        const complete = ends.filter((end) => end <= cut).length;
        assert.equal(texts(again).length, complete, `cut at ${cut}`);
        await again.addTheirs(BOB, { id: "new", text: "new", sentAt: 1 }, FRIEND);
        await again.close();
        assert.deepEqual(texts(await openStore(dir)).at(-1), "new");
        assert.deepEqual(aside(dir), []);
      }
    });

    const damages: Record<string, (path: string) => void> = {
      "a line of nonsense": (path) => appendFileSync(path, "nonsense\n"),
      "bytes that are no UTF-8": (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.indexOf("second") + 2] = 0xff;
        writeFileSync(path, bytes);
      },
      "a line of NUL bytes in the middle": (path) => {
        const text = readFileSync(path, "utf8");
        const at = text.indexOf("\n") + 1;
        writeFileSync(path, `${text.slice(0, at)}${"\0".repeat(500)}\n${text.slice(at)}`);
      },
      "text that must not be shown": (path) => {
        appendFileSync(
          path,
          `${JSON.stringify({ type: "said", id: "z", from: "them", text: "a\u202eb", sentAt: 1, at: 1 })}\n`,
        );
      },
    };
    for (const [damage, make] of Object.entries(damages)) {
      it(`are read past ${damage}, and the damaged file is kept aside`, async () => {
        const dir = tempDir("chats");
        const store = await openStore(dir);
        await store.addTheirs(BOB, { id: "1", text: "first", sentAt: 1 }, FRIEND);
        await store.addTheirs(BOB, { id: "2", text: "second", sentAt: 2 }, FRIEND);
        await store.addTheirs(BOB, { id: "3", text: "third", sentAt: 3 }, FRIEND);
        await store.close();
        make(fileOf(dir));
        const damaged = readFileSync(fileOf(dir));
        const again = await openStore(dir);
        const found = texts(again);
        assert.deepEqual(
          found.filter((text) => text !== "second"),
          ["first", "third"],
        );
        assert.equal(aside(dir).length, 1);
        assert.deepEqual(readFileSync(join(dir, "chats", aside(dir)[0]!)), damaged);
        await again.addTheirs(BOB, { id: "4", text: "fourth", sentAt: 4 }, FRIEND);
        await again.close();
        assert.deepEqual(texts(await openStore(dir)), [...found, "fourth"]);
        assert.equal(aside(dir).length, 1);
      });
    }

    it("of an absurd size are kept aside unread; other files in the folder are left alone", async () => {
      const dir = tempDir("chats");
      const store = await openStore(dir);
      await store.addTheirs(BOB, { id: "1", text: "first", sentAt: 1 }, FRIEND);
      await store.close();
      truncateSync(fileOf(dir), 40 * 1024 * 1024);
      writeFileSync(join(dir, "chats", "notes.txt"), "mine");
      const again = await openStore(dir);
      assert.deepEqual(again.summaries(), []);
      assert.equal(aside(dir).length, 1);
      assert.equal(readFileSync(join(dir, "chats", "notes.txt"), "utf8"), "mine");
    });

    it("forget the oldest messages beyond their bounds, never what waits", async () => {
      const dir = tempDir("chats");
      const store = await openStore(dir);
      await store.addOwn(BOB, "waits", 1);
      const extra = 300;
      for (let n = 0; n < MAX_CHAT_MESSAGES + extra; n++) {
        void store.addTheirs(BOB, { id: `${n}`, text: `${n}`, sentAt: n }, FRIEND);
      }
      await store.close();
      assert.equal(store.get(BOB)!.size, MAX_CHAT_MESSAGES);
      assert.equal(store.get(BOB)!.unread, MAX_CHAT_MESSAGES - 1);
      assert.equal(store.get(BOB)!.firstWaiting!.text, "waits");
      assert.equal(texts(store).at(-1), `${MAX_CHAT_MESSAGES + extra - 1}`);
      const long = "🎬".repeat(MAX_CHAT_CHARS);
      for (let n = 0; n < 100; n++) void store.addTheirs(BOB, { id: `long${n}`, text: long, sentAt: n }, FRIEND);
      await store.close();
      assert.ok(store.get(BOB)!.bytes <= MAX_CHAT_BYTES);
      assert.equal(store.get(BOB)!.firstWaiting!.text, "waits");
      const again = await openStore(dir);
      assert.equal(again.get(BOB)!.size, store.get(BOB)!.size);
      assert.ok(statSync(fileOf(dir)).size < 3 * MAX_CHAT_BYTES);
    });

    it("together forget from the largest one", async () => {
      const store = await openStore(tempDir("chats"));
      await store.addTheirs(person(1), { id: "small", text: "small", sentAt: 1 }, FRIEND);
      const long = "🎬".repeat(MAX_CHAT_CHARS);
      const perChat = Math.floor(MAX_CHAT_BYTES / 33_000);
      for (let who = 2; who < 22; who++) {
        for (let n = 0; n < perChat; n++) {
          void store.addTheirs(person(who), { id: `${n}`, text: long, sentAt: n }, FRIEND);
        }
        await store.close();
      }
      const sizes = Array.from({ length: 21 }, (_, n) => store.get(person(n + 1))!.bytes);
      const all = sizes.reduce((a, b) => a + b);
      assert.ok(all <= MAX_ALL_BYTES && all > MAX_ALL_BYTES / 2, `${all}`);
      assert.deepEqual(texts(store, person(1)), ["small"]);
      assert.ok(sizes.every((size) => size > 0));
    });

    it("take no more than so much from strangers, who keep the rest, and as much as there is room for once they are answered", async () => {
      const store = await openStore(tempDir("chats"));
      for (let n = 0; n < MAX_STRANGER_MESSAGES; n++) {
        assert.ok(await store.addTheirs(BOB, { id: `${n}`, text: "x", sentAt: n }, STRANGER));
      }
      const more = { id: "more", text: "x", sentAt: 1 };
      assert.equal(await store.addTheirs(BOB, more, STRANGER), false);
      assert.equal(await store.addTheirs(BOB, { ...more, id: "1" }, STRANGER), true, "it is here already");
      await store.addOwn(BOB, "hello", 1);
      assert.equal(await store.addTheirs(BOB, more, STRANGER), true);
      const long = "🎬".repeat(MAX_CHAT_CHARS);
      let taken = 0;
      while (await store.addTheirs(person(1), { id: `${taken}`, text: long, sentAt: 1 }, STRANGER)) taken += 1;
      assert.ok(taken >= 5 && taken < 20, `${taken}`);
      for (let n = 2; n <= MAX_STRANGER_CHATS; n++) assert.ok(await store.addTheirs(person(n), more, STRANGER));
      assert.equal(await store.addTheirs(person(99), more, STRANGER), true, "a friend needs no such room");
      assert.equal(await store.addTheirs(person(98), more, STRANGER), false);
      await store.delete(person(2));
      assert.equal(await store.addTheirs(person(98), more, STRANGER), true, "a deleted one makes room");
    });

    it("take no more from strangers who all come at once", async () => {
      const store = await openStore(tempDir("chats"));
      const from = (who: Fingerprint, id: number) =>
        store.addTheirs(who, { id: `${id}`, text: "x", sentAt: 1 }, STRANGER);
      const count = (taken: boolean[]) => taken.filter((one) => one).length;
      const many = Array.from({ length: MAX_STRANGER_CHATS + 15 }, (_, n) => from(person(n + 1), 0));
      assert.equal(count(await Promise.all(many)), MAX_STRANGER_CHATS);
      const more = Array.from({ length: MAX_STRANGER_MESSAGES + 15 }, (_, n) => from(person(1), n + 1));
      assert.equal(count(await Promise.all(more)), MAX_STRANGER_MESSAGES - 1);
    });

    it("let only so much wait, and are only so many", async () => {
      const store = await openStore(tempDir("chats"));
      const results = await Promise.allSettled(
        Array.from({ length: MAX_WAITING_MESSAGES + 5 }, () => store.addOwn(BOB, "x", 1)),
      );
      const refused = results.filter((result) => result.status === "rejected");
      assert.deepEqual(
        refused.map(({ reason }) => reason.code),
        new Array(5).fill("too-many"),
      );
      await Promise.all(Array.from({ length: MAX_CHATS - 1 }, (_, n) => store.addOwn(person(n + 1), "x", 1)));
      await assert.rejects(store.addOwn(person(5_000), "x", 1), { code: "too-many" });
      assert.equal(await store.addTheirs(person(5_000), { id: "a", text: "x", sentAt: 1 }, FRIEND), false);
      assert.equal(store.summaries().length, MAX_CHATS);
    });

    it("are gone when they are deleted, with their files; what comes later begins anew", async () => {
      const dir = tempDir("chats");
      const store = await openStore(dir);
      await store.addOwn(BOB, "secret", 1);
      await store.delete(BOB);
      assert.deepEqual(store.summaries(), []);
      assert.deepEqual(readdirSync(join(dir, "chats")), []);
      await store.addTheirs(BOB, { id: "1", text: "hello again", sentAt: 1 }, FRIEND);
      assert.deepEqual(texts(await openStore(dir)), ["hello again"]);
    });

    it("keep what was promised when the disk is full, say so, and go on when there is room", async function () {
      const disk = smallDisk(1);
      if ("reason" in disk) return skip(this, disk.reason);
      try {
        const store = await openStore(disk.path);
        await store.addOwn(BOB, "before", 1);
        writeFileSync(join(disk.path, "filler"), Buffer.alloc(900 * 1024));
        const long = "x".repeat(MAX_CHAT_CHARS);
        const promised: string[] = [];
        const failure = await (async () => {
          for (let n = 0; n < 60; n++) promised.push((await store.addOwn(BOB, long, n)).id);
          return undefined;
        })().catch((error) => error as { code: string });
        assert.equal(failure?.code, "disk-full");
        writeFileSync(join(disk.path, "filler"), "");
        promised.push((await store.addOwn(BOB, "after", 3)).id);
        await store.close();
        const again = await openStore(disk.path);
        const ids = again.history(BOB, ALL).messages.map(({ id }) => id);
        assert.deepEqual(ids.slice(1), promised);
        assert.equal(texts(again)[0], "before");
        assert.deepEqual(aside(disk.path), []);
      } finally {
        disk.remove();
      }
    });
  });
}
