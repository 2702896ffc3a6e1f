import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { FakeClock } from "../helpers/fakeClock";

const KIB = 1024;

/** Takes `amount` again and again until the clock has moved `ms`; the total that passed. */
async function takeFor(
  limiter: RateLimiter,
  clock: FakeClock,
  amount: number,
  ms: number,
  stepMs: number,
): Promise<number> {
  let total = 0;
  let running = true;
  const loop = async () => {
    while (running) {
      const granted = limiter.take(amount);
      if (granted !== true) await granted;
      if (running) total += amount;
    }
  };
  const done = loop();
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  running = false;
  limiter.setRate(0);
  await done;
  return total;
}

describe("rate limiter", () => {
  it("lets everything pass at once when there is no limit", () => {
    const limiter = new RateLimiter(0, { clock: new FakeClock() });
    for (let i = 0; i < 1000; i++) assert.equal(limiter.take(2 ** 30), true);
  });

  for (const [rate, amount, stepMs] of [
    [100 * KIB, 16 * KIB, 5],
    [10 * KIB * KIB, 128 * KIB, 5],
    [10 * KIB * KIB, 16 * KIB, 37],
    [50 * KIB, 1000, 211],
  ] as const) {
    it(`holds ${rate / KIB} KiB/s within 5 % over 10 s with requests of ${amount} bytes and timers up to ${stepMs} ms late`, async () => {
      const clock = new FakeClock();
      const total = await takeFor(new RateLimiter(rate, { clock }), clock, amount, 10_000, stepMs);
      assert.ok(total <= rate * 10 * 1.05, `${total} is more than ${rate * 10}`);
      assert.ok(total >= rate * 10 * 0.95, `${total} is less than ${rate * 10}`);
    });
  }

  it("serves those who wait in the order in which they came, whatever they ask for", async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    assert.equal(limiter.take(250), true);
    const order: string[] = [];
    const all = [limiter.take(5000), limiter.take(1), limiter.take(300)].map((p, i) =>
      Promise.resolve(p).then(() => order.push(`${i}`)),
    );
    for (let i = 0; i < 60; i++) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(all);
    assert.deepEqual(order, ["0", "1", "2"]);
  });

  it("lets nobody overtake those who wait", () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    assert.equal(limiter.take(250), true);
    void limiter.take(200);
    clock.advance(100);
    assert.equal(limiter.tryTake(1), false);
    clock.advance(150);
    assert.equal(limiter.tryTake(1), true);
  });

  it("grants a quarter of a second at once after idling, however long that was", () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    clock.advance(3_600_000);
    assert.equal(limiter.tryTake(251), false);
    assert.equal(limiter.tryTake(250), true);
    assert.equal(limiter.tryTake(1), false);
  });

  it("gives up a place in the queue when its signal is aborted, and serves those behind", async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    limiter.take(250);
    const abort = new AbortController();
    const first = limiter.take(1_000_000, abort.signal);
    const second = Promise.resolve(limiter.take(100));
    abort.abort();
    await assert.rejects(Promise.resolve(first), { code: "cancelled" });
    clock.advance(101);
    await second;
    assert.equal(clock.pending, 0);
  });

  it("takes nothing for a signal that is aborted already", async () => {
    const limiter = new RateLimiter(1000, { clock: new FakeClock() });
    await assert.rejects(Promise.resolve(limiter.take(1, AbortSignal.abort())), { code: "cancelled" });
    assert.equal(limiter.tryTake(250), true);
  });

  it("keeps no burst from a large request that was given up", async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(1000, { clock });
    const abort = new AbortController();
    const large = Promise.resolve(limiter.take(100_000, abort.signal));
    clock.advance(50_000);
    abort.abort();
    await assert.rejects(large, { code: "cancelled" });
    assert.equal(limiter.tryTake(251), false);
  });

  it("applies a new rate to those who wait", async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(10, { clock });
    const slow = Promise.resolve(limiter.take(1000));
    limiter.setRate(10_000);
    clock.advance(101);
    await slow;
    const blocked = Promise.resolve(limiter.take(1_000_000));
    limiter.setRate(0);
    await blocked;
  });
});
