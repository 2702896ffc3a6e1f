/** Jobs that run one after another, each by a key, each cancellable before and while it runs. */
interface Job {
  abort: AbortController;
  /** Undefined while it waits for its turn. */
  running?: Promise<void>;
}

export class JobQueue {
  private readonly jobs = new Map<string, Job>();
  private tail: Promise<void> = Promise.resolve();

  /** @param run does not reject; it is not called for a job that was cancelled before its turn */
  add(key: string, run: (signal: AbortSignal) => Promise<void>): void {
    const job: Job = { abort: new AbortController() };
    this.jobs.set(key, job);
    this.tail = this.tail.then(async () => {
      if (!job.abort.signal.aborted) {
        job.running = run(job.abort.signal);
        await job.running;
      }
      if (this.jobs.get(key) === job) this.jobs.delete(key);
    });
  }

  has(key: string): boolean {
    return this.jobs.has(key);
  }

  /** Resolves when the job has come to its end; at once where there is none. */
  async cancel(key: string): Promise<void> {
    const job = this.jobs.get(key);
    job?.abort.abort();
    await job?.running;
  }

  /** Cancels all of them. */
  async close(): Promise<void> {
    for (const { abort } of this.jobs.values()) abort.abort();
    await this.tail;
  }
}
