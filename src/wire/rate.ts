/** Rates as people write them. */

const RATE = /^(\d{1,15}(?:\.\d{1,9})?) ?(?:([kmg])(i?))?(?:B(?:\/s)?)?$/;
const POWERS = { k: 1, m: 2, g: 3 };

/**
 * Bytes per second from `500k`, `2M`, `1.5MB/s`, `1Mi`: k, M and G count in thousands, Ki, Mi and Gi in 1024s; undefined for what is
 * no rate. A lower-case `b` is none: it means bits to some and bytes to others, eight times apart.
 */
export function readRate(text: string): number | undefined {
  const [, digits, prefix, binary] = RATE.exec(text.replace(/[KMG]/, (letter) => letter.toLowerCase())) ?? [];
  const power = prefix === undefined ? 0 : POWERS[prefix as keyof typeof POWERS];
  const rate = Math.round(Number(digits) * (binary ? 1024 : 1000) ** power);
  return Number.isSafeInteger(rate) && (rate > 0 || Number(digits) === 0) ? rate : undefined;
}
