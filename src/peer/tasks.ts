/** What somebody waits for and may cancel by an id. It knows what is under way; what is done, and how it ends, is the caller's. */
import { randomBytes } from "node:crypto";
import type { TaskStatus } from "./status";

export class Tasks {
  private readonly aborts = new Map<string, AbortController>();
  private readonly listed = new Map<string, TaskStatus>();

  /** @param changed something that `list` tells has changed */
  constructor(private readonly changed: () => void) {}

  list(): TaskStatus[] {
    return [...this.listed.values()].map((status) => ({ ...status }));
  }

  /** Only its caller sees it. */
  async run<T>(id: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    this.aborts.set(id, abort);
    try {
      return await work(abort.signal);
    } finally {
      this.aborts.delete(id);
    }
  }

  /** Listed, with its progress, until it has ended. @param id chosen by whoever wants to cancel it */
  async runListed(
    id: string | undefined,
    about: Pick<TaskStatus, "kind" | "title" | "total">,
    work: (signal: AbortSignal, onProgress: (done: number) => void) => Promise<void>,
  ): Promise<void> {
    const status: TaskStatus = { id: id ?? randomBytes(8).toString("hex"), ...about, done: 0 };
    const onProgress = (done: number) => {
      status.done = done;
      this.changed();
    };
    this.listed.set(status.id, status);
    try {
      await this.run(status.id, (signal) => work(signal, onProgress));
    } finally {
      this.listed.delete(status.id);
      this.changed();
    }
  }

  cancel(id: string): void {
    this.aborts.get(id)?.abort();
  }

  cancelAll(): void {
    for (const abort of this.aborts.values()) abort.abort();
  }
}
