/** Uploads on their way into the library: copied if asked, hashed one after another (hashing uses all cores), cancellable. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { toHex } from "../wire/bytes";
import { StreamletError } from "../wire/errors";
import { buildInfo, pieceLengthFor } from "../wire/metainfo";
import type { Engine } from "./engine";
import { copyFile } from "./storage/copyFile";
import { safeFileName, uniquePath } from "./storage/fileNames";
import { hashFile } from "./storage/hasher";
import type { VideoRuntime } from "./videoRuntime";

export interface ImportOptions {
  /** Folder for a copy; the file is referenced in place when absent. */
  copyTo: string | undefined;
}

export class ImportQueue {
  private readonly running = new Map<string, AbortController>();
  private tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly engine: Engine,
    /** The import is done (`duplicateOf` = it turned out to be a video that is in the library already) or has failed. */
    private readonly onSettled: (runtime: VideoRuntime, outcome: { error?: unknown; duplicateOf?: string }) => void,
  ) {}

  add(runtime: VideoRuntime, options: ImportOptions): void {
    const abort = new AbortController();
    this.running.set(runtime.key, abort);
    this.tail = this.tail
      .then(() => this.run(runtime, options, abort.signal))
      .then(
        (duplicateOf) => this.settle(runtime, duplicateOf === undefined ? {} : { duplicateOf }),
        (error) => this.settle(runtime, { error }),
      );
  }

  /** True if it was queued or running. */
  cancel(key: string): boolean {
    const abort = this.running.get(key);
    abort?.abort();
    return abort !== undefined;
  }

  async close(): Promise<void> {
    for (const abort of this.running.values()) abort.abort();
    await this.tail;
  }

  private settle(runtime: VideoRuntime, outcome: { error?: unknown; duplicateOf?: string }): void {
    this.running.delete(runtime.key);
    this.onSettled(runtime, outcome);
  }

  private async run(
    runtime: VideoRuntime,
    { copyTo }: ImportOptions,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { library } = this.engine;
    if (signal.aborted) throw new StreamletError("cancelled", "The import was cancelled.");
    let { path } = runtime.entry;
    if (copyTo) {
      await mkdir(copyTo, { recursive: true });
      const copy = uniquePath(copyTo, safeFileName(basename(path)));
      await copyFile(path, copy, { signal, onProgress: () => this.engine.changed() });
      path = library.update(runtime.key, { path: copy }).path;
    }
    const { size, fileName } = runtime.entry;
    const pieceLength = pieceLengthFor(size);
    const hashed = await hashFile({
      path,
      pieceLength,
      treePath: library.treePath(runtime.key),
      signal,
      onProgress: (bytes) => {
        runtime.bytesDone = bytes;
        this.engine.changed();
      },
    });
    const { infoBytes, id } = buildInfo({
      name: fileName,
      length: hashed.size,
      pieceLength,
      piecesRoot: hashed.piecesRoot,
      v1Pieces: hashed.v1Pieces,
    });
    const same = library.findById(id);
    if (same && same.key !== runtime.key && same.state === "ready") return same.key;
    await library.saveInfo(runtime.key, infoBytes);
    library.update(runtime.key, {
      id,
      v1: createHash("sha1").update(infoBytes).digest("hex"),
      piecesRoot: toHex(hashed.piecesRoot),
      pieceLength,
      size: hashed.size,
      mtimeMs: hashed.mtimeMs,
      state: "ready",
      error: undefined,
    });
    await library.flush();
    return undefined;
  }
}

/** Where copies of uploads go when they are not referenced in place. */
export function copiesFolder(dataDir: string): string {
  return join(dataDir, "videos");
}
