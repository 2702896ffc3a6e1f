import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { StreamletError } from "../../wire/errors";
import { BufferPool, type Slot } from "./bufferPool";
import type { PieceProof, VerifyReply, VerifyRequest } from "./verifyProtocol";

export type Verdict = { good: true; leaves: Uint8Array | undefined } | { good: false; bad: number[] };

type JobReply = Extract<VerifyReply, { job: number }>;

/**
 * The network thread's side of the verify worker. The worker starts with the first download and ends with `close`; where it
 * dies before, what was under way fails, and the next job starts another one.
 */
export class Verifier {
  readonly pool = new BufferPool(
    (slot, memory) => {
      this.post({ type: "slot", slot: slot.index, memory });
      this.slots.set(slot.index, memory);
    },
    (slot) => {
      this.slots.delete(slot.index);
      this.post({ type: "dropSlot", slot: slot.index });
    },
  );
  /** What a new worker must be told: the piece memory and the open files. */
  private readonly slots = new Map<number, SharedArrayBuffer>();
  private readonly files = new Map<number, { path: string; length: number }>();
  private worker: Worker | undefined;
  private readonly jobs = new Map<number, { resolve(reply: JobReply): void; reject(error: Error): void }>();
  private nextJob = 1;
  private nextFile = 1;
  private closed = false;

  openFile(path: string, length: number): number {
    const file = this.nextFile++;
    this.post({ type: "open", file, path, length });
    this.files.set(file, { path, length });
    return file;
  }

  async closeFile(file: number): Promise<void> {
    this.files.delete(file);
    await this.run((job) => ({ type: "close", file, job }));
  }

  /** Checks and writes one piece. Errors: disk-full, write-failed. */
  async write(file: number, slot: Slot, length: number, position: number, proof: PieceProof): Promise<Verdict> {
    return verdict(await this.run((job) => ({ type: "write", job, file, slot: slot.index, length, position, proof })));
  }

  /** Checks a piece that is on disk. */
  async recheck(file: number, length: number, position: number, proof: PieceProof): Promise<Verdict> {
    return verdict(await this.run((job) => ({ type: "recheck", job, file, length, position, proof })));
  }

  async close(): Promise<void> {
    this.closed = true;
    const worker = this.worker;
    this.worker = undefined;
    await worker?.terminate();
    this.failAll(new StreamletError("not-running", "The peer has stopped."));
  }

  private post(message: VerifyRequest): void {
    if (!this.closed) this.ensureWorker().postMessage(message);
  }

  private run(make: (job: number) => VerifyRequest): Promise<JobReply> {
    if (this.closed) return Promise.reject(new StreamletError("not-running", "The peer has stopped."));
    const job = this.nextJob++;
    return new Promise((resolve, reject) => {
      this.jobs.set(job, { resolve, reject });
      this.post(make(job));
    });
  }

  private ensureWorker(): Worker {
    if (this.worker) return this.worker;
    const worker = new Worker(join(__dirname, "verifyWorker.js"));
    worker.on("message", (reply: VerifyReply) => {
      const waiting = this.jobs.get(reply.job);
      this.jobs.delete(reply.job);
      if (reply.type === "failed") {
        waiting?.reject(new StreamletError(reply.error.code, reply.error.message, optionsOf(reply.error.data)));
      } else waiting?.resolve(reply);
    });
    // `exit` follows every `error`, which says why.
    let reason: unknown;
    worker.on("error", (error) => {
      reason = error;
    });
    worker.on("exit", () => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      const cause = { cause: reason };
      this.failAll(new StreamletError("internal", "Checking what arrives has failed: resume the download.", cause));
    });
    worker.unref();
    this.worker = worker;
    for (const [slot, memory] of this.slots) worker.postMessage({ type: "slot", slot, memory });
    for (const [file, what] of this.files) worker.postMessage({ type: "open", file, ...what });
    return worker;
  }

  private failAll(error: Error): void {
    for (const job of this.jobs.values()) job.reject(error);
    this.jobs.clear();
  }
}

function optionsOf(data: StreamletError["data"]): { data?: NonNullable<StreamletError["data"]> } {
  return data ? { data } : {};
}

function verdict(reply: JobReply): Verdict {
  if (reply.type === "good") return { good: true, leaves: reply.leaves };
  if (reply.type === "bad") return { good: false, bad: reply.bad };
  throw new StreamletError("internal", `The verify worker answered ${reply.type}.`);
}
