import parse from "range-parser";

export interface ByteRange {
  begin: number;
  length: number;
  /** Answered with 206. */
  isPartial: boolean;
}

/**
 * What a `Range` header asks of `size` bytes (RFC 9110, 14.2). One that is malformed, of another unit, or of several parts is
 * ignored, as servers may: all is sent.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | "unsatisfiable" {
  const whole: ByteRange = { begin: 0, length: size, isPartial: false };
  if (header === undefined) return whole;
  const ranges = parse(size, header);
  if (ranges === -1) return "unsatisfiable";
  if (ranges === -2 || ranges.type !== "bytes" || ranges.length !== 1) return whole;
  const [{ start, end }] = ranges as unknown as [{ start: number; end: number }];
  return { begin: start, length: end - start + 1, isPartial: true };
}
