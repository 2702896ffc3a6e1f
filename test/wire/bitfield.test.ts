import assert from "node:assert/strict";
import fc from "fast-check";
import { Bitfield } from "../../src/wire/bitfield";
import { toHex } from "../../src/wire/bytes";
import { BUSY_MACHINE_MS, throwsCode } from "./support";

describe("a bitfield", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("has bit 0 as the highest bit of the first byte (BEP 3)", () => {
    const field = new Bitfield(10);
    for (const piece of [0, 7, 9]) field.set(piece);
    assert.equal(toHex(field.toBytes()), "8140");
    assert.deepEqual([...field], [0, 7, 9]);
    assert.deepEqual([field.get(0), field.get(1), field.get(9)], [true, false, true]);
  });

  it("agrees with a set of numbers, whatever is done to it", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(40)), { maxLength: 80 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), steps, (length, list) => {
        const field = new Bitfield(length);
        const set = new Set<number>();
        for (const [on, piece] of list) {
          const changes = piece < length && set.has(piece) !== on;
          assert.equal(on ? field.set(piece) : field.clear(piece), changes);
          if (on && piece < length) set.add(piece);
          if (!on) set.delete(piece);
        }
        assert.deepEqual(
          [...field],
          [...set].sort((a, b) => a - b),
        );
        assert.equal(field.count, set.size);
        assert.equal(field.isFull, set.size === length);
        assert.equal(field.isEmpty, set.size === 0);
        const copy = Bitfield.fromBytes(field.toBytes(), length);
        assert.deepEqual([...copy], [...field]);
        assert.equal(copy.count, field.count);
      }),
    );
  });

  it("is refused with spare bits set or of a wrong size", () => {
    Bitfield.fromBytes(Buffer.from("ffc0", "hex"), 10);
    for (const [hex, length] of [
      ["ffe0", 10],
      ["ff01", 10],
      ["ff", 10],
      ["ffc000", 10],
      ["", 1],
      ["00", 0],
    ] as const) {
      throwsCode("bad-message", () => Bitfield.fromBytes(Buffer.from(hex, "hex"), length));
    }
  });

  it("ignores indices outside", () => {
    const field = new Bitfield(9);
    for (const piece of [-1, 9, 15, 16, 1e9, 2 ** 40, 0.5, Number.NaN]) {
      assert.equal(field.set(piece), false);
      assert.equal(field.clear(piece), false);
    }
    assert.equal(field.get(9) || field.get(2 ** 32) || field.get(-1), false);
    assert.equal(field.count, 0);
  });

  it("can be full from the start, without spare bits", () => {
    for (const length of [0, 1, 7, 8, 9, 16, 17]) {
      const field = Bitfield.full(length);
      assert.ok(field.isFull);
      assert.equal([...field].length, length);
      Bitfield.fromBytes(field.toBytes(), length);
    }
  });

  it("copies what it is made from and what it gives", () => {
    const bytes = Buffer.from([0x80]);
    const field = Bitfield.fromBytes(bytes, 8);
    bytes[0] = 0;
    field.toBytes()[0] = 0;
    const copy = field.clone();
    copy.clear(0);
    assert.ok(field.get(0));
  });

  it("knows whether it has something that another lacks", () => {
    const [mine, theirs] = [new Bitfield(20), new Bitfield(20)];
    assert.ok(!theirs.hasOutside(mine));
    theirs.set(13);
    assert.ok(theirs.hasOutside(mine));
    mine.set(13);
    mine.set(2);
    assert.ok(!theirs.hasOutside(mine));
    assert.ok(mine.hasOutside(theirs));
  });
});
