/** Keeps trackers and the catalogue told of what is shared: signs records, renews them before they expire, withdraws them. */
import { MAX_RECORD_LIFETIME_MS } from "../wire/constants";
import { toErrorInfo } from "../wire/errors";
import { mediaFacts } from "../wire/mediaFacts";
import { parseRecord, signRecord, type VideoRecord } from "../wire/records";
import type { VideoId } from "../wire/types";
import type { Engine } from "./engine";
import type { LibraryEntry } from "./storage/library";
import type { Catalog, OwnVideo } from "./tracker/catalog";
import type { SignedRecord, TrackerClient } from "./tracker/trackerClient";
import type { VideoRuntime } from "./videoRuntime";
import type { Withdrawals } from "./withdrawals";

/** A record is signed anew when less than this of its life is left: trackers that miss one renewal still list it. */
const RENEW_BEFORE_MS = MAX_RECORD_LIFETIME_MS / 2;

/** A record in the forms that it is needed in: as the library keeps it, as others get it, and read. */
interface Signed {
  text: string;
  bytes: Uint8Array;
  record: VideoRecord;
}

export class Publisher {
  constructor(
    private readonly engine: Engine,
    private readonly catalog: Catalog,
    private readonly trackers: readonly TrackerClient[],
    private readonly withdrawals: Withdrawals,
    private readonly runtimes: () => Iterable<VideoRuntime>,
  ) {}

  /** Brings everybody up to date with the library. Cheap when nothing has changed; call it again at least every hour. */
  update(): void {
    const published: SignedRecord[] = [];
    const own: OwnVideo[] = [];
    const have: VideoId[] = [];
    const want: VideoId[] = [];
    for (const runtime of this.runtimes()) {
      const { entry } = runtime;
      if (!entry.id) continue;
      // A tracker never hears of a video for friends.
      const secret = entry.audience === "friends";
      const holds = runtime.isSeeding || (runtime.isDownloading && runtime.bytesDone > 0);
      if (!secret && runtime.isDownloading) want.push(entry.id);
      if (!secret && entry.shared && holds) have.push(entry.id);
      if (entry.origin !== "uploaded" || !runtime.isSeeding) continue;
      const current = this.currentRecord(entry);
      if (!current) continue;
      if (!secret) published.push({ id: entry.id, record: current.bytes });
      own.push({ record: current.record, receivedAt: entry.addedAt });
    }
    for (const key of this.signed.keys()) if (!this.engine.library.get(key)) this.signed.delete(key);
    const shared = new Set(published.map((p) => p.id));
    this.withdrawals.prune(this.engine.wallClock(), (id) => shared.has(id));
    const withdrawn = this.withdrawals.list();
    this.catalog.setOwn(own);
    for (const tracker of this.trackers) {
      tracker.setWithdrawn(withdrawn);
      tracker.setPublished(published);
      tracker.setAnnounced({ have, want });
    }
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
    // What is to be signed anew was told as it was signed last.
    const last = (entry.record === undefined ? this.signed.get(entry.key) : this.known(entry, now))?.record;
    if (!last || last.expires <= now) return; // nobody lists it, or not any more
    const { title, audience } = last;
    if (audience === "friends") return; // nobody but friends was told of it, and they ask again
    // With the title that was signed before, as a newer one may be such that it cannot be; nobody sees the rest.
    const { thumbnail: _, ...plain } = entry;
    const record = this.sign({ ...plain, title, description: "", audience }, true, last.expires);
    this.withdrawals.add({ id: entry.id, record, expires: last.expires });
  }

  /** The record as it is told to others; undefined where none can be made, as `error` of the video then says. */
  private currentRecord(entry: LibraryEntry): Signed | undefined {
    const now = this.engine.wallClock();
    const current = this.known(entry, now);
    if (current && current.record.expires - now > RENEW_BEFORE_MS && current.record.ownerName === this.engine.peerId) {
      return current;
    }
    try {
      const bytes = this.sign(entry, false, now + MAX_RECORD_LIFETIME_MS);
      const text = Buffer.from(bytes).toString("base64");
      this.engine.library.update(entry.key, { record: text });
      return this.known({ ...entry, record: text }, now);
    } catch (error) {
      // One video that cannot be described must not keep the others from being told of.
      this.engine.library.update(entry.key, { error: toErrorInfo(error) });
      return undefined;
    }
  }

  /** Parsing checks a signature: done once for each record, not for each update. Undefined where it is none, or has expired. */
  private known({ key, record: text }: LibraryEntry, now: number): Signed | undefined {
    if (text === undefined) return undefined;
    const known = this.signed.get(key);
    if (known?.text === text) return known;
    try {
      const bytes = Buffer.from(text, "base64");
      const signed = { text, bytes, record: parseRecord(bytes, { now }) };
      this.signed.set(key, signed);
      return signed;
    } catch {
      return undefined; // expired while the peer was off, or from before a repair of the library: signed anew
    }
  }
  private readonly signed = new Map<string, Signed>();

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
