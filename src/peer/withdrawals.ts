/**
 * What trackers are still to be told is shared no more, kept over restarts: a tracker that could not be reached at the time lists
 * it until its record expires, as long as others have it.
 */
import * as z from "zod";
import { type Fingerprint, isVideoId, type VideoId } from "../wire/types";
import { readJson, writeAtomic } from "./storage/jsonFile";

/** Half a megabyte or so; whoever takes back more within a day loses the oldest, whose records expire first. */
const MAX_WITHDRAWALS = 1_000;

export interface Withdrawal {
  id: VideoId;
  /** Signed, and marked as withdrawn. */
  record: Uint8Array;
  /** When nobody can list it any more; milliseconds since the epoch. */
  expires: number;
}

const FILE = z.object({
  version: z.literal(1),
  /** Whose they are: nobody takes those of another key. */
  owner: z.string(),
  withdrawals: z.array(z.object({ id: z.string().refine(isVideoId), record: z.base64(), expires: z.number() })),
});

export class Withdrawals {
  private readonly withdrawals = new Map<VideoId, Withdrawal>();
  private dirty = false;
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private readonly owner: Fingerprint,
  ) {}

  /** A damaged file is kept aside: what it held expires by itself. Errors: file-unreadable. */
  static async open(path: string, owner: Fingerprint): Promise<Withdrawals> {
    const withdrawals = new Withdrawals(path, owner);
    const read = await readJson(path, FILE);
    if (read.state !== "ok" || read.value.owner !== owner) return withdrawals;
    for (const { id, record, expires } of read.value.withdrawals) {
      withdrawals.withdrawals.set(id, { id, record: Buffer.from(record, "base64"), expires });
    }
    return withdrawals;
  }

  list(): Withdrawal[] {
    return [...this.withdrawals.values()];
  }

  add(withdrawal: Withdrawal): void {
    this.withdrawals.delete(withdrawal.id);
    this.withdrawals.set(withdrawal.id, withdrawal);
    const [oldest] = this.withdrawals.keys();
    if (this.withdrawals.size > MAX_WITHDRAWALS && oldest !== undefined) this.withdrawals.delete(oldest);
    this.saveSoon();
  }

  /** Forgets those that have expired, and those of videos that are shared again. */
  prune(now: number, isShared: (id: VideoId) => boolean): void {
    for (const { id, expires } of this.list()) {
      if (expires > now && !isShared(id)) continue;
      this.withdrawals.delete(id);
      this.saveSoon();
    }
  }

  /** Resolves when all of them are on disk, as far as the disk lets them. */
  async flush(): Promise<void> {
    await this.saving;
  }

  /** Changes of one moment are one write. */
  private saveSoon(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.saving = this.saving.then(() => this.save()).catch(() => undefined);
  }

  private async save(): Promise<void> {
    this.dirty = false;
    const withdrawals = this.list().map(({ id, record, expires }) => {
      return { id, record: Buffer.from(record).toString("base64"), expires };
    });
    await writeAtomic(this.path, JSON.stringify({ version: 1, owner: this.owner, withdrawals }));
  }
}
