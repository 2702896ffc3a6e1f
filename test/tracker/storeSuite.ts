/** What every store must do. A new one passes this before it serves anybody. */
import assert from "node:assert/strict";
import { type RecordKey, recordKeyOf } from "../../src/wire/trackerMessages";
import type { Fingerprint } from "../../src/wire/types";
import type { TrackerClock } from "../../tracker/clock";
import type { TrackerLimits } from "../../tracker/limits";
import type { Announcement, SessionInfo, StoredRecord, TrackerStore } from "../../tracker/store";
import { HOUR_MS, v1Hash, videoId } from "./support";

export class ManualClock implements TrackerClock {
  time = 1_700_000_000_000;
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
}

export type MakeStore = (clock: TrackerClock, limits: Partial<TrackerLimits>) => Promise<TrackerStore>;

const DAY_MS = 24 * HOUR_MS;
const ALICE = "a".repeat(64) as Fingerprint;
const BOB = "b".repeat(64) as Fingerprint;
const CAROL = "c".repeat(64) as Fingerprint;

function session(name: string, fingerprint: Fingerprint, id = name): SessionInfo {
  return { session: id, fingerprint, peerId: name, host: "192.0.2.1", port: 5000, onlineSince: 0 };
}

function said(change: Partial<Announcement>): Announcement {
  return { have: [], want: [], gone: [], complete: false, ...change };
}

export function describeStore(name: string, make: MakeStore): void {
  describe(name, () => {
    let clock: ManualClock;
    let store: TrackerStore;

    const record = (owner: Fingerprint, seed: string | number, change: Partial<StoredRecord> = {}): StoredRecord => ({
      key: recordKeyOf(owner, videoId(seed)),
      owner,
      id: videoId(seed),
      v1: v1Hash(seed),
      audience: "everyone",
      sequence: 1,
      expires: clock.time + DAY_MS,
      withdrawn: false,
      title: `Video ${seed}`,
      description: "",
      ownerName: "Alice",
      size: 1000,
      duration: 0,
      height: 0,
      bytes: Buffer.from(`${owner} ${seed} ${change.sequence ?? 1} ${change.title ?? ""}`),
      ...change,
    });
    const listed = async (change: object = {}): Promise<string[]> => {
      const page = await store.query({ sort: "newest", limit: 1000, ...change });
      return page.rows.map(({ id }) => id);
    };
    const open = async (name: string, owner: Fingerprint, id = name) => {
      const info = session(name, owner, id);
      await store.openSession(info);
      return info;
    };

    beforeEach(async () => {
      clock = new ManualClock();
      store = await make(clock, {});
    });
    afterEach(() => store.close());

    describe("names", () => {
      it("belong to the first key, whatever their case", async () => {
        assert.equal(await store.claimName("Alice", ALICE), "granted");
        assert.equal(await store.claimName("aLICE", BOB), "taken");
        assert.equal(await store.claimName("alice", ALICE), "renewed");
        assert.equal((await store.nameHolder("ALICE"))?.owner, ALICE);
      });

      it("lapse 30 days after their key was seen last, and not before", async () => {
        await store.claimName("Alice", ALICE);
        clock.time += 30 * DAY_MS - 1;
        assert.equal(await store.claimName("Alice", BOB), "taken");
        clock.time += 1;
        assert.equal(await store.claimName("Alice", BOB), "granted");
      });

      it("do not lapse while their key is online, and count from when it went", async () => {
        await store.claimName("Alice", ALICE);
        await open("Alice", ALICE);
        clock.time += 40 * DAY_MS;
        assert.equal(await store.claimName("Alice", BOB), "taken");
        await store.closeSession("Alice");
        clock.time += 29 * DAY_MS;
        assert.equal(await store.claimName("Alice", BOB), "taken");
      });

      it("are one for each key: taking another frees the first", async () => {
        await store.claimName("Alice", ALICE);
        await store.claimName("Alicia", ALICE);
        assert.equal(await store.claimName("Alice", BOB), "granted");
        assert.equal(await store.claimName("Alicia", BOB), "taken");
      });

      it("are free at once after a release, and the holder's session is told to end", async () => {
        const ended: string[] = [];
        store.setListener({ onReplaced() {}, onCallback() {}, onReleased: (id) => ended.push(id) });
        await store.claimName("Alice", ALICE);
        await open("Alice", ALICE);
        assert.equal(await store.releaseName("alice"), true);
        assert.deepEqual(ended, ["Alice"]);
        assert.equal(await store.releaseName("alice"), false);
        assert.equal(await store.claimName("Alice", BOB), "granted");
      });

      it("are released by their own key only, when a key is named", async () => {
        await store.claimName("Alice", ALICE);
        assert.equal(await store.releaseName("Alice", BOB), false);
        assert.equal(await store.releaseName("Alice", ALICE), true);
      });

      it("are bounded in number; lapsed ones make room", async () => {
        store = await make(clock, { names: 2 });
        await store.claimName("a", ALICE);
        await store.claimName("b", BOB);
        assert.equal(await store.claimName("c", CAROL), "full");
        clock.time += 31 * DAY_MS;
        assert.equal(await store.claimName("c", CAROL), "granted");
      });
    });

    describe("records", () => {
      it("are listed while their owner's session lives", async () => {
        await open("Alice", ALICE);
        assert.deepEqual(await store.putRecord(record(ALICE, 1), "Alice"), { kind: "stored" });
        assert.deepEqual(await listed(), [videoId(1)]);
        await store.closeSession("Alice");
        assert.deepEqual(await listed(), []);
      });

      it("stay listed without their owner as long as somebody announces the video", async () => {
        await open("Alice", ALICE);
        await open("Bob", BOB);
        await store.putRecord(record(ALICE, 1), "Alice");
        await store.announce("Bob", said({ have: [videoId(1)] }));
        await store.closeSession("Alice");
        assert.deepEqual(await listed(), [videoId(1)]);
        await store.announce("Bob", said({ gone: [videoId(1)] }));
        assert.deepEqual(await listed(), []);
        await store.announce("Bob", said({ have: [videoId(1)] }));
        assert.deepEqual(await listed(), [videoId(1)], "a source that comes back brings it back");
      });

      it("of a downloader who holds nothing yet do not count as a source", async () => {
        await open("Alice", ALICE);
        await open("Bob", BOB);
        await store.putRecord(record(ALICE, 1), "Alice");
        await store.announce("Bob", said({ want: [videoId(1)] }));
        const before = await store.query({ sort: "newest", limit: 1 });
        assert.equal(before.rows[0]?.sources, 0);
        await store.announce("Bob", said({ have: [videoId(1)], want: [videoId(1)] }));
        const after = await store.query({ sort: "newest", limit: 1 });
        assert.equal(after.rows[0]?.sources, 1, "who holds a part does");
      });

      it("with a higher sequence replace, with a lower one or another of the same do not", async () => {
        await open("Alice", ALICE);
        await store.putRecord(record(ALICE, 1, { sequence: 5, title: "five" }), "Alice");
        assert.deepEqual(await store.putRecord(record(ALICE, 1, { sequence: 4 }), "Alice"), {
          kind: "older",
          newest: 5,
        });
        assert.deepEqual(await store.putRecord(record(ALICE, 1, { sequence: 5, title: "other" }), "Alice"), {
          kind: "older",
          newest: 5,
        });
        assert.deepEqual(await store.putRecord(record(ALICE, 1, { sequence: 5, title: "five" }), "Alice"), {
          kind: "same",
        });
        assert.deepEqual(await store.putRecord(record(ALICE, 1, { sequence: 6, title: "six" }), "Alice"), {
          kind: "stored",
        });
        const { records } = await store.records([recordKeyOf(ALICE, videoId(1))], 10_000);
        assert.match(String(records[0]), /six$/);
      });

      it("never replace across owners", async () => {
        await open("Alice", ALICE);
        await open("Bob", BOB);
        await store.putRecord(record(ALICE, 1, { sequence: 1 }), "Alice");
        await store.putRecord(record(BOB, 1, { sequence: 99 }), "Bob");
        const page = await store.query({ sort: "newest", limit: 10 });
        assert.deepEqual(page.rows.map(({ owner }) => owner).sort(), [ALICE, BOB]);
      });

      it("that were withdrawn are not listed and do not come back as older ones until all of them have expired", async () => {
        await open("Alice", ALICE);
        const expires = clock.time + DAY_MS;
        await store.putRecord(record(ALICE, 1, { sequence: 1, expires }), "Alice");
        const shorter = clock.time + HOUR_MS;
        await store.putRecord(record(ALICE, 1, { sequence: 2, withdrawn: true, expires: shorter }), "Alice");
        assert.deepEqual(await listed(), []);
        clock.time += 2 * HOUR_MS;
        await store.sweep();
        assert.deepEqual(await store.putRecord(record(ALICE, 1, { sequence: 1 }), "Alice"), {
          kind: "older",
          newest: 2,
        });
        await store.putRecord(record(ALICE, 1, { sequence: 3 }), "Alice");
        assert.deepEqual(await listed(), [videoId(1)], "sharing again is a newer record");
      });

      it("that have expired are dropped", async () => {
        await open("Alice", ALICE);
        await store.putRecord(record(ALICE, 1, { expires: clock.time + HOUR_MS }), "Alice");
        clock.time += HOUR_MS;
        const { records, answered } = await store.records([recordKeyOf(ALICE, videoId(1))], 10_000);
        assert.deepEqual([records.length, answered], [0, 1]);
        await store.sweep();
        assert.deepEqual(await listed(), []);
      });

      it("are answered up to a size, and how many keys were looked up", async () => {
        await open("Alice", ALICE);
        const keys: RecordKey[] = [];
        for (let i = 0; i < 5; i++) {
          const each = record(ALICE, i, { bytes: Buffer.alloc(300) });
          keys.push(each.key);
          await store.putRecord(each, "Alice");
        }
        const first = await store.records(keys, 900);
        assert.deepEqual([first.records.length, first.answered], [2, 2]);
        const tiny = await store.records(keys, 1);
        assert.deepEqual([tiny.records.length, tiny.answered], [1, 1], "one always fits, else nobody would get on");
      });

      it("are bounded for each owner and in all; unlisted ones make room", async () => {
        store = await make(clock, { recordsPerOwner: 2, recordBytes: 1000 });
        await open("Alice", ALICE);
        await open("Bob", BOB);
        const bytes = Buffer.alloc(300);
        await store.putRecord(record(ALICE, 1, { bytes }), "Alice");
        await store.putRecord(record(ALICE, 2, { bytes }), "Alice");
        assert.deepEqual(await store.putRecord(record(ALICE, 3, { bytes }), "Alice"), { kind: "owner-full" });
        await store.putRecord(record(BOB, 4, { bytes }), "Bob");
        assert.deepEqual(await store.putRecord(record(BOB, 5, { bytes }), "Bob"), { kind: "store-full" });
        await store.closeSession("Alice");
        assert.deepEqual(await store.putRecord(record(BOB, 5, { bytes }), "Bob"), { kind: "stored" });
        assert.deepEqual((await listed()).sort(), [videoId(4), videoId(5)].sort());
      });
    });

    describe("the catalogue", () => {
      beforeEach(async () => {
        await open("Alice", ALICE);
        await open("Bob", BOB);
        const videos: Partial<StoredRecord>[] = [
          { title: "Login crash", description: "the big one", size: 30, duration: 60, height: 720 },
          { title: "café demo", description: "", size: 10, duration: 600, height: 1080 },
          { title: "Walkthrough", description: "login and more", size: 20 },
        ];
        for (const [seed, change] of videos.entries()) {
          clock.time += 1000;
          await store.putRecord(record(ALICE, seed, change), "Alice");
        }
        clock.time += 1000;
        await store.putRecord(record(BOB, 3, { ownerName: "Bob", title: "アリスの動画", size: 40 }), "Bob");
      });

      it("finds every word anywhere in title, description or owner's name, without case and accents", async () => {
        assert.deepEqual((await listed({ text: "LOGIN" })).sort(), [videoId(0), videoId(2)].sort());
        assert.deepEqual(await listed({ text: "cafe" }), [videoId(1)]);
        assert.deepEqual(await listed({ text: "login walk" }), [videoId(2)]);
        assert.deepEqual(await listed({ text: "bob" }), [videoId(3)]);
        assert.deepEqual(await listed({ text: "動画" }), [videoId(3)]);
        assert.deepEqual(await listed({ text: "nothing" }), []);
      });

      it("sorts by newest, name, size and sources", async () => {
        await store.announce("Bob", said({ have: [videoId(1)] }));
        assert.deepEqual(await listed(), [3, 2, 1, 0].map(videoId));
        assert.deepEqual(await listed({ sort: "name" }), [1, 0, 2, 3].map(videoId));
        assert.deepEqual(await listed({ sort: "size" }), [3, 0, 2, 1].map(videoId));
        assert.equal((await listed({ sort: "sources" }))[0], videoId(1));
      });

      it("sorts by when a video was seen first, not by its renewals", async () => {
        clock.time += HOUR_MS;
        await store.putRecord(record(ALICE, 0, { sequence: 2 }), "Alice");
        assert.deepEqual(await listed(), [3, 2, 1, 0].map(videoId));
      });

      it("filters by owner, id, duration and height; what is unknown passes no bound", async () => {
        assert.deepEqual(await listed({ owners: [BOB] }), [videoId(3)]);
        assert.deepEqual(await listed({ ids: [videoId(2), videoId(9)] }), [videoId(2)]);
        assert.deepEqual(await listed({ minDuration: 100 }), [videoId(1)]);
        assert.deepEqual(await listed({ maxDuration: 100 }), [videoId(0)]);
        assert.deepEqual(await listed({ minHeight: 1080 }), [videoId(1)]);
      });

      it("pages without gap or repetition while videos come and go", async () => {
        for (let i = 10; i < 40; i++) {
          clock.time += 1;
          await store.putRecord(record(ALICE, i), "Alice");
        }
        const seen: string[] = [];
        let cursor: string | undefined;
        let rounds = 0;
        do {
          const page = await store.query({ sort: "newest", limit: 7, ...(cursor ? { cursor } : {}) });
          seen.push(...page.rows.map(({ id }) => id));
          cursor = page.cursor;
          // A newer one comes in front, and one that was on this page goes.
          clock.time += 1;
          await store.putRecord(record(BOB, 100 + rounds), "Bob");
          const gone = page.rows[0];
          if (gone) {
            const withdrawal = {
              owner: gone.owner,
              sequence: 2,
              withdrawn: true,
              key: recordKeyOf(gone.owner, gone.id),
            };
            await store.putRecord(record(gone.owner, 0, { ...withdrawal, id: gone.id }), "Alice");
          }
          rounds++;
        } while (cursor);
        assert.equal(new Set(seen).size, seen.length);
        assert.equal(seen.length, 34);
      });

      it("refuses a cursor that it did not make", async () => {
        await assert.rejects(store.query({ sort: "newest", limit: 1, cursor: "bm9uc2Vuc2U" }), { code: "bad-message" });
      });

      it("grows its revision with every change that lists show, and only then", async () => {
        const before = store.revisions();
        await listed({ text: "login" });
        await store.announce("Bob", said({ want: [videoId(1)] }));
        assert.deepEqual(store.revisions(), before);
        await store.announce("Bob", said({ have: [videoId(1)] }));
        const after = store.revisions();
        assert.ok(after.catalog > before.catalog);
        assert.equal(after.directory, before.directory);
        await open("Carol", CAROL);
        assert.ok(store.revisions().directory > after.directory);
      });
    });

    describe("swarms", () => {
      it("of a video are one, by v2 hash, truncated v2 hash and v1 hash", async () => {
        await open("Alice", ALICE);
        await open("Bob", BOB);
        await open("Carol", CAROL);
        await store.putRecord(record(ALICE, 1), "Alice");
        await store.announce("Alice", said({ have: [videoId(1)] }));
        await store.announce("Bob", said({ have: [v1Hash(1)] }));
        await store.announce("Carol", said({ want: [videoId(1).slice(0, 40)] }));
        for (const hash of [videoId(1), videoId(1).slice(0, 40), v1Hash(1)]) {
          const { members } = await store.swarm(hash, 10, "0".repeat(64) as Fingerprint);
          assert.deepEqual(members.map(({ info }) => info.peerId).sort(), ["Alice", "Bob", "Carol"], hash);
        }
        assert.equal((await store.query({ sort: "newest", limit: 1 })).rows[0]?.sources, 2);
      });

      it("leave the asker out and name holders first", async () => {
        await open("Alice", ALICE);
        await open("Bob", BOB);
        await open("Carol", CAROL);
        await store.announce("Alice", said({ want: [videoId(1)] }));
        await store.announce("Bob", said({ have: [videoId(1)] }));
        await store.announce("Carol", said({ want: [videoId(1)] }));
        const { members, total } = await store.swarm(videoId(1), 1, CAROL);
        assert.deepEqual(
          members.map(({ info, have, want }) => [info.peerId, have, want]),
          [["Bob", true, false]],
        );
        assert.equal(total, 3);
      });

      it("forget a session that ends", async () => {
        await open("Bob", BOB);
        await store.announce("Bob", said({ have: [videoId(1)], want: [videoId(2)] }));
        await store.closeSession("Bob");
        assert.equal((await store.swarm(videoId(1), 10, ALICE)).members.length, 0);
        assert.equal((await store.swarm(videoId(2), 10, ALICE)).members.length, 0);
      });

      it("are bounded for each session; a refused announcement changes nothing", async () => {
        store = await make(clock, { idsPerConnection: 2 });
        await open("Bob", BOB);
        assert.equal(await store.announce("Bob", said({ have: [videoId(1), videoId(2)] })), true);
        assert.equal(await store.announce("Bob", said({ have: [videoId(3)], gone: [videoId(1)] })), false);
        assert.equal((await store.swarm(videoId(1), 10, ALICE)).members.length, 1);
        assert.equal((await store.swarm(videoId(3), 10, ALICE)).members.length, 0);
      });
    });

    describe("a session of a key that is online already", () => {
      it("takes over what the first one said until it is complete, so that nothing flickers", async () => {
        const replaced: string[] = [];
        store.setListener({ onReleased() {}, onCallback() {}, onReplaced: (id) => replaced.push(id) });
        await open("Alice", ALICE, "first");
        await store.putRecord(record(ALICE, 1), "first");
        await store.putRecord(record(ALICE, 2), "first");
        await store.announce("first", said({ have: [videoId(1), videoId(2)], complete: true }));
        await open("Alice", ALICE, "second");
        assert.deepEqual(replaced, ["first"]);
        assert.equal((await listed()).length, 2);
        await store.closeSession("first");
        assert.equal((await listed()).length, 2, "the end of the first changes nothing any more");
        await store.putRecord(record(ALICE, 1), "second");
        await store.announce("second", said({ have: [videoId(1)], complete: true }));
        assert.deepEqual(await listed(), [videoId(1)]);
        assert.equal((await store.swarm(videoId(2), 10, BOB)).members.length, 0);
        assert.equal((await store.sessions({ limit: 10 })).total, 1);
      });
    });

    describe("the directory", () => {
      it("lists everybody by name, in pages, by part of a name and by key", async () => {
        await open("carol", CAROL);
        await open("Alice", ALICE);
        await open("Bob", BOB);
        const first = await store.sessions({ limit: 2 });
        assert.deepEqual(
          first.sessions.map(({ peerId }) => peerId),
          ["Alice", "Bob"],
        );
        assert.equal(first.total, 3);
        const second = await store.sessions({ limit: 2, cursor: first.cursor });
        assert.deepEqual(
          second.sessions.map(({ peerId }) => peerId),
          ["carol"],
        );
        assert.equal(second.cursor, undefined);
        assert.equal((await store.sessions({ limit: 5, text: "AR" })).sessions[0]?.peerId, "carol");
        assert.equal((await store.sessions({ limit: 5, fingerprints: [BOB] })).sessions[0]?.peerId, "Bob");
        const named = async (...names: string[]) =>
          (await store.sessions({ limit: 5, names })).sessions.map(({ peerId }) => peerId);
        assert.deepEqual([await named("bOB", "Nobody"), await named("Bo"), await named()], [["Bob"], [], []]);
        assert.deepEqual(store.counts().sessions, 3);
      });

      it("finds a session by its key, and reaches it with a callback", async () => {
        const calls: string[] = [];
        store.setListener({
          onReleased() {},
          onReplaced() {},
          onCallback: (to, { from }) => calls.push(`${from.peerId} to ${to}`),
        });
        const alice = await open("Alice", ALICE);
        await open("Bob", BOB);
        assert.equal((await store.findSession(BOB))?.peerId, "Bob");
        assert.equal(await store.sendCallback(BOB, { from: alice, id: videoId(1) }), true);
        assert.equal(await store.sendCallback(CAROL, { from: alice, id: videoId(1) }), false);
        assert.deepEqual(calls, ["Alice to Bob"]);
      });
    });

    it("names the video of a public record by either short hash, while it is valid", async () => {
      await store.openSession(session("Alice", ALICE));
      await store.putRecord(record(ALICE, 1, { audience: "public" }), "Alice");
      await store.putRecord(record(ALICE, 2), "Alice");
      assert.equal(await store.publicVideo(v1Hash(1)), videoId(1));
      assert.equal(await store.publicVideo(videoId(1).slice(0, 40)), videoId(1));
      assert.equal(await store.publicVideo(v1Hash(2)), undefined);
      assert.equal(await store.publicVideo(v1Hash(3)), undefined);
      clock.time += DAY_MS + 1;
      assert.equal(await store.publicVideo(v1Hash(1)), undefined);
    });

    it("forgets BitTorrent clients that fall silent or leave, and counts the others", async () => {
      const peer = (port: number, complete: boolean) => ({
        host: "192.0.2.9",
        port,
        peerId: new Uint8Array(20),
        complete,
      });
      const id = videoId(1);
      await store.announcePlain(id, peer(1, false), clock.time + 1_000, false);
      await store.announcePlain(id, peer(2, true), clock.time + 2_000, true);
      await store.announcePlain(id, peer(3, false), clock.time + 3_000, false);
      await store.announcePlain(id, peer(1, false), clock.time + 1_000, false);
      assert.deepEqual(await store.countPlain(id), { complete: 1, incomplete: 2, downloaded: 1 });
      await store.removePlain(id, peer(3, false));
      clock.time += 1_500;
      assert.deepEqual(
        (await store.plainSwarm(id, 10)).map(({ port }) => port),
        [2],
      );
      await store.sweep();
      assert.deepEqual(await store.countPlain(id), { complete: 1, incomplete: 0, downloaded: 1 });
      assert.deepEqual(await store.plainSwarm(videoId(2), 10), []);
    });
  });
}
