import { compareText } from "../../wire/search";
import { peerIdKey } from "../../wire/trackerAddress";
import { type DirectoryPeer, MAX_DIRECTORY_ROWS } from "../../wire/trackerMessages";
import type { Fingerprint } from "../../wire/types";
import type { Clock } from "../clock";
import type { People } from "../social/contacts";
import type { NetworkPeer, PeersPage } from "../status";
import { AnswerCache } from "./answerCache";
import { type CatalogPeer, waitSettled } from "./catalogSources";
import { Namesakes } from "./namesakes";
import type { DirectoryRows, TrackerClient } from "./trackerClient";

const PATIENCE_MS = 1_000;
const FIRST_PATIENCE_MS = 5_000;
const CONNECT_PATIENCE_MS = 1_000;
/** What is refreshed when nothing has been asked yet. */
const DEFAULT_LIMIT = 200;
/** Longest list that is given out at once. */
const MAX_LIMIT = 10_000;

interface DirectoryAnswer {
  peers: DirectoryPeer[];
  total: number;
  complete: boolean;
}

interface DirectoryContext {
  self: { peerId: string; fingerprint: Fingerprint; host: () => string; port: () => number };
  clock: Clock;
  /** Milliseconds since the epoch. */
  now: () => number;
  people: People;
  onChanged(): void;
  onAnswered(): void;
}

interface TrackerDirectory {
  client: TrackerClient;
  cache: AnswerCache<{ limit: number }, DirectoryAnswer>;
  /** Who was there before the present connection: still counts while the tracker may not know everybody yet. */
  carried: DirectoryPeer[];
  /** Shown however long the list is. */
  namesakes: Namesakes;
  unsubscribe: (() => void)[];
  cancelSettled: () => void;
}

/** What is said of each when all are known. */
const UNKNOWN_PERSON = { friend: false, blocked: false, impostor: false, sameName: false } as const;

/** Who is online: oneself, connected peers, and the directories of all trackers, by name. */
export class DirectorySources {
  readonly #trackers = new Set<TrackerDirectory>();
  readonly #peers = new Map<CatalogPeer, number>();
  readonly #startedAt: number;
  #revision = 1;
  #lastLimit = DEFAULT_LIMIT;

  constructor(private readonly context: DirectoryContext) {
    this.#startedAt = context.now();
  }

  get revision(): number {
    return this.#revision;
  }

  addTracker(client: TrackerClient): () => void {
    const { clock, onAnswered } = this.context;
    const tracker: TrackerDirectory = {
      client,
      cache: new AnswerCache<{ limit: number }, DirectoryAnswer>({
        clock,
        keyOf: () => "",
        covers: (answer, { limit }) => answer.complete || answer.peers.length >= limit,
        isReady: () => client.status.state === "online",
        fetch: ({ limit }) => this.#fetch(tracker, limit),
        onLate: () => this.#changed(),
        onAnswer: onAnswered,
      }),
      carried: [],
      namesakes: new Namesakes(client, clock, this.context.people, () => this.#changed()),
      unsubscribe: [],
      cancelSettled: () => {},
    };
    const changed = () => {
      tracker.cache.markStale();
      tracker.namesakes.lookSoon();
      this.#changed();
    };
    tracker.unsubscribe.push(
      client.onDidChangeDirectory(changed),
      client.onDidChangeStatus(({ state }) => {
        if (state !== "online") return;
        tracker.carried = [...tracker.cache.answers().values()].flatMap(({ peers }) => peers);
        changed();
      }),
    );
    this.#trackers.add(tracker);
    return () => {
      this.#remove(tracker);
      this.#changed();
    };
  }

  addPeer(peer: CatalogPeer): () => void {
    this.#peers.set(peer, this.context.now());
    this.#changed();
    return () => {
      if (this.#peers.delete(peer)) this.#changed();
    };
  }

  /** Who is a friend, or blocked, has changed. */
  peopleChanged(): void {
    for (const { namesakes } of this.#trackers) namesakes.lookSoon();
    this.#changed();
  }

  async query({ limit }: { limit: number }): Promise<PeersPage> {
    const wanted = Math.max(1, Math.min(MAX_LIMIT, limit));
    this.#lastLimit = wanted;
    const answers = await Promise.all([...this.#trackers].map((tracker) => this.#ask(tracker, wanted)));
    return this.#merge(answers, wanted);
  }

  async refresh(): Promise<void> {
    await Promise.all(
      [...this.#trackers].map(async ({ client, cache }) => {
        cache.markStale();
        await waitSettled(client, this.context.clock, FIRST_PATIENCE_MS);
        await cache.ask({ limit: this.#lastLimit }, FIRST_PATIENCE_MS, FIRST_PATIENCE_MS);
      }),
    );
    this.#changed();
  }

  dispose(): void {
    for (const tracker of this.#trackers) this.#remove(tracker);
    this.#peers.clear();
  }

  #remove(tracker: TrackerDirectory): void {
    if (!this.#trackers.delete(tracker)) return;
    tracker.cancelSettled();
    tracker.namesakes.dispose();
    for (const unsubscribe of tracker.unsubscribe) unsubscribe();
  }

  async #ask({ client, cache }: TrackerDirectory, limit: number): Promise<DirectoryAnswer | undefined> {
    const known = await cache.ask({ limit }, PATIENCE_MS, FIRST_PATIENCE_MS);
    if (known !== undefined || client.status.state !== "connecting") return known;
    await waitSettled(client, this.context.clock, CONNECT_PATIENCE_MS);
    return cache.ask({ limit }, PATIENCE_MS, FIRST_PATIENCE_MS);
  }

  async #fetch(tracker: TrackerDirectory, limit: number): Promise<DirectoryAnswer> {
    const peers = new Map<Fingerprint, DirectoryPeer>();
    let page: DirectoryRows | undefined;
    do {
      page = await tracker.client.directory({
        limit: Math.min(MAX_DIRECTORY_ROWS, limit - peers.size),
        ...(page?.cursor === undefined ? {} : { cursor: page.cursor }),
      });
      const before = peers.size;
      for (const peer of page.peers) peers.set(peer.fingerprint, peer);
      if (peers.size === before) break;
    } while (page.cursor !== undefined && peers.size < limit);
    if (page.settlingMs === undefined) {
      tracker.carried = [];
    } else {
      for (const peer of tracker.carried) if (!peers.has(peer.fingerprint)) peers.set(peer.fingerprint, peer);
      tracker.cancelSettled();
      tracker.cancelSettled = this.context.clock.after(page.settlingMs, () => {
        tracker.cache.markStale();
        this.#changed();
      });
    }
    return {
      peers: [...peers.values()],
      total: Math.max(page.total, peers.size),
      complete: page.cursor === undefined,
    };
  }

  #merge(answers: readonly (DirectoryAnswer | undefined)[], limit: number): PeersPage {
    const { self, people } = this.context;
    const merged = new Map<Fingerprint, NetworkPeer>();
    merged.set(self.fingerprint, {
      peerId: self.peerId,
      fingerprint: self.fingerprint,
      host: self.host(),
      port: self.port(),
      self: true,
      connected: false,
      onlineSince: this.#startedAt,
      ...UNKNOWN_PERSON,
    });
    for (const [{ peer }, since] of this.#peers) {
      if (peer.fingerprint === self.fingerprint) continue;
      merged.set(peer.fingerprint, { ...peer, self: false, connected: true, onlineSince: since, ...UNKNOWN_PERSON });
    }
    let total = 0;
    let complete = true;
    for (const answer of answers) {
      total = Math.max(total, answer?.total ?? 0);
      complete &&= answer?.complete ?? true;
      for (const peer of answer?.peers ?? []) {
        const known = merged.get(peer.fingerprint);
        if (known) known.onlineSince = Math.min(known.onlineSince, peer.onlineSince);
        else merged.set(peer.fingerprint, { ...peer, self: false, connected: false, ...UNKNOWN_PERSON });
      }
    }
    for (const { namesakes } of this.#trackers) {
      for (const peer of namesakes.list()) {
        if (merged.has(peer.fingerprint)) continue;
        merged.set(peer.fingerprint, { ...peer, self: false, connected: false, ...UNKNOWN_PERSON });
      }
    }
    for (const { fingerprint } of [...merged.values()]) if (people.isBlocked(fingerprint)) merged.delete(fingerprint);
    const names = new Map<string, number>();
    for (const { peerId } of merged.values()) names.set(peerIdKey(peerId), (names.get(peerIdKey(peerId)) ?? 0) + 1);
    for (const peer of merged.values()) {
      peer.friend = people.isFriend(peer.fingerprint);
      peer.impostor = people.isImpostor(peer.fingerprint, peer.peerId);
      peer.sameName = names.get(peerIdKey(peer.peerId)) !== 1;
    }
    const peers = [...merged.values()].sort(
      (a, b) => compareText(peerIdKey(a.peerId), peerIdKey(b.peerId)) || compareText(a.fingerprint, b.fingerprint),
    );
    // Nobody escapes notice behind the end of the list.
    const impostors = peers.slice(limit).filter(({ impostor }) => impostor);
    return {
      peers: [...peers.slice(0, limit), ...impostors],
      total: complete ? merged.size : Math.max(total, merged.size),
    };
  }

  #changed(): void {
    this.#revision++;
    this.context.onChanged();
  }
}
