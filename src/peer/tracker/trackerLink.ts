import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type RawData, WebSocket } from "ws";
import { TRACKER_CONTEXT } from "../../wire/constants";
import { ERROR_CODES, type ErrorCode, StreamletError } from "../../wire/errors";
import { signBytes } from "../../wire/signature";
import type { TrackerAddress } from "../../wire/trackerAddress";
import {
  type AnswerTo,
  CLOSE_RELEASED,
  CLOSE_REPLACED,
  type Failure,
  helloBody,
  MAX_TRACKER_FRAME_BYTES,
  type PeerMessage,
  parseTrackerMessage,
  TRACKER_PROTOCOL_VERSION,
  type TrackerMessage,
} from "../../wire/trackerMessages";
import type { Fingerprint } from "../../wire/types";
import type { Clock } from "../clock";

/** From dialling to the end of the WebSocket handshake: three tries of a lost SYN. */
const CONNECT_TIMEOUT_MS = 5_000;
/** From there to the challenge, and from the hello to the welcome. */
const HELLO_TIMEOUT_MS = 5_000;
/** A tracker answers in milliseconds; a slow line with a full page of records in seconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** So many heartbeats without a ping: the tracker is gone, whatever TCP believes. */
const SILENT_HEARTBEATS = 3;
/** How long a goodbye waits for the tracker's. */
const GOODBYE_MS = 1_000;
const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;
const CLOSE_TOO_LARGE = 1009;

export interface LinkOptions {
  address: TrackerAddress;
  identity: { privateKey: Parameters<typeof signBytes>[0]; spki: Uint8Array; fingerprint: Fingerprint };
  peerId: string;
  port: number;
  clock: Clock;
  onWelcome(welcome: AnswerTo<"welcome">): void;
  onChanged(changed: AnswerTo<"changed">): void;
  onCallback(callback: AnswerTo<"callback">): void;
  /** Once, at the end, however it comes; never after `close`. */
  onEnd(error: StreamletError): void;
}

type WithoutRequest<T> = T extends unknown ? Omit<T, "request"> : never;
/** A request before it has a number. */
export type Request = WithoutRequest<Exclude<PeerMessage, { type: "hello" }>>;
export type Answer = Exclude<TrackerMessage, { type: "challenge" | "welcome" | "changed" | "callback" | "error" }>;

interface Pending {
  resolve(answer: Answer): void;
  reject(error: StreamletError): void;
  cancelTimeout(): void;
}

/** What a tracker said instead of an answer. Codes of later versions count as a refusal. */
export function errorOf(failure: Failure): StreamletError {
  const known = (ERROR_CODES as readonly string[]).includes(failure.code);
  const code: ErrorCode = known ? (failure.code as ErrorCode) : "tracker-refused";
  const { retryAfterMs } = failure;
  return new StreamletError(code, failure.message, retryAfterMs === undefined ? {} : { data: { retryAfterMs } });
}

/** One connection to a tracker, from dialling to its end: proves who one is, matches answers to requests, notices silence. */
export class TrackerLink {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  #state: "connecting" | "challenged" | "open" | "ended" = "connecting";
  #nextRequest = 1;
  #heardAt: number;
  #cancelTimer: () => void;
  #onClosed: (() => void) | undefined;

  constructor(private readonly options: LinkOptions) {
    const { clock, address } = options;
    this.#heardAt = clock.now();
    this.#socket = new WebSocket(address.url, {
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: MAX_TRACKER_FRAME_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#cancelTimer = () => {};
    this.#socket.on("open", () => this.#expectSoon());
    this.#socket.on("ping", () => this.#heard());
    this.#socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    this.#socket.on("unexpected-response", (_request, response) => this.#onHttpAnswer(response));
    this.#socket.on("error", (error) => this.#end(this.#failureOf(error)));
    this.#socket.on("close", (code) => {
      this.#end(this.#closeError(code));
      this.#onClosed?.();
    });
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Errors: those of the tracker, tracker-unreachable (no answer in time, or the connection ended), tracker-protocol. */
  request<T extends Answer["type"]>(request: Request, type: T): Promise<AnswerTo<T>> {
    if (!this.isOpen) return Promise.reject(this.#unreachable());
    const number = this.#nextRequest++;
    return new Promise<Answer>((resolve, reject) => {
      const cancelTimeout = this.options.clock.after(REQUEST_TIMEOUT_MS, () => {
        this.#pending.delete(number);
        reject(this.#unreachable("does not answer"));
      });
      this.#pending.set(number, { resolve, reject, cancelTimeout });
      this.#socket.send(JSON.stringify({ ...request, request: number }));
    }).then((answer) => {
      if (answer.type !== type) throw this.#nonsense("it answers something else than was asked");
      return answer as AnswerTo<T>;
    });
  }

  /** Goodbye. Resolves when the tracker has said so too, or after a second; `onEnd` is not called any more. */
  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const wasConnecting = this.#state === "connecting";
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.#finish(new StreamletError("not-running", "The connection to the tracker was closed."));
    if (wasConnecting) this.#socket.terminate();
    else this.#socket.close(CLOSE_NORMAL, "goodbye");
    const cancel = this.options.clock.after(GOODBYE_MS, () => this.#socket.terminate());
    await closed;
    cancel();
  }

  #heard(): void {
    this.#heardAt = this.options.clock.now();
  }

  #expectSoon(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.options.clock.after(HELLO_TIMEOUT_MS, () =>
      this.#fail(this.#nonsense("it accepts the connection and says nothing")),
    );
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state === "ended") return;
    this.#heard();
    if (isBinary) {
      this.#fail(this.#nonsense("it sends binary data"));
      return;
    }
    let message: TrackerMessage | undefined;
    try {
      message = parseTrackerMessage((data as Buffer).toString());
    } catch (error) {
      this.#fail(this.#nonsense("its messages are not understood", error));
      return;
    }
    if (!message) return;
    if (this.#state !== "open") this.#onGreeting(message);
    else this.#onAnswer(message);
  }

  #onGreeting(message: TrackerMessage): void {
    const { address, identity, peerId, port, clock } = this.options;
    if (message.type === "error") {
      this.#fail(errorOf(message));
    } else if (message.type === "challenge" && this.#state === "connecting") {
      this.#state = "challenged";
      const nonce = randomBytes(32).toString("hex");
      const { fingerprint } = identity;
      const facts = { address: address.canonical, trackerNonce: message.nonce, peerNonce: nonce };
      const signature = signBytes(
        identity.privateKey,
        TRACKER_CONTEXT,
        helloBody({ ...facts, fingerprint, peerId, port }),
      );
      const hello: PeerMessage = {
        type: "hello",
        version: TRACKER_PROTOCOL_VERSION,
        address: address.canonical,
        nonce,
        peerId,
        port,
        key: Buffer.from(identity.spki).toString("base64"),
        signature: Buffer.from(signature).toString("base64"),
      };
      this.#socket.send(JSON.stringify(hello));
      this.#expectSoon();
    } else if (message.type === "welcome" && this.#state === "challenged") {
      this.#state = "open";
      this.#cancelTimer();
      const silence = message.heartbeatMs * SILENT_HEARTBEATS;
      this.#cancelTimer = clock.every(message.heartbeatMs, () => {
        if (clock.now() - this.#heardAt > silence) this.#fail(this.#unreachable("has fallen silent"));
      });
      this.options.onWelcome(message);
    } else {
      this.#fail(this.#nonsense(`it says "${message.type}" before it has said hello`));
    }
  }

  #onAnswer(message: TrackerMessage): void {
    switch (message.type) {
      case "changed":
        return this.options.onChanged(message);
      case "callback":
        return this.options.onCallback(message);
      case "challenge":
      case "welcome":
        return this.#fail(this.#nonsense(`it says "${message.type}" a second time`));
      case "error": {
        if (message.request === undefined) return;
        return this.#take(message.request)?.reject(errorOf(message));
      }
      default:
        this.#take(message.request)?.resolve(message);
    }
  }

  #take(request: number): Pending | undefined {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    pending?.cancelTimeout();
    return pending;
  }

  /** The tracker is to blame, or seems dead: there is nothing to wait for. */
  #fail(error: StreamletError): void {
    this.#end(error);
    this.#socket.terminate();
  }

  #end(error: StreamletError): void {
    if (this.#state === "ended") return;
    this.#finish(error);
    this.options.onEnd(error);
  }

  #finish(error: StreamletError): void {
    this.#state = "ended";
    this.#cancelTimer();
    for (const pending of this.#pending.values()) {
      pending.cancelTimeout();
      pending.reject(error);
    }
    this.#pending.clear();
  }

  /** The tracker refused before the WebSocket began. */
  #onHttpAnswer(response: IncomingMessage): void {
    const status = response.statusCode ?? 0;
    const retryAfter = Number(response.headers["retry-after"]);
    const data = Number.isFinite(retryAfter) ? { retryAfterMs: retryAfter * 1000 } : undefined;
    const { display } = this.options.address;
    const refuse = (code: ErrorCode, message: string) => new StreamletError(code, message, data ? { data } : {});
    if (status === 401) {
      this.#fail(
        refuse("access-denied", `The tracker at ${display} needs an access token: write its address with ?token=...`),
      );
    } else if (status === 429) {
      this.#fail(refuse("rate-limited", `The tracker at ${display} gets too many connections from this address.`));
    } else if (status >= 500) {
      this.#fail(refuse("tracker-unreachable", `The tracker at ${display} does not take connections at the moment.`));
    } else {
      this.#fail(this.#nonsense(`it answers with HTTP status ${status}`));
    }
  }

  #failureOf(error: Error & { code?: string }): StreamletError {
    const code = error.code ?? "";
    const notWebSocket =
      /^(HPE_|WS_ERR_)/.test(code) || /Sec-WebSocket|Upgrade header|subprotocol/i.test(error.message);
    if (notWebSocket || (this.#state !== "connecting" && code === "")) {
      return this.#nonsense("it does not speak WebSocket as it should", error);
    }
    if (/CERT|SSL|TLS|SELF_SIGNED|EPROTO/.test(code)) {
      const { display } = this.options.address;
      return new StreamletError(
        "tracker-refused",
        `The tracker at ${display} cannot be trusted or does not speak TLS (${error.message}): check its address.`,
        { cause: error },
      );
    }
    return this.#unreachable(undefined, error);
  }

  #closeError(code: number): StreamletError {
    const { display } = this.options.address;
    switch (code) {
      case CLOSE_REPLACED:
        return new StreamletError(
          "tracker-refused",
          `This profile is online at ${display} from another place as well.`,
        );
      case CLOSE_RELEASED:
        return new StreamletError("tracker-refused", `The operator of ${display} has released this Peer ID.`);
      case CLOSE_POLICY:
      case CLOSE_TOO_LARGE:
        return new StreamletError(
          "rate-limited",
          `The tracker at ${display} has closed the connection: too much was sent.`,
        );
      case CLOSE_GOING_AWAY:
        return this.#unreachable("is stopping");
      default:
        return this.#unreachable(this.#state === "connecting" ? undefined : "has closed the connection");
    }
  }

  #unreachable(what?: string, cause?: unknown): StreamletError {
    const { display } = this.options.address;
    const message = what === undefined ? `No tracker answers at ${display}.` : `The tracker at ${display} ${what}.`;
    return new StreamletError("tracker-unreachable", message, { cause, data: { address: display } });
  }

  #nonsense(what: string, cause?: unknown): StreamletError {
    const { display } = this.options.address;
    return new StreamletError("tracker-protocol", `What answers at ${display} is not a Streamlet tracker: ${what}.`, {
      cause,
      data: { address: display },
    });
  }
}
