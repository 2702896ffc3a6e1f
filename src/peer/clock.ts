/** Time and randomness come in from outside, so that swarms run on simulated time and seeded choices. */
export interface Clock {
  /** Milliseconds; only differences matter. */
  now(): number;
  /** Runs `run` once after `ms`; the result cancels it. */
  after(ms: number, run: () => void): () => void;
  /** Runs `run` every `ms` until cancelled. Never keeps the process alive. */
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
