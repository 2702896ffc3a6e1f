import { type FileHandle, open, stat } from "node:fs/promises";
import type { Bitfield } from "../../wire/bitfield";
import { StreamletError } from "../../wire/errors";
import type { Content } from "../swarm/content";
import type { BlockSource } from "../swarm/uploader";
import { fileError } from "./fileErrors";

/** A file that is shared is looked at this often while it is read: after a change its blocks would be lies. */
const FRESHNESS_MS = 1_000;
/** File systems keep times to 2 s (FAT) or better, but a copy of one value always compares equal up to rounding. */
const MTIME_TOLERANCE_MS = 1;

export interface ExpectedFile {
  size: number;
  mtimeMs: number;
}

/** The verified bytes of one video on disk, as others may have them: opened when first asked for. */
export class PieceStore implements BlockSource {
  private handle: Promise<FileHandle> | undefined;
  private checkedAt = Number.NEGATIVE_INFINITY;
  private reading = 0;
  private idle: (() => void)[] = [];
  private closed = false;

  constructor(
    readonly content: Content,
    private readonly have: Bitfield,
    private path: string,
    /** What the whole file must look like; undefined while it is a .part file, which only we write. */
    private expected: ExpectedFile | undefined,
    private readonly now: () => number,
  ) {}

  hasPiece(piece: number): boolean {
    return this.have.get(piece);
  }

  /** Fills the views in order from `position`. Errors: file-missing, file-changed, file-unreadable, cancelled (closed). */
  async read(views: Uint8Array[], position: number): Promise<void> {
    while (this.locked) await this.locked.catch(() => undefined);
    // Opened again, it would stay open.
    if (this.closed) throw new StreamletError("cancelled", "The video was closed.");
    this.reading++;
    try {
      await this.checkFresh();
      this.handle ??= open(this.path, "r");
      const file = await this.handle.catch((error) => {
        this.handle = undefined;
        throw fileError(error, "read", this.path);
      });
      let wanted = 0;
      for (const view of views) wanted += view.length;
      const { bytesRead } = await file.readv(views, position);
      if (bytesRead !== wanted) throw changed(this.path);
    } finally {
      this.reading--;
      if (this.reading === 0) for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** Closes the file once nobody reads it. */
  close(): Promise<void> {
    this.closed = true;
    return this.alone(() => this.closeWhenIdle());
  }

  /** Gives the file another name (a finished download) while nobody reads it; reads that come meanwhile wait for the new one. */
  move(rename: () => Promise<{ path: string; expected: ExpectedFile }>): Promise<void> {
    return this.alone(async () => {
      await this.closeWhenIdle();
      ({ path: this.path, expected: this.expected } = await rename());
    });
  }

  private async alone(run: () => Promise<void>): Promise<void> {
    while (this.locked) await this.locked.catch(() => undefined);
    this.locked = run().finally(() => {
      this.locked = undefined;
    });
    await this.locked;
  }
  private locked: Promise<void> | undefined;

  private async closeWhenIdle(): Promise<void> {
    if (this.reading > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
    const handle = this.handle;
    this.handle = undefined;
    await handle?.then(
      (file) => file.close(),
      () => undefined,
    );
  }

  private async checkFresh(): Promise<void> {
    if (!this.expected || this.now() - this.checkedAt < FRESHNESS_MS) return;
    await checkExpected(this.path, this.expected);
    this.checkedAt = this.now();
  }
}

/** Errors: file-missing, file-changed, file-unreadable. */
export async function checkExpected(path: string, expected: ExpectedFile): Promise<void> {
  const found = await stat(path).catch((error) => {
    throw fileError(error, "read", path);
  });
  const sameTime = Math.abs(found.mtimeMs - expected.mtimeMs) <= MTIME_TOLERANCE_MS;
  if (found.size !== expected.size || !sameTime) throw changed(path);
}

function changed(path: string): StreamletError {
  return new StreamletError(
    "file-changed",
    `${path} is not the file that was shared any more. Upload it again to share the new one.`,
    { data: { path } },
  );
}
