/** Where a catalogue comes from: trackers, which answer in sorted pages, and connected peers, which hand out records. */
import type { VideoRecord } from "../../wire/records";
import {
  type CatalogRow,
  MAX_FILTER_VALUES,
  MAX_KEYS_PER_MESSAGE,
  MAX_PAGE_ROWS,
  type RecordKey,
  recordKeyOf,
} from "../../wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { Clock } from "../clock";
import type { HeldGrants } from "../social/grants";
import { AnswerCache } from "./answerCache";
import { type SourceQuery, videoTest } from "./catalogFilter";
import type { RecordCache } from "./recordCache";
import type { CatalogRows, TrackerClient } from "./trackerClient";

export interface SourceAnswer {
  rows: CatalogRow[];
  total: number;
  /** There are no more than these. */
  complete: boolean;
  /** When it was asked for, by the wall clock. */
  askedAt: number;
}

export interface CatalogSource {
  /** The last answer, or a fresh one when it comes in time; undefined when there is none yet. */
  query(query: SourceQuery): Promise<SourceAnswer | undefined>;
  /** All rows of all last answers: what is known of a source that cannot be asked. */
  knownRows(): CatalogRow[];
  /** Asks again what was asked last; resolves when it has answered, or cannot. */
  refresh(query: SourceQuery): Promise<unknown>;
  /** Puts the records of this video into the cache. */
  lookUp(id: VideoId): Promise<void>;
  dispose(): void;
}

export interface SourceContext {
  clock: Clock;
  wallClock(): number;
  records: RecordCache;
  grants: HeldGrants;
  /** It may answer something else now. */
  onChanged(): void;
  /** It has answered, for the first time or again. */
  onAnswered(): void;
}

/** Patience with a source whose last answer is at hand, and with one that has not answered this yet. */
const PATIENCE_MS = 1_000;
const FIRST_PATIENCE_MS = 5_000;
/** Patience with a tracker that is being connected to; the list is asked for again when it is online. */
const CONNECT_PATIENCE_MS = 1_000;
/** `refresh` promises an answer by then. */
const REFRESH_PATIENCE_MS = 5_000;
/** Rows of a first page: what a view shows. */
const PEER_PAGE = 200;
/** Of one person's videos so many are looked at; who has more is searched instead of listed. */
const MAX_PEER_RECORDS = 2_000;
/** First-seen times of a peer's videos. */
const MAX_SEEN = 10_000;

function queryKey({ limit: _, ...question }: SourceQuery): string {
  const sorted = Object.entries(question).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted);
}

/** As many owners as one request may name; a list without anybody needs none. */
function* ownersByRequest(owners: readonly Fingerprint[] | undefined): Iterable<readonly Fingerprint[] | undefined> {
  if (owners === undefined) yield undefined;
  else for (let at = 0; at < owners.length; at += MAX_FILTER_VALUES) yield owners.slice(at, at + MAX_FILTER_VALUES);
}

function covers(answer: SourceAnswer, query: SourceQuery): boolean {
  return answer.complete || answer.rows.length >= query.limit;
}

export class TrackerSource implements CatalogSource {
  readonly #cache: AnswerCache<SourceQuery, SourceAnswer>;
  readonly #unsubscribe: (() => void)[];
  /** What it answered before the present connection: still counts while it says that it may not know everybody yet. */
  #carried = new Map<string, SourceAnswer>();
  #cancelSettled: (() => void) | undefined;

  constructor(
    private readonly client: TrackerClient,
    private readonly context: SourceContext,
  ) {
    this.#cache = new AnswerCache<SourceQuery, SourceAnswer>({
      clock: context.clock,
      keyOf: queryKey,
      covers,
      isReady: () => client.status.state === "online",
      fetch: (query, onPart) => this.#fetch(query, onPart),
      onLate: context.onChanged,
      onAnswer: context.onAnswered,
    });
    const changed = () => {
      this.#cache.markStale();
      context.onChanged();
    };
    this.#unsubscribe = [
      client.onDidChangeCatalog(changed),
      client.onDidChangeStatus(({ state }) => {
        if (state !== "online") return;
        this.#carried = this.#cache.answers();
        changed();
      }),
    ];
  }

  async query(query: SourceQuery): Promise<SourceAnswer | undefined> {
    const known = await this.#cache.ask(query, PATIENCE_MS, FIRST_PATIENCE_MS);
    if (known !== undefined || this.client.status.state !== "connecting") return known;
    await waitSettled(this.client, this.context.clock, CONNECT_PATIENCE_MS);
    return this.#cache.ask(query, PATIENCE_MS, FIRST_PATIENCE_MS);
  }

  knownRows(): CatalogRow[] {
    return [...this.#cache.answers().values()].flatMap(({ rows }) => rows);
  }

  async refresh(query: SourceQuery): Promise<unknown> {
    this.#cache.markStale();
    await waitSettled(this.client, this.context.clock, REFRESH_PATIENCE_MS);
    return this.#cache.ask(query, REFRESH_PATIENCE_MS, REFRESH_PATIENCE_MS);
  }

  async lookUp(id: VideoId): Promise<void> {
    await waitSettled(this.client, this.context.clock, REFRESH_PATIENCE_MS);
    if (this.client.status.state !== "online") return;
    const { rows } = await this.client.query({ ids: [id], sort: "sources", limit: MAX_PAGE_ROWS });
    await this.#fetchRecords(rows);
  }

  dispose(): void {
    this.#cancelSettled?.();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  async #fetch(query: SourceQuery, onPart: (answer: SourceAnswer) => void): Promise<SourceAnswer> {
    const askedAt = this.context.wallClock();
    const rows = new Map<RecordKey, CatalogRow>();
    let total = 0;
    let complete = true;
    let settlingMs: number | undefined;
    for (const owners of ownersByRequest(query.owners)) {
      const part = await this.#fetchRows(query, owners);
      for (const row of part.rows) rows.set(recordKeyOf(row.owner, row.id), row);
      total += part.total;
      complete &&= part.complete;
      settlingMs = part.settlingMs ?? settlingMs;
    }
    if (settlingMs === undefined) {
      this.#carried.clear();
    } else {
      for (const row of this.#carried.get(queryKey(query))?.rows ?? []) {
        const key = recordKeyOf(row.owner, row.id);
        if (!rows.has(key)) rows.set(key, row);
      }
      this.#askAgainIn(settlingMs);
    }
    const answer: SourceAnswer = {
      rows: [...rows.values()],
      total: Math.max(total, rows.size),
      complete,
      askedAt,
    };
    // Rows are quick, thousands of records are not: what has a record by then can be shown.
    onPart({ ...answer, complete: false });
    await this.#fetchRecords(answer.rows);
    return answer;
  }

  /** The first `limit` rows of these owners' videos, or of everybody's. */
  async #fetchRows(
    { id, text, minDuration, maxDuration, minHeight, sort, limit }: SourceQuery,
    owners: readonly Fingerprint[] | undefined,
  ): Promise<{ rows: CatalogRow[]; total: number; complete: boolean; settlingMs?: number | undefined }> {
    const rows = new Map<RecordKey, CatalogRow>();
    let page: CatalogRows | undefined;
    do {
      page = await this.client.query({
        ...(id ? { ids: [id] } : {}),
        ...(text ? { text } : {}),
        ...(owners ? { owners: [...owners] } : {}),
        ...(minDuration === undefined ? {} : { minDuration }),
        ...(maxDuration === undefined ? {} : { maxDuration }),
        ...(minHeight === undefined ? {} : { minHeight }),
        sort,
        limit: Math.min(MAX_PAGE_ROWS, limit - rows.size),
        ...(page?.cursor === undefined ? {} : { cursor: page.cursor }),
      });
      const before = rows.size;
      for (const row of page.rows) rows.set(recordKeyOf(row.owner, row.id), row);
      // A tracker that repeats itself would be asked for ever.
      if (rows.size === before) break;
    } while (page.cursor !== undefined && rows.size < limit);
    const { total, cursor, settlingMs } = page;
    return { rows: [...rows.values()], total, complete: cursor === undefined, settlingMs };
  }

  #askAgainIn(ms: number): void {
    this.#cancelSettled?.();
    this.#cancelSettled = this.context.clock.after(ms, () => {
      this.#cache.markStale();
      this.context.onChanged();
    });
  }

  /** Gets the records that are not here yet. */
  async #fetchRecords(rows: readonly CatalogRow[]): Promise<void> {
    const { records } = this.context;
    const missing = rows.filter((row) => !records.knows(recordKeyOf(row.owner, row.id), row.sequence));
    const wanted = new Map(missing.map((row) => [recordKeyOf(row.owner, row.id), row.sequence]));
    const keys = [...wanted.keys()];
    for (let next = 0; next < keys.length; next += MAX_KEYS_PER_MESSAGE) {
      const shown = await this.client.records(keys.slice(next, next + MAX_KEYS_PER_MESSAGE));
      await records.addAll(shown, ({ audience }) => audience !== "friends");
    }
    for (const [key, sequence] of wanted) if (!records.knows(key, sequence)) records.reject(key, sequence);
  }
}

/** Waits until a tracker that is being connected to has answered or failed. */
export function waitSettled(client: TrackerClient, clock: Clock, ms: number): Promise<void> {
  if (client.status.state !== "connecting") return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      unsubscribe();
      resolve();
    };
    const cancel = clock.after(ms, finish);
    const unsubscribe = client.onDidChangeStatus(({ state }) => {
      if (state !== "connecting") finish();
    });
  });
}

/** A connected peer's catalogue: `ControlConnection` fits. */
export interface CatalogPeer {
  readonly peer: { peerId: string; fingerprint: Fingerprint; host: string; port: number };
  queryCatalog(query: {
    text?: string;
    owner?: Fingerprint;
    limit: number;
    cursor?: string;
  }): Promise<{ records: Uint8Array[]; grants?: Uint8Array[]; total: number; cursor?: string }>;
  onDidChangeCatalog(listener: () => void): () => void;
}

/** What a peer can search for; all other filters are ours to apply. */
interface PeerQuery {
  text?: string;
  owner?: Fingerprint;
}

export class PeerSource implements CatalogSource {
  readonly #cache: AnswerCache<PeerQuery, SourceAnswer>;
  readonly #unsubscribe: () => void;
  /** A peer does not say when it got a record: it counts from when it was seen first. */
  readonly #seen = new Map<RecordKey, number>();

  constructor(
    private readonly peer: CatalogPeer,
    private readonly context: SourceContext,
  ) {
    this.#cache = new AnswerCache<PeerQuery, SourceAnswer>({
      clock: context.clock,
      // Its order is its own: all of it is fetched (up to a bound), sorted and filtered here.
      keyOf: ({ text, owner }) => JSON.stringify([text, owner]),
      covers: () => true,
      isReady: () => true,
      fetch: (query) => this.#fetch(query),
      onLate: context.onChanged,
      onAnswer: context.onAnswered,
    });
    this.#unsubscribe = peer.onDidChangeCatalog(() => {
      this.#cache.markStale();
      context.onChanged();
    });
  }

  async query(query: SourceQuery): Promise<SourceAnswer | undefined> {
    const answer = await this.#cache.ask(peerQuery(query), PATIENCE_MS, FIRST_PATIENCE_MS);
    if (!answer) return undefined;
    const test = videoTest(query);
    const rows = answer.rows.filter(({ owner, id }) => {
      const cached = this.context.records.get(recordKeyOf(owner, id));
      return cached !== undefined && test(cached);
    });
    // Of what lies beyond the bound nobody knows how much would pass.
    const whole = answer.complete || rows.length < answer.rows.length;
    return { ...answer, rows, total: whole ? rows.length : answer.total };
  }

  knownRows(): CatalogRow[] {
    return [...this.#cache.answers().values()].flatMap(({ rows }) => rows);
  }

  refresh(query: SourceQuery): Promise<unknown> {
    this.#cache.markStale();
    return this.#cache.ask(peerQuery(query), REFRESH_PATIENCE_MS, REFRESH_PATIENCE_MS);
  }

  async lookUp(id: VideoId): Promise<void> {
    const known = await this.#cache.ask({}, PATIENCE_MS, FIRST_PATIENCE_MS);
    const row = known?.rows.find((each) => each.id === id);
    // Listed, but forgotten since (or its picture): only fetching the list again brings its record back.
    if (row && !this.context.records.knows(recordKeyOf(row.owner, row.id), row.sequence)) {
      await this.#fetch({});
    }
  }

  dispose(): void {
    this.#unsubscribe();
  }

  async #fetch({ text, owner }: PeerQuery): Promise<SourceAnswer> {
    const askedAt = this.context.wallClock();
    const rows = new Map<RecordKey, CatalogRow>();
    let fetched = 0;
    let cursor: string | undefined;
    let total = 0;
    do {
      const page = await this.peer.queryCatalog({
        ...(text ? { text } : {}),
        ...(owner ? { owner } : {}),
        limit: PEER_PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      fetched += page.records.length;
      ({ total, cursor } = page);
      await this.context.grants.takeAll(page.grants ?? [], this.peer.peer.fingerprint);
      const shown = await this.context.records.addAll(page.records, (record) => this.#mayShow(record));
      for (const { owner: of, id, sequence } of shown) {
        const key = recordKeyOf(of, id);
        rows.set(key, { owner: of, id, sequence, sources: 1, receivedAt: this.#seenAt(key) });
      }
      if (page.records.length === 0) break;
    } while (cursor !== undefined && fetched < MAX_PEER_RECORDS);
    return { rows: [...rows.values()], total, complete: cursor === undefined, askedAt };
  }

  /** What is for friends only is shown by its owner, with a grant. */
  #mayShow({ audience, owner, id }: VideoRecord): boolean {
    if (audience !== "friends") return true;
    return owner === this.peer.peer.fingerprint && this.context.grants.get(owner, id) !== undefined;
  }

  #seenAt(key: RecordKey): number {
    let at = this.#seen.get(key);
    if (at === undefined) {
      at = this.context.wallClock();
      if (this.#seen.size < MAX_SEEN) this.#seen.set(key, at);
    }
    return at;
  }
}

function peerQuery({ text, owners }: SourceQuery): PeerQuery {
  const [owner] = owners?.length === 1 ? owners : [];
  return { ...(text ? { text } : {}), ...(owner ? { owner } : {}) };
}
