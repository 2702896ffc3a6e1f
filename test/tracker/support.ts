/** What the suites of the tracker and of its client share: keys, records, a tracker on port 0, a peer that speaks raw messages. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { TRACKER_CONTEXT } from "../../src/wire/constants";
import { fingerprintOf } from "../../src/wire/fingerprint";
import { type RecordFields, signRecord } from "../../src/wire/records";
import { signBytes } from "../../src/wire/signature";
import {
  type AnswerTo,
  type HelloMessage,
  helloBody,
  type PeerMessage,
  parseTrackerMessage,
  recordKeyOf,
  type TrackerMessage,
} from "../../src/wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../src/wire/types";
import { systemClock } from "../../tracker/clock";
import { Directory } from "../../tracker/directory";
import { DEFAULT_LIMITS } from "../../tracker/limits";
import { MemoryStore } from "../../tracker/memoryStore";
import { forgetfulNames, NameBook } from "../../tracker/nameBook";
import { type RunningTracker, runTracker, type TrackerConfig } from "../../tracker/runTracker";
import { TrackerServer } from "../../tracker/server";
import type { StoredRecord, TrackerStore } from "../../tracker/store";
import { tempDir } from "../helpers/tempDir";

export const HOUR_MS = 3_600_000;

export interface TestIdentity {
  privateKey: KeyObject;
  spki: Uint8Array;
  fingerprint: Fingerprint;
}

export function makeIdentity(): TestIdentity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { privateKey, spki, fingerprint: fingerprintOf(spki) };
}

export function videoId(seed: string | number): VideoId {
  return createHash("sha256").update(`video ${seed}`).digest("hex") as VideoId;
}

export function v1Hash(seed: string | number): string {
  return createHash("sha1").update(`video ${seed}`).digest("hex");
}

/** A record that any reader accepts; `seed` makes the video, `change` the rest. */
export function makeRecord(owner: TestIdentity, seed: string | number, change: Partial<RecordFields> = {}): Uint8Array {
  return signRecord(
    {
      id: videoId(seed),
      v1: v1Hash(seed),
      piecesRoot: videoId(`root ${seed}`),
      pieceLength: 262_144,
      length: 1_000_000,
      fileName: "clip.mp4",
      audience: "everyone",
      title: `Video ${seed}`,
      description: "",
      ownerName: "Alice",
      sequence: 1,
      expires: Date.now() + 12 * HOUR_MS,
      withdrawn: false,
      ...change,
    },
    owner.privateKey,
    owner.spki,
  );
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const started = new Set<RunningTracker>();
const peers = new Set<RawPeer>();

export async function startTracker(config: Partial<TrackerConfig> = {}): Promise<RunningTracker> {
  // On a certain port it would keep its names where this user's own trackers do.
  const data = config.port ? { data: tempDir("tracker") } : {};
  const tracker = await runTracker({ host: "127.0.0.1", port: 0, httpPort: 0, log: () => {}, ...data, ...config });
  started.add(tracker);
  return tracker;
}

/**
 * A tracker that lists so many videos of one owner who is not there; signing them all would take longer than all tests. The
 * newest `signed` of them are real records, which is as far as a peer that looks at pages gets.
 */
export async function startFullTracker(
  videos: number,
  signed: number,
): Promise<RunningTracker & { store: TrackerStore }> {
  const clock = systemClock;
  const limits = DEFAULT_LIMITS;
  const store = new MemoryStore(await NameBook.open(forgetfulNames, limits.names), clock, limits);
  const owner = makeIdentity();
  const session = {
    session: "s",
    fingerprint: owner.fingerprint,
    peerId: "Owner",
    host: "192.0.2.1",
    port: 1,
    onlineSince: 0,
  };
  await store.openSession(session);
  for (let n = 0; n < videos; n++) {
    const word = (k: number) => WORDS[(n * 7 + k * 13 + Math.floor(n / 16)) % WORDS.length];
    const title = `${word(0)} ${word(1)} ${n}`;
    const description = Array.from({ length: 30 }, (_, k) => word(k)).join(" ");
    const length = 1000 + n;
    const bytes = n < videos - signed ? Buffer.from(title) : makeRecord(owner, n, { title, description, length });
    const record: StoredRecord = {
      key: recordKeyOf(owner.fingerprint, videoId(n)),
      owner: owner.fingerprint,
      id: videoId(n),
      v1: v1Hash(n),
      audience: "everyone",
      sequence: 1,
      expires: Date.now() + 12 * HOUR_MS,
      withdrawn: false,
      title,
      description,
      ownerName: "Owner",
      size: length,
      duration: 0,
      height: 0,
      bytes,
    };
    await store.putRecord(record, "s");
  }
  const directory = new Directory({ store, clock, limits, publicAddresses: [] });
  const options = { host: "127.0.0.1", port: 0, httpPort: 0, store, directory, limits, clock, log: () => {} };
  const server = new TrackerServer(options);
  const tracker = { ...(await server.start()), data: undefined, store, stop: () => server.stop() };
  started.add(tracker);
  return tracker;
}

const WORDS =
  "bug demo login page crash render clip walkthrough review release sprint settings network video player seek".split(
    " ",
  );

/** For `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const peer of peers) peer.terminate();
  peers.clear();
  await Promise.all([...started].map((tracker) => tracker.stop()));
  started.clear();
}

type WithoutRequest<T> = T extends unknown ? Omit<T, "request"> : never;
export type RawRequest = WithoutRequest<Exclude<PeerMessage, { type: "hello" }>>;

export interface RawPeerOptions {
  port: number;
  identity?: TestIdentity;
  peerId?: string;
  listenPort?: number;
  /** What stands in the URL after the port. */
  suffix?: string;
  headers?: Record<string, string>;
  /** Spoils the hello. */
  change?: (hello: HelloMessage) => object;
  /** The address that the hello is signed for. */
  address?: string;
}

/** A peer that says exactly what the test says, over a real WebSocket. */
export class RawPeer {
  readonly received: TrackerMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly identity: TestIdentity;
  readonly #listeners = new Set<() => void>();
  #nextRequest = 1;
  isClosed = false;

  private constructor(
    readonly socket: WebSocket,
    readonly options: RawPeerOptions,
  ) {
    peers.add(this);
    this.identity = options.identity ?? makeIdentity();
    socket.on("message", (data) => {
      const message = parseTrackerMessage(String(data));
      assert.ok(message, "the tracker sends only what the schema knows");
      this.received.push(message);
      this.#look();
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.isClosed = true;
        this.#look();
        resolve({ code, reason: String(reason) });
      });
    });
  }

  /** Connected, not yet greeted. */
  static dial(options: RawPeerOptions): RawPeer {
    const { port, suffix = "", headers = {} } = options;
    return new RawPeer(new WebSocket(`ws://127.0.0.1:${port}${suffix}`, { headers }), options);
  }

  /** Known to the tracker. */
  static async join(options: RawPeerOptions): Promise<RawPeer> {
    const peer = RawPeer.dial(options);
    await peer.hello();
    await peer.next("welcome");
    return peer;
  }

  async hello(): Promise<void> {
    const challenge = await this.next("challenge");
    this.send(this.helloFor(challenge.nonce));
  }

  helloFor(trackerNonce: string): object {
    const { port, peerId = "Alice", listenPort = 5000, change } = this.options;
    const { privateKey, spki, fingerprint } = this.identity;
    const address = this.options.address ?? `ws://127.0.0.1:${port}`;
    const nonce = randomBytes(32).toString("hex");
    const body = helloBody({ address, trackerNonce, peerNonce: nonce, fingerprint, peerId, port: listenPort });
    const hello: HelloMessage = {
      type: "hello",
      version: 1,
      address,
      nonce,
      peerId,
      port: listenPort,
      key: base64(spki),
      signature: base64(signBytes(privateKey, TRACKER_CONTEXT, body)),
    };
    return change ? change(hello) : hello;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The first message of this type that was not taken yet. */
  async next<T extends TrackerMessage["type"]>(type: T, fits = (_: AnswerTo<T>) => true): Promise<AnswerTo<T>> {
    return this.#find(`a message "${type}"`, (message): message is AnswerTo<T> => {
      return message.type === type && fits(message as AnswerTo<T>);
    });
  }

  /** Sends a request and gives its answer, an error too. */
  async ask(request: RawRequest): Promise<TrackerMessage> {
    const number = this.#nextRequest++;
    this.send({ ...request, request: number });
    return this.#find(`an answer to "${request.type}"`, (message): message is TrackerMessage => {
      return "request" in message && message.request === number;
    });
  }

  async get<T extends TrackerMessage["type"]>(request: RawRequest, type: T): Promise<AnswerTo<T>> {
    const answer = await this.ask(request);
    assert.equal(answer.type, type, JSON.stringify(answer));
    return answer as AnswerTo<T>;
  }

  async publish(...records: Uint8Array[]): Promise<AnswerTo<"results">["results"]> {
    return (await this.get({ type: "publish", records: records.map(base64) }, "results")).results;
  }

  announce(sets: { have?: string[]; want?: string[]; gone?: string[]; complete?: boolean }): Promise<TrackerMessage> {
    return this.get({ type: "announce", have: [], want: [], gone: [], ...sets }, "done");
  }

  async list(query: Partial<Extract<PeerMessage, { type: "query" }>["query"]> = {}): Promise<AnswerTo<"page">> {
    return this.get({ type: "query", query: { sort: "newest", limit: 100, ...query } }, "page");
  }

  async directory(): Promise<string[]> {
    const { peers: listed } = await this.get({ type: "directory", query: { limit: 100 } }, "directory");
    return listed.map(({ peerId }) => peerId);
  }

  async sourcesOf(hash: string): Promise<AnswerTo<"peers">["peers"]> {
    return (await this.get({ type: "peers", hash, limit: 50 }, "peers")).peers;
  }

  terminate(): void {
    this.socket.terminate();
  }

  #look(): void {
    for (const listener of this.#listeners) listener();
  }

  #find<M extends TrackerMessage>(what: string, fits: (message: TrackerMessage) => message is M): Promise<M> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error) => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        if (error) reject(error);
      };
      const look = () => {
        const index = this.received.findIndex(fits);
        if (index >= 0) {
          end();
          resolve(this.received.splice(index, 1)[0] as M);
        } else if (this.isClosed) {
          end(new Error(`${what}: the connection was closed`));
        }
      };
      const timer = setTimeout(() => {
        end(new Error(`${what}: nothing came; received ${JSON.stringify(this.received).slice(0, 500)}`));
      }, 5_000);
      this.#listeners.add(look);
      look();
    });
  }
}
