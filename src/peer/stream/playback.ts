/** Where somebody stopped watching, by video: kept in the data folder, so that every window of the profile knows. */
import * as z from "zod";
import type { Playback } from "../status";
import { readJson, writeAtomic } from "../storage/jsonFile";

/** More than anybody goes back to; about 100 bytes each. The one that was not watched for longest goes. */
const MAX_ENTRIES = 1_000;
/** A crash may cost this much of a position. */
const SAVE_MS = 5_000;

const POSITION: z.ZodType<Playback> = z.object({
  /** Seconds. */
  position: z.number().nonnegative(),
  /** 1 = as recorded. */
  speed: z.number().min(0.1).max(16),
});
const FILE = z.object({ version: z.literal(1), videos: z.record(z.string(), POSITION) });

export class PlaybackStore {
  private readonly videos = new Map<string, Playback>();
  private timer: NodeJS.Timeout | undefined;
  private saving: Promise<void> = Promise.resolve();

  private constructor(private readonly path: string) {}

  /** A damaged file is kept aside: positions are a comfort, not worth an error. */
  static async open(path: string): Promise<PlaybackStore> {
    const store = new PlaybackStore(path);
    const read = await readJson(path, FILE).catch(() => undefined);
    if (read?.state === "ok")
      for (const [key, value] of Object.entries(read.value.videos)) store.videos.set(key, value);
    return store;
  }

  get(key: string): Playback | undefined {
    return this.videos.get(key);
  }

  set(key: string, playback: Playback): void {
    this.videos.delete(key);
    this.videos.set(key, playback);
    const [oldest] = this.videos.keys();
    if (this.videos.size > MAX_ENTRIES && oldest !== undefined) this.videos.delete(oldest);
    this.timer ??= setTimeout(() => this.save(), SAVE_MS);
  }

  delete(key: string): void {
    if (this.videos.delete(key)) this.timer ??= setTimeout(() => this.save(), SAVE_MS);
  }

  async close(): Promise<void> {
    if (this.timer) this.save();
    await this.saving;
  }

  private save(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const text = JSON.stringify({ version: 1, videos: Object.fromEntries(this.videos) });
    this.saving = this.saving.then(() => writeAtomic(this.path, text)).catch(() => undefined);
  }
}
