import { setTimeout as sleep } from "node:timers/promises";
import { StreamletError } from "../../wire/errors";

/**
 * The answer of a VS Code API that may never come: where a window was reloaded or closed, the other end of its extension host
 * is gone. Rejects with `connection-lost` after `timeoutMs`, having called `onSilence`.
 */
export async function answeredWithin<T>(answer: Thenable<T>, timeoutMs: number, onSilence: () => void): Promise<T> {
  const done = new AbortController();
  const silence = sleep(timeoutMs, undefined, { ref: false, signal: done.signal }).then(() => {
    onSilence();
    throw new StreamletError("connection-lost", "VS Code did not answer in this window: try again in another one.");
  });
  // Aborted when the answer comes first: nobody waits for it then.
  silence.catch(() => undefined);
  try {
    return await Promise.race([answer, silence]);
  } finally {
    done.abort();
  }
}
