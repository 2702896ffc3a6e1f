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
    isSuggested: () => false,
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
      const pick = (...suggested: number[]) =>
        pickPiece({ ...choice, random: () => x, isSuggested: (piece) => suggested.includes(piece) });
      assert.equal(pick(3), 3);
      assert.equal(pick(3, 5), 5);
      assert.equal(pick(0, 2), 2);
    }
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
