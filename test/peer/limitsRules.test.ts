import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  checkQuota,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_UPLOAD_SLOTS,
  maxConnections,
  obtainedBytes,
  rateLimit,
  uploadSlots,
} from "../../src/peer/limits";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { type ChokeCandidate, chooseUnchoked, OPTIMISTIC_TURN_MS, TURN_MS } from "../../src/peer/swarm/choker";
import { FakeClock } from "../helpers/fakeClock";

const turn = () => new Promise((done) => setImmediate(done));

describe("limits that make no sense", () => {
  it("become the default or the nearest one that can be kept", () => {
    for (const odd of [undefined, 0, -3, Number.NaN]) {
      assert.equal(maxConnections(odd), DEFAULT_MAX_CONNECTIONS);
      assert.equal(uploadSlots(odd), DEFAULT_UPLOAD_SLOTS);
      assert.equal(rateLimit(odd), 0);
    }
    assert.equal(maxConnections(1e300), 500);
    assert.equal(maxConnections(0.2), 1);
    assert.equal(uploadSlots(1e300), 200);
    assert.equal(rateLimit(Number.POSITIVE_INFINITY), 0);
  });

  it("have the defaults and bounds that the settings show", () => {
    const { contributes } = JSON.parse(readFileSync(resolve("package.json"), "utf8"));
    const of = (name: string) => contributes.configuration.properties[`streamlet.limits.${name}`];
    assert.equal(of("connections").default, DEFAULT_MAX_CONNECTIONS);
    assert.equal(of("connections").maximum, maxConnections(1e9));
    assert.equal(of("uploadSlots").default, DEFAULT_UPLOAD_SLOTS);
    assert.equal(of("uploadSlots").maximum, uploadSlots(1e9));
  });
});

describe("upload slots", () => {
  const candidate = (peer: string, video: string, more: Partial<ChokeCandidate<string>> = {}) => ({
    peer,
    video,
    interested: true,
    turn: undefined,
    waitingSince: 0,
    isNew: false,
    gives: undefined,
    ...more,
  });
  const turn = (since: number, isOptimistic = false) => ({ turn: { since, isOptimistic } });
  const chosen = (all: ChokeCandidate<string>[], slots: number, now: number, random = () => 0) => [
    ...chooseUnchoked(all, slots, now, random).keys(),
  ];

  it("go to the video that has fewest, then to who has waited longest", () => {
    const all = [
      candidate("a1", "a", { waitingSince: 1 }),
      candidate("a2", "a", { waitingSince: 2 }),
      candidate("a3", "a", { waitingSince: 3 }),
      candidate("b1", "b", { waitingSince: 4 }),
    ];
    assert.deepEqual(chosen(all, 2, 10), ["a1", "b1"]);
    assert.deepEqual(chosen(all, 3, 10), ["a1", "b1", "a2"]);
  });

  it("are kept for a turn, and given up by who has held one longest", () => {
    const all = [
      candidate("old", "a", turn(0)),
      candidate("new", "a", turn(500)),
      candidate("next", "a", { waitingSince: 600 }),
    ];
    assert.deepEqual(chosen(all, 2, TURN_MS - 1).sort(), ["new", "old"]);
    assert.deepEqual(chosen(all, 2, TURN_MS).sort(), ["new", "next"]);
  });

  it("are no more than there are", () => {
    const all = [candidate("a", "a", turn(0)), candidate("b", "a", turn(1))];
    assert.deepEqual(chosen(all, 0, 10), []);
    assert.deepEqual(chosen(all, 1, 10), ["b"]);
  });

  it("go to those who give most while we fetch, but for one in five", () => {
    const all = Array.from({ length: 30 }, (_, i) => candidate(`p${i}`, "a", { gives: i < 20 ? 0 : i }));
    const turns = chooseUnchoked(all, 10, 10, () => 0);
    const optimistic = [...turns].filter(([, { isOptimistic }]) => isOptimistic).map(([peer]) => peer);
    const earned = [...turns.keys()].filter((peer) => !optimistic.includes(peer));
    assert.deepEqual(earned.sort(), ["p22", "p23", "p24", "p25", "p26", "p27", "p28", "p29"]);
    assert.equal(optimistic.length, 2);
  });

  it("are not lost by who gives most, turn after turn, and are by who gives less than one who waits", () => {
    const all = [
      candidate("most", "a", { gives: 30, ...turn(0) }),
      candidate("least", "a", { gives: 10, ...turn(0) }),
      candidate("tried", "a", { gives: 0, ...turn(0, true) }),
      candidate("more", "a", { gives: 20 }),
    ];
    assert.deepEqual(chosen(all, 3, TURN_MS - 1).sort(), ["least", "most", "tried"]);
    assert.deepEqual(chosen(all, 3, TURN_MS).sort(), ["more", "most", "tried"]);
  });

  it("are tried with somebody else every thirty seconds, or ten where a newcomer waits, who is three times as likely", () => {
    const known = [candidate("tried", "a", { gives: 0, ...turn(0, true) }), candidate("known", "a", { gives: 0 })];
    assert.deepEqual(chosen(known, 1, OPTIMISTIC_TURN_MS - 1), ["tried"]);
    assert.deepEqual(chosen(known, 1, OPTIMISTIC_TURN_MS), ["known"]);
    const all = [...known, candidate("new", "a", { gives: 0, isNew: true })];
    assert.deepEqual(chosen(all, 1, TURN_MS - 1), ["tried"]);
    assert.deepEqual(
      [0, 0.24, 0.26, 0.99].map((x) => chosen(all, 1, TURN_MS, () => x)[0]),
      ["known", "known", "new", "new"],
    );
  });
});

describe("disk quota", () => {
  it("counts whole videos and running downloads at full size, stopped ones as far as they are there", () => {
    const video = { origin: "obtained", state: "ready", size: 100, stored: 0 } as const;
    assert.equal(obtainedBytes([video]), 100);
    assert.equal(obtainedBytes([{ ...video, state: "downloading", partPath: "x", stored: 5 }]), 100);
    assert.equal(obtainedBytes([{ ...video, state: "paused", partPath: "x", stored: 5 }]), 5);
    assert.equal(obtainedBytes([{ ...video, state: "fileMissing" }]), 0);
    assert.equal(obtainedBytes([{ ...video, origin: "uploaded" }]), 0);
  });

  it("has room up to the last byte, and without end where there is none", () => {
    checkQuota(0, 1e15, 1e15);
    checkQuota(100, 60, 40);
    assert.throws(() => checkQuota(100, 61, 40), {
      code: "quota-exceeded",
      data: { quota: 100, needed: 61, used: 40 },
    });
  });
});

describe("a rate limiter with several flows", () => {
  it("gives each the same, whatever they take at a time and however many wait", async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    const flows = [
      { flow: {}, amount: 100, takers: 1, got: 0 },
      { flow: {}, amount: 10, takers: 3, got: 0 },
    ];
    let running = true;
    for (const entry of flows) {
      for (let i = 0; i < entry.takers; i++) {
        void (async () => {
          while (running) {
            await limiter.take(entry.amount, undefined, entry.flow);
            entry.got += entry.amount;
          }
        })();
      }
    }
    for (let i = 0; i < 1000; i++) {
      clock.advance(10);
      await turn();
    }
    running = false;
    const [large, small] = flows.map(({ got }) => got) as [number, number];
    assert.ok(Math.abs(large - small) < 300, `${large} and ${small}`);
    assert.ok(large + small > 9500 && large + small < 10_500, `${large + small}`);
  });

  it("lets nobody pay later for what nobody else wanted", async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    const [early, late] = [{}, {}];
    for (let i = 0; i < 100; i++) {
      clock.advance(100);
      assert.equal(limiter.take(100, undefined, early), true);
    }
    limiter.take(250, undefined, early);
    const order: string[] = [];
    for (const [name, flow] of Object.entries({ early, late })) {
      for (let i = 0; i < 2; i++) void Promise.resolve(limiter.take(100, undefined, flow)).then(() => order.push(name));
    }
    for (let i = 0; i < 10; i++) {
      clock.advance(100);
      await turn();
    }
    assert.equal(order.slice(0, 3).filter((name) => name === "early").length, 1, order.join());
  });

  it("counts what is still under way when it is lowered, for eight seconds at most", () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(0, { clock });
    limiter.setRate(1000, 3000);
    clock.advance(3000);
    assert.equal(limiter.tryTake(1), false);
    clock.advance(10);
    assert.equal(limiter.tryTake(10), true);
    limiter.setRate(100, 1_000_000);
    clock.advance(8100);
    assert.equal(limiter.tryTake(10), true);
    limiter.setRate(1000, 1_000_000);
    clock.advance(10);
    assert.equal(limiter.tryTake(10), true);
  });

  it("gets back what was not used, but never more than a burst of it", () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    assert.equal(limiter.tryTake(250), true);
    limiter.give(200);
    assert.equal(limiter.tryTake(200), true);
    limiter.give(100_000);
    assert.equal(limiter.tryTake(251), false);
    assert.equal(limiter.tryTake(250), true);
  });
});
