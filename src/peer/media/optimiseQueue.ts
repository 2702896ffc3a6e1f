/**
 * Uploads of which a smaller copy is made before they are imported. Each has a folder of its own, named after its key, so that
 * nothing of a copy that was not finished can be left: the folder is emptied before a copy is begun, and removed when that fails.
 */
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, extname, join, sep } from "node:path";
import type { Engine } from "../engine";
import { JobQueue } from "../jobQueue";
import { fileError } from "../storage/fileErrors";
import { safeFileName } from "../storage/fileNames";
import { checkVideoFile } from "../storage/videoFile";
import type { VideoRuntime } from "../videoRuntime";
import type { Ffmpeg } from "./ffmpeg";
import { optimiseVideo } from "./optimise";
import { probeVideo } from "./probe";

export class OptimiseQueue {
  /** One at a time: ffmpeg uses all cores. */
  private readonly queue = new JobQueue();

  constructor(
    private readonly engine: Engine,
    private readonly ffmpeg: Ffmpeg,
    private readonly dataDir: string,
    /** The entry refers to the smaller copy now, in state `hashing`; or it has failed. */
    private readonly onSettled: (runtime: VideoRuntime, error?: unknown) => void,
  ) {}

  /** Takes an entry in state `optimising`. */
  add(runtime: VideoRuntime): void {
    this.queue.add(runtime.key, (signal) =>
      this.run(runtime, signal).then(
        () => this.onSettled(runtime),
        (error) => this.onSettled(runtime, error),
      ),
    );
  }

  /** Resolves when ffmpeg has ended and nothing of the unfinished copy is left. */
  cancel(key: string): Promise<void> {
    return this.queue.cancel(key);
  }

  /** The copies that are being made begin anew with the next start. */
  close(): Promise<void> {
    return this.queue.close();
  }

  /** Is this the path of a copy that was made here? */
  owns(path: string): boolean {
    return path.startsWith(this.folder + sep);
  }

  /** Removes the copy that was made for this entry. */
  async discard(key: string): Promise<void> {
    await rm(this.folderOf(key), { recursive: true, force: true });
  }

  /** Removes what belongs to no entry any more: the program was killed between two steps. */
  async sweep(): Promise<void> {
    const keys = await readdir(this.folder).catch(() => []);
    for (const key of keys) if (!this.engine.library.get(key)) await this.discard(key);
  }

  private async run(runtime: VideoRuntime, signal: AbortSignal): Promise<void> {
    const { key, entry } = runtime;
    await this.discard(key);
    if (!entry.optimise) return;
    const { size, container } = await checkVideoFile(entry.path);
    const info = await probeVideo({ path: entry.path, container }, { ffmpeg: this.ffmpeg, signal });
    const fileName = `${safeFileName(basename(entry.path, extname(entry.path)))}.mp4`;
    const target = join(this.folderOf(key), fileName);
    const half = `${target}.part`;
    runtime.bytesDone = 0;
    try {
      await mkdir(this.folderOf(key), { recursive: true }).catch((error) => {
        throw fileError(error, "write", target);
      });
      const job = { source: entry.path, target: half, height: entry.optimise, size, info };
      const onProgress = (part: number) => {
        runtime.bytesDone = Math.floor(part * entry.size);
        this.engine.changed();
      };
      await optimiseVideo(this.ffmpeg, job, { signal, onProgress });
      await rename(half, target);
      const made = await stat(target);
      runtime.bytesDone = 0;
      const changes = { path: target, size: made.size, fileName, container: "mp4", optimise: undefined };
      this.engine.library.update(key, { ...changes, state: "hashing", error: undefined });
    } catch (error) {
      await this.discard(key);
      throw error;
    }
    await this.engine.library.flush();
  }

  private get folder(): string {
    return join(this.dataDir, "optimised");
  }

  private folderOf(key: string): string {
    return join(this.folder, key);
  }
}
