/** Waiting for what has to happen, in place of sleeping for luck. */
const TIMEOUT_MS = 5_000;
const POLL_MS = 5;
/** What is asked of a session or over a network costs more than a look. */
const ASK_MS = 50;
const ANSWER_TIMEOUT_MS = 15_000;

/** Resolves when `holds` does. @throws after `timeoutMs` */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !(await holds()); await sleep(POLL_MS)) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
  }
}

/** Asks until the answer fits, as the views do on every change. @returns that answer @throws after `timeoutMs`, with the last one */
export async function answerWhere<T>(
  what: string,
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<T> {
  for (const deadline = performance.now() + timeoutMs; ; await sleep(ASK_MS)) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`never happened: ${what}; last: ${JSON.stringify(answer)}`);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
