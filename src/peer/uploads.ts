/** What happens to a file between its upload and its first record: made smaller if asked, imported; and what is left when it goes. */
import { dirname, join, sep } from "node:path";
import type { PeerConfig } from "../rpc/peerService";
import type { Engine } from "./engine";
import { copiesFolder, type ImportOutcome, ImportQueue } from "./importQueue";
import { Ffmpeg } from "./media/ffmpeg";
import { OptimiseQueue } from "./media/optimiseQueue";
import { probeVideo } from "./media/probe";
import { makeThumbnail } from "./media/thumbnails";
import type { Runtimes } from "./runtimes";
import type { Audience, FileFacts } from "./status";
import { withoutUndefined } from "./storage/libraryEntry";
import { checkVideoFile } from "./storage/videoFile";
import type { VideoRuntime } from "./videoRuntime";

export class Uploads {
  readonly ffmpeg: Ffmpeg;
  private readonly imports: ImportQueue;
  private readonly optimising: OptimiseQueue;
  private closed = false;

  constructor(
    private readonly engine: Engine,
    private readonly config: Pick<PeerConfig, "dataDir" | "copyOnUpload" | "ffmpegPath">,
    /** By key; an entry that turns out to be another's duplicate is taken out. */
    private readonly runtimes: Runtimes,
    /** As `Sharing.set`. */
    private readonly setSharing: (runtime: VideoRuntime, shared: boolean, audience: Audience) => void,
  ) {
    this.ffmpeg = new Ffmpeg(config.ffmpegPath);
    this.imports = new ImportQueue(engine, this.ffmpeg, (runtime, outcome) => this.onImported(runtime, outcome));
    this.optimising = new OptimiseQueue(engine, this.ffmpeg, config.dataDir, (runtime, error) =>
      this.onOptimised(runtime, error),
    );
  }

  /** What a form shows of a file of the person's own before it is uploaded. */
  async inspect(path: string, { picture }: { picture: boolean }): Promise<FileFacts> {
    const file = await checkVideoFile(path).catch(() => undefined);
    if (!file) return {};
    const { container } = file;
    const info = await probeVideo({ path, container }, { ffmpeg: this.ffmpeg });
    const thumbnail = picture && info.width !== undefined ? await makeThumbnail(this.ffmpeg, path, info) : null;
    const { duration, width, height } = info;
    return withoutUndefined<FileFacts>({ duration, width, height, ...(thumbnail ? { thumbnail } : {}) } as FileFacts);
  }

  /** Goes on with an entry in state `optimising` or `hashing`, from the beginning of that state. */
  begin(runtime: VideoRuntime): void {
    const { state, path } = runtime.entry;
    if (state === "optimising") return this.optimising.add(runtime);
    const { dataDir, copyOnUpload } = this.config;
    const copies = copiesFolder(dataDir);
    const isOurs = dirname(path) === copies || this.optimising.owns(path);
    this.imports.add(runtime, { copyTo: copyOnUpload && !isOurs ? copies : undefined });
  }

  /** Resolves when nothing works on it any more. The entry is gone or going. */
  async cancel(key: string): Promise<void> {
    await Promise.all([this.optimising.cancel(key), this.imports.cancel(key)]);
  }

  /** Removes the smaller copy that was made of it, if there is one. */
  discardCopy(key: string): Promise<void> {
    return this.optimising.discard(key);
  }

  /** A file that was made here from the person's own, rather than the person's own: it goes with its entry. */
  isOwnCopy(path: string): boolean {
    const { dataDir } = this.config;
    return path.startsWith(dataDir + sep) && !path.startsWith(join(dataDir, "downloads") + sep);
  }

  /** Removes what was left by a program that was killed. A library that lost entries may still have a use for their copies. */
  async sweep(): Promise<void> {
    if (this.engine.library.report.damaged.length === 0) await this.optimising.sweep();
  }

  /** What a finished download is made of, where nobody has said. ffmpeg is not given files of strangers. */
  async inspectDownload({ key, entry }: VideoRuntime): Promise<void> {
    if (entry.duration !== undefined && entry.width !== undefined) return;
    const { container } = await checkVideoFile(entry.path);
    const info = await probeVideo({ path: entry.path, container });
    if (this.closed || !this.engine.library.get(key)) return;
    this.engine.library.update(key, info);
    this.engine.changed();
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.optimising.close(), this.imports.close()]);
  }

  private onOptimised(runtime: VideoRuntime, error: unknown): void {
    if (this.closed || !this.runtimes.has(runtime.key)) return;
    if (error) runtime.setState("failed", error);
    else this.begin(runtime);
    this.engine.changed();
  }

  private onImported(runtime: VideoRuntime, outcome: ImportOutcome): void {
    const { library } = this.engine;
    if (this.closed || !this.runtimes.has(runtime.key)) return;
    if (outcome.duplicateOf) {
      const known = this.runtimes.get(outcome.duplicateOf);
      const { shared, audience, title, description, thumbnail } = runtime.entry;
      if (known && shared) {
        try {
          this.setSharing(known, true, audience);
        } catch (error) {
          return runtime.setState("failed", error);
        }
        const info = { title, description, ...(thumbnail ? { thumbnail } : {}) };
        library.update(known.key, { ...info, record: undefined });
      }
      this.runtimes.delete(runtime.key);
      library.remove(runtime.key);
      void this.discardCopy(runtime.key).catch(() => undefined); // swept at the next start
    } else if (outcome.error) runtime.setState("failed", outcome.error);
    this.engine.changed();
    this.engine.sharingChanged();
  }
}
