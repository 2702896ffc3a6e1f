import { mediaFacts } from "../../wire/mediaFacts";
import type { VideoRecord } from "../../wire/records";
import { type RecordKey, recordKeyOf } from "../../wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../wire/types";
import { type Clock, systemClock } from "../clock";
import { NOBODY_KNOWN, type People } from "../social/contacts";
import { HeldGrants } from "../social/grants";
import type { NetworkPage, NetworkQuery, NetworkVideo, PeersPage } from "../status";
import { type SourceQuery, sourceQuery, videoTest } from "./catalogFilter";
import {
  type CatalogPeer,
  type CatalogSource,
  PeerSource,
  type SourceAnswer,
  type SourceContext,
  TrackerSource,
} from "./catalogSources";
import { DirectorySources } from "./directorySources";
import { Emitter } from "./emitter";
import { type CachedRecord, cachedRecord, type ListedVideo, listOrder, RecordCache } from "./recordCache";
import type { TrackerClient } from "./trackerClient";

export type { CatalogPeer } from "./catalogSources";

/** What is refreshed when nothing has been asked yet: the first page of a view. */
const DEFAULT_QUERY: NetworkQuery = { limit: 200 };
/** An answer that was asked for less than this after one's own video was taken back may still list it. */
const TAKEN_BACK_MS = 5_000;
/** All that `refresh` and a look-up wait for. */
const WAIT_MS = 5_000;
/** So long a look-up is the friends' alone. */
const FRIENDS_WAIT_MS = 1_000;

/** One's own shared video (any audience), shown even with no tracker. */
export interface OwnVideo {
  record: VideoRecord;
  /** When it was shared first, milliseconds since the epoch. */
  receivedAt: number;
}

export interface CatalogOptions {
  self: { peerId: string; fingerprint: Fingerprint; host: () => string; port: () => number };
  clock?: Clock;
  /** Wall clock, milliseconds since the epoch. */
  now?: () => number;
  /** Key of the library entry of a video, when it is in the library. */
  libraryKeyOf?: (id: VideoId) => string | undefined;
  /** Who is a friend, blocked, or an impostor; `peopleChanged` says that it has changed. */
  people?: People;
  /** What oneself was given for others' videos for friends. Default: a store of its own. */
  grants?: HeldGrants;
  /** Videos of which no tracker may hear, not even as a question. */
  isSecret?: (id: VideoId) => boolean;
  /** Called for every good record that a source shows. */
  onRecord?: (record: VideoRecord) => void;
}

interface Own extends OwnVideo {
  cached: CachedRecord;
}

/**
 * Merges one's own records, several trackers and connected peers into what the Network and Peers views show. Each source is
 * asked for the first `limit` of the list only; what it answered last stays until it answers something else, so that a source
 * that is slow or away for a moment makes nothing vanish.
 */
export class Catalog {
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #records: RecordCache;
  readonly #sources = new Set<CatalogSource>();
  readonly #peers = new Map<Fingerprint, PeerSource>();
  readonly #directory: DirectorySources;
  readonly #didChange = new Emitter<void>();
  readonly #people: People;
  readonly #grants: HeldGrants;
  #own = new Map<RecordKey, Own>();
  /** One's own that were taken back: their sequence, and when. */
  readonly #takenBack = new Map<RecordKey, { sequence: number; at: number }>();
  /** Of a list; who asks for one video asks again by itself. */
  #lastQuery: NetworkQuery = DEFAULT_QUERY;
  #revision = 1;
  #known = false;

  constructor(readonly options: CatalogOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? Date.now;
    this.#people = options.people ?? NOBODY_KNOWN;
    this.#grants = options.grants ?? new HeldGrants(options.self.fingerprint, this.#now);
    this.#records = new RecordCache(this.#now, options.onRecord);
    this.#directory = new DirectorySources({
      self: options.self,
      clock: this.#clock,
      now: this.#now,
      people: this.#people,
      onChanged: () => this.#didChange.fire(),
      onAnswered: () => this.#setKnown(),
    });
  }

  /** Grows when a fresh `query` may answer something else. */
  get revision(): number {
    return this.#revision;
  }
  get peersRevision(): number {
    return this.#directory.revision;
  }
  /** Some tracker or connected peer has answered since the start. */
  get known(): boolean {
    return this.#known;
  }

  setOwn(videos: readonly OwnVideo[]): void {
    const next = new Map<RecordKey, Own>();
    let changed = videos.length !== this.#own.size;
    for (const video of videos) {
      const key = recordKeyOf(video.record.owner, video.record.id);
      const before = this.#own.get(key);
      const same = before?.record.sequence === video.record.sequence && before.receivedAt === video.receivedAt;
      changed ||= !same;
      next.set(key, same && before ? before : { ...video, cached: cachedRecord(video.record) });
      this.#takenBack.delete(key);
    }
    for (const [key, { record }] of this.#own) {
      if (!next.has(key)) this.#takenBack.set(key, { sequence: record.sequence, at: this.#now() });
    }
    this.#own = next;
    if (changed) this.#changed();
  }

  /** The client is started and stopped by its owner; the result takes it out again. */
  addTracker(client: TrackerClient): () => void {
    const removeSource = this.#addSource(new TrackerSource(client, this.#context()));
    const removeDirectory = this.#directory.addTracker(client);
    return () => {
      removeDirectory();
      removeSource();
    };
  }

  addPeer(peer: CatalogPeer): () => void {
    const source = new PeerSource(peer, this.#context());
    const { fingerprint } = peer.peer;
    const removeSource = this.#addSource(source);
    const removePeer = this.#directory.addPeer(peer);
    this.#peers.set(fingerprint, source);
    return () => {
      if (this.#peers.get(fingerprint) === source) this.#peers.delete(fingerprint);
      removePeer();
      removeSource();
    };
  }

  async query(query: NetworkQuery): Promise<NetworkPage> {
    if (!query.id) this.#lastQuery = query;
    const wanted = this.#sourceQuery(query);
    const asked = query.id ? this.#askable(query.id) : [...this.#sources];
    const answers = await Promise.all(asked.map(async (source) => ({ source, answer: await source.query(wanted) })));
    return this.#merge(wanted, answers);
  }

  queryPeers(query: { limit: number }): Promise<PeersPage> {
    return this.#directory.query(query);
  }

  /** Asks everyone again; resolves when all have answered or after 5 s. */
  async refresh(): Promise<void> {
    const wanted = this.#sourceQuery(this.#lastQuery);
    await this.#within(
      Promise.all([...[...this.#sources].map((source) => source.refresh(wanted)), this.#directory.refresh()]),
    );
    this.#changed();
  }

  /** Newest verified record of each owner of this video, asking the sources when none is known but a stranger's claim. Empty: unknown. */
  async recordsOf(id: VideoId): Promise<VideoRecord[]> {
    const isHere = () => this.recordsAtHand(id).some((record) => !this.#isClaim(record));
    if (isHere()) return this.recordsAtHand(id);
    // Friends first: of what is theirs no tracker needs to hear.
    const friends = [...this.#peers].flatMap(([key, source]) => (this.#people.isFriend(key) ? [source] : []));
    if (friends.length > 0) await this.#lookUp(id, isHere, friends, FRIENDS_WAIT_MS);
    if (!isHere()) await this.#lookUp(id, isHere);
    return this.recordsAtHand(id);
  }

  /** Reads all that a connected peer shows. Its records and grants are at hand then; nothing happens where it is not connected. */
  async readPeer(fingerprint: Fingerprint): Promise<void> {
    await this.#within(
      Promise.resolve(this.#peers.get(fingerprint)?.refresh({ sort: "newest", limit: DEFAULT_QUERY.limit })),
    );
  }

  /** Picture of the newest record of this video that has one which may be shown. */
  async thumbnailOf(id: VideoId): Promise<Uint8Array | undefined> {
    const atHand = this.recordsAtHand(id);
    const records = atHand.length > 0 ? atHand : await this.recordsOf(id);
    const own = this.#own.get(recordKeyOf(this.options.self.fingerprint, id));
    if (own) return own.cached.hasThumbnail ? own.record.thumbnail : undefined;
    const newest = records
      .map((record) => this.#records.get(recordKeyOf(record.owner, id)))
      .filter((cached) => cached?.hasThumbnail)
      .reduce((a, b) => (a && b && a.record.sequence >= b.record.sequence ? a : b), undefined);
    if (!newest) return undefined;
    const picture = this.#records.pictureOf(newest.key);
    if (picture) return picture;
    await this.#lookUp(id, () => this.#records.pictureOf(newest.key) !== undefined);
    return this.#records.pictureOf(newest.key);
  }

  /** Who is a friend, or blocked, has changed: lists may answer something else. */
  peopleChanged(): void {
    this.#directory.peopleChanged();
    this.#changed();
  }

  onDidChange(listener: () => void): () => void {
    return this.#didChange.on(listener);
  }

  dispose(): void {
    for (const source of this.#sources) source.dispose();
    this.#sources.clear();
    this.#directory.dispose();
    this.#didChange.clear();
  }

  /** Asks all sources, or these, for the records of this video until `isHere`, at most `ms`. */
  async #lookUp(
    id: VideoId,
    isHere: () => boolean,
    sources: Iterable<CatalogSource> = this.#sources,
    ms = WAIT_MS,
  ): Promise<void> {
    const lookUps = this.#askable(id, sources).map(async (source) => {
      await source.lookUp(id).catch(() => {});
      // Who has it ends the wait; who has not leaves it to the others.
      if (isHere()) return true;
      throw new Error("not here");
    });
    await this.#within(
      Promise.any(lookUps).catch(() => {}),
      ms,
    );
  }

  /** Those of these sources that may hear of this video. */
  #askable(id: VideoId, sources: Iterable<CatalogSource> = this.#sources): CatalogSource[] {
    const isSecret = this.options.isSecret?.(id) || this.#isForFriends(id);
    return [...sources].filter((source) => !isSecret || source instanceof PeerSource);
  }

  /** As far as anybody's word goes; a stranger's counts only where nobody else offers the same video. */
  #isForFriends(id: VideoId): boolean {
    const records = this.#records.ofVideo(id).filter(({ withdrawn }) => !withdrawn);
    const forFriends = records.filter(({ audience }) => audience === "friends");
    const isOfFriend = forFriends.some(({ owner }) => this.#people.isFriend(owner));
    return isOfFriend || (forFriends.length > 0 && forFriends.length === records.length);
  }

  /**
   * A stranger says that it is for friends, ourselves among them. That may be so, and then no tracker is to hear of it; or it is
   * somebody else's and for everybody, as other peers then say.
   */
  #isClaim({ audience, owner }: VideoRecord): boolean {
    return audience === "friends" && owner !== this.options.self.fingerprint && !this.#people.isFriend(owner);
  }

  /** Those of `recordsOf` that are known without asking anybody. */
  recordsAtHand(id: VideoId): VideoRecord[] {
    const own = this.#own.get(recordKeyOf(this.options.self.fingerprint, id));
    const others = this.#records.ofVideo(id).filter((record) => record.owner !== own?.record.owner);
    return [...(own ? [own.record] : []), ...others].filter(
      (record) => !record.withdrawn && !this.#people.isBlocked(record.owner) && this.#isOpenToUs(record),
    );
  }

  #isOpenToUs({ audience, owner, id }: VideoRecord): boolean {
    if (audience !== "friends" || owner === this.options.self.fingerprint) return true;
    return this.#grants.get(owner, id) !== undefined;
  }

  #merge(
    query: SourceQuery,
    answers: readonly { source: CatalogSource; answer: SourceAnswer | undefined }[],
  ): NetworkPage {
    const listed = new Map<RecordKey, ListedVideo>();
    const test = videoTest(query);
    const passes = ({ cached }: ListedVideo) => test(cached);
    for (const [key, { cached, receivedAt }] of this.#own) {
      const video = { cached, receivedAt, sources: 1 };
      if (passes(video)) listed.set(key, video);
    }
    let total = 0;
    let complete = true;
    for (const { source, answer } of answers) {
      total = Math.max(total, answer?.total ?? 0);
      complete &&= answer?.complete ?? true;
      for (const row of answer?.rows ?? source.knownRows()) {
        const key = recordKeyOf(row.owner, row.id);
        const known = listed.get(key);
        if (known) {
          known.sources = Math.max(known.sources, row.sources);
          if (!this.#own.has(key)) known.receivedAt = Math.min(known.receivedAt, row.receivedAt);
          continue;
        }
        const cached = this.#records.get(key);
        if (!cached || cached.record.withdrawn || this.#isTakenBack(key, cached, answer)) continue;
        if (this.#people.isBlocked(cached.record.owner)) continue;
        const video = { cached, sources: row.sources, receivedAt: row.receivedAt };
        if (passes(video)) listed.set(key, video);
      }
    }
    const videos = [...listed.values()].sort(listOrder(query.sort)).slice(0, query.limit);
    return {
      videos: videos.map((video) => this.#networkVideo(video)),
      // Several trackers list the same videos: unless all have been seen, the longest list is the best that can be said.
      total: complete ? listed.size : Math.max(total, listed.size),
    };
  }

  /** One's own that was just taken back is not shown because a tracker has not heard of it yet. */
  #isTakenBack(key: RecordKey, { record }: CachedRecord, answer: SourceAnswer | undefined): boolean {
    const taken = this.#takenBack.get(key);
    if (!taken || record.sequence > taken.sequence) return false;
    return (answer?.askedAt ?? 0) < taken.at + TAKEN_BACK_MS;
  }

  #networkVideo({ cached: { record, hasThumbnail }, sources, receivedAt }: ListedVideo): NetworkVideo {
    const libraryKey = this.options.libraryKeyOf?.(record.id);
    return {
      id: record.id,
      title: record.title,
      description: record.description,
      owner: record.ownerName,
      ownerFingerprint: record.owner,
      size: record.length,
      ...mediaFacts(record),
      hasThumbnail,
      friend: this.#people.isFriend(record.owner),
      impostor: this.#people.isImpostor(record.owner, record.ownerName),
      audience: record.audience,
      sources,
      mine: record.owner === this.options.self.fingerprint,
      ...(libraryKey === undefined ? {} : { libraryKey }),
      receivedAt,
    };
  }

  #sourceQuery(query: NetworkQuery): SourceQuery {
    return sourceQuery(query, this.#people.friends());
  }

  #addSource(source: CatalogSource): () => void {
    this.#sources.add(source);
    this.#changed();
    return () => {
      if (!this.#sources.delete(source)) return;
      source.dispose();
      this.#changed();
    };
  }

  #context(): SourceContext {
    return {
      clock: this.#clock,
      wallClock: this.#now,
      records: this.#records,
      grants: this.#grants,
      onChanged: () => this.#changed(),
      onAnswered: () => this.#setKnown(),
    };
  }

  #setKnown(): void {
    if (this.#known) return;
    this.#known = true;
    this.#didChange.fire();
  }

  #changed(): void {
    this.#revision++;
    this.#didChange.fire();
  }

  #within(work: Promise<unknown>, ms = WAIT_MS): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      const finish = () => {
        cancel();
        resolve();
      };
      work.then(finish, finish);
    });
  }
}
