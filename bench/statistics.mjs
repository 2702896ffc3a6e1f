// What many runs come to.

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three digits that mean something, whatever the size of the number. */
export function short(number) {
  if (!Number.isFinite(number)) return String(number);
  return Math.abs(number) >= 100 ? String(Math.round(number)) : String(Number(number.toPrecision(3)));
}

/** `337 MiB/s (310-345)`: the median, and from the least to the most. */
export function withSpread(numbers, unit) {
  const middle = `${short(median(numbers))} ${unit}`;
  if (numbers.length < 2) return middle;
  return `${middle} (${short(Math.min(...numbers))}-${short(Math.max(...numbers))})`;
}
