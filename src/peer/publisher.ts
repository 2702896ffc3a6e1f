/** Keeps trackers and the catalogue told of what is shared: signs records, renews them before they expire, withdraws them. */
import { MAX_RECORD_LIFETIME_MS } from "../wire/constants";
import { toErrorInfo } from "../wire/errors";
import { mediaFacts } from "../wire/mediaFacts";
import { readOwnRecord, signRecord, type VideoRecord } from "../wire/records";
import type { VideoId } from "../wire/types";
import type { Engine } from "./engine";
import type { LibraryEntry } from "./storage/library";
import type { Catalog, OwnVideo } from "./tracker/catalog";
import type { SignedRecord, TrackerClient } from "./tracker/trackerClient";
import type { VideoRuntime } from "./videoRuntime";
import type { Withdrawals } from "./withdrawals";

/** A record is signed anew when less than this of its life is left: trackers that miss one renewal still list it. */
const RENEW_BEFORE_MS = MAX_RECORD_LIFETIME_MS / 2;
/** Reading and signing thousands of records takes seconds: so long at a time, and everybody else gets a turn in between. */
const SLICE_MS = 8;

/** A record in the forms that it is needed in: as the library keeps it, as others get it, and read. */
interface Signed {
  text: string;
  bytes: Uint8Array;
  record: VideoRecord;
}

export class Publisher {
  private readonly signed = new Map<string, Signed>();
  /** Keys of videos whose record is to be read or signed. */
  private readonly queue = new Set<string>();
  /** No record can be made of these as they are. */
  private readonly hopeless = new WeakSet<LibraryEntry>();
  /** Everybody has been told of everything once. */
  private complete = false;
  /** Resolves when `shared` has all that is shared, or this has stopped: until then it has a part of it. */
  readonly ready: Promise<void>;
  private onReady!: () => void;
  /** What the catalogue has been told. */
  private own: OwnVideo[] = [];
  private cancelSlice: (() => void) | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly catalog: Catalog,
    private readonly trackers: readonly TrackerClient[],
    private readonly withdrawals: Withdrawals,
    private readonly runtimes: () => Iterable<VideoRuntime>,
    /** Records that `update` did not wait for are there: it is to be called again. */
    private readonly onSigned: () => void,
  ) {
    this.ready = new Promise((resolve) => {
      this.onReady = resolve;
    });
  }

  /**
   * Brings everybody up to date with the library. Cheap when nothing has changed; call it again at least every hour. Where many
   * records have to be signed, what was told of these videos before stands until then; at the start nobody is told of anything
   * before all are ready, as trackers take what they are not told for gone.
   */
  update(): void {
    const now = this.engine.wallClock();
    for (const runtime of this.runtimes()) {
      const { entry } = runtime;
      if (!isOffered(entry) || this.isFresh(this.signed.get(entry.key), entry, now)) continue;
      if (!this.hopeless.has(entry)) this.queue.add(entry.key);
    }
    this.signSlice();
    if (this.queue.size > 0) this.signLater();
    if (this.queue.size > 0 && !this.complete) return;
    this.complete = true;
    this.onReady();
    this.tell(now);
  }

  stop(): void {
    this.cancelSlice?.();
    this.queue.clear();
    this.onReady();
  }

  /** For connected peers who browse what is shared here: those for friends are for the caller to keep from others. */
  shared(): { bytes: Uint8Array; record: VideoRecord }[] {
    return [...this.runtimes()].flatMap((runtime) => {
      const { entry } = runtime;
      if (!runtime.isSeeding || !entry.record) return [];
      const known = this.signed.get(entry.key);
      return known?.text === entry.record && known.record.audience === entry.audience ? [known] : [];
    });
  }

  /** The next record differs (title, description, audience): it must be newer than all before it. */
  invalidate(key: string): void {
    this.engine.library.update(key, { record: undefined });
  }

  /** Tells everybody that was told of it that it is shared no more. */
  withdraw(entry: LibraryEntry): void {
    if (!entry.id || entry.origin !== "uploaded") return;
    const now = this.engine.wallClock();
    const told = this.lastTold(entry, now);
    if (!told || told.expires <= now) return; // nobody lists it, or not any more
    if (told.audience === "friends") return; // nobody but friends was told of it, and they ask again
    // With the title that was signed before, as a newer one may be such that it cannot be; nobody sees the rest.
    const { thumbnail: _, ...plain } = entry;
    const { title, audience, expires } = told;
    const record = this.sign({ ...plain, title, description: "", audience }, true, expires);
    this.withdrawals.add({ id: entry.id, record, expires });
  }

  private tell(now: number): void {
    const published: SignedRecord[] = [];
    const own: OwnVideo[] = [];
    const have: VideoId[] = [];
    const want: VideoId[] = [];
    for (const runtime of this.runtimes()) {
      const { entry } = runtime;
      if (!entry.id) continue;
      // A tracker never hears of a video for friends.
      const secret = entry.audience === "friends";
      const isDownloading = entry.state !== "ready" && runtime.isDownloading;
      const holds = entry.state === "ready" || (isDownloading && runtime.bytesDone > 0);
      if (!secret && isDownloading) want.push(entry.id);
      if (!secret && entry.shared && holds) have.push(entry.id);
      const known = isOffered(entry) ? this.signed.get(entry.key) : undefined;
      if (known === undefined || known.text !== entry.record || known.record.expires <= now) continue;
      if (!secret) published.push({ id: entry.id, record: known.bytes });
      own.push({ record: known.record, receivedAt: entry.addedAt });
    }
    for (const key of this.signed.keys()) if (!this.engine.library.get(key)) this.signed.delete(key);
    const shared = new Set(published.map((p) => p.id));
    this.withdrawals.prune(now, (id) => shared.has(id));
    const withdrawn = this.withdrawals.list();
    if (own.length !== this.own.length || own.some(({ record }, index) => record !== this.own[index]?.record)) {
      this.own = own;
      this.catalog.setOwn(own);
    }
    for (const tracker of this.trackers) {
      tracker.setWithdrawn(withdrawn);
      tracker.setAnnounced({ have, want });
      tracker.setPublished(published);
    }
  }

  private isFresh(known: Signed | undefined, entry: LibraryEntry, now: number): boolean {
    if (known === undefined || known.text !== entry.record) return false;
    // An older one than was signed last: that one was lost.
    if (known.record.sequence !== entry.sequence) return false;
    return known.record.expires - now > RENEW_BEFORE_MS && known.record.ownerName === this.engine.peerId;
  }

  private signLater(): void {
    this.cancelSlice ??= this.engine.clock.after(0, () => {
      this.cancelSlice = undefined;
      this.signSlice();
      if (this.queue.size > 0) this.signLater();
      else this.onSigned();
    });
  }

  private signSlice(): void {
    const { clock, library } = this.engine;
    const end = clock.now() + SLICE_MS;
    for (const key of this.queue) {
      this.queue.delete(key);
      const entry = library.get(key);
      if (entry) this.prepare(entry);
      if (clock.now() >= end) return;
    }
  }

  /** Sees to it that there is a fresh record; where none can be made, `error` of the video then says why. */
  private prepare(entry: LibraryEntry): void {
    const now = this.engine.wallClock();
    if (this.isFresh(this.known(entry, now), entry, now)) return;
    try {
      const bytes = this.sign(entry, false, now + MAX_RECORD_LIFETIME_MS);
      const record = Buffer.from(bytes).toString("base64");
      this.known(this.engine.library.update(entry.key, { record }), now);
    } catch (error) {
      // One video that cannot be described must not keep the others from being told of.
      this.hopeless.add(this.engine.library.update(entry.key, { error: toErrorInfo(error) }));
    }
  }

  /** Read once for each record, not for each update. Undefined where there is none, or it has expired. */
  private known({ key, record: text }: LibraryEntry, now: number): Signed | undefined {
    if (text === undefined) return undefined;
    const known = this.signed.get(key);
    if (known?.text === text) return known;
    try {
      const bytes = Buffer.from(text, "base64");
      const signed = { text, bytes, record: readOwnRecord(bytes, { now, spki: this.engine.identity.spki }) };
      this.signed.set(key, signed);
      return signed;
    } catch {
      return undefined; // expired while the peer was off, or from before a repair of the library: signed anew
    }
  }

  /** What others were told of it last. What is to be signed anew was told as it was signed before. */
  private lastTold(entry: LibraryEntry, now: number): Pick<VideoRecord, "title" | "audience" | "expires"> | undefined {
    const known = (entry.record === undefined ? undefined : this.known(entry, now)) ?? this.signed.get(entry.key);
    if (known) return known.record;
    // The record is lost (library.ts writes records last), and its number tells that there was one.
    const { sequence, record, fileName: title, audience } = entry;
    return sequence > 0 && record === undefined
      ? { title, audience, expires: now + MAX_RECORD_LIFETIME_MS }
      : undefined;
  }

  private sign(entry: LibraryEntry, withdrawn: boolean, expires: number): Uint8Array {
    const { identity, library, peerId } = this.engine;
    // Wall-clock seconds keep the number rising even where the library was reset in between.
    const sequence = Math.max(entry.sequence + 1, Math.floor(this.engine.wallClock() / 1000));
    library.update(entry.key, { sequence });
    return signRecord(
      {
        id: entry.id!,
        v1: entry.v1!,
        piecesRoot: entry.piecesRoot!,
        pieceLength: entry.pieceLength!,
        length: entry.size,
        fileName: entry.fileName,
        audience: entry.audience,
        title: entry.title,
        description: entry.description,
        ownerName: peerId,
        ...mediaFacts(entry),
        ...(entry.indexRanges === undefined ? {} : { indexRanges: entry.indexRanges }),
        ...(entry.thumbnail === undefined ? {} : { thumbnail: Buffer.from(entry.thumbnail, "base64") }),
        sequence,
        expires,
        withdrawn,
      },
      identity.privateKey,
      identity.spki,
    );
  }
}

/** One's own, whole, and for others: it has a record. As `VideoRuntime.isSeeding`, which looks at the library for each question. */
function isOffered({ id, origin, shared, state }: LibraryEntry): boolean {
  return id !== undefined && origin === "uploaded" && shared && state === "ready";
}
