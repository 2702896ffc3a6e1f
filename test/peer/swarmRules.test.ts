import assert from "node:assert/strict";
import { pickPiece } from "../../src/peer/swarm/piecePicker";
import { Bitfield } from "../../src/wire/bitfield";

describe("the next piece", () => {
  const choice = {
    pieceCount: 6,
    have: new Bitfield(6),
    isActive: () => false,
    remote: Bitfield.full(6),
    availability: Uint16Array.of(3, 2, 2, 5, 2, 3),
    suggested: [] as number[],
  };

  it("is any of the rarest", () => {
    const picked = new Set(
      Array.from({ length: 100 }, (_, i) => {
        let turn = i;
        const random = () => {
          turn += 37;
          return (turn % 100) / 100;
        };
        return pickPiece({ ...choice, random });
      }),
    );
    assert.deepEqual([...picked].sort(), [1, 2, 4]);
  });

  it("is a suggested one before others, of several the rarest", () => {
    for (const x of [0, 0.5, 0.99]) {
      const pick = (...suggested: number[]) => pickPiece({ ...choice, random: () => x, suggested });
      assert.equal(pick(3), 3);
      assert.equal(pick(3, 5), 5);
      assert.equal(pick(0, 2), 2);
      assert.ok([1, 2, 4].includes(pick(6, 2 ** 32 - 1)), "there are no such pieces");
    }
  });

  it("is found without a look at all of them where nothing can be rarer", () => {
    let looks = 0;
    const isActive = () => {
      looks++;
      return false;
    };
    const all = { ...choice, pieceCount: 10_000, have: new Bitfield(10_000), remote: Bitfield.full(10_000), isActive };
    assert.equal(pickPiece({ ...all, availability: new Uint16Array(10_000).fill(1), random: () => 0.5 }), 5_000);
    assert.equal(looks, 1);
  });

  it("is one that the peer has, that we lack, and that is not under way", () => {
    const have = new Bitfield(6);
    have.set(1);
    const remote = Bitfield.full(6);
    remote.clear(2);
    const rest = { ...choice, have, remote, isActive: (piece: number) => piece === 4, random: () => 0 };
    assert.ok([0, 5].includes(pickPiece(rest)));
    assert.equal(pickPiece({ ...rest, remote: new Bitfield(6) }), -1);
  });
});
