import { StreamletError } from "../../wire/errors";
import type { Clock } from "../clock";

/** Different queries whose answers one source keeps: the views, and a few searches back. */
const MAX_ANSWERS = 16;

interface Entry<Q, A> {
  answer: A | undefined;
  /** `#generation` when the answer was asked for; an older one is stale. */
  generation: number;
  fetching: { query: Q; promise: Promise<void> } | undefined;
  /** Someone was given the old answer, or none, while a new one was under way. */
  owed: boolean;
}

export interface AnswerCacheOptions<Q, A> {
  clock: Clock;
  /** What tells answers apart; a query for more of the same list has the same key. */
  keyOf(query: Q): string;
  /** Whether an answer is enough for a query of its key. */
  covers(answer: A, query: Q): boolean;
  /** Whether asking makes sense now. */
  isReady(): boolean;
  /**
   * Rejects when there is no answer; what is known then stays. An answer that is not whole yet goes to `onPart`: whoever runs
   * out of patience gets that rather than nothing, or than an answer to a smaller query.
   */
  fetch(query: Q, onPart: (answer: A) => void): Promise<A>;
  /** An answer has come that somebody did not wait for. */
  onLate(): void;
  onAnswer(): void;
}

/**
 * Last answers of one source. Whoever asks gets a fresh answer when it comes soon, else the last one; the last one is never
 * forgotten because the source is slow or away.
 */
export class AnswerCache<Q, A> {
  readonly #entries = new Map<string, Entry<Q, A>>();
  #generation = 1;

  constructor(private readonly options: AnswerCacheOptions<Q, A>) {}

  /** What was answered may not be true any more. */
  markStale(): void {
    this.#generation++;
  }

  /** All last answers by their key, most recent query last. */
  answers(): Map<string, A> {
    const answers = new Map<string, A>();
    for (const [key, { answer }] of this.#entries) if (answer !== undefined) answers.set(key, answer);
    return answers;
  }

  /** Waits `patienceMs` for a fresh answer where an older one would do, else `firstPatienceMs`. Undefined: none yet. */
  async ask(query: Q, patienceMs: number, firstPatienceMs: number): Promise<A | undefined> {
    const { covers, isReady, keyOf } = this.options;
    const entry = this.#entry(keyOf(query));
    const known = entry.answer;
    const suffices = known !== undefined && covers(known, query);
    if (suffices && entry.generation === this.#generation) return known;
    if (!isReady()) return known;
    const inTime = await this.#inTime(this.#fetch(entry, query), suffices ? patienceMs : firstPatienceMs);
    if (!inTime) entry.owed = true;
    return entry.answer;
  }

  #entry(key: string): Entry<Q, A> {
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else entry = { answer: undefined, generation: 0, fetching: undefined, owed: false };
    this.#entries.set(key, entry);
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > MAX_ANSWERS && oldest !== undefined) this.#entries.delete(oldest);
    return entry;
  }

  /** One fetch at a time for each entry; one that asks for more begins after it. */
  #fetch(entry: Entry<Q, A>, query: Q): Promise<void> {
    if (entry.fetching) {
      const running = entry.fetching;
      return running.promise.then(() => {
        const { answer } = entry;
        if (answer !== undefined && entry.generation === this.#generation && this.options.covers(answer, query)) return;
        // Whoever waited beside this one has already begun the next; one more round at most.
        return entry.fetching && entry.fetching !== running ? entry.fetching.promise : this.#begin(entry, query);
      });
    }
    return this.#begin(entry, query);
  }

  #begin(entry: Entry<Q, A>, query: Q): Promise<void> {
    const generation = this.#generation;
    const onPart = (answer: A) => {
      if (entry.answer === undefined || !this.options.covers(entry.answer, query)) entry.answer = answer;
    };
    const promise = this.options.fetch(query, onPart).then(
      (answer) => {
        entry.answer = answer;
        entry.generation = generation;
        entry.fetching = undefined;
        this.options.onAnswer();
        if (!entry.owed) return;
        entry.owed = false;
        this.options.onLate();
      },
      (error) => {
        // The source's own status says what is wrong; its last answer stays, and the next query tries again.
        entry.fetching = undefined;
        if (!(error instanceof StreamletError)) throw error;
      },
    );
    entry.fetching = { query, promise };
    return promise;
  }

  #inTime(promise: Promise<void>, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(ms, () => resolve(false));
      promise.then(() => {
        cancel();
        resolve(true);
      });
    });
  }
}
