import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { nanoid } from "nanoid";
import { type ErrorInfo, StreamletError } from "../../wire/errors";
import type { VideoId } from "../../wire/types";
import { fileError, systemCode } from "./fileErrors";
import { inParallel } from "./inParallel";
import { damagedName, readJson, writeAtomic, writeJson } from "./jsonFile";
import { EXTRA_FIELDS, EXTRAS, formatLibrary, type LibraryEntry, parseLibrary, withoutUndefined } from "./libraryEntry";

export type { LibraryEntry } from "./libraryEntry";

/** Changes of one moment (a transfer ends, a record is signed, ...) become one write. */
const WRITE_DELAY_MS = 500;
/** After a write that failed (disk full), while nothing else changes. */
const RETRY_DELAY_MS = 10_000;
/**
 * Files of extras that are read or written at a time: each is flushed to the disk, which waits, and the disk does several at once.
 */
const EXTRAS_AT_ONCE = 8;
/** A record that is lost is signed anew: at the end they are not waited for any longer. */
const RECORDS_WAIT_MS = 1_000;
/** The copy of the last good library is at most this much older than the library. */
const BACKUP_INTERVAL_MS = 60_000;

export interface LibraryReport {
  /** One error (library-damaged) for each file that had to be repaired; its message says what was kept where. */
  damaged: ErrorInfo[];
}

export interface LibraryOptions {
  /** A write in the background failed (disk-full, write-failed); it is tried again. */
  onError?(error: Error): void;
  writeDelayMs?: number;
}

type NewEntry = Omit<LibraryEntry, "key" | "addedAt" | "sequence"> &
  Partial<Pick<LibraryEntry, "key" | "addedAt" | "sequence">>;

/**
 * The videos of a profile, in `<dataDir>/library.json`. A change counts at once in memory and is written soon after, atomically;
 * `flush` before something is reported as done. Beside it, named after the entry's key: `info/` (info dictionaries), `extras/`
 * (records, grants, thumbnails), `hashes/` and `resume/`. They are deleted after the library that no longer names them is written;
 * what a kill leaves of them is swept at the next start.
 */
export class Library {
  readonly report: LibraryReport = { damaged: [] };
  readonly #dir: string;
  readonly #onError: (error: Error) => void;
  readonly #writeDelayMs: number;
  readonly #entries = new Map<string, LibraryEntry>();
  /** Made when asked for, dropped by every change. */
  #sorted: readonly LibraryEntry[] | undefined;
  #byId: Map<VideoId, LibraryEntry> | undefined;
  /** Keys of entries whose extras go before the library. */
  readonly #changedExtras = new Set<string>();
  /** Those of which only the record differs: after it, as there may be thousands of them. */
  readonly #changedRecords = new Set<string>();
  #writingRecords: Promise<void> | undefined;
  readonly #writingExtras = new Map<string, Promise<void>>();
  readonly #removed = new Set<string>();
  #dirty = false;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #writing: Promise<void> | undefined;
  #closed = false;
  #backupAt = Number.NEGATIVE_INFINITY;

  private constructor(dataDir: string, { onError, writeDelayMs = WRITE_DELAY_MS }: LibraryOptions) {
    this.#dir = dataDir;
    this.#onError = onError ?? (() => undefined);
    this.#writeDelayMs = writeDelayMs;
  }

  /**
   * Opens or creates it. A damaged file is kept aside, and what can be had of it or of its last good copy is taken over: see `report`.
   * Errors: library-damaged only for a library of a later version of Streamlet (it is not touched); file-unreadable, disk-full, write-failed.
   */
  static async open(dataDir: string, options: LibraryOptions = {}): Promise<Library> {
    const library = new Library(dataDir, options);
    await library.#load();
    return library;
  }

  /** In order of `addedAt`. */
  entries(): readonly LibraryEntry[] {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => a.addedAt - b.addedAt);
    return this.#sorted;
  }

  get(key: string): LibraryEntry | undefined {
    return this.#entries.get(key);
  }

  /** The oldest entry with this id. */
  findById(id: VideoId): LibraryEntry | undefined {
    this.#byId ??= new Map(
      this.entries()
        .toReversed()
        .flatMap((entry) => (entry.id ? [[entry.id, entry]] : [])),
    );
    return this.#byId.get(id);
  }

  add(entry: NewEntry): LibraryEntry {
    const added = withoutUndefined<LibraryEntry>({ key: nanoid(), addedAt: Date.now(), sequence: 0, ...entry });
    this.#set(added);
    if (EXTRA_FIELDS.some((field) => added[field] !== undefined)) this.#changedExtras.add(added.key);
    return added;
  }

  /** Replaces the given fields (`undefined` deletes one) and returns the new entry; what changes nothing is not written. Errors: unknown-video. */
  update(key: string, changes: Partial<Omit<LibraryEntry, "key">>): LibraryEntry {
    const before = this.#entries.get(key);
    if (!before) throw new StreamletError("unknown-video", "This video is not in the library any more.");
    const after = withoutUndefined<LibraryEntry>({ ...before, ...changes, key });
    if (isDeepStrictEqual(after, before)) return before;
    if (LASTING_EXTRAS.some((field) => after[field] !== before[field])) this.#changedExtras.add(key);
    else if (after.record !== before.record) this.#changedRecords.add(key);
    this.#set(after);
    return after;
  }

  /** Also deletes the info dictionary, hash tree and resume file of the entry, soon after. */
  remove(key: string): void {
    if (!this.#entries.delete(key)) return;
    this.#removed.add(key);
    this.#changed();
  }

  /** Keeps the raw info dictionary of a video; on disk when it resolves. Errors: disk-full, write-failed. */
  async saveInfo(key: string, infoBytes: Uint8Array): Promise<void> {
    await writeAtomic(this.#file("info", key), infoBytes);
  }

  /** The raw info dictionary, or undefined when it is missing or does not hash to the entry's id (or v1 info-hash). */
  async readInfo(key: string): Promise<Uint8Array | undefined> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#file("info", key));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw fileError(error, "read", this.#file("info", key));
    }
    const { id, v1 } = this.#entries.get(key) ?? {};
    const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest("hex");
    const wrong = id ? digest("sha256") !== id : v1 !== undefined && digest("sha1") !== v1;
    return wrong ? undefined : bytes;
  }

  /** For hashFile and HashTree. */
  treePath(key: string): string {
    return this.#file("hashes", key);
  }

  /** For ResumeData. */
  resumePath(key: string): string {
    return this.#file("resume", key);
  }

  /** Resolves when everything so far is on disk, records that were signed excepted: they can be had again. Errors: disk-full, write-failed (what could not be written stays to be written). */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing?.catch(() => undefined); // it may have begun before the newest change
    if (this.#writing) return this.flush();
    if (this.#dirty) await this.#startWriting();
  }

  /** flush, then no more writes. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    const cancelled = new AbortController();
    const patience = sleep(RECORDS_WAIT_MS, undefined, { signal: cancelled.signal }).catch(() => undefined);
    await Promise.race([this.#writeRecords(), patience]);
    cancelled.abort();
    this.#changedRecords.clear();
    await this.#writingRecords;
  }

  #set(entry: LibraryEntry): void {
    this.#entries.set(entry.key, entry);
    this.#changed();
  }

  #changed(): void {
    this.#sorted = undefined;
    this.#byId = undefined;
    this.#dirty = true;
    this.#schedule(this.#writeDelayMs);
  }

  #schedule(delayMs: number): void {
    const dueAt = performance.now() + delayMs;
    if (this.#closed || (this.#timer && this.#dueAt <= dueAt)) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#writing) return this.#schedule(delayMs);
      this.#startWriting().catch((error) => this.#onError(error));
    }, delayMs);
  }

  #startWriting(): Promise<void> {
    this.#writing = this.#write()
      .catch((error) => {
        this.#schedule(RETRY_DELAY_MS);
        throw error;
      })
      .finally(() => {
        this.#writing = undefined;
      });
    return this.#writing;
  }

  async #write(): Promise<void> {
    this.#dirty = false;
    const entries = this.entries();
    const extras = [...this.#changedExtras];
    const removed = [...this.#removed];
    this.#changedExtras.clear();
    try {
      await inParallel(extras, EXTRAS_AT_ONCE, (key) => this.#writeExtras(key));
      const text = await formatLibrary(entries);
      await this.#backUp();
      await writeAtomic(this.#path, text);
    } catch (error) {
      this.#dirty = true;
      for (const key of extras) this.#changedExtras.add(key);
      throw error;
    }
    for (const key of removed) {
      await this.#deleteFiles(key);
      this.#removed.delete(key);
    }
    if (!this.#closed) void this.#writeRecords();
  }

  /** Resolves when there are none left to write, or the disk takes no more: the next write tries again. */
  #writeRecords(): Promise<void> {
    this.#writingRecords ??= this.#writeAllRecords()
      .catch((error) => this.#onError(error))
      .finally(() => {
        this.#writingRecords = undefined;
      });
    return this.#writingRecords;
  }

  async #writeAllRecords(): Promise<void> {
    await inParallel(this.#changedRecords, EXTRAS_AT_ONCE, async (key) => {
      this.#changedRecords.delete(key);
      try {
        await this.#writeExtras(key);
      } catch (error) {
        this.#changedRecords.add(key);
        throw error;
      }
    });
  }

  /** One after the other for each entry: records are written beside the library, and what else there is before it. */
  #writeExtras(key: string): Promise<void> {
    const before = this.#writingExtras.get(key) ?? Promise.resolve();
    const write = before.catch(() => undefined).then(() => this.#writeExtrasNow(key));
    this.#writingExtras.set(key, write);
    return write.finally(() => {
      if (this.#writingExtras.get(key) === write) this.#writingExtras.delete(key);
    });
  }

  async #writeExtrasNow(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (!entry) return;
    const { record, grant, thumbnail } = entry;
    await writeJson(this.#file("extras", key), { record, grant, thumbnail });
  }

  /** The library on disk is a good one (it was read or written by this object): the next write makes it the last good copy. */
  async #backUp(): Promise<void> {
    const now = performance.now();
    if (now - this.#backupAt < BACKUP_INTERVAL_MS) return;
    try {
      await copyFile(this.#path, `${this.#backupPath}.new`);
      await rename(`${this.#backupPath}.new`, this.#backupPath);
      this.#backupAt = now;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw fileError(error, "write", this.#backupPath);
    }
  }

  async #load(): Promise<void> {
    try {
      await mkdir(this.#dir, { recursive: true });
    } catch (error) {
      throw fileError(error, "write", this.#dir);
    }
    const text = await readOptional(this.#path);
    const parsed = text === undefined ? { entries: [] } : await parseLibrary(text);
    if (parsed.newer) throw this.#newerVersion();
    for (const entry of parsed.entries) this.#entries.set(entry.key, entry);
    if (text === undefined || parsed.damage) await this.#recover(parsed.damage);
    const extras = new Set(await readdir(join(this.#dir, "extras")).catch(() => []));
    const keys = [...this.#entries.keys()].filter((key) => extras.has(`${key}.extras`));
    await inParallel(keys, EXTRAS_AT_ONCE, (key) => this.#loadExtras(key));
    await this.#sweep();
  }

  #newerVersion(): StreamletError {
    return new StreamletError(
      "library-damaged",
      `The library ${this.#path} was written by a newer version of Streamlet. Update Streamlet to use it.`,
      { data: { path: this.#path } },
    );
  }

  /** Adds what only the last good copy has, and puts the damaged file aside. Without `damage` the library is missing. */
  async #recover(damage: string | undefined): Promise<void> {
    const backup = await readOptional(this.#backupPath);
    if (damage === undefined && backup === undefined) return; // a new library
    const whole = this.#entries.size;
    for (const entry of backup === undefined ? [] : (await parseLibrary(backup)).entries) {
      if (!this.#entries.has(entry.key)) this.#entries.set(entry.key, entry);
    }
    const fromCopy = this.#entries.size - whole;
    const keptAt = damage === undefined ? undefined : await this.#copyAside();
    const what = damage === undefined ? "was missing" : `was damaged (${damage})`;
    const got = `${whole} videos were read from it and ${fromCopy} from its last good copy`;
    const kept = keptAt ? ` The damaged file is kept as ${keptAt}.` : "";
    this.report.damaged.push({
      code: "library-damaged",
      message: `The library ${this.#path} ${what}: ${got}.${kept} Check My Videos, and add what is missing again.`,
      data: { path: this.#path, ...(keptAt ? { keptAt } : {}), recovered: this.#entries.size },
    });
    this.#backupAt = performance.now(); // the damaged file must not become the last good copy
    this.#dirty = true;
    await this.flush();
  }

  /** A copy: the damaged file stays in place until the repaired one replaces it, so that a kill in between changes nothing. */
  async #copyAside(): Promise<string> {
    const keptAt = damagedName(this.#path);
    try {
      await copyFile(this.#path, keptAt);
    } catch (error) {
      throw fileError(error, "write", keptAt);
    }
    return keptAt;
  }

  async #loadExtras(key: string): Promise<void> {
    const path = this.#file("extras", key);
    const read = await readJson(path, EXTRAS);
    const entry = this.#entries.get(key);
    if (read.state === "ok" && entry) this.#entries.set(key, { ...entry, ...read.value });
    if (read.state !== "damaged") return;
    const message = `Notes on the video "${entry?.title}" were damaged and are kept as ${read.keptAt}. They are made again when it is shared.`;
    this.report.damaged.push({ code: "library-damaged", message, data: { path, keptAt: read.keptAt } });
  }

  /** Deletes files of entries that are no more, unless a damaged library that may still name them is kept. */
  async #sweep(): Promise<void> {
    const names = await readdir(this.#dir);
    if (names.some((name) => name.startsWith("library.json.damaged-"))) return;
    for (const kind of KINDS) {
      for (const name of await readdir(join(this.#dir, kind)).catch(() => [])) {
        if (!this.#entries.has(name.split(".")[0] ?? "")) await rm(join(this.#dir, kind, name), { force: true });
      }
    }
  }

  /** A file that is in use on Windows stays until the next start sweeps it. */
  async #deleteFiles(key: string): Promise<void> {
    for (const kind of KINDS) await rm(this.#file(kind, key), { force: true }).catch(() => undefined);
  }

  get #path(): string {
    return join(this.#dir, "library.json");
  }

  get #backupPath(): string {
    return `${this.#path}.bak`;
  }

  #file(kind: (typeof KINDS)[number], key: string): string {
    return join(this.#dir, kind, `${key}.${kind}`);
  }
}

/** Folders beside the library, and extensions of the files in them. */
const KINDS = ["info", "extras", "hashes", "resume"] as const;

/** What cannot be had again; the record can. */
const LASTING_EXTRAS = ["grant", "thumbnail"] as const satisfies (typeof EXTRA_FIELDS)[number][];

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw fileError(error, "read", path);
  }
}
