/** Time comes in from outside, so that rules can be tested over thirty days. */
export interface TrackerClock {
  /** Wall clock, milliseconds since the epoch: expiry of records, lapse of names. */
  now(): number;
  /** Milliseconds that only grow: rates and silence. */
  monotonic(): number;
}

export const systemClock: TrackerClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
