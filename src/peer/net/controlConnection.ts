/**
 * One control connection (ALPN `streamlet-control/1`) between two peers, the same on both sides once hellos are exchanged.
 *
 * Keeps track of: the state (hello, open, closed); requests that wait for their answer; and the other side's queries that wait
 * for ours, answered one after the other and only while the socket takes more.
 */
import type { TLSSocket } from "node:tls";
import {
  type ControlChat,
  type ControlChatTaken,
  ControlDecoder,
  type ControlMessage,
  encodeControl,
  MAX_CONTROL_FRAME_BYTES,
  MAX_HELLO_FRAME_BYTES,
  MAX_REASON_CHARS,
  MAX_UNASKED_FRAME_BYTES,
} from "../../wire/control";
import { StreamletError } from "../../wire/errors";
import type { Fingerprint } from "../../wire/types";
import { type Clock, systemClock } from "../clock";
import type { Identity } from "../identity";
import { formatHostPort } from "./addresses";
import { Coalescer } from "./coalesce";
import {
  type CallBackRequest,
  type CatalogAnswer,
  type CatalogQuery,
  type ChatLink,
  ControlAnswers,
  type ControlHost,
  type ControlPeer,
} from "./controlAnswers";
import { ControlPulse } from "./controlPulse";
import { ControlRequests } from "./controlRequests";
import type { RemoteIdentity } from "./listener";
import { RateLimiter } from "./rateLimiter";
import { ALPN_CONTROL, dialTls, guardSocket } from "./tlsTransport";

export type {
  CallBackRequest,
  CatalogAnswer,
  CatalogQuery,
  ChatLink,
  ControlHost,
  ControlPeer,
} from "./controlAnswers";

/** Two lost segments; the hello is in the first flight. */
export const HELLO_TIMEOUT_MS = 10_000;
/** After a request large frames are taken for so long, so that an answer that comes too late is no offence. */
const LATE_ANSWER_MS = 60_000;
/** At most one notice a second, both those sent and those passed on (protocol.md). */
export const CHANGE_INTERVAL_MS = 1_000;
/** After `bye` the other side gets so long to take it; then the socket is destroyed. */
const LINGER_MS = 1_000;

/** Two answers may wait in the socket. Who does not even read those is gone or hostile. */
const MAX_QUEUED_BYTES = 2 * MAX_CONTROL_FRAME_BYTES;
/** Nobody honest sends as many: queries keep to a quarter of it (QUERIES_PER_S), the rest is one a second and less. */
const MESSAGES_PER_S = 100;
const MESSAGE_BURST = 200;
const QUERIES_PER_S = 25;
/** Each costs a dial; who asks more often than once in 30 s for each of a few videos is not heard. */
const CALL_BACKS_PER_S = 1;
const CALL_BACK_BURST = 16;

export interface ControlOptions {
  identity: Identity;
  control: ControlHost;
  clock?: Clock;
}

export interface ControlDialOptions extends ControlOptions {
  host: string;
  port: number;
  /** Absent only on a manual connection. */
  expected?: Fingerprint;
  signal?: AbortSignal;
  timeoutMs?: number;
}

export class ControlConnection implements ChatLink {
  /** Known once `dial` or `accept` has resolved. */
  readonly peer: ControlPeer;
  /** We dialled it. */
  readonly outgoing: boolean;

  private state: "hello" | "open" | "closed" = "hello";
  private closeReason: string | undefined;
  private readonly clock: Clock;
  private readonly decoder: ControlDecoder;
  private readonly flood: RateLimiter;
  private readonly queryPace: RateLimiter;
  private readonly callBacks: RateLimiter;
  private readonly requests: ControlRequests;
  private readonly answers: ControlAnswers;
  private largeFramesUntil = Number.NEGATIVE_INFINITY;
  private readonly pulse: ControlPulse;
  private readonly changeListeners = new Set<() => void>();
  private readonly closeListeners = new Set<(reason: string) => void>();
  private readonly changesOut: Coalescer;
  private readonly changesIn: Coalescer;
  private onHello: ((error?: StreamletError) => void) | undefined;

  /**
   * Connects to a peer and exchanges hellos.
   * @throws StreamletError as `dialTls`, bad-message, invalid-argument (that address is this very peer)
   */
  static async dial(options: ControlDialOptions): Promise<ControlConnection> {
    const { host, port, identity, expected, signal, timeoutMs } = options;
    const { socket, fingerprint } = await dialTls({
      host,
      port,
      identity,
      alpn: ALPN_CONTROL,
      ...(expected === undefined ? {} : { expected }),
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    const connection = new ControlConnection(socket, { host, port, fingerprint }, options, true);
    await connection.exchangeHellos(signal);
    return connection;
  }

  /**
   * Takes a connection that the listener hands over and exchanges hellos.
   * @throws StreamletError connection-lost, connection-timeout, bad-message, frame-too-large, invalid-argument (it is this very peer)
   */
  static async accept(socket: TLSSocket, remote: RemoteIdentity, options: ControlOptions): Promise<ControlConnection> {
    const connection = new ControlConnection(socket, remote, options, false);
    await connection.exchangeHellos();
    return connection;
  }

  private constructor(
    private readonly socket: TLSSocket,
    remote: RemoteIdentity,
    private readonly options: ControlOptions,
    outgoing: boolean,
  ) {
    this.outgoing = outgoing;
    this.peer = { peerId: "", fingerprint: remote.fingerprint, host: remote.host, port: outgoing ? remote.port : 0 };
    this.clock = options.clock ?? systemClock;
    this.pulse = new ControlPulse(this.clock, {
      ping: () => this.send({ type: "ping" }),
      onSilence: () => {
        this.fail(new StreamletError("connection-timeout", `${this.name} has been silent for too long.`));
      },
    });
    this.flood = new RateLimiter(MESSAGES_PER_S, { clock: this.clock, burst: MESSAGE_BURST });
    this.callBacks = new RateLimiter(CALL_BACKS_PER_S, { clock: this.clock, burst: CALL_BACK_BURST });
    this.queryPace = new RateLimiter(QUERIES_PER_S, { clock: this.clock, burst: QUERIES_PER_S });
    this.decoder = new ControlDecoder(
      () => this.maxFrameBytes(),
      (message) => this.onMessage(message),
    );
    this.requests = new ControlRequests(
      this.clock,
      (message) => this.send(message),
      () => this.name,
    );
    this.answers = new ControlAnswers(options.control, remote.fingerprint, socket, (message) => this.send(message));
    this.changesOut = new Coalescer(this.clock, CHANGE_INTERVAL_MS, () => this.send({ type: "changed" }));
    this.changesIn = new Coalescer(this.clock, CHANGE_INTERVAL_MS, () => {
      for (const listener of [...this.changeListeners]) listener();
    });
    guardSocket(socket);
    socket.on("data", (chunk: Buffer) => this.onData(chunk));
    socket.on("close", () => this.finish("connection-lost"));
  }

  get closed(): boolean {
    return this.state === "closed";
  }

  /**
   * One page of the peer's catalogue.
   * @throws StreamletError connection-lost, connection-timeout, too-many, rate-limited, access-denied, bad-message
   */
  async queryCatalog(query: CatalogQuery): Promise<CatalogAnswer> {
    const turn = this.queryPace.take(1);
    if (turn !== true) await turn;
    if (this.state !== "open") throw this.lost();
    this.largeFramesUntil = this.clock.now() + LATE_ANSWER_MS;
    return this.requests.query(query);
  }

  /** The peer's catalogue may answer something else now; at most once a second. The result takes the listener away. */
  onDidChangeCatalog(listener: () => void): () => void {
    this.changeListeners.add(listener);
    return () => this.changeListeners.delete(listener);
  }

  /**
   * Called once with the reason: that of `close`, the code of an error, or what the other side's bye says (a stranger's text:
   * for logs only). At once if it has closed already.
   */
  onDidClose(listener: (reason: string) => void): () => void {
    if (this.closeReason !== undefined) {
      listener(this.closeReason);
      return () => undefined;
    }
    this.closeListeners.add(listener);
    return () => this.closeListeners.delete(listener);
  }

  /** Tells the peer that this side's catalogue has changed; coalesced to one message a second. */
  notifyCatalogChanged(): void {
    if (this.state === "open") this.changesOut.request();
  }

  /** Asks the peer, who cannot be reached from here, to dial for a video. There is no answer. */
  requestCallBack({ id, grant }: CallBackRequest): void {
    if (this.state !== "open") return;
    this.send({ type: "callBack", id, ...(grant ? { grant: Buffer.from(grant).toString("base64") } : {}) });
  }

  /** A line of a conversation, or that one of theirs is safe. Lost without a word where the connection is: chat.ts sends again. */
  sendChat(message: ControlChat | ControlChatTaken): void {
    if (this.state === "open") this.send(message);
  }

  /** Says goodbye and closes. Idempotent. @param reason the other side may log it; at most MAX_REASON_CHARS of it are sent */
  close(reason = "closed"): void {
    if (this.state === "closed") return;
    this.send({ type: "bye", reason: reason.slice(0, MAX_REASON_CHARS) });
    this.socket.end();
    const cancelLinger = this.clock.after(LINGER_MS, () => this.socket.destroy());
    this.socket.once("close", cancelLinger);
    this.finish(reason);
  }

  private exchangeHellos(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => this.fail(new StreamletError("cancelled", `Connecting to ${this.name} was cancelled.`));
      const cancelTimer = this.clock.after(HELLO_TIMEOUT_MS, () => {
        this.fail(new StreamletError("connection-timeout", `${this.name} did not introduce itself in time.`));
      });
      this.onHello = (error) => {
        this.onHello = undefined;
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      if (this.socket.destroyed) {
        this.finish("connection-lost");
        return;
      }
      if (this.peer.fingerprint === this.options.identity.fingerprint) {
        this.fail(
          new StreamletError("invalid-argument", `${this.name} is this peer itself: enter the address of another one.`),
          "self",
        );
        return;
      }
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener("abort", onAbort, { once: true });
      const { peerId, port, version = "" } = this.options.control.hello();
      this.send({ type: "hello", peerId, port, version });
    });
  }

  private get name(): string {
    const where = formatHostPort(this.peer.host, this.peer.port);
    return this.peer.peerId === "" ? where : `${this.peer.peerId} (${where})`;
  }

  private maxFrameBytes(): number {
    if (this.state === "hello") return MAX_HELLO_FRAME_BYTES;
    return this.clock.now() < this.largeFramesUntil ? MAX_CONTROL_FRAME_BYTES : MAX_UNASKED_FRAME_BYTES;
  }

  private onData(chunk: Buffer): void {
    if (this.state === "closed") return;
    this.pulse.noteReceived();
    try {
      this.decoder.push(chunk);
    } catch (error) {
      this.fail(
        error instanceof StreamletError
          ? error
          : new StreamletError("internal", `A message of ${this.name} could not be handled.`, { cause: error }),
      );
    }
  }

  private onMessage(message: ControlMessage | undefined): void {
    if (this.state === "closed") return;
    const awaited = message?.type === "answer" && this.requests.has(message.id);
    if (!awaited && !this.flood.tryTake(1)) {
      throw new StreamletError("rate-limited", `${this.name} sends more messages than anybody needs.`);
    }
    if (this.state === "hello") {
      this.onFirstMessage(message);
      return;
    }
    switch (message?.type) {
      case "hello":
        throw new StreamletError("bad-message", `${this.name} introduced itself twice.`);
      case "query":
        this.answers.add(message);
        break;
      case "answer":
        this.requests.onAnswer(message);
        break;
      case "refused":
        this.requests.onRefused(message.id, message.code);
        break;
      case "changed":
        this.changesIn.request();
        break;
      case "callBack":
        if (this.callBacks.tryTake(1)) this.options.control.callBack?.(callBackOf(message), this.peer);
        break;
      case "chat":
      case "chatTaken":
        this.options.control.chat?.(message, this);
        break;
      case "ping":
        this.send({ type: "pong" });
        break;
      case "bye":
        this.finish(message.reason);
        this.socket.destroy();
        break;
    }
  }

  private onFirstMessage(message: ControlMessage | undefined): void {
    if (message?.type === "bye") {
      this.finish(message.reason);
      this.socket.destroy();
      return;
    }
    if (message?.type !== "hello") {
      throw new StreamletError("bad-message", `${this.name} did not introduce itself first.`);
    }
    this.peer.peerId = message.peerId;
    if (!this.outgoing) this.peer.port = message.port;
    this.state = "open";
    this.pulse.start();
    this.onHello?.();
  }

  private send(message: ControlMessage): void {
    if (this.state === "closed" || !this.socket.writable) return;
    if (this.socket.writableLength > MAX_QUEUED_BYTES) {
      this.finish("connection-timeout");
      this.socket.destroy();
      return;
    }
    this.socket.write(encodeControl(message));
  }

  /** Closes because of an error, with its code (or another word) as the goodbye. */
  private fail(error: StreamletError, reason: string = error.code): void {
    this.onHello?.(error);
    this.close(reason);
  }

  private lost(): StreamletError {
    return new StreamletError("connection-lost", `The connection to ${this.name} is closed.`);
  }

  /** The one way into `closed`: whatever waits is told. */
  private finish(reason: string): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.closeReason = reason;
    this.onHello?.(
      reason === "self"
        ? new StreamletError("invalid-argument", `${this.name} is this peer itself: enter the address of another one.`)
        : new StreamletError("connection-lost", `${this.name} closed the connection (${reason}).`),
    );
    this.pulse.stop();
    this.changesOut.dispose();
    this.changesIn.dispose();
    this.answers.dispose();
    this.requests.rejectAll(this.lost());
    for (const listener of [...this.closeListeners]) listener(reason);
    this.closeListeners.clear();
    this.changeListeners.clear();
  }
}

function callBackOf({ id, grant }: Extract<ControlMessage, { type: "callBack" }>): CallBackRequest {
  return { id, ...(grant === undefined ? {} : { grant: new Uint8Array(Buffer.from(grant, "base64")) }) };
}
