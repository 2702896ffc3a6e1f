import assert from "node:assert/strict";
import { parseRange } from "../../src/peer/stream/byteRange";
import { bytesPerSecond, chooseWindows } from "../../src/peer/stream/windows";

const MIB = 1024 * 1024;
/** 100 pieces of 1 MiB. */
const shape = { length: 100 * MIB, pieceLength: MIB };

describe("Which pieces players wait for", () => {
  it("are none without a reader", () => {
    assert.deepEqual(chooseWindows(shape, [], 1_000_000), { readers: [], critical: [], high: [] });
  });

  it("are the one that is read, head and tail, then ten seconds ahead", () => {
    const { critical } = chooseWindows(shape, [{ position: 50 * MIB + 7 }], MIB);
    assert.deepEqual(critical, [50, 0, 99, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60]);
  });

  it("are at least 2 MiB ahead, and a minute ahead with less haste", () => {
    const { critical, high } = chooseWindows(shape, [{ position: 0 }], 1_000);
    assert.deepEqual(critical, [0, 99, 1]);
    assert.deepEqual(high, [2, 3, 4, 5, 6, 7]);
    assert.equal(chooseWindows(shape, [{ position: 0 }], MIB).high.at(-1), 59);
  });

  it("have the index ranges of the record before what comes next", () => {
    const { critical } = chooseWindows(shape, [{ position: 0 }], 1_000, [[70 * MIB, 71 * MIB + 1]]);
    assert.deepEqual(critical, [0, 99, 70, 71, 1]);
  });

  it("come in turn for several readers, each piece once", () => {
    const { critical } = chooseWindows(shape, [{ position: 10 * MIB }, { position: 80 * MIB }], 1_000);
    assert.deepEqual(critical, [10, 80, 0, 99, 11, 81]);
    const together = chooseWindows(shape, [{ position: 10 * MIB }, { position: 10 * MIB }], 1_000).critical;
    assert.equal(new Set(together).size, together.length);
  });

  it("end where the video ends, and a reader at the end wants nothing", () => {
    const last = chooseWindows(shape, [{ position: shape.length - 1 }], MIB);
    assert.deepEqual(last, { readers: [{ piece: 99, block: 63 }], critical: [99, 0], high: [] });
    assert.deepEqual(chooseWindows(shape, [{ position: shape.length }], MIB), {
      readers: [],
      critical: [0, 99],
      high: [],
    });
    assert.deepEqual(chooseWindows({ length: 5, pieceLength: MIB }, [{ position: 0 }], MIB).critical, [0]);
  });

  it("follow the bit rate, which nobody can claim without bound", () => {
    assert.equal(bytesPerSecond(1_000_000, 10), 100_000);
    assert.equal(bytesPerSecond(1_000_000, undefined), 1_000_000);
    assert.equal(bytesPerSecond(10 ** 12, 0.001), 25_000_000);
  });
});

describe("A Range header", () => {
  for (const [header, expected] of [
    [undefined, { begin: 0, length: 100, isPartial: false }],
    ["bytes=0-", { begin: 0, length: 100, isPartial: true }],
    ["bytes=10-19", { begin: 10, length: 10, isPartial: true }],
    ["bytes=90-1000", { begin: 90, length: 10, isPartial: true }],
    ["bytes=-5", { begin: 95, length: 5, isPartial: true }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=1000-2000", "unsatisfiable"],
    ["bytes=0-1,5-9", { begin: 0, length: 100, isPartial: false }],
    ["seconds=0-1", { begin: 0, length: 100, isPartial: false }],
    ["nonsense", { begin: 0, length: 100, isPartial: false }],
  ] as const) {
    it(`${header} is read as RFC 9110 says`, () => assert.deepEqual(parseRange(header, 100), expected));
  }
});
