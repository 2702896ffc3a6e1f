/** Uploads on their way into the library: copied if asked, looked at and hashed one after another (hashing uses all cores), cancellable. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { toHex } from "../wire/bytes";
import { StreamletError } from "../wire/errors";
import { buildInfo, pieceLengthFor } from "../wire/metainfo";
import type { Engine } from "./engine";
import { JobQueue } from "./jobQueue";
import type { Ffmpeg } from "./media/ffmpeg";
import { probeVideo } from "./media/probe";
import { makeThumbnail } from "./media/thumbnails";
import type { Thumbnail } from "./status";
import { copyFile } from "./storage/copyFile";
import { safeFileName, uniquePath } from "./storage/fileNames";
import { hashFile } from "./storage/hasher";
import type { Container } from "./storage/videoFile";
import type { VideoRuntime } from "./videoRuntime";

/** A picture that takes longer goes out with a newer record: nobody waits for a video because of its picture. */
const PICTURE_PATIENCE_MS = 2_000;

export interface ImportOptions {
  /** Folder for a copy; the file is referenced in place when absent. */
  copyTo: string | undefined;
}

export interface ImportOutcome {
  error?: unknown;
  /** It turned out to be a video that is in the library already. */
  duplicateOf?: string;
}

export class ImportQueue {
  private readonly queue = new JobQueue();

  constructor(
    private readonly engine: Engine,
    private readonly ffmpeg: Ffmpeg,
    /** The import is done, or has failed. */
    private readonly onSettled: (runtime: VideoRuntime, outcome: ImportOutcome) => void,
  ) {}

  add(runtime: VideoRuntime, options: ImportOptions): void {
    this.queue.add(runtime.key, (signal) =>
      this.run(runtime, options, signal).then(
        (duplicateOf) => this.onSettled(runtime, duplicateOf === undefined ? {} : { duplicateOf }),
        (error) => this.onSettled(runtime, { error }),
      ),
    );
  }

  /** Resolves when it holds nothing of the file any more. */
  cancel(key: string): Promise<void> {
    return this.queue.cancel(key);
  }

  close(): Promise<void> {
    return this.queue.close();
  }

  private async run(
    runtime: VideoRuntime,
    { copyTo }: ImportOptions,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { library } = this.engine;
    let { path } = runtime.entry;
    if (copyTo) {
      await mkdir(copyTo, { recursive: true });
      const copy = uniquePath(copyTo, safeFileName(basename(path)));
      await copyFile(path, copy, { signal, onProgress: () => this.engine.changed() });
      path = library.update(runtime.key, { path: copy }).path;
    }
    const { size, fileName } = runtime.entry;
    const pieceLength = pieceLengthFor(size);
    const looks = this.lookAt(runtime, path, signal);
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
    const { info, picture } = await looks;
    const thumbnail = await this.inTime(picture);
    if (signal.aborted) throw new StreamletError("cancelled", "The import was cancelled.");
    library.update(runtime.key, {
      ...info,
      ...(thumbnail ? { thumbnail: thumbnail.data } : {}),
      id,
      v1: createHash("sha1").update(infoBytes).digest("hex"),
      piecesRoot: toHex(hashed.piecesRoot),
      pieceLength,
      size: hashed.size,
      mtimeMs: hashed.mtimeMs,
      state: "ready",
      error: undefined,
    });
    if (!thumbnail) void picture.then((late) => this.onLatePicture(runtime.key, late));
    await library.flush();
    return undefined;
  }

  /** What the video is made of, and a picture of it unless it has one. Neither can fail an import. */
  private async lookAt({ entry }: VideoRuntime, path: string, signal: AbortSignal) {
    const container = entry.container as Container;
    const info = await probeVideo({ path, container }, { ffmpeg: this.ffmpeg, signal });
    // What has no picture for the probe has none for ffmpeg.
    const wanted = entry.thumbnail === undefined && info.width !== undefined;
    const picture = wanted ? makeThumbnail(this.ffmpeg, path, info, signal) : Promise.resolve(null);
    return { info, picture };
  }

  private inTime(picture: Promise<Thumbnail | null>): Promise<Thumbnail | null> {
    return new Promise((resolve) => {
      const cancel = this.engine.clock.after(PICTURE_PATIENCE_MS, () => resolve(null));
      void picture.then((made) => {
        cancel();
        resolve(made);
      });
    });
  }

  private onLatePicture(key: string, picture: Thumbnail | null): void {
    const { library } = this.engine;
    if (!picture || !library.get(key) || library.get(key)?.thumbnail) return;
    library.update(key, { thumbnail: picture.data, record: undefined });
    this.engine.changed();
    this.engine.sharingChanged();
  }
}

/** Where copies of uploads go when they are not referenced in place. */
export function copiesFolder(dataDir: string): string {
  return join(dataDir, "videos");
}
