import { randomUUID } from "node:crypto";
import { SPKI_BYTES, TRACKER_CONTEXT } from "../src/wire/constants";
import { StreamletError } from "../src/wire/errors";
import { fingerprintOf } from "../src/wire/fingerprint";
import { parseRecord, type VideoRecord } from "../src/wire/records";
import { verifyBytes } from "../src/wire/signature";
import { isPeerId, parseTrackerAddress } from "../src/wire/trackerAddress";
import {
  type AnswerTo,
  type CatalogQuery,
  type DirectoryQuery,
  type Failure,
  type HelloMessage,
  helloBody,
  MAX_ANSWER_BYTES,
  type PeerMessage,
  type RecordKey,
  type RecordResult,
  recordKeyOf,
  TRACKER_PROTOCOL_VERSION,
} from "../src/wire/trackerMessages";
import type { Fingerprint } from "../src/wire/types";
import type { TrackerClock } from "./clock";
import { SETTLING_MS, type TrackerLimits } from "./limits";
import { type Asker, hostFor } from "./rules";
import type { SessionInfo, StoredRecord, TrackerStore } from "./store";
import { TokenBucket } from "./tokenBucket";

/** Hex digits of a v1 info-hash or of a truncated v2 one. */
const SHORT_HASH_CHARS = 40;

/** What a tracker answers instead of what was asked; `retryAfterMs` when the same may succeed later. */
export function refusal(code: StreamletError["code"], message: string, retryAfterMs?: number): StreamletError {
  return new StreamletError(code, message, retryAfterMs === undefined ? {} : { data: { retryAfterMs } });
}

export function toFailure(error: unknown): Failure {
  if (!(error instanceof StreamletError)) return { code: "internal", message: "The tracker failed; try again later." };
  const retryAfterMs = error.data?.retryAfterMs;
  return {
    code: error.code,
    message: error.message.slice(0, 1000),
    ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
  };
}

export interface HelloContext {
  /** This tracker's nonce of this connection. */
  nonce: string;
  /** The peer's address as the tracker sees it. */
  host: string;
  /** The tracker's end of the connection. */
  localHost: string;
  /** Takes one from what its address may register of new names: 0, or milliseconds to wait. */
  takeNewName: () => number;
}

/** A peer that has proven who it is. */
export interface Member extends Asker {
  info: SessionInfo;
}

export interface DirectoryOptions {
  store: TrackerStore;
  clock: TrackerClock;
  limits: TrackerLimits;
  /** Canonical addresses (trackerAddress.ts) that a hello may be signed for; empty: any. */
  publicAddresses: readonly string[];
}

/** The rules: who may say what, and what is answered. No input or output; everything remembered is in the store. */
export class Directory {
  readonly #callbacks = new Map<Fingerprint, TokenBucket>();
  readonly #startedAt: number;

  constructor(private readonly options: DirectoryOptions) {
    this.#startedAt = options.clock.monotonic();
  }

  /** Errors: tracker-refused, access-denied, bad-signature, name-invalid, name-taken, too-many, rate-limited. */
  async hello(message: HelloMessage, context: HelloContext): Promise<Member> {
    const { store, clock, publicAddresses } = this.options;
    if (message.version !== TRACKER_PROTOCOL_VERSION) {
      throw refusal(
        "tracker-refused",
        `This tracker speaks version ${TRACKER_PROTOCOL_VERSION} of the protocol, not ${message.version}: update the older side.`,
      );
    }
    const dialled = this.#dialledAddress(message.address);
    if (publicAddresses.length > 0 && !publicAddresses.includes(dialled.canonical)) {
      throw refusal(
        "access-denied",
        `This tracker does not go by ${dialled.canonical}: use ${publicAddresses.join(" or ")}.`,
      );
    }
    const key = Buffer.from(message.key, "base64");
    if (key.length !== SPKI_BYTES) throw refusal("bad-signature", "The key is not a P-256 key.");
    const fingerprint = fingerprintOrRefuse(key);
    const { peerId, port } = message;
    if (!isPeerId(peerId)) {
      throw refusal(
        "name-invalid",
        "A Peer ID has 1 to 32 letters (a-z), digits, _, - and . (not only dots): choose another one.",
      );
    }
    const body = helloBody({
      address: message.address,
      trackerNonce: context.nonce,
      peerNonce: message.nonce,
      fingerprint,
      peerId,
      port,
    });
    if (!verifyBytes(key, TRACKER_CONTEXT, body, Buffer.from(message.signature, "base64"))) {
      throw refusal("bad-signature", "The signature of the hello is wrong: it is for another tracker, key or moment.");
    }
    await this.#claim(peerId, fingerprint, context);
    const info: SessionInfo = {
      session: randomUUID(),
      fingerprint,
      peerId,
      host: context.host,
      port,
      onlineSince: clock.now(),
    };
    await store.openSession(info);
    return { info, host: context.host, localHost: context.localHost, dialledHost: dialled.host };
  }

  /** Only what the member itself owns, and nothing meant for friends only. */
  async publish(member: Member, records: readonly string[], withdraw: boolean): Promise<RecordResult[]> {
    const results: RecordResult[] = [];
    for (const text of records) {
      try {
        results.push(await this.#publishOne(member, Buffer.from(text, "base64"), withdraw));
      } catch (error) {
        results.push({ error: toFailure(error) });
      }
    }
    return results;
  }

  /** Errors: too-many. */
  async announce(member: Member, message: Extract<PeerMessage, { type: "announce" }>): Promise<void> {
    const { have, want, gone } = message;
    const fits = await this.options.store.announce(member.info.session, {
      have,
      want,
      gone,
      complete: message.complete === true,
    });
    if (!fits) {
      const most = this.options.limits.idsPerConnection;
      throw refusal("too-many", `One peer can announce at most ${most} videos at this tracker.`);
    }
  }

  async query(request: number, query: CatalogQuery): Promise<AnswerTo<"page">> {
    // The revision is read first: what changes meanwhile is then announced as news, never missed.
    const revision = this.options.store.revisions().catalog;
    return { type: "page", request, ...(await this.options.store.query(query)), revision, ...this.#settling() };
  }

  async records(request: number, keys: readonly RecordKey[]): Promise<AnswerTo<"records">> {
    const { records, answered } = await this.options.store.records(keys, MAX_ANSWER_BYTES);
    return {
      type: "records",
      request,
      records: records.map((record) => Buffer.from(record).toString("base64")),
      answered,
    };
  }

  /** The asker is left out. */
  async peers(member: Member, request: number, hash: string, limit: number): Promise<AnswerTo<"peers">> {
    const { store } = this.options;
    const { members, total } = await store.swarm(hash, limit, member.info.fingerprint);
    // Whoever asks knows the video; that it is public is for its record to say.
    const id = await store.publicVideo(hash.slice(0, SHORT_HASH_CHARS));
    const clients = id ? await store.plainSwarm(id, limit) : [];
    const plain = clients.map(({ host, port }) => ({ host: hostFor(host, member), port }));
    return {
      ...(plain.length > 0 ? { plain } : {}),
      type: "peers",
      request,
      total,
      peers: members.map(({ info, have, want }) => ({ ...this.#addressOf(info, member), have, want })),
    };
  }

  async directory(member: Member, request: number, query: DirectoryQuery): Promise<AnswerTo<"directory">> {
    const revision = this.options.store.revisions().directory;
    const { sessions, total, cursor } = await this.options.store.sessions(query);
    return {
      type: "directory",
      request,
      total,
      revision,
      ...(cursor === undefined ? {} : { cursor }),
      peers: sessions.map((info) => ({ ...this.#addressOf(info, member), onlineSince: info.onlineSince })),
      ...this.#settling(),
    };
  }

  /** Errors: unreachable (not online here), rate-limited. */
  async callback(member: Member, message: Extract<PeerMessage, { type: "callback" }>): Promise<void> {
    const { store, clock, limits } = this.options;
    if (member.info.port === 0) {
      throw refusal("unreachable", "You do not listen on a port, so nobody can dial you.");
    }
    if (!(await store.findSession(message.to))) {
      throw refusal("unreachable", "That peer is not online at this tracker.");
    }
    const now = clock.monotonic();
    let bucket = this.#callbacks.get(message.to);
    if (!bucket) {
      bucket = new TokenBucket(limits.callbackRatePerTarget, now);
      this.#callbacks.set(message.to, bucket);
    }
    const wait = bucket.take(1, now);
    if (wait > 0) throw refusal("rate-limited", "That peer is asked by many at the moment: try again later.", wait);
    if (!(await store.sendCallback(message.to, { from: member.info, id: message.id }))) {
      throw refusal("unreachable", "That peer has just gone offline.");
    }
  }

  /** What a callback looks like to the one who gets it. */
  callbackFor(member: Member, from: SessionInfo, id: AnswerTo<"callback">["id"]): AnswerTo<"callback"> {
    const { fingerprint, ...address } = this.#addressOf(from, member);
    return { type: "callback", from: fingerprint, ...address, id };
  }

  release(member: Member): Promise<boolean> {
    return this.options.store.releaseName(member.info.peerId, member.info.fingerprint);
  }

  close(member: Member): Promise<void> {
    return this.options.store.closeSession(member.info.session);
  }

  async sweep(): Promise<void> {
    const now = this.options.clock.monotonic();
    for (const [target, bucket] of this.#callbacks) if (bucket.isFull(now)) this.#callbacks.delete(target);
    await this.options.store.sweep();
  }

  #dialledAddress(text: string) {
    try {
      const address = parseTrackerAddress(text);
      if (address.canonical === text) return address;
    } catch {
      // falls through to the one refusal
    }
    throw refusal("tracker-refused", "The hello does not name the tracker as ws://host:port or wss://host:port.");
  }

  async #claim(peerId: string, fingerprint: Fingerprint, context: HelloContext): Promise<void> {
    const { store } = this.options;
    const held = await store.nameHolder(peerId);
    if (held?.owner !== fingerprint) {
      const wait = context.takeNewName();
      if (wait > 0) {
        throw refusal("rate-limited", "Too many new names come from your address: try again later.", wait);
      }
    }
    const outcome = await store.claimName(peerId, fingerprint);
    if (outcome === "taken") {
      throw refusal(
        "name-taken",
        `The Peer ID "${peerId}" belongs to someone else at this tracker: choose another one, or ask the tracker's operator to release it.`,
      );
    }
    if (outcome === "full") throw refusal("too-many", "This tracker holds as many names as it can.");
  }

  async #publishOne(member: Member, bytes: Uint8Array, withdraw: boolean): Promise<RecordResult> {
    const { store, clock, limits } = this.options;
    const record = readRecord(bytes, clock.now());
    const { id } = record;
    const refuse = (code: StreamletError["code"], message: string): RecordResult => ({ id, error: { code, message } });
    if (record.owner !== member.info.fingerprint) {
      return refuse("refused-video", "Only its owner publishes or withdraws a video.");
    }
    if (record.audience === "friends") return refuse("refused-video", "Videos for friends never go to a tracker.");
    if (record.withdrawn !== withdraw) {
      return refuse(
        "bad-record",
        withdraw ? "This record does not withdraw its video." : "This record is a withdrawal.",
      );
    }
    const outcome = await store.putRecord(storedRecord(record, bytes), member.info.session);
    switch (outcome.kind) {
      case "stored":
      case "same":
        return { id };
      case "older":
        return { ...refuse("bad-record", "A newer record of this video is known here."), newest: outcome.newest };
      case "owner-full":
        return refuse("too-many", `One peer can publish at most ${limits.recordsPerOwner} videos at this tracker.`);
      case "store-full":
        return refuse("too-many", "This tracker's memory is full.");
    }
  }

  #addressOf(info: SessionInfo, asker: Asker) {
    const { fingerprint, peerId, port } = info;
    return { fingerprint, peerId, host: hostFor(info.host, asker), port };
  }

  #settling(): { settlingMs?: number } {
    const left = SETTLING_MS - (this.options.clock.monotonic() - this.#startedAt);
    return left > 0 ? { settlingMs: Math.ceil(left) } : {};
  }
}

function fingerprintOrRefuse(key: Uint8Array): Fingerprint {
  try {
    return fingerprintOf(key);
  } catch {
    throw refusal("bad-signature", "The key is not a P-256 key.");
  }
}

/** Its owner sends it right now: where its time is wrong, a clock is. */
function readRecord(bytes: Uint8Array, now: number): VideoRecord {
  try {
    return parseRecord(bytes, { now });
  } catch (error) {
    if (!(error instanceof StreamletError) || error.data?.expired === undefined) throw error;
    const side = error.data.expired ? "behind" : "ahead of";
    throw new StreamletError(
      "clock-skew",
      `The clock of this computer is far ${side} the tracker's (${new Date(now).toISOString()}): set the one that is wrong.`,
      { cause: error },
    );
  }
}

function storedRecord(record: VideoRecord, bytes: Uint8Array): StoredRecord {
  return {
    key: recordKeyOf(record.owner, record.id),
    owner: record.owner,
    id: record.id,
    v1: record.v1,
    audience: record.audience === "public" ? "public" : "everyone",
    sequence: record.sequence,
    expires: record.expires,
    withdrawn: record.withdrawn,
    title: record.title,
    description: record.description,
    ownerName: record.ownerName,
    size: record.length,
    duration: record.duration ?? 0,
    height: record.height ?? 0,
    bytes,
  };
}
