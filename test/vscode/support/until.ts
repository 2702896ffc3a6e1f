/** How long a test waits for something that has to happen, unless it says otherwise. */
const DEFAULT_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

/**
 * Waits until `probe` gives something true and returns that.
 *
 * @param what what is waited for, for the message of the error; a function where it is only known at the end
 * @throws Error after `timeoutMs`, with the last error of `probe` as its cause
 */
export async function until<T>(
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  what: string | (() => string),
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const value = await probe();
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  } while (Date.now() < deadline);
  const text = typeof what === "string" ? what : what();
  throw new Error(`Not within ${timeoutMs / 1000} s: ${text}`, { cause });
}
