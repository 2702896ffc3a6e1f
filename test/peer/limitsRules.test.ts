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
import { type ChokeCandidate, chooseUnchoked, ROTATION_MS } from "../../src/peer/swarm/choker";
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
    unchokedAt: undefined,
    interestedAt: 0,
    ...more,
  });

  it("go to the video that has fewest, then to who has waited longest", () => {
    const all = [
      candidate("a1", "a", { interestedAt: 1 }),
      candidate("a2", "a", { interestedAt: 2 }),
      candidate("a3", "a", { interestedAt: 3 }),
      candidate("b1", "b", { interestedAt: 4 }),
    ];
    assert.deepEqual([...chooseUnchoked(all, 2, 10)], ["a1", "b1"]);
    assert.deepEqual([...chooseUnchoked(all, 3, 10)], ["a1", "b1", "a2"]);
  });

  it("are kept for a rotation, and given up by who has held one longest", () => {
    const all = [
      candidate("old", "a", { unchokedAt: 0 }),
      candidate("new", "a", { unchokedAt: 500 }),
      candidate("next", "a", { interestedAt: 600 }),
    ];
    assert.deepEqual([...chooseUnchoked(all, 2, ROTATION_MS - 1)].sort(), ["new", "old"]);
    assert.deepEqual([...chooseUnchoked(all, 2, ROTATION_MS)].sort(), ["new", "next"]);
  });

  it("are no more than there are", () => {
    const all = [candidate("a", "a", { unchokedAt: 0 }), candidate("b", "a", { unchokedAt: 1 })];
    assert.equal(chooseUnchoked(all, 0, 10).size, 0);
    assert.equal(chooseUnchoked(all, 1, 10).size, 1);
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
