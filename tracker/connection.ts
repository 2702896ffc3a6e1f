import { randomBytes } from "node:crypto";
import type { RawData, WebSocket } from "ws";
import {
  CLOSE_REFUSED,
  CLOSE_RELEASED,
  CLOSE_REPLACED,
  type PeerMessage,
  parsePeerMessage,
  TRACKER_PROTOCOL_VERSION,
  type TrackerMessage,
} from "../src/wire/trackerMessages";
import type { AddressUsage } from "./addressBook";
import type { TrackerClock } from "./clock";
import { type Directory, type Member, refusal, toFailure } from "./directory";
import { ANSWER_BYTES_PER_REQUEST, SEARCH_COST, SILENT_HEARTBEATS, type TrackerLimits } from "./limits";
import type { Callback } from "./store";
import { TokenBucket } from "./tokenBucket";

/** RFC 6455, 7.4.1. */
const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_UNSUPPORTED = 1003;
const CLOSE_POLICY = 1008;

export interface ConnectionContext {
  directory: Directory;
  limits: TrackerLimits;
  clock: TrackerClock;
  heartbeatMs: number;
  /** The peer's address as the tracker sees it, and the tracker's end. */
  host: string;
  localHost: string;
  usage: AddressUsage | undefined;
  onOpen(connection: Connection, session: string): void;
  onClose(connection: Connection, session: string | undefined): void;
  log(message: string): void;
}

type Request = Exclude<PeerMessage, { type: "hello" }>;

/**
 * One peer's WebSocket: challenge, hello, then requests, one after the other. Keeps track of: what was heard last, what is
 * queued, what the peer has used of its limits, and which revisions it was told of.
 */
export class Connection {
  readonly #nonce = randomBytes(32).toString("hex");
  readonly #requests: TokenBucket;
  readonly #records: TokenBucket;
  readonly #callbacks: TokenBucket;
  readonly #helloTimer: NodeJS.Timeout;
  #member: Member | undefined;
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  /** The end was begun from here: nothing that still comes is looked at. */
  #closing = false;
  #closed = false;
  #badMessages = 0;
  #ignoredRefusals = 0;
  #heardAt: number;
  #subscription = { catalog: false, directory: false };
  #told = { catalog: 0, directory: 0 };
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly socket: WebSocket,
    private readonly context: ConnectionContext,
  ) {
    const { limits, clock } = context;
    const now = clock.monotonic();
    this.#heardAt = now;
    this.#requests = new TokenBucket(limits.requestRate, now);
    this.#records = new TokenBucket(limits.recordRate, now);
    this.#callbacks = new TokenBucket(limits.callbackRate, now);
    this.#helloTimer = setTimeout(() => {
      this.#refuse(refusal("tracker-refused", "No hello came in time."));
    }, limits.helloTimeoutMs);
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("pong", () => this.#heard());
    // Details (a frame too large, bad UTF-8, a reset) come again as the close code.
    socket.on("error", () => {});
    socket.on("close", () => this.#onClose());
    this.#send({ type: "challenge", version: TRACKER_PROTOCOL_VERSION, nonce: this.#nonce });
  }

  get isSubscribed(): boolean {
    return this.#subscription.catalog || this.#subscription.directory;
  }

  /** Asks whether the peer is there, and gives it up when it was silent for too long, unless nothing could be heard. */
  beat(excused: boolean): void {
    const { clock, heartbeatMs } = this.context;
    if (excused) this.#heard();
    if (clock.monotonic() - this.#heardAt > heartbeatMs * SILENT_HEARTBEATS) this.socket.terminate();
    else if (this.socket.readyState === this.socket.OPEN) this.socket.ping();
  }

  /** Tells what is new since it was told last, when that is at least `intervalMs` ago. */
  tellChanges(revisions: { catalog: number; directory: number }, intervalMs: number): void {
    const now = this.context.clock.monotonic();
    const catalog = this.#subscription.catalog && revisions.catalog !== this.#told.catalog;
    const directory = this.#subscription.directory && revisions.directory !== this.#told.directory;
    if ((!catalog && !directory) || now - this.#toldAt < intervalMs) return;
    this.#toldAt = now;
    this.#told = { ...revisions };
    this.#send({
      type: "changed",
      ...(catalog ? { catalog: revisions.catalog } : {}),
      ...(directory ? { directory: revisions.directory } : {}),
    });
  }

  sendCallback(callback: Callback): void {
    if (this.#member) this.#send(this.context.directory.callbackFor(this.#member, callback.from, callback.id));
  }

  closeReplaced(): void {
    this.#close(CLOSE_REPLACED, "the same profile has connected again");
  }

  closeReleased(): void {
    this.#close(CLOSE_RELEASED, "the name was released");
  }

  closeGoingAway(): void {
    this.#close(CLOSE_GOING_AWAY, "the tracker stops");
  }

  terminate(): void {
    this.socket.terminate();
  }

  #close(code: number, reason: string): void {
    this.#closing = true;
    this.socket.close(code, reason);
  }

  #heard(): void {
    this.#heardAt = this.context.clock.monotonic();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#heard();
    if (this.#closing) return;
    if (isBinary) {
      this.#close(CLOSE_UNSUPPORTED, "messages are JSON text");
      return;
    }
    const bytes = data as Buffer;
    const parsed = parsePeerMessage(bytes.toString());
    if (!parsed.ok) {
      this.#onBadMessage(parsed.request, parsed.reason);
      return;
    }
    if (++this.#queued >= this.context.limits.queuedMessages) this.socket.pause();
    this.#queue = this.#queue.then(async () => {
      try {
        if (!this.#closing && !this.#closed) await this.#handle(parsed.message);
      } catch (error) {
        this.context.log(`A message could not be handled: ${error instanceof Error ? error.stack : error}`);
        this.#answerError(parsed.message, error);
      } finally {
        this.#queued--;
        if (this.#queued === 0 && this.socket.isPaused) this.socket.resume();
      }
    });
  }

  #onBadMessage(request: number | undefined, reason: string): void {
    const error = refusal("bad-message", `This message is not understood (${reason}).`);
    if (!this.#member) {
      this.#refuse(error);
      return;
    }
    this.#send({ type: "error", ...(request === undefined ? {} : { request }), ...toFailure(error) });
    if (++this.#badMessages >= this.context.limits.badMessages) this.#close(CLOSE_POLICY, "bad-message");
  }

  async #handle(message: PeerMessage): Promise<void> {
    if (message.type === "hello") return this.#hello(message);
    const member = this.#member;
    if (!member) {
      this.#refuse(refusal("tracker-refused", "A hello comes before anything else."));
      return;
    }
    try {
      this.#charge(message);
      const answer = await this.#answer(member, message);
      const sent = this.#send(answer);
      if (sent > ANSWER_BYTES_PER_REQUEST) {
        const cost = Math.floor(sent / ANSWER_BYTES_PER_REQUEST);
        this.#requests.charge(cost);
        this.context.usage?.requests.charge(cost);
      }
      if (message.type === "release") this.#close(CLOSE_NORMAL, "the name is free");
    } catch (error) {
      const failure = toFailure(error);
      if (failure.code === "internal") throw error;
      this.#send({ type: "error", request: message.request, ...failure });
    }
  }

  async #hello(message: Extract<PeerMessage, { type: "hello" }>): Promise<void> {
    if (this.#member) {
      this.#onBadMessage(undefined, "a second hello");
      return;
    }
    const { directory, clock, usage, host, localHost, heartbeatMs } = this.context;
    try {
      const member = await directory.hello(message, {
        nonce: this.#nonce,
        host,
        localHost,
        takeNewName: () => usage?.newNames.take(1, clock.monotonic()) ?? 0,
      });
      clearTimeout(this.#helloTimer);
      // The socket may have closed while the name was being written.
      if (this.#closed) return directory.close(member);
      this.#member = member;
      this.context.onOpen(this, member.info.session);
      this.#send({ type: "welcome", peerId: member.info.peerId, host, time: clock.now(), heartbeatMs });
    } catch (error) {
      if (toFailure(error).code === "internal") throw error;
      this.#refuse(error);
    }
  }

  /** Errors: rate-limited. */
  #charge(message: Request): void {
    const { usage, limits, clock } = this.context;
    const now = clock.monotonic();
    const cost = message.type === "query" && message.query.text !== undefined ? SEARCH_COST : 1;
    let wait = this.#requests.take(cost, now) || (usage?.requests.take(cost, now) ?? 0);
    let what = "Too many requests";
    if (wait === 0 && (message.type === "publish" || message.type === "withdraw")) {
      const count = message.records.length;
      wait = this.#records.take(count, now) || (usage?.records.take(count, now) ?? 0);
      what = "Too many records";
    }
    if (wait === 0 && message.type === "callback") {
      wait = this.#callbacks.take(1, now);
      what = "Too many callbacks";
    }
    if (wait === 0) return;
    if (++this.#ignoredRefusals >= limits.ignoredRefusals) this.#close(CLOSE_POLICY, "rate-limited");
    throw refusal("rate-limited", `${what}: wait ${wait} ms.`, wait);
  }

  async #answer(member: Member, message: Request): Promise<TrackerMessage> {
    const { directory } = this.context;
    const { request } = message;
    const done: TrackerMessage = { type: "done", request };
    switch (message.type) {
      case "publish":
      case "withdraw": {
        const results = await directory.publish(member, message.records, message.type === "withdraw");
        return { type: "results", request, results };
      }
      case "announce":
        await directory.announce(member, message);
        return done;
      case "query":
        return directory.query(request, message.query);
      case "records":
        return directory.records(request, message.keys);
      case "peers":
        return directory.peers(member, request, message.hash, message.limit);
      case "directory":
        return directory.directory(member, request, message.query);
      case "subscribe":
        // What it knows so far is nothing: the first `changed` comes at once and is where it starts from.
        this.#subscription = { catalog: message.catalog, directory: message.directory };
        return done;
      case "callback":
        await directory.callback(member, message);
        return done;
      case "release":
        await directory.release(member);
        return done;
    }
  }

  /** Answers the length of what was sent. */
  #send(message: TrackerMessage): number {
    if (this.socket.readyState !== this.socket.OPEN) return 0;
    if (this.socket.bufferedAmount > this.context.limits.sendBufferBytes) {
      // It asks and does not read: nothing that is sent would arrive.
      this.socket.terminate();
      return 0;
    }
    const text = JSON.stringify(message);
    this.socket.send(text);
    return text.length;
  }

  #answerError(message: PeerMessage, error: unknown): void {
    if (message.type === "hello") this.#refuse(error);
    else this.#send({ type: "error", request: message.request, ...toFailure(error) });
  }

  #refuse(error: unknown): void {
    const failure = toFailure(error);
    this.#send({ type: "error", ...failure });
    this.#close(CLOSE_REFUSED, failure.code);
  }

  #onClose(): void {
    this.#closed = true;
    clearTimeout(this.#helloTimer);
    const member = this.#member;
    this.context.onClose(this, member?.info.session);
    if (!member) return;
    // After what is queued: a session must not be closed before it is open.
    this.#queue = this.#queue
      .then(() => this.context.directory.close(member))
      .catch((error) => this.context.log(`A session could not be closed: ${error}`));
  }
}
