import assert from "node:assert/strict";
import { pieceMap } from "../../src/peer/swarm/pieceMap";
import { Bitfield } from "../../src/wire/bitfield";

function field(length: number, ...set: number[]): Bitfield {
  const bits = new Bitfield(length);
  for (const index of set) bits.set(index);
  return bits;
}
const bytes = (base64: string) => [...Buffer.from(base64, "base64")];

describe("A map of pieces", () => {
  it("says of each piece whether it is here or under way, and how many sources have it", () => {
    const map = pieceMap({
      here: field(4, 0),
      fetching: [2],
      sources: [Bitfield.full(4), field(4, 0, 2), field(4)],
    });
    assert.deepEqual(bytes(map.here), [255, 0, 0, 0]);
    assert.deepEqual(bytes(map.fetching), [0, 0, 1, 0]);
    assert.deepEqual(bytes(map.sources), [2, 1, 2, 1]);
    assert.deepEqual([map.piecesPerCell, map.hereCount, map.leastSources, map.missingCount], [1, 1, 1, 0]);
  });

  it("counts the pieces that are nowhere", () => {
    const map = pieceMap({ here: field(4, 0), fetching: [], sources: [field(4, 0, 2)] });
    assert.deepEqual([map.leastSources, map.missingCount], [0, 2]);
    assert.equal(pieceMap({ here: Bitfield.full(4), fetching: [], sources: [] }).missingCount, 0);
  });

  it("has at most 4096 cells, whatever the number of pieces; each stands for the rarest of its pieces", () => {
    const count = 10_000;
    const here = field(count, ...Array.from({ length: count - 1 }, (_, i) => i));
    const map = pieceMap({ here, fetching: [0, 1, 2, 9_999], sources: [here] });
    assert.equal(map.piecesPerCell, 3);
    const cells = bytes(map.here);
    assert.equal(cells.length, Math.ceil(count / 3));
    assert.deepEqual([cells[0], cells.at(-1)], [255, 0], "the last cell holds one piece, which is missing");
    assert.deepEqual([bytes(map.fetching)[0], bytes(map.fetching).at(-1)], [3, 1]);
    assert.deepEqual([bytes(map.sources)[0], bytes(map.sources).at(-1)], [1, 0]);
    assert.deepEqual([map.hereCount, map.missingCount], [count - 1, 1]);
  });

  it("never shows a cell as whole before it is", () => {
    const count = 2 ** 20;
    const here = Bitfield.full(count);
    here.clear(77);
    const cells = bytes(pieceMap({ here, fetching: [], sources: [] }).here);
    assert.equal(cells.length, 4096);
    assert.equal(cells.filter((cell) => cell < 255).length, 1);
  });

  it("costs little even with a million pieces and many partial sources", () => {
    const count = 2 ** 20;
    const partial = Bitfield.full(count);
    partial.clear(5);
    const begun = performance.now();
    pieceMap({ here: new Bitfield(count), fetching: [], sources: Array(50).fill(partial) });
    assert.ok(performance.now() - begun < 3_000);
  });
});
