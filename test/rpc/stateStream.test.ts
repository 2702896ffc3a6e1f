import assert from "node:assert/strict";
import fc from "fast-check";
import type { LibraryVideo, Snapshot } from "../../src/peer/status";
import { applyToHostState, applyToSnapshot } from "../../src/rpc/applyDelta";
import { deltaOfHostState, deltaOfSnapshot } from "../../src/rpc/makeDelta";
import { type HostStateMessage, StateReceiver, StateSender } from "../../src/rpc/stateStream";
import type { HostState } from "../../src/rpc/window";
import { stoppedSnapshot } from "../../src/ui/host/snapshots";

/** What a port or a socket makes of a value: a copy without what is undefined. */
function carried<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function video(key: string, changes: Partial<LibraryVideo> = {}): LibraryVideo {
  return {
    key,
    origin: "uploaded",
    title: key,
    description: "",
    fileName: `${key}.mp4`,
    path: `/${key}.mp4`,
    size: 100,
    hasThumbnail: false,
    audience: "everyone",
    shared: true,
    state: "ready",
    bytesDone: 0,
    downRate: 0,
    upRate: 0,
    peers: 0,
    addedAt: 0,
    owner: "",
    ownerFingerprint: "",
    publishedOn: 0,
    ...changes,
  };
}

/** Few keys and few values, so that rows come, go, change, change places and come back. */
const VIDEO = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e", "__proto__"),
  bytesDone: fc.nat(2),
  error: fc.option(fc.constant({ code: "disk-full" as const, message: "full" }), { nil: undefined }),
});
const VIDEOS = fc
  .uniqueArray(VIDEO, { selector: ({ key }) => key })
  .map((rows) => rows.map(({ key, error, ...changes }) => video(key, { ...changes, ...(error ? { error } : {}) })));
const STATE: fc.Arbitrary<HostState> = fc
  .record({
    videos: VIDEOS,
    unreachable: fc.boolean(),
    networkRevision: fc.nat(2),
    activeId: fc.option(fc.constantFrom("1", "2"), { nil: undefined }),
    failure: fc.option(fc.constant({ code: "port-in-use" as const, message: "used" }), { nil: undefined }),
    wanted: fc.boolean(),
  })
  .map(({ videos, unreachable, networkRevision, activeId, failure, wanted }) => ({
    profiles: [],
    profilesVersion: 0,
    damagedProfiles: 0,
    connections: [],
    wanted,
    failure,
    ...(activeId ? { activeId } : {}),
    snapshot: { ...stoppedSnapshot(), videos, unreachable, networkRevision },
  }));

describe("the stream of states", () => {
  it("gives every state that was sent, whatever it was before", () => {
    fc.assert(
      fc.property(fc.array(STATE, { minLength: 1 }), (states) => {
        const sender = new StateSender(deltaOfHostState);
        const receiver = new StateReceiver(applyToHostState, () => assert.fail("nothing was lost"));
        let shown: HostState | undefined;
        for (const state of states) {
          const message = sender.next(state);
          if (message) shown = receiver.take(carried(message));
          assert.deepEqual(carried(shown), carried(state));
        }
      }),
    );
  });

  it("leaves what has not changed the same object, row by row", () => {
    fc.assert(
      fc.property(STATE, STATE, (before, after) => {
        const delta = deltaOfHostState(before, after);
        const shown = delta ? applyToHostState(before, carried(delta)) : before;
        for (const row of shown.snapshot.videos) {
          const known = before.snapshot.videos.find(({ key }) => key === row.key);
          if (known && JSON.stringify(known) === JSON.stringify(row)) assert.equal(row, known);
        }
        if (JSON.stringify(before.snapshot.videos) === JSON.stringify(after.snapshot.videos)) {
          assert.equal(shown.snapshot.videos, before.snapshot.videos);
        }
        if (JSON.stringify(before.snapshot) === JSON.stringify(after.snapshot)) {
          assert.equal(shown.snapshot, before.snapshot);
        }
      }),
    );
  });

  it("does not change a state that was given away", () => {
    fc.assert(
      fc.property(STATE, STATE, (before, after) => {
        const was = carried(before);
        const delta = deltaOfHostState(before, after);
        if (delta) applyToHostState(before, delta);
        assert.deepEqual(carried(before), was);
      }),
    );
  });

  it("shows only states that there were, in their order, whatever is lost, doubled or late, and comes to the last one", () => {
    const fate = fc.constantFrom("arrives", "lost", "doubled", "late");
    fc.assert(
      fc.property(fc.array(fc.tuple(STATE, fate), { minLength: 1 }), STATE, (steps, last) => {
        const sender = new StateSender(deltaOfHostState);
        const sent = new Map<number, HostState>();
        let current = last;
        let asked = 0;
        const receiver = new StateReceiver(applyToHostState, () => {
          asked++;
        });
        let seen = 0;
        const deliver = (message: HostStateMessage) => {
          const shown = receiver.take(carried(message));
          if (!shown) return;
          assert.ok(message.seq > seen);
          seen = message.seq;
          assert.deepEqual(carried(shown), carried(sent.get(seen)));
        };
        const send = (state: HostState): HostStateMessage | undefined => {
          current = state;
          const message = sender.next(state);
          if (message) sent.set(message.seq, state);
          return message;
        };
        const late: HostStateMessage[] = [];
        for (const [state, what] of steps) {
          const message = send(state);
          if (!message || what === "lost") continue;
          if (what === "late") late.unshift(message);
          else deliver(message);
          if (what === "doubled") deliver(message);
        }
        for (const message of late) deliver(message);
        // From here on nothing is lost, and what the receiver asks for it gets.
        asked = 0;
        for (const state of [last, { ...last, wanted: !last.wanted }]) {
          const message = send(state);
          if (message) deliver(message);
          while (asked > 0) {
            asked = 0;
            sender.restart();
            deliver(send(current)!);
          }
        }
        assert.deepEqual(carried(sent.get(seen)), carried(current));
      }),
    );
  });

  it("asks for the whole after a gap, keeps what it has until then, and takes no delta before the first whole", () => {
    const states = [0, 1, 2].map(
      (bytesDone): Snapshot => ({ ...stoppedSnapshot(), videos: [video("a", { bytesDone })] }),
    );
    const sender = new StateSender(deltaOfSnapshot);
    const [whole, ...deltas] = states.map((state) => sender.next(state)!);
    let asked = 0;
    const receiver = new StateReceiver(applyToSnapshot, () => {
      asked++;
    });
    assert.equal(receiver.take(deltas[0]!), undefined);
    assert.deepEqual([asked, receiver.take(whole!)], [1, states[0]]);
    assert.equal(receiver.take(deltas[1]!), undefined);
    assert.equal(asked, 2);
    sender.restart();
    assert.deepEqual(receiver.take(sender.next(states[2]!)!), states[2]);
    assert.deepEqual([receiver.take(deltas[0]!), receiver.take(deltas[1]!), asked], [undefined, undefined, 2]);
  });

  it("says nothing while nothing changes, and of ten thousand videos only the one that does", () => {
    const videos = Array.from({ length: 10_000 }, (_, index) => video(String(index)));
    const before: Snapshot = { ...stoppedSnapshot(), videos };
    const sender = new StateSender(deltaOfSnapshot);
    sender.next(before);
    assert.equal(sender.next({ ...before, peer: { ...before.peer } }), undefined);
    const changed = videos.with(5_000, video("5000", { bytesDone: 1 }));
    const message = sender.next({ ...before, videos: changed });
    assert.ok(JSON.stringify(message).length < 1_000);
  });
});
