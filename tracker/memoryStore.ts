import { randomInt } from "node:crypto";
import { compareText, foldText } from "../src/wire/search";
import { peerIdKey } from "../src/wire/trackerAddress";
import type { CatalogQuery, DirectoryQuery, RecordKey } from "../src/wire/trackerMessages";
import type { Fingerprint, VideoId } from "../src/wire/types";
import { type CatalogEntry, CatalogIndex, newEntry, replaceRecord } from "./catalogIndex";
import type { TrackerClock } from "./clock";
import { decodeCursor, encodeCursor } from "./cursor";
import type { TrackerLimits } from "./limits";
import type { NameBook } from "./nameBook";
import { PlainSwarms } from "./plainSwarms";
import { isListed, judgeRecord, withdrawalExpiry } from "./rules";
import { firstAfter, SortedView } from "./sortedView";
import type {
  Announcement,
  Callback,
  NameEntry,
  NameOutcome,
  PlainPeer,
  PutOutcome,
  RowsPage,
  SessionInfo,
  SessionsPage,
  StoreCounts,
  StoredRecord,
  StoreListener,
  SwarmMember,
  TrackerStore,
} from "./store";
import { type Membership, Swarms } from "./swarms";

/** How much of `recordBytes` is freed at once when it is full, so that it is not searched for every record. */
const EVICTED_SHARE = 0.05;

/** `fresh`: said by the present connection, not taken over from an earlier one of the same key. */
interface Session {
  info: SessionInfo;
  /** In folded form, for the directory's search. */
  foldedName: string;
  announced: Map<string, { membership: Membership; fresh: boolean }>;
  published: Map<RecordKey, { fresh: boolean }>;
}

/** base64 characters of so many bytes: what answers are measured in. */
const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4;

const randomShare = (): number => randomInt(2 ** 32) / 2 ** 32;

/**
 * Everything in this process's memory; only names outlive it (nameBook.ts). Keeps track of: sessions by id and by key, records
 * by key, by video and by owner, the list of them (catalogIndex.ts), and swarms. A record is listed or not by one rule
 * (`isListed`), applied by `#relist` after everything that may change it.
 */
export class MemoryStore implements TrackerStore {
  readonly #sessions = new Map<string, Session>();
  readonly #online = new Map<Fingerprint, Session>();
  readonly #directory = new SortedView<Session>(
    (a, b) =>
      compareText(peerIdKey(a.info.peerId), peerIdKey(b.info.peerId)) ||
      compareText(a.info.fingerprint, b.info.fingerprint),
  );
  readonly #records = new Map<RecordKey, CatalogEntry>();
  readonly #byVideo = new Map<VideoId, Set<CatalogEntry>>();
  readonly #byOwner = new Map<Fingerprint, Set<CatalogEntry>>();
  readonly #index = new CatalogIndex();
  /** Known but not listed, longest so first: what goes when memory is short. */
  readonly #unlisted = new Set<CatalogEntry>();
  readonly #swarms = new Swarms<Session>();
  readonly #plain = new PlainSwarms();
  #recordBytes = 0;
  #directoryRevision = 1;
  #listener: StoreListener = { onReplaced() {}, onReleased() {}, onCallback() {} };

  constructor(
    private readonly names: NameBook,
    private readonly clock: TrackerClock,
    private readonly limits: TrackerLimits,
  ) {}

  setListener(listener: StoreListener): void {
    this.#listener = listener;
  }

  claimName(name: string, owner: Fingerprint): Promise<NameOutcome> {
    return this.names.claim(name, owner, this.clock.now(), (holder) => this.#online.has(holder));
  }

  async nameHolder(name: string): Promise<NameEntry | undefined> {
    return this.names.get(name);
  }

  async releaseName(name: string, owner?: Fingerprint): Promise<boolean> {
    const released = await this.names.release(name, owner);
    if (!released) return false;
    const session = owner === undefined ? this.#online.get(released.owner) : undefined;
    if (session && peerIdKey(session.info.peerId) === peerIdKey(name)) this.#listener.onReleased(session.info.session);
    return true;
  }

  async openSession(info: SessionInfo): Promise<void> {
    const earlier = this.#online.get(info.fingerprint);
    this.#directoryRevision++;
    if (!earlier) {
      const session: Session = {
        info,
        foldedName: foldText(info.peerId),
        announced: new Map(),
        published: new Map(),
      };
      this.#sessions.set(info.session, session);
      this.#online.set(info.fingerprint, session);
      this.#directory.add(session);
      return;
    }
    const replaced = earlier.info.session;
    this.#sessions.delete(replaced);
    this.#sessions.set(info.session, earlier);
    earlier.info = { ...info, onlineSince: earlier.info.onlineSince };
    earlier.foldedName = foldText(info.peerId);
    for (const item of earlier.announced.values()) item.fresh = false;
    for (const item of earlier.published.values()) item.fresh = false;
    this.#directory.touch(earlier);
    this.#listener.onReplaced(replaced);
  }

  async closeSession(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    this.#online.delete(session.info.fingerprint);
    this.#directory.delete(session);
    this.#directoryRevision++;
    this.names.touch(session.info.fingerprint, this.clock.now());
    for (const hash of session.announced.keys()) this.#leave(session, hash);
    for (const key of session.published.keys()) this.#relist(this.#records.get(key));
  }

  async findSession(fingerprint: Fingerprint): Promise<SessionInfo | undefined> {
    return this.#online.get(fingerprint)?.info;
  }

  async sessions(query: DirectoryQuery): Promise<SessionsPage> {
    let matches: readonly Session[] = this.#directory.sorted();
    if (query.fingerprints) {
      const wanted = new Set(query.fingerprints);
      matches = matches.filter((session) => wanted.has(session.info.fingerprint));
    }
    if (query.names) {
      const wanted = new Set(query.names.map(peerIdKey));
      matches = matches.filter((session) => wanted.has(peerIdKey(session.info.peerId)));
    }
    if (query.text) {
      const text = foldText(query.text);
      matches = matches.filter((session) => session.foldedName.includes(text));
    }
    let start = 0;
    if (query.cursor !== undefined) {
      const { value, key } = decodeCursor(query.cursor);
      start = firstAfter(matches, ({ info }) => {
        const order = compareText(peerIdKey(info.peerId), String(value));
        return order > 0 || (order === 0 && info.fingerprint > key);
      });
    }
    const page = matches.slice(start, start + query.limit);
    const last = page.at(-1)?.info;
    const more = start + page.length < matches.length;
    return {
      sessions: page.map((session) => session.info),
      total: matches.length,
      ...(last && more ? { cursor: encodeCursor(peerIdKey(last.peerId), last.fingerprint) } : {}),
    };
  }

  async putRecord(record: StoredRecord, sessionId: string): Promise<PutOutcome> {
    const known = this.#records.get(record.key);
    const outcome = judgeRecord(known?.record, record);
    if (outcome.kind === "older") return outcome;
    if (outcome.kind === "stored") {
      const grown = record.bytes.length - (known?.record.bytes.length ?? 0);
      const owned = this.#byOwner.get(record.owner)?.size ?? 0;
      if (!known && owned >= this.limits.recordsPerOwner) return { kind: "owner-full" };
      if (this.#recordBytes + grown > this.limits.recordBytes && !this.#evict(grown)) return { kind: "store-full" };
      this.#store({ ...record, expires: withdrawalExpiry(known?.record, record) });
    }
    const session = this.#sessions.get(sessionId);
    if (record.withdrawn) session?.published.delete(record.key);
    else session?.published.set(record.key, { fresh: true });
    this.#relist(this.#records.get(record.key));
    return outcome;
  }

  async records(keys: readonly RecordKey[], maxBytes: number): Promise<{ records: Uint8Array[]; answered: number }> {
    const found: Uint8Array[] = [];
    let size = 0;
    let answered = 0;
    for (const key of keys) {
      const record = this.#records.get(key)?.record;
      if (record && record.expires > this.clock.now()) {
        size += base64Length(record.bytes.length);
        if (size > maxBytes && found.length > 0) break;
        found.push(record.bytes);
      }
      answered++;
    }
    return { records: found, answered };
  }

  async query(query: CatalogQuery): Promise<RowsPage> {
    return this.#index.query(query);
  }

  async announce(sessionId: string, { have, want, gone, complete }: Announcement): Promise<boolean> {
    const session = this.#sessions.get(sessionId);
    if (!session) return true;
    const said = new Map<string, Membership>();
    for (const hash of have) said.set(hash, { have: true, want: false });
    for (const hash of want) said.set(hash, { have: said.get(hash)?.have === true, want: true });
    let added = 0;
    for (const hash of said.keys()) if (!session.announced.has(hash)) added++;
    if (session.announced.size + added > this.limits.idsPerConnection) return false;
    for (const hash of gone) {
      if (session.announced.delete(hash)) this.#leave(session, hash);
    }
    for (const [hash, membership] of said) {
      session.announced.set(hash, { membership, fresh: true });
      const before = this.#swarms.get(hash, session);
      if (before?.have === membership.have && before.want === membership.want) continue;
      this.#swarms.set(hash, session, membership);
      if (before?.have !== membership.have) this.#recount(hash);
    }
    if (complete) this.#dropInherited(session);
    return true;
  }

  async swarm(hash: string, limit: number, except: Fingerprint): Promise<{ members: SwarmMember[]; total: number }> {
    return this.#swarms.find(hash, limit, except, randomShare);
  }

  async publicVideo(hash: string): Promise<VideoId | undefined> {
    const now = this.clock.now();
    return this.#swarms
      .idsOf(hash)
      .find((id) =>
        [...(this.#byVideo.get(id) ?? [])].some(
          ({ record }) => record.audience === "public" && !record.withdrawn && record.expires > now,
        ),
      );
  }

  async announcePlain(id: VideoId, peer: PlainPeer, expires: number, completed: boolean): Promise<void> {
    this.#plain.set(id, peer, expires, completed);
  }

  async removePlain(id: VideoId, peer: Pick<PlainPeer, "host" | "port">): Promise<void> {
    this.#plain.delete(id, peer);
  }

  async plainSwarm(id: VideoId, limit: number): Promise<PlainPeer[]> {
    return this.#plain.find(id, limit, this.clock.now(), randomShare);
  }

  async countPlain(id: VideoId): Promise<{ complete: number; incomplete: number; downloaded: number }> {
    return this.#plain.count(id, this.clock.now());
  }

  async sendCallback(to: Fingerprint, callback: Callback): Promise<boolean> {
    const session = this.#online.get(to);
    if (!session) return false;
    this.#listener.onCallback(session.info.session, callback);
    return true;
  }

  revisions(): { catalog: number; directory: number } {
    return { catalog: this.#index.revision, directory: this.#directoryRevision };
  }

  counts(): StoreCounts {
    return { sessions: this.#sessions.size, videos: this.#index.size, names: this.names.size };
  }

  async sweep(): Promise<void> {
    const now = this.clock.now();
    for (const entry of [...this.#records.values()]) if (entry.record.expires <= now) this.#drop(entry);
    this.#plain.sweep(now, (id) => this.#byVideo.has(id));
    for (const owner of this.#online.keys()) this.names.touch(owner, now);
    this.names.dropLapsed(now, (owner) => this.#online.has(owner));
    await this.names.save();
  }

  async close(): Promise<void> {
    const now = this.clock.now();
    for (const owner of this.#online.keys()) this.names.touch(owner, now);
    await this.names.save();
  }

  #dropInherited(session: Session): void {
    for (const [hash, item] of session.announced) {
      if (item.fresh) continue;
      session.announced.delete(hash);
      this.#leave(session, hash);
    }
    for (const [key, item] of session.published) {
      if (item.fresh) continue;
      session.published.delete(key);
      this.#relist(this.#records.get(key));
    }
  }

  #leave(session: Session, hash: string): void {
    const held = this.#swarms.get(hash, session)?.have === true;
    this.#swarms.delete(hash, session);
    if (held) this.#recount(hash);
  }

  /** The number of sources of whatever this hash means may have changed. */
  #recount(hash: string): void {
    for (const id of this.#swarms.idsOf(hash)) {
      for (const entry of this.#byVideo.get(id) ?? []) this.#relist(entry);
    }
  }

  #relist(entry: CatalogEntry | undefined): void {
    if (!entry) return;
    const { record } = entry;
    const sources = this.#swarms.sources(record.id);
    const changed = sources !== entry.sources;
    entry.sources = sources;
    const published = this.#online.get(record.owner)?.published.has(record.key) === true;
    const listed = isListed(record, published, sources, this.clock.now());
    if (!listed) {
      this.#index.delete(entry);
      this.#unlisted.add(entry);
    } else if (!this.#index.has(entry)) {
      this.#unlisted.delete(entry);
      this.#index.add(entry);
    } else if (changed) {
      this.#index.touch(entry);
    }
  }

  #store(record: StoredRecord): void {
    const known = this.#records.get(record.key);
    if (known) {
      this.#recordBytes -= known.record.bytes.length;
      this.#swarms.deleteRecord(known.record.id, known.record.v1);
      replaceRecord(known, record);
      this.#index.touch(known);
    } else {
      const entry = newEntry(record, this.clock.now());
      this.#records.set(record.key, entry);
      addTo(this.#byVideo, record.id, entry);
      addTo(this.#byOwner, record.owner, entry);
    }
    this.#recordBytes += record.bytes.length;
    this.#swarms.addRecord(record.id, record.v1);
  }

  #drop(entry: CatalogEntry): void {
    const { record } = entry;
    this.#index.delete(entry);
    this.#unlisted.delete(entry);
    this.#records.delete(record.key);
    this.#recordBytes -= record.bytes.length;
    this.#swarms.deleteRecord(record.id, record.v1);
    deleteFrom(this.#byVideo, record.id, entry);
    deleteFrom(this.#byOwner, record.owner, entry);
    this.#online.get(record.owner)?.published.delete(record.key);
  }

  /** Drops records that nobody lists. */
  #evict(bytes: number): boolean {
    const goal = this.limits.recordBytes - Math.max(bytes, this.limits.recordBytes * EVICTED_SHARE);
    for (const entry of this.#unlisted) {
      if (this.#recordBytes <= goal) break;
      this.#drop(entry);
    }
    return this.#recordBytes + bytes <= this.limits.recordBytes;
  }
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key);
  if (values) values.add(value);
  else map.set(key, new Set([value]));
}

function deleteFrom<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key);
  if (values?.delete(value) && values.size === 0) map.delete(key);
}
