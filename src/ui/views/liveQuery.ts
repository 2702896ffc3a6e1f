/**
 * Keeps the answer to a query fresh without ever showing less than before: one query at a time, not more often than
 * `intervalMs`, and a query that fails leaves the last answer where it is. Time comes in from outside.
 */
export interface LiveQueryOptions<T> {
  query: () => Promise<T>;
  onAnswer: (answer: T) => void;
  onError: (error: unknown) => void;
  intervalMs: number;
  setTimer?: (callback: () => void, ms: number) => unknown;
  now?: () => number;
}

export class LiveQuery<T> {
  private running = false;
  private again = false;
  private scheduled = false;
  private lastStart = Number.NEGATIVE_INFINITY;
  /** Grows with every reset; an answer to a question of before is dropped. */
  private generation = 0;
  private readonly setTimer: (callback: () => void, ms: number) => unknown;
  private readonly now: () => number;

  constructor(private readonly options: LiveQueryOptions<T>) {
    this.setTimer = options.setTimer ?? setTimeout;
    this.now = options.now ?? Date.now;
  }

  /** Something changed: asks soon. Calls in between become one. */
  invalidate(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    if (this.scheduled) return;
    const wait = Math.max(0, this.lastStart + this.options.intervalMs - this.now());
    this.scheduled = true;
    this.setTimer(() => {
      this.scheduled = false;
      void this.run();
    }, wait);
  }

  /** Another question (profile, filter, page): asks at once and forgets answers that are under way. */
  restart(): void {
    this.generation += 1;
    this.again = false;
    void this.run();
  }

  /** Drops the answer that is under way. */
  cancel(): void {
    this.generation += 1;
    this.again = false;
    this.running = false;
  }

  private async run(): Promise<void> {
    const { generation } = this;
    this.running = true;
    this.lastStart = this.now();
    try {
      const answer = await this.options.query();
      if (generation === this.generation) this.options.onAnswer(answer);
    } catch (error) {
      if (generation === this.generation) this.options.onError(error);
    } finally {
      if (generation === this.generation) {
        this.running = false;
        if (this.again) {
          this.again = false;
          this.invalidate();
        }
      }
    }
  }
}
