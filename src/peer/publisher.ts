/** Keeps trackers and the catalogue told of what is shared: signs records, renews them before they expire, withdraws them. */
import { fromHex } from "../wire/bytes";
import { MAX_RECORD_LIFETIME_MS } from "../wire/constants";
import { parseRecord, signRecord, type VideoRecord } from "../wire/records";
import type { VideoId } from "../wire/types";
import type { Engine } from "./engine";
import type { LibraryEntry } from "./storage/library";
import type { Catalog, OwnVideo } from "./tracker/catalog";
import type { SignedRecord, TrackerClient } from "./tracker/trackerClient";
import type { VideoRuntime } from "./videoRuntime";

/** A record is signed anew when less than this of its life is left: trackers that miss one renewal still list it. */
const RENEW_BEFORE_MS = MAX_RECORD_LIFETIME_MS / 2;

export class Publisher {
  private withdrawn: { id: VideoId; record: Uint8Array; expires: number }[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly catalog: Catalog,
    private readonly trackers: readonly TrackerClient[],
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
      if (!entry.id || entry.audience === "friends") continue;
      if (runtime.isDownloading) want.push(entry.id);
      if (entry.shared && (runtime.isSeeding || (runtime.isDownloading && runtime.bytesDone > 0))) have.push(entry.id);
      if (entry.origin !== "uploaded" || !runtime.isSeeding) continue;
      const record = this.currentRecord(entry);
      published.push({ id: entry.id, record });
      own.push({ record: this.parsed(entry.key, record), receivedAt: entry.addedAt });
    }
    const shared = new Set(published.map((p) => p.id));
    const now = this.engine.wallClock();
    this.withdrawn = this.withdrawn.filter((w) => w.expires > now && !shared.has(w.id));
    this.catalog.setOwn(own);
    for (const tracker of this.trackers) {
      tracker.setWithdrawn(this.withdrawn);
      tracker.setPublished(published);
      tracker.setAnnounced({ have, want });
    }
  }

  /** For connected peers who browse what is shared here. */
  shared(): { bytes: Uint8Array; record: VideoRecord }[] {
    return [...this.runtimes()].flatMap((runtime) => {
      const { entry } = runtime;
      if (!runtime.isSeeding || entry.audience === "friends" || !entry.record) return [];
      const bytes = Buffer.from(entry.record, "base64");
      return [{ bytes, record: this.parsed(entry.key, bytes) }];
    });
  }

  /** The next record differs (title, description, audience): it must be newer than all before it. */
  invalidate(key: string): void {
    this.engine.library.update(key, { record: undefined });
  }

  /** Tells everybody that was told of it that it is shared no more. */
  withdraw(entry: LibraryEntry): void {
    if (!entry.id || !entry.record || entry.origin !== "uploaded") return;
    const last = parseRecord(Buffer.from(entry.record, "base64"), { now: this.engine.wallClock() });
    const record = this.sign(entry, true, last.expires);
    this.withdrawn.push({ id: entry.id, record, expires: last.expires });
  }

  /** Parsing checks a signature: done once for each record, not for each update. */
  private parsed(key: string, bytes: Uint8Array): VideoRecord {
    const text = Buffer.from(bytes).toString("base64");
    const known = this.parsedRecords.get(key);
    if (known?.text === text) return known.record;
    const record = parseRecord(bytes, { now: this.engine.wallClock() });
    this.parsedRecords.set(key, { text, record });
    return record;
  }
  private readonly parsedRecords = new Map<string, { text: string; record: VideoRecord }>();

  private currentRecord(entry: LibraryEntry): Uint8Array {
    const now = this.engine.wallClock();
    if (entry.record) {
      const bytes = Buffer.from(entry.record, "base64");
      try {
        const record = this.parsed(entry.key, bytes);
        if (record.expires - now > RENEW_BEFORE_MS && record.ownerName === this.engine.peerId) return bytes;
      } catch {
        // Expired while the peer was off, or from before a repair of the library: signed anew below.
      }
    }
    const bytes = this.sign(entry, false, now + MAX_RECORD_LIFETIME_MS);
    this.engine.library.update(entry.key, { record: Buffer.from(bytes).toString("base64") });
    return bytes;
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
        ...(entry.duration === undefined ? {} : { duration: entry.duration }),
        ...(entry.container === undefined ? {} : { container: entry.container }),
        ...(entry.codecs === undefined ? {} : { codecs: entry.codecs }),
        ...(entry.width === undefined ? {} : { width: entry.width }),
        ...(entry.height === undefined ? {} : { height: entry.height }),
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

/** First 20 bytes of the id, in hex: what handshakes carry. */
export function shortHash(id: string): string {
  return Buffer.from(fromHex(id).subarray(0, 20)).toString("hex");
}
