import assert from "node:assert/strict";
import { formatBytes, formatDuration, formatPercent, formatRate } from "../../src/ui/format";

describe("numbers as people read them", () => {
  it("bytes have two figures below ten of a unit, else whole numbers", () => {
    const cases: [number, string][] = [
      [0, "0 B"],
      [1, "1 B"],
      [999, "999 B"],
      [1000, "1.0 kB"],
      [9949, "9.9 kB"],
      [9950, "10 kB"],
      [999_499, "999 kB"],
      [999_500, "1.0 MB"],
      [24_100_000, "24 MB"],
      [1_200_000_000, "1.2 GB"],
      [-5, "0 B"],
    ];
    for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
  });

  it("rates are bytes per second", () => {
    assert.equal(formatRate(12_000_000), "12 MB/s");
  });

  it("percent are rounded down, so that 100 % means done", () => {
    assert.equal(formatPercent(999, 1000), "99 %");
    assert.equal(formatPercent(1000, 1000), "100 %");
    assert.equal(formatPercent(0, 0), "0 %");
    assert.equal(formatPercent(2000, 1000), "100 %");
  });

  it("durations have hours only when they need them", () => {
    assert.equal(formatDuration(7.4), "0:07");
    assert.equal(formatDuration(151), "2:31");
    assert.equal(formatDuration(3723), "1:02:03");
    assert.equal(formatDuration(59.6), "1:00");
  });
});
