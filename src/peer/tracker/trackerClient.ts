import type { KeyObject } from "node:crypto";
import { MAX_CLOCK_SKEW_MS } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { parseTrackerAddress, type TrackerAddress } from "../../wire/trackerAddress";
import {
  type AnswerTo,
  type CatalogQuery,
  type CatalogRow,
  type DirectoryPeer,
  type DirectoryQuery,
  MAX_KEYS_PER_MESSAGE,
  MAX_SWARM_PEERS,
  type RecordKey,
} from "../../wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../wire/types";
import { type Clock, systemClock } from "../clock";
import type { TrackerStatus } from "../status";
import { reconnectDelay, refusedDelay } from "./backoff";
import type { SignedRecord } from "./desiredState";
import { Emitter } from "./emitter";
import { type Answer, type Request, TrackerLink } from "./trackerLink";
import { TrackerTeller } from "./trackerTeller";

export type { SignedRecord } from "./desiredState";

/** A request that is told to come back later does so, for as long as this in all. */
const PATIENCE_MS = 3_000;
/** Sources that are asked for unless it is said otherwise: more than a swarm connects to at once. */
const DEFAULT_SOURCES = 50;

/** What of an identity proves who one is to a tracker; `Identity` of identity.ts fits. */
export interface TrackerIdentity {
  privateKey: KeyObject;
  /** SubjectPublicKeyInfo, 91 bytes. */
  spki: Uint8Array;
  fingerprint: Fingerprint;
}

export interface TrackerClientOptions {
  /** host:port, ws://host:port or wss://host:port, with optional ?token=... */
  address: string;
  identity: TrackerIdentity;
  peerId: string;
  /** The port that is listened on now; 0 = none. Read at each hello. */
  port: () => number;
  clock?: Clock;
  /** Milliseconds since the epoch, for `retryAt` and against the tracker's. */
  wallClock?: () => number;
  /** 0 <= x < 1, for the jitter of reconnects. */
  random?: () => number;
}

export interface PeerAddress {
  fingerprint: Fingerprint;
  peerId: string;
  host: string;
  /** 0 = does not listen. */
  port: number;
}

export interface SourceAddress extends PeerAddress {
  /** Holds all or some of the video. */
  have: boolean;
  /** Is downloading it. */
  want: boolean;
}

/** Who holds or wants a video: peers of Streamlet, and other BitTorrent clients (of public videos only). */
export interface VideoSources {
  peers: SourceAddress[];
  plain: { host: string; port: number }[];
}

export interface CatalogRows {
  rows: CatalogRow[];
  total: number;
  cursor?: string;
  revision: number;
  /** The tracker has just started and may not know everybody yet; ask again after so long. */
  settlingMs?: number;
}

export interface DirectoryRows {
  peers: DirectoryPeer[];
  total: number;
  cursor?: string;
  revision: number;
  settlingMs?: number;
}

export interface CallbackRequest extends PeerAddress {
  /** The video that the other side wants or has. */
  id: VideoId;
}

/**
 * One tracker of a profile. One says what shall be true there (`setPublished`, `setAnnounced` ...); the client makes it so,
 * and again after every reconnect. Requests reject at once with tracker-unreachable while it is not online.
 */
export class TrackerClient {
  readonly #address: TrackerAddress;
  readonly #clock: Clock;
  readonly #teller: TrackerTeller;
  readonly #didChangeStatus = new Emitter<TrackerStatus>();
  readonly #didChangeCatalog = new Emitter<void>();
  readonly #didChangeDirectory = new Emitter<void>();
  readonly #didAcknowledge = new Emitter<VideoId>();
  readonly #didRefuse = new Emitter<[VideoId, StreamletError]>();
  readonly #didRequestCallback = new Emitter<CallbackRequest>();
  #status: TrackerStatus;
  #link: TrackerLink | undefined;
  #observedHost: string | undefined;
  #clockSkewMs: number | undefined;
  #running = false;
  #failures = 0;
  #awaySince: number;
  #cancelRetry: () => void = () => {};

  /** Errors: invalid-argument when the address is none. */
  constructor(readonly options: TrackerClientOptions) {
    this.#address = parseTrackerAddress(options.address);
    this.#clock = options.clock ?? systemClock;
    this.#awaySince = this.#clock.now();
    this.#status = { address: this.#address.display, state: "connecting" };
    this.#teller = new TrackerTeller(this.#clock, {
      onAcknowledged: (id) => this.#didAcknowledge.fire(id),
      onRefused: (id, error) => this.#didRefuse.fire([id, error]),
    });
  }

  /** As the profile writes it, without the token. */
  get address(): string {
    return this.#address.display;
  }
  get status(): TrackerStatus {
    return this.#status;
  }
  /** One's own address as the tracker sees it; undefined before the first welcome. */
  get observedHost(): string | undefined {
    return this.#observedHost;
  }

  /** How far this computer's clock is ahead of the tracker's, as of the last welcome; undefined before the first. */
  get clockSkewMs(): number | undefined {
    return this.#clockSkewMs;
  }

  /** Connects at once where it waits for its next try. */
  tryNow(): void {
    if (!this.#running || this.#link) return;
    this.#cancelRetry();
    this.#connect();
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#awaySince = this.#clock.now();
    this.#connect();
  }

  /** Goodbye: resolves when the tracker has closed, or after 1 s. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#cancelRetry();
    this.#teller.disconnected();
    this.#setStatus({ state: "connecting" });
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }

  /** Resolves true once online, false after `timeoutMs`, or at once when stopped. */
  waitOnline(timeoutMs: number): Promise<boolean> {
    if (this.#status.state === "online") return Promise.resolve(true);
    if (!this.#running) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (online: boolean) => {
        unsubscribe();
        cancel();
        resolve(online);
      };
      const unsubscribe = this.onDidChangeStatus(({ state }) => {
        if (state === "online") finish(true);
        else if (!this.#running) finish(false);
      });
      const cancel = this.#clock.after(timeoutMs, () => finish(false));
    });
  }

  /** The whole set, newest record of each id; renewing is calling it again with newer records. Nothing is told before the first. */
  setPublished(records: readonly SignedRecord[]): void {
    this.#teller.setPublished(records);
  }
  /** Withdrawals to tell until they expire. */
  setWithdrawn(records: readonly SignedRecord[]): void {
    this.#teller.setWithdrawn(records);
  }
  /** The whole sets: `have` = holds all or some of it, `want` = is downloading; an id may be in both. */
  setAnnounced(sets: { have: readonly VideoId[]; want: readonly VideoId[] }): void {
    this.#teller.setAnnounced(sets);
  }
  /** The record (or withdrawal) set last for this id has been accepted on the present connection. */
  isAcknowledged(id: VideoId): boolean {
    return this.#status.state === "online" && this.#teller.isAcknowledged(id);
  }

  async query(query: CatalogQuery): Promise<CatalogRows> {
    return this.#ask({ type: "query", query }, "page");
  }

  /** Signed records, unverified; keys that the tracker does not know are left out. */
  async records(keys: readonly RecordKey[]): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    let next = 0;
    while (next < keys.length) {
      const part = keys.slice(next, next + MAX_KEYS_PER_MESSAGE);
      const { records, answered } = await this.#ask({ type: "records", keys: part }, "records");
      for (const record of records) found.push(Buffer.from(record, "base64"));
      // A tracker that looks nothing up would be asked for ever.
      if (answered === 0) break;
      next += Math.min(answered, part.length);
    }
    return found;
  }

  /** Peers of a video, oneself left out: by id, by its first 20 bytes (40 hex digits), or by v1 info-hash. */
  async sources(hash: string, limit = DEFAULT_SOURCES): Promise<VideoSources> {
    const { peers, plain = [] } = await this.#ask(
      { type: "peers", hash, limit: Math.min(limit, MAX_SWARM_PEERS) },
      "peers",
    );
    return { peers, plain };
  }

  async directory(query: DirectoryQuery): Promise<DirectoryRows> {
    return this.#ask({ type: "directory", query }, "directory");
  }

  /** Gives the name up; the client is stopped by it. */
  async releaseName(): Promise<void> {
    await this.#ask({ type: "release" }, "done");
    await this.stop();
  }

  /** Asks a peer that cannot be reached to dial this one. Errors: unreachable (not online there), rate-limited. */
  async requestCallback(to: Fingerprint, id: VideoId): Promise<void> {
    await this.#ask({ type: "callback", to, id }, "done");
  }

  readonly onDidChangeStatus = this.#didChangeStatus.on;
  /** At most once a second; also after each reconnect. */
  onDidChangeCatalog(listener: () => void): () => void {
    return this.#didChangeCatalog.on(listener);
  }
  onDidChangeDirectory(listener: () => void): () => void {
    return this.#didChangeDirectory.on(listener);
  }
  readonly onDidAcknowledge = this.#didAcknowledge.on;
  /** The tracker refuses a record (bad-record, refused-video, too-many ...): it is not sent again before it changes. */
  onDidRefuse(listener: (id: VideoId, error: StreamletError) => void): () => void {
    return this.#didRefuse.on(([id, error]) => listener(id, error));
  }
  readonly onDidRequestCallback = this.#didRequestCallback.on;

  #wallClock(): number {
    return (this.options.wallClock ?? Date.now)();
  }

  #setStatus(status: Omit<TrackerStatus, "address">): void {
    this.#status = { address: this.#address.display, ...status };
    this.#didChangeStatus.fire(this.#status);
  }

  #connect(): void {
    const { identity, peerId, port } = this.options;
    const link: TrackerLink = new TrackerLink({
      address: this.#address,
      identity,
      peerId,
      port: port(),
      clock: this.#clock,
      onWelcome: (welcome) => this.#onWelcome(link, welcome),
      onChanged: ({ catalog, directory }) => {
        if (catalog !== undefined) this.#didChangeCatalog.fire();
        if (directory !== undefined) this.#didChangeDirectory.fire();
      },
      onCallback: ({ from, peerId: name, host, port: theirs, id }) => {
        this.#didRequestCallback.fire({ fingerprint: from, peerId: name, host, port: theirs, id });
      },
      onEnd: (error) => this.#onEnd(error),
    });
    this.#link = link;
  }

  #onWelcome(link: TrackerLink, { host, time }: AnswerTo<"welcome">): void {
    this.#failures = 0;
    this.#observedHost = host;
    this.#teller.connected(link);
    // The answer is of no interest: the first `changed` comes at once, and if all fails so does the link.
    link.request({ type: "subscribe", catalog: true, directory: true }, "done").catch(() => {});
    // It works all the same; but records that look expired are hidden, and then nobody knows why.
    const skew = this.#wallClock() - time;
    this.#clockSkewMs = skew;
    const wrong = Math.abs(skew) > MAX_CLOCK_SKEW_MS;
    this.#setStatus({ state: "online", ...(wrong ? { error: clockError(skew).toInfo() } : {}) });
    this.#teller.tell();
  }

  #onEnd(error: StreamletError): void {
    this.#link = undefined;
    this.#teller.disconnected();
    if (!this.#running) return;
    const wasOnline = this.#status.state === "online";
    if (wasOnline) this.#awaySince = this.#clock.now();
    const random = (this.options.random ?? Math.random)();
    const passing = error.code === "tracker-unreachable";
    const retryAfterMs = error.data?.retryAfterMs;
    const delay = passing
      ? reconnectDelay(this.#failures, this.#clock.now() - this.#awaySince, random)
      : refusedDelay(typeof retryAfterMs === "number" ? retryAfterMs : undefined, random);
    this.#failures++;
    this.#cancelRetry = this.#clock.after(delay, () => this.#connect());
    // One lost connection is no failure yet: the next try is only moments away.
    if (wasOnline && passing) this.#setStatus({ state: "connecting" });
    else {
      const retryAt = Math.round(this.#wallClock() + delay);
      this.#setStatus({ state: "failed", error: error.toInfo(), retryAt });
    }
  }

  async #ask<T extends Answer["type"]>(request: Request, type: T): Promise<AnswerTo<T>> {
    const giveUpAt = this.#clock.now() + PATIENCE_MS;
    while (true) {
      const link = this.#link;
      if (!link?.isOpen) {
        throw new StreamletError("tracker-unreachable", `No tracker answers at ${this.#address.display}.`, {
          data: { address: this.#address.display },
        });
      }
      try {
        return await link.request(request, type);
      } catch (error) {
        const wait =
          error instanceof StreamletError && error.code === "rate-limited" ? error.data?.retryAfterMs : undefined;
        if (typeof wait !== "number" || this.#clock.now() + wait > giveUpAt) throw error;
        await new Promise<void>((resolve) => this.#clock.after(wait, resolve));
      }
    }
  }
}

function clockError(skewMs: number): StreamletError {
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  return new StreamletError(
    "clock-skew",
    `The clock of this computer is ${minutes} minutes ${skewMs > 0 ? "ahead of" : "behind"} the tracker's: set the one that is wrong, or videos will be missing.`,
    { data: { minutes } },
  );
}
