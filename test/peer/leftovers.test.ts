import assert from "node:assert/strict";
import { Leftovers } from "../../src/peer/swarm/leftovers";

const PIECE = 64 * 1024;
const BLOCK = 16 * 1024;

describe("what a peer may take when its turn is over", () => {
  const sizeOf = () => PIECE;
  let leftovers: Leftovers;
  beforeEach(() => {
    leftovers = new Leftovers();
    for (const piece of [7, 3, 9, 5]) leftovers.onRequest(piece);
  });

  it("are the first two pieces that it has begun and lacks, and no others", () => {
    leftovers.onHave(7);
    assert.deepEqual(leftovers.onTurnEnded(0, sizeOf), [3, 9]);
    assert.ok(leftovers.has(3) && leftovers.has(9) && !leftovers.has(5) && !leftovers.has(7));
    assert.ok(leftovers.take(3, BLOCK, 0));
    assert.ok(!leftovers.take(5, BLOCK, 0));
    leftovers.onHave(3);
    assert.ok(!leftovers.take(3, BLOCK, 0), "it has that now");
  });

  it("are each byte of them once, however often it asks", () => {
    leftovers.onTurnEnded(0, sizeOf);
    let given = 0;
    for (let i = 0; i < 100; i++) if (leftovers.take(7, BLOCK, i)) given += BLOCK;
    assert.equal(given, 2 * PIECE);
    leftovers.onRequest(7); // in its next turn
    leftovers.onTurnBegun();
    assert.deepEqual(leftovers.onTurnEnded(200, sizeOf), [7, 3]);
    assert.ok(leftovers.take(7, BLOCK, 200));
  });

  it("are nothing in a turn, in which all is given, nor after a minute", () => {
    leftovers.onTurnEnded(0, sizeOf);
    assert.ok(leftovers.take(7, BLOCK, 59_999));
    assert.ok(!leftovers.take(7, BLOCK, 60_000));
    leftovers.onTurnBegun();
    assert.ok(!leftovers.has(7));
  });
});
