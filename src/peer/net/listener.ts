/**
 * The one TCP port of a peer. The first bytes tell a TLS ClientHello from a plain BitTorrent handshake; everything else is
 * closed without a penalty, because it may be a client that tries encryption (MSE) first and comes back plain.
 *
 * A connection is *pending* from accept until it is handed over: it has not shown what it is, or its TLS handshake is not
 * done. Then it is *open* until it closes, whoever owns it by then. Both are bounded in total and per address.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { StreamletError } from "../../wire/errors";
import type { Fingerprint } from "../../wire/types";
import type { Identity } from "../identity";
import { addressGroup, formatHostPort, plainAddress } from "./addresses";
import { ALPN_CONTROL, ALPN_WIRE, guardSocket, remoteFingerprint, secureContextOptions } from "./tlsTransport";

/** 5 s to show the first bytes (protocol.md): two lost segments fit, a slow-dripping client does not hold its place for long. */
export const SNIFF_TIMEOUT_MS = 5_000;
/** A TLS handshake is one round trip and some milliseconds of computing; this allows for several lost segments. */
export const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;

export interface ListenerLimits {
  /** Connections that have not yet shown who they are. */
  pending: number;
  pendingPerAddress: number;
  /** Connections handed over and not yet closed. */
  open: number;
  openPerAddress: number;
}

/**
 * pending: a half-open handshake costs about 65 KiB (measured), so 128 of them 8 MiB. Beyond it a newcomer takes the place of the
 *   oldest one, which has had the longest time: a flood of silent connections thus never locks out whoever does speak.
 * pendingPerAddress: nobody honest opens more at once, not even many colleagues behind one address after a restart.
 * open: an idle one costs about 75 KiB (measured), so 512 of them 38 MiB: well below the 200 MB that a peer may take.
 * openPerAddress: one per video and peer, and many peers behind one address (an office, a test on one machine).
 */
export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  pending: 128,
  pendingPerAddress: 32,
  open: 512,
  openPerAddress: 128,
};

/** How many ports after a taken one are tried for `nextFree`. */
const NEXT_FREE_TRIES = 100;
const MAX_PORT = 65535;

/** BEP 3: the length byte and the name of the protocol. */
const BITTORRENT_HEADER = Buffer.from("\x13BitTorrent protocol", "latin1");
/** RFC 8446 5.1: a handshake record, major version 3. */
const TLS_HEADER = Buffer.from([0x16, 0x03]);

export interface RemoteAddress {
  /** An IPv4 address is shown as such on a dual-stack socket too. */
  host: string;
  port: number;
}

export interface RemoteIdentity extends RemoteAddress {
  fingerprint: Fingerprint;
}

export interface ListenerOptions {
  identity: Identity;
  /** One address; all interfaces (IPv6 and IPv4 where there is IPv6) when absent. */
  host?: string;
  /** 0 or absent = any free port. */
  port?: number;
  /** A TLS connection for BitTorrent wire messages. Nothing has been read of it. */
  onWire(socket: TLSSocket, remote: RemoteIdentity): void;
  /** A TLS connection for control messages. Nothing has been read of it. */
  onControl(socket: TLSSocket, remote: RemoteIdentity): void;
  /** A plain BitTorrent connection; its handshake is still unread. */
  onPlain(socket: Socket, remote: RemoteAddress): void;
  /** The listening socket itself failed later on (rare: out of file handles); it goes on listening where it can. */
  onError?(error: StreamletError): void;
  limits?: Partial<ListenerLimits>;
  sniffTimeoutMs?: number;
  handshakeTimeoutMs?: number;
}

interface Pending {
  readonly socket: Socket;
  readonly remote: RemoteAddress;
  readonly group: string;
  timer: NodeJS.Timeout;
}

/** What the bytes so far can be. */
export function sniff(bytes: Uint8Array): "tls" | "bittorrent" | "more" | "other" {
  if (startsAs(bytes, TLS_HEADER)) return bytes.length >= TLS_HEADER.length ? "tls" : "more";
  if (startsAs(bytes, BITTORRENT_HEADER)) return bytes.length >= BITTORRENT_HEADER.length ? "bittorrent" : "more";
  return "other";
}

/** The shorter of the two is a prefix of the other. */
function startsAs(bytes: Uint8Array, header: Buffer): boolean {
  const length = Math.min(bytes.length, header.length);
  return header.subarray(0, length).equals(bytes.subarray(0, length));
}

export class Listener {
  private readonly limits: ListenerLimits;
  private readonly tls: TlsServer;
  private server: Server | undefined;
  private closed = false;
  /** In order of arrival; keyed by the remote address and port, which are unique on one listening port. */
  private readonly pending = new Map<string, Pending>();
  private readonly pendingCount = new Map<string, number>();
  private readonly openCount = new Map<string, number>();
  private openTotal = 0;

  constructor(private readonly options: ListenerOptions) {
    this.limits = { ...DEFAULT_LISTENER_LIMITS, ...options.limits };
    // Never listens: connections are given to it once their first bytes have shown that they are TLS.
    this.tls = createTlsServer({
      ...secureContextOptions(options.identity),
      requestCert: true,
      // Self-signed by design: `onSecure` checks the key instead.
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_WIRE, ALPN_CONTROL],
    });
    this.tls.on("secureConnection", (socket) => this.onSecure(socket));
    this.tls.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** Connections that have not been handed over yet, and those that have been and are open. */
  get counts(): { pending: number; open: number } {
    return { pending: this.pending.size, open: this.openTotal };
  }

  /**
   * Starts to accept.
   * @returns the port
   * @throws StreamletError port-in-use (data.port, data.nextFree), port-forbidden, invalid-argument
   */
  async listen(): Promise<number> {
    const { host, port = 0 } = this.options;
    try {
      this.server = await listenOn(host, port);
    } catch (error) {
      throw await listenError(error, host, port);
    }
    this.server.on("connection", (socket) => this.onConnection(socket));
    this.server.on("error", (cause) => {
      this.options.onError?.(
        new StreamletError("internal", `The port for other peers reports a problem: ${cause.message}.`, { cause }),
      );
    });
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** Frees the port and drops what is pending. Connections already handed over belong to whom they were given. Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    this.server?.close();
    for (const { socket } of [...this.pending.values()]) socket.destroy();
    // The handles are closed in the next turn of the event loop; then the port can be listened on again.
    await new Promise((resolve) => setImmediate(resolve));
  }

  private onConnection(socket: Socket): void {
    guardSocket(socket);
    const host = plainAddress(socket.remoteAddress);
    const port = socket.remotePort;
    // Reset before it was accepted: Node does not know the address any more.
    if (this.closed || host === "" || port === undefined) {
      socket.destroy();
      return;
    }
    const group = addressGroup(host);
    if (this.openTotal >= this.limits.open || (this.openCount.get(group) ?? 0) >= this.limits.openPerAddress) {
      socket.destroy();
      return;
    }
    this.makeRoom(group);
    socket.setNoDelay(true);
    const pending: Pending = {
      socket,
      remote: { host, port },
      group,
      timer: this.expire(socket, this.options.sniffTimeoutMs ?? SNIFF_TIMEOUT_MS),
    };
    const key = keyOf(host, port);
    this.pending.set(key, pending);
    increment(this.pendingCount, group);
    socket.once("close", () => this.forget(key, pending));
    this.readFirstBytes(pending);
  }

  /** The oldest pending connection gives way, the one of the same address first. */
  private makeRoom(group: string): void {
    let victim: Pending | undefined;
    if ((this.pendingCount.get(group) ?? 0) >= this.limits.pendingPerAddress) {
      victim = [...this.pending.values()].find((p) => p.group === group);
    } else if (this.pending.size >= this.limits.pending) {
      victim = this.pending.values().next().value;
    }
    if (victim === undefined) return;
    this.forget(keyOf(victim.remote.host, victim.remote.port), victim);
    victim.socket.destroy();
  }

  private forget(key: string, pending: Pending): void {
    if (this.pending.get(key) !== pending) return;
    clearTimeout(pending.timer);
    this.pending.delete(key);
    decrement(this.pendingCount, pending.group);
  }

  private expire(socket: Socket, ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => socket.destroy(), ms);
    timer.unref();
    return timer;
  }

  private readFirstBytes(pending: Pending): void {
    const { socket } = pending;
    let bytes: Buffer = Buffer.alloc(0);
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const kind = sniff(bytes);
      if (kind === "more") return;
      socket.off("readable", onReadable);
      socket.off("end", onEnd);
      if (kind === "other") {
        socket.destroy();
        return;
      }
      socket.unshift(bytes);
      if (kind === "tls") this.startTls(pending);
      else this.handOver(pending, socket, () => this.options.onPlain(socket, pending.remote));
    };
    const onEnd = () => socket.destroy();
    socket.on("readable", onReadable);
    socket.on("end", onEnd);
  }

  private startTls(pending: Pending): void {
    clearTimeout(pending.timer);
    pending.timer = this.expire(pending.socket, this.options.handshakeTimeoutMs ?? TLS_HANDSHAKE_TIMEOUT_MS);
    // Documented for exactly this: the TLS server takes over a connection that somebody else has accepted.
    this.tls.emit("connection", pending.socket);
  }

  private onSecure(socket: TLSSocket): void {
    guardSocket(socket);
    const pending = this.pending.get(keyOf(plainAddress(socket.remoteAddress), socket.remotePort ?? 0));
    const fingerprint = remoteFingerprint(socket);
    const alpn = socket.alpnProtocol;
    if (pending === undefined || fingerprint === undefined || (alpn !== ALPN_WIRE && alpn !== ALPN_CONTROL)) {
      socket.destroy();
      return;
    }
    const remote: RemoteIdentity = { ...pending.remote, fingerprint };
    this.handOver(pending, socket, () => {
      if (alpn === ALPN_WIRE) this.options.onWire(socket, remote);
      else this.options.onControl(socket, remote);
    });
  }

  private handOver(pending: Pending, socket: Socket, give: () => void): void {
    const { group, remote } = pending;
    this.forget(keyOf(remote.host, remote.port), pending);
    // Others may have been handed over since this one was accepted.
    if (this.openTotal >= this.limits.open || (this.openCount.get(group) ?? 0) >= this.limits.openPerAddress) {
      socket.destroy();
      return;
    }
    this.openTotal += 1;
    increment(this.openCount, group);
    socket.once("close", () => {
      this.openTotal -= 1;
      decrement(this.openCount, group);
    });
    try {
      give();
    } catch (cause) {
      socket.destroy();
      this.options.onError?.(
        new StreamletError(
          "internal",
          `A connection from ${formatHostPort(remote.host, remote.port)} could not be taken.`,
          {
            cause,
          },
        ),
      );
    }
  }
}

function keyOf(host: string, port: number): string {
  return `${host}|${port}`;
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function decrement(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 0) - 1;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

/** Dual stack where there is IPv6 and no address is asked for, else IPv4. */
async function listenOn(host: string | undefined, port: number): Promise<Server> {
  if (host !== undefined) return startServer(host, port);
  try {
    return await startServer("::", port);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL" && code !== "EINVAL") throw error;
    return startServer("0.0.0.0", port);
  }
}

function startServer(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, ipv6Only: false }, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

async function listenError(cause: unknown, host: string | undefined, port: number): Promise<StreamletError> {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    const nextFree = await findFreePort(host, port);
    return new StreamletError(
      "port-in-use",
      `Port ${port} is in use by another program: choose another one, for example ${nextFree}.`,
      { cause, data: { port, nextFree } },
    );
  }
  if (code === "EACCES") {
    return new StreamletError(
      "port-forbidden",
      `This system does not allow you to use port ${port}: choose one from 1024 to ${MAX_PORT}.`,
      {
        cause,
        data: { port },
      },
    );
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new StreamletError("invalid-argument", `This computer has no address ${host ?? ""} to listen on.`, {
      cause,
    });
  }
  return new StreamletError("internal", `Port ${port} cannot be listened on: ${(cause as Error).message}.`, { cause });
}

/** The next port that can really be listened on; if none of the next hundred can, any that the system gives. */
async function findFreePort(host: string | undefined, port: number): Promise<number> {
  for (let candidate = port + 1; candidate <= Math.min(port + NEXT_FREE_TRIES, MAX_PORT); candidate++) {
    if (await canListen(host, candidate)) return candidate;
  }
  const server = await listenOn(host, 0);
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function canListen(host: string | undefined, port: number): Promise<boolean> {
  try {
    (await listenOn(host, port)).close();
    return true;
  } catch {
    return false;
  }
}
