import { parseRecord, type VideoRecord } from "../../wire/records";
import { compareText, haystackOf, matchesWords, nameKey } from "../../wire/search";
import { readThumbnail } from "../../wire/thumbnail";
import { type RecordKey, recordKeyOf, type SortOrder } from "../../wire/trackerMessages";
import type { VideoId } from "../../wire/types";
import { PictureCache } from "./pictureCache";

/** About 2 kB each without its picture: twice as many as everything is built for. */
const MAX_RECORDS = 20_000;
/** Records that were no good, so that they are not fetched for every look at a list. */
const MAX_REJECTED = 5_000;
/** Signatures checked in one go (0.2 ms each) before other work gets its turn. */
const RECORDS_PER_TURN = 20;

/** A verified record without its picture: lists show none, and pictures are most of the memory. */
export interface CachedRecord {
  key: RecordKey;
  record: VideoRecord;
  /** It has a picture that may be shown. */
  hasThumbnail: boolean;
  nameKey: string;
  matches(words: readonly string[]): boolean;
}

export function cachedRecord({ thumbnail, ...record }: VideoRecord): CachedRecord {
  let haystack: string | undefined;
  return {
    key: recordKeyOf(record.owner, record.id),
    record,
    hasThumbnail: thumbnail !== undefined && readThumbnail(thumbnail) !== undefined,
    nameKey: nameKey(record.title),
    matches(words) {
      if (words.length === 0) return true;
      haystack ??= haystackOf(record);
      return matchesWords(haystack, words);
    },
  };
}

/** The newest verified record of each key that anybody has shown, the least used forgotten first. */
export class RecordCache {
  readonly #records = new Map<RecordKey, CachedRecord>();
  readonly #byVideo = new Map<VideoId, Set<RecordKey>>();
  readonly #rejected = new Set<string>();
  readonly #pictures = new PictureCache();
  /** Records whose picture was forgotten and is wanted: they count as unknown until they come again. */
  readonly #wanted = new Set<RecordKey>();

  constructor(
    private readonly now: () => number,
    /** Called for every good record that is shown, known or not. */
    private readonly onRecord: (record: VideoRecord) => void = () => undefined,
  ) {}

  /** Valid now; withdrawals too. */
  get(key: RecordKey): CachedRecord | undefined {
    const cached = this.#records.get(key);
    if (!cached) return undefined;
    if (cached.record.expires <= this.now()) {
      this.#delete(key);
      return undefined;
    }
    this.#records.delete(key);
    this.#records.set(key, cached);
    return cached;
  }

  ofVideo(id: VideoId): VideoRecord[] {
    return [...(this.#byVideo.get(id) ?? [])].flatMap((key) => this.get(key)?.record ?? []);
  }

  /**
   * The picture of a record that `hasThumbnail`. Where it was forgotten, the record is fetched again by a source's `lookUp`
   * from now on.
   */
  pictureOf(key: RecordKey): Uint8Array | undefined {
    const picture = this.#pictures.get(key);
    if (!picture && this.get(key)?.hasThumbnail) this.#wanted.add(key);
    return picture;
  }

  /** Whether this or a newer one is here, or it was looked at and is no good. */
  knows(key: RecordKey, sequence: number): boolean {
    const known = this.#records.get(key);
    const isHere = known !== undefined && known.record.sequence >= sequence && !this.#wanted.has(key);
    return isHere || this.#rejected.has(`${key}:${sequence}`);
  }

  /** The source does not have it (any more), or what it has is no good. */
  reject(key: RecordKey, sequence: number): void {
    this.#rejected.add(`${key}:${sequence}`);
    const oldest = this.#rejected.values().next().value;
    if (this.#rejected.size > MAX_REJECTED && oldest !== undefined) this.#rejected.delete(oldest);
  }

  add(record: VideoRecord): void {
    const key = recordKeyOf(record.owner, record.id);
    const known = this.#records.get(key);
    const isWanted = this.#wanted.delete(key);
    if (
      known &&
      (known.record.sequence > record.sequence || (known.record.sequence === record.sequence && !isWanted))
    ) {
      return;
    }
    this.#pictures.set(key, record.thumbnail);
    this.#records.delete(key);
    this.#records.set(key, cachedRecord(record));
    let keys = this.#byVideo.get(record.id);
    if (!keys) {
      keys = new Set();
      this.#byVideo.set(record.id, keys);
    }
    keys.add(key);
    const oldest = this.#records.keys().next().value;
    if (this.#records.size > MAX_RECORDS && oldest !== undefined) this.#delete(oldest);
  }

  /**
   * Verifies and keeps them, in turns; answers those that are good. Bad ones are somebody's mistake or lie, and are skipped.
   * @param mayShow whether whoever shows it may: what is for friends only comes from its owner, or is not believed
   */
  async addAll(list: readonly Uint8Array[], mayShow: (record: VideoRecord) => boolean): Promise<VideoRecord[]> {
    const good: VideoRecord[] = [];
    for (const [index, bytes] of list.entries()) {
      if (index % RECORDS_PER_TURN === RECORDS_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      try {
        const record = parseRecord(bytes, { now: this.now() });
        if (!mayShow(record)) continue;
        this.add(record);
        this.onRecord(record);
        good.push(record);
      } catch {
        // not shown
      }
    }
    return good;
  }

  #delete(key: RecordKey): void {
    const cached = this.#records.get(key);
    if (!cached) return;
    this.#records.delete(key);
    this.#pictures.delete(key);
    this.#wanted.delete(key);
    const { id } = cached.record;
    const keys = this.#byVideo.get(id);
    if (keys?.delete(key) && keys.size === 0) this.#byVideo.delete(id);
  }
}

/** What a list shows of one video, from whichever source. */
export interface ListedVideo {
  cached: CachedRecord;
  sources: number;
  receivedAt: number;
}

/** The same orders as at a tracker: pages can be merged only so. */
export function listOrder(sort: SortOrder): (a: ListedVideo, b: ListedVideo) => number {
  const byKey = (a: ListedVideo, b: ListedVideo) => compareText(a.cached.key, b.cached.key);
  switch (sort) {
    case "newest":
      return (a, b) => b.receivedAt - a.receivedAt || byKey(a, b);
    case "name":
      return (a, b) => compareText(a.cached.nameKey, b.cached.nameKey) || byKey(a, b);
    case "size":
      return (a, b) => b.cached.record.length - a.cached.record.length || byKey(a, b);
    case "sources":
      return (a, b) => b.sources - a.sources || byKey(a, b);
  }
}
