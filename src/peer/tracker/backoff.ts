/** When a tracker that cannot be reached, or that refuses, is tried again. Pure: time and chance come in. */

/** First try after a lost connection: soon, but not all peers of a restarted tracker in the same moment. */
const FIRST_MS = 600;
const GROWTH = 1.6;
/** While it has been away for less than `until`, at most `cap` passes between two tries. */
const CAPS: readonly { until: number; cap: number }[] = [
  // A restart takes seconds, and 10 s after it everybody must be back.
  { until: 60_000, cap: 3_000 },
  // An hour's outage still ends for everybody within 10 s; a try costs one packet.
  { until: 3_600_000, cap: 8_000 },
];
/** A tracker that is gone for good. */
const LAST_CAP_MS = 30_000;
/** Each delay is between so much of itself and itself. */
const LEAST_SHARE = 0.5;
/** After a refusal or nonsense: somebody has to change something first. */
export const SLOW_RETRY_MS = 30_000;

/**
 * @param attempt failures since it was last online, from 0
 * @param awayMs how long it has been away
 * @param random 0 <= random < 1
 */
export function reconnectDelay(attempt: number, awayMs: number, random: number): number {
  const cap = CAPS.find(({ until }) => awayMs < until)?.cap ?? LAST_CAP_MS;
  const delay = Math.min(cap, FIRST_MS * GROWTH ** Math.min(attempt, 50));
  return delay * (LEAST_SHARE + (1 - LEAST_SHARE) * random);
}

/** Never sooner than the tracker asks for, and spread, so that refused peers do not come back together. */
export function refusedDelay(retryAfterMs: number | undefined, random: number): number {
  return Math.max(retryAfterMs ?? 0, SLOW_RETRY_MS) * (1 + LEAST_SHARE * random);
}
