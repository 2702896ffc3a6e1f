import assert from "node:assert/strict";
import fc from "fast-check";
import { BufferPool, type PoolShare, type Slot } from "../../src/peer/storage/bufferPool";

const KIB = 1024;
const BUDGET = 64 * KIB;

/** A download that takes what it can get, or what it is told to. */
class Greedy {
  readonly slots: Slot[] = [];
  readonly share: PoolShare;
  /** Pieces that are being checked cannot be given up. */
  busy = 0;

  constructor(
    pool: BufferPool,
    readonly size = KIB,
    public wants = Number.POSITIVE_INFINITY,
  ) {
    this.share = pool.join({ giveWay: () => this.giveWay(), onRoom: () => this.fill() });
  }

  get held(): number {
    return this.slots.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  fill(): void {
    while (this.held < this.wants) {
      const slot = this.share.acquire(this.size);
      if (!slot) return;
      this.slots.push(slot);
    }
  }

  finish(): void {
    const slot = this.slots.shift();
    if (slot) this.share.release(slot);
  }

  private giveWay(): boolean {
    if (this.slots.length <= this.busy) return false;
    this.share.release(this.slots.pop()!);
    return true;
  }
}

function makePool(budget = BUDGET): BufferPool {
  return new BufferPool(
    () => undefined,
    () => undefined,
    budget,
  );
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("memory of pieces in flight", () => {
  it("is all for one download that is alone", () => {
    const alone = new Greedy(makePool());
    alone.fill();
    assert.equal(alone.held, BUDGET);
  });

  it("is shared nearly alike with one that comes later, though the first never finishes a piece", () => {
    const pool = makePool();
    const [first, later] = [new Greedy(pool), new Greedy(pool)];
    first.fill();
    later.fill();
    assert.ok(later.held >= 0.4 * BUDGET, `${later.held}`);
    assert.equal(first.held + later.held, BUDGET);
  });

  it("goes to the one who has least when a piece is done, and is not thrown away to and fro", async () => {
    const pool = makePool();
    const [first, later] = [new Greedy(pool), new Greedy(pool)];
    first.fill();
    later.fill();
    for (let i = 0; i < 100; i++) {
      for (const greedy of [first, later]) {
        greedy.finish();
        greedy.fill();
      }
      await settle();
    }
    assert.ok(Math.abs(first.held - later.held) <= 2 * KIB, `${first.held} ${later.held}`);
  });

  it("that one does not need is left to the others", async () => {
    const pool = makePool();
    const [modest, greedy] = [new Greedy(pool, KIB, 4 * KIB), new Greedy(pool)];
    greedy.fill();
    modest.fill();
    await settle();
    greedy.fill();
    assert.deepEqual([modest.held, greedy.held], [4 * KIB, BUDGET - 4 * KIB]);
  });

  it("gives everybody a first piece in turn, where pieces are too large for all", async () => {
    const pool = makePool();
    const all = [1, 2, 3, 4, 5, 6].map(() => new Greedy(pool, BUDGET / 4, BUDGET / 4));
    const served = new Set<Greedy>();
    for (const greedy of all) greedy.fill();
    for (let i = 0; i < 12; i++) {
      for (const greedy of all) {
        if (greedy.slots.length > 0) served.add(greedy);
        greedy.finish();
        greedy.fill();
      }
      await settle();
    }
    assert.equal(served.size, all.length);
  });

  it("is had in large pieces by one, though others finish small ones all the time", async () => {
    const pool = makePool();
    const small = [new Greedy(pool), new Greedy(pool)];
    for (const greedy of small) greedy.busy = 1000;
    for (const greedy of small) greedy.fill();
    const large = new Greedy(pool, BUDGET / 4, BUDGET / 4);
    for (let i = 0; i < 64 && large.held === 0; i++) {
      large.fill();
      for (const greedy of small) {
        greedy.finish();
        greedy.fill();
      }
      await settle();
    }
    assert.equal(large.held, BUDGET / 4);
  });

  it("is not kept from others by one that wants nothing more", async () => {
    const pool = makePool();
    const [first, gone] = [new Greedy(pool), new Greedy(pool)];
    first.busy = 1000;
    first.fill();
    gone.fill();
    gone.wants = 0;
    first.finish();
    first.fill();
    await settle();
    assert.equal(first.held, BUDGET);
  });

  it("comes back from one that leaves", async () => {
    const pool = makePool();
    const [first, second] = [new Greedy(pool), new Greedy(pool)];
    first.fill();
    second.fill();
    for (const slot of first.slots.splice(0)) first.share.release(slot);
    first.share.leave();
    await settle();
    assert.equal(second.held, BUDGET);
  });

  it("never exceeds its budget, and every byte is accounted for, whatever comes and goes", () => {
    const step = fc.record({
      who: fc.nat(3),
      what: fc.constantFrom("fill", "finish", "leave"),
      size: fc.constantFrom(1, 4, 16),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let total = 0;
        const pool = new BufferPool(
          (slot) => {
            total += slot.bytes.length;
          },
          (slot) => {
            total -= slot.bytes.length;
          },
          BUDGET,
        );
        const users: (Greedy | undefined)[] = [];
        for (const { who, what, size } of steps) {
          const user = users[who] ?? new Greedy(pool, size * KIB);
          users[who] = user;
          if (what === "fill") user.fill();
          else if (what === "finish") user.finish();
          else {
            for (const slot of user.slots.splice(0)) user.share.release(slot);
            user.share.leave();
            users[who] = undefined;
          }
          const held = users.reduce((sum, other) => sum + (other?.held ?? 0), 0);
          for (const other of users)
            assert.deepEqual([other?.share.held, other?.share.slots], [other?.held, other?.slots.length]);
          assert.ok(held <= total && total <= BUDGET);
        }
      }),
    );
  });
});
