import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { StreamletError } from "../src/wire/errors";
import { MAX_PEER_FRAME_BYTES } from "../src/wire/trackerMessages";
import { AddressBook } from "./addressBook";
import { Announcer } from "./announce";
import { MAX_QUERY_CHARS } from "./announceQuery";
import type { TrackerClock } from "./clock";
import { Connection } from "./connection";
import type { Directory } from "./directory";
import { CHANGED_INTERVAL_MS, CHANGED_PER_SECOND, HEARTBEAT_MS, type TrackerLimits } from "./limits";
import { plainAddress } from "./rules";
import type { TrackerStore } from "./store";

/** How often it is looked whether something has changed for subscribers. */
const CHANGES_TICK_MS = 100;
/** Expiry of records and names is a matter of minutes. */
const SWEEP_MS = 60_000;
/** Peers that do not answer a goodbye are cut off after so long. */
const GOODBYE_MS = 1_000;
/** Time for the headers of a request (slow senders hold a socket each). */
const HEADERS_TIMEOUT_MS = 10_000;

const WEB_SOCKET_OPTIONS = {
  noServer: true,
  clientTracking: false,
  // Records are not compressible, and a compressor for each connection costs more memory than all the rest of it.
  perMessageDeflate: false,
  maxPayload: MAX_PEER_FRAME_BYTES,
  closeTimeout: GOODBYE_MS,
};

export interface TrackerServerOptions {
  /** All interfaces when absent. */
  host?: string;
  /** 0 = any free port, both. */
  port: number;
  httpPort: number;
  accessToken?: string;
  store: TrackerStore;
  directory: Directory;
  limits: TrackerLimits;
  clock: TrackerClock;
  /** Default `HEARTBEAT_MS`; tests shorten it. */
  heartbeatMs?: number;
  log: (message: string) => void;
}

/** The tracker's two ports: WebSocket for peers and `/announce` for other clients on one, HTTP for `/healthz` on the other. */
export class TrackerServer {
  readonly #addresses: AddressBook;
  readonly #announcer: Announcer;
  readonly #connections = new Set<Connection>();
  readonly #sessions = new Map<string, Connection>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #upgrades: WebSocketServer;
  readonly #server: Server;
  readonly #httpServer: Server;
  #startedAt = 0;
  #stopping: Promise<void> | undefined;

  constructor(private readonly options: TrackerServerOptions) {
    const { limits, clock, store } = options;
    this.#addresses = new AddressBook(limits, clock);
    this.#announcer = new Announcer(store, () => clock.now());
    this.#upgrades = new WebSocketServer(WEB_SOCKET_OPTIONS);
    this.#server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS });
    this.#server.on("request", (request, response) => {
      this.#onAnnounceRequest(request, response).catch((error) => {
        this.options.log(`An announce could not be answered: ${error}`);
        response.destroy();
      });
    });
    this.#server.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket as Socket, head));
    this.#httpServer = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS });
    this.#httpServer.on("request", (request, response) => this.#onHttpRequest(request, response));
    store.setListener({
      onReplaced: (session) => this.#sessions.get(session)?.closeReplaced(),
      onReleased: (session) => this.#sessions.get(session)?.closeReleased(),
      onCallback: (session, callback) => this.#sessions.get(session)?.sendCallback(callback),
    });
  }

  /** Errors: port-in-use, port-forbidden, invalid-argument, with a sentence that names the option to change. */
  async start(): Promise<{ port: number; httpPort: number }> {
    const { host, heartbeatMs = HEARTBEAT_MS, directory, clock } = this.options;
    const port = await listen(this.#server, this.options.port, host, "--port");
    let httpPort: number;
    try {
      httpPort = await listen(this.#httpServer, this.options.httpPort, host, "--http-port");
    } catch (error) {
      this.#server.close();
      throw error;
    }
    this.#startedAt = clock.monotonic();
    let beatAt = clock.monotonic();
    this.#every(heartbeatMs, () => {
      const now = clock.monotonic();
      // Who could not be heard because this process stood still is not silent.
      const stalled = now - beatAt > 2 * heartbeatMs;
      beatAt = now;
      for (const connection of this.#connections) connection.beat(stalled);
    });
    this.#every(CHANGES_TICK_MS, () => this.#tellChanges());
    this.#every(SWEEP_MS, () => {
      this.#addresses.sweep();
      directory.sweep().catch((error) => this.options.log(`Expired entries could not be dropped: ${error}`));
    });
    return { port, httpPort };
  }

  /** Says goodbye to everyone, then closes; idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const closed = [this.#server, this.#httpServer].map((server) => new Promise((done) => server.close(done)));
    this.#httpServer.closeAllConnections();
    for (const connection of this.#connections) connection.closeGoingAway();
    const cutOff = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
      this.#server.closeAllConnections();
    }, GOODBYE_MS);
    this.#server.closeIdleConnections();
    await Promise.all(closed);
    clearTimeout(cutOff);
    await this.options.store.close();
  }

  #every(ms: number, run: () => void): void {
    this.#timers.push(setInterval(run, ms));
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const host = plainAddress(socket.remoteAddress);
    const usage = this.#addresses.of(host);
    const refusal = this.#refuseUpgrade(request, usage);
    if (refusal) {
      endWith(socket, refusal.status, refusal.message, refusal.retryAfterMs);
      return;
    }
    this.#upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      const { directory, limits, clock, heartbeatMs = HEARTBEAT_MS, log } = this.options;
      socket.setNoDelay(true);
      if (usage) usage.connections++;
      const connection = new Connection(webSocket, {
        directory,
        limits,
        clock,
        heartbeatMs,
        host,
        localHost: plainAddress(socket.localAddress),
        usage,
        onOpen: (opened, session) => this.#sessions.set(session, opened),
        onClose: (closed, session) => {
          this.#connections.delete(closed);
          if (session !== undefined) this.#sessions.delete(session);
          if (usage) usage.connections--;
        },
        log,
      });
      this.#connections.add(connection);
    });
  }

  /** Cheap checks before anything is set up for a connection. The status tells a client what is wrong. */
  #refuseUpgrade(request: IncomingMessage, usage: ReturnType<AddressBook["of"]>) {
    const { limits, clock, accessToken } = this.options;
    if (this.#stopping) return { status: 503, message: "This tracker is stopping.", retryAfterMs: 1000 };
    if (request.headers.origin !== undefined) {
      return { status: 403, message: "Web pages cannot use this tracker." };
    }
    const wait = usage?.connects.take(1, clock.monotonic()) ?? 0;
    if (wait > 0) return { status: 429, message: "Too many connections from your address.", retryAfterMs: wait };
    const url = URL.canParse(request.url ?? "/", "ws://tracker")
      ? new URL(request.url ?? "/", "ws://tracker")
      : undefined;
    if (url?.pathname !== "/") return { status: 404, message: "A tracker's address has no path." };
    if (accessToken !== undefined && !sameText(url.searchParams.get("token") ?? "", accessToken)) {
      return { status: 401, message: "This tracker needs an access token: write its address with ?token=..." };
    }
    if (this.#connections.size >= limits.connections) {
      return { status: 503, message: "This tracker is full.", retryAfterMs: 30_000 };
    }
    if (usage && usage.connections >= limits.connectionsPerAddress) {
      return { status: 429, message: "Too many connections are open from your address.", retryAfterMs: 30_000 };
    }
    return undefined;
  }

  async #onAnnounceRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "/", query = ""] = splitOnce(request.url ?? "/", "?");
    if (path !== "/announce" && path !== "/scrape") {
      const error = "This is a Streamlet tracker: it speaks WebSocket, and /announce and /scrape for BitTorrent.";
      return answer(response, 426, { error }, { Upgrade: "websocket" });
    }
    const host = plainAddress(request.socket.remoteAddress);
    const refusal = this.#refuseAnnounce(request, path, query, host);
    if (refusal) {
      const headers: Record<string, string> = { Connection: "close" };
      if (refusal.retryAfterMs) headers["Retry-After"] = String(Math.ceil(refusal.retryAfterMs / 1000));
      return answer(response, refusal.status, { error: refusal.message }, headers);
    }
    const asker = {
      host,
      dialledHost: dialledHost(request.headers.host),
      localHost: plainAddress(request.socket.localAddress),
    };
    const body = await (path === "/announce" ? this.#announcer.announce(query, asker) : this.#announcer.scrape(query));
    // Clients come once in minutes: a connection that stays open is of no use to either side.
    response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": body.length, Connection: "close" });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #refuseAnnounce(request: IncomingMessage, path: string, query: string, host: string) {
    const { clock, accessToken } = this.options;
    if (this.#stopping) return { status: 503, message: "This tracker is stopping.", retryAfterMs: 1000 };
    if (request.method !== "GET" && request.method !== "HEAD") return { status: 405, message: "GET only." };
    if (request.headers.origin !== undefined) return { status: 403, message: "Web pages cannot use this tracker." };
    if (query.length > MAX_QUERY_CHARS) return { status: 414, message: "The request is too long." };
    if (accessToken !== undefined && !sameText(tokenOf(query), accessToken)) {
      return { status: 401, message: "This tracker needs an access token: /announce?token=..." };
    }
    // Each torrent of a scrape is counted through like that of an announce.
    const cost = path === "/scrape" ? Math.max(1, query.split("info_hash=").length - 1) : 1;
    const wait = this.#addresses.of(host)?.requests.take(cost, clock.monotonic()) ?? 0;
    return wait > 0 ? { status: 429, message: "Too many requests from your address.", retryAfterMs: wait } : undefined;
  }

  #tellChanges(): void {
    const revisions = this.options.store.revisions();
    const subscribers = [...this.#connections].filter((connection) => connection.isSubscribed);
    const interval = Math.max(CHANGED_INTERVAL_MS, (subscribers.length / CHANGED_PER_SECOND) * 1000);
    for (const connection of subscribers) connection.tellChanges(revisions, interval);
  }

  #onHttpRequest(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "/").replace(/\?.*$/s, "");
    if (path !== "/healthz") {
      answer(response, 404, { error: "Nothing is here; /healthz tells how the tracker is." });
    } else if (request.method !== "GET" && request.method !== "HEAD") {
      answer(response, 405, { error: "GET only." });
    } else {
      const { sessions, videos, names } = this.options.store.counts();
      answer(response, this.#stopping ? 503 : 200, {
        status: this.#stopping ? "stopping" : "ok",
        peers: sessions,
        videos,
        names,
        uptimeSeconds: Math.floor((this.options.clock.monotonic() - this.#startedAt) / 1000),
      });
    }
  }
}

function listen(server: Server, port: number, host: string | undefined, option: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(cause, port, host, option)));
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function listenError(cause: NodeJS.ErrnoException, port: number, host: string | undefined, option: string): Error {
  const data = { port };
  switch (cause.code) {
    case "EADDRINUSE":
      return new StreamletError(
        "port-in-use",
        `Port ${port} (${option}) is already in use: stop the program that uses it (another tracker?), or choose another port with ${option}.`,
        { cause, data },
      );
    case "EACCES":
      return new StreamletError(
        "port-forbidden",
        `This user may not listen on port ${port}: choose one above 1023 with ${option}.`,
        { cause, data },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new StreamletError("invalid-argument", `${host} is not an address of this machine: check --host.`, {
        cause,
      });
    default:
      return new StreamletError("internal", `Port ${port} (${option}) cannot be listened on: ${cause.message}`, {
        cause,
      });
  }
}

function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers });
  response.end(`${JSON.stringify(body)}\n`);
}

const STATUS_TEXT: Record<number, string> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

function endWith(socket: Duplex, status: number, message: string, retryAfterMs?: number): void {
  const body = `${message}\n`;
  socket.on("error", () => {});
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_TEXT[status]}`,
      "Connection: close",
      "Content-Type: text/plain; charset=utf-8",
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterMs / 1000)}`]),
      "",
      body,
    ].join("\r\n"),
  );
}

function splitOnce(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index < 0 ? [text, ""] : [text.slice(0, index), text.slice(index + 1)];
}

function tokenOf(query: string): string {
  // Clients put their own values behind those of the announce URL; those are bytes and not always UTF-8.
  const [value = ""] = /(?<=^|&)token=[^&]*/.exec(query) ?? [];
  return new URLSearchParams(value).get("token") ?? "";
}

/** The name by which this machine was reached, without port and brackets; "localhost" where the request does not say. */
function dialledHost(header: string | undefined): string {
  const url = `http://${header ?? ""}`;
  return (URL.canParse(url) && new URL(url).hostname.replace(/^\[|\]$/g, "")) || "localhost";
}

/** In a time that does not tell how much of it is right. */
function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
