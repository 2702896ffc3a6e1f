/**
 * TLS 1.3 between peers who know each other by fingerprint: no CA, no names, no resumption. Each side presents a self-signed
 * certificate; TLS proves that it holds the key, and the fingerprint of the key is checked here before a byte is handed out.
 */
import { constants as cryptoConstants } from "node:crypto";
import { connect as connectTcp, type OnReadOpts, type Socket } from "node:net";
import {
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";
import { StreamletError } from "../../wire/errors";
import { fingerprintOf } from "../../wire/fingerprint";
import type { Fingerprint } from "../../wire/types";
import { type Identity, isP256Spki } from "../identity";
import { formatHostPort } from "./addresses";

/** BitTorrent wire messages for one info-hash. */
export const ALPN_WIRE = "streamlet-wire/1";
/** Hello, catalogue, ping, bye: see src/wire/control.ts. */
export const ALPN_CONTROL = "streamlet-control/1";
export type Alpn = typeof ALPN_WIRE | typeof ALPN_CONTROL;

/** Three lost SYNs (1 + 2 + 4 s) and a slow handshake fit; whoever waits in front of a download bar should not wait longer. */
export const DIAL_TIMEOUT_MS = 10_000;

/**
 * AES-128-GCM first: measured 1.15 times as fast as AES-256-GCM and ChaCha20 (measured.md). The TLS 1.2 suite is never used
 * (minVersion): it keeps the list from being empty in BoringSSL, which does not take TLS 1.3 suites from a list.
 */
const CIPHERS =
  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256";

/** What both sides of every TLS connection use. Tickets are off: a resumed session would skip the certificate. */
export function secureContextOptions(identity: Identity): SecureContextOptions {
  return {
    key: identity.privateKeyPem,
    cert: identity.certificatePem,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
  };
}

const contexts = new WeakMap<Identity, SecureContext>();

function secureContextOf(identity: Identity): SecureContext {
  let context = contexts.get(identity);
  if (context === undefined) {
    context = createSecureContext(secureContextOptions(identity));
    contexts.set(identity, context);
  }
  return context;
}

/**
 * Makes sure that an error on the socket never becomes an uncaught exception, at whatever moment it comes, and always
 * closes it: after a TLS handshake Node reports a broken record without destroying the socket. Owners listen for `close`.
 */
export function guardSocket(socket: Socket): void {
  socket.on("error", () => socket.destroy());
}

/**
 * Fingerprint of the key that the other side has proven to hold; undefined when it showed no certificate or one with
 * any other key than uncompressed P-256. To be asked once the handshake is done.
 */
export function remoteFingerprint(socket: TLSSocket): Fingerprint | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  // A compressed point would have been expanded by some TLS libraries: the 91 bytes must be there as they are.
  if (!isP256Spki(spki) || !certificate.raw.includes(spki)) return undefined;
  return fingerprintOf(spki);
}

export interface DialOptions {
  /** Name or address, IPv6 without brackets. */
  host: string;
  port: number;
  /** Gives up with `cancelled`. */
  signal?: AbortSignal;
  /** For name look-up, connecting and handshake together; default `DIAL_TIMEOUT_MS`. */
  timeoutMs?: number;
  /**
   * Received bytes go straight into these buffers, and nothing is emitted as `data`. The first call may come before the
   * promise resolves (the other side may speak first), but never before its identity is checked. `socket.pause()` and a
   * callback that returns false hold it, `socket.resume()` goes on.
   */
  onread?: OnReadOpts;
}

export interface TlsDialOptions extends DialOptions {
  identity: Identity;
  alpn: Alpn;
  /** Whom to find there; absent only on a manual connection, where a person is asked. */
  expected?: Fingerprint;
}

/**
 * Connects, shakes hands, and checks who it is.
 * The socket has a guard against uncaught errors; listen for `close` (and look at `destroyed` first: it may be gone already).
 * @throws StreamletError connection-refused, connection-timeout, connection-lost, unreachable, bad-handshake, wrong-identity, cancelled
 */
export async function dialTls(options: TlsDialOptions): Promise<{ socket: TLSSocket; fingerprint: Fingerprint }> {
  const { host, port, identity, alpn, expected, onread } = options;
  let fingerprint: Fingerprint | undefined;
  const socket = await dial(
    options,
    "secureConnect",
    () => {
      const socket: TLSSocket = connectTls({
        host,
        port,
        secureContext: secureContextOf(identity),
        ALPNProtocols: [alpn],
        // The certificate is self-signed by design; the check is in `accept` below.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...(onread === undefined ? {} : { onread: guardOnRead(onread, () => socket) }),
      });
      return socket;
    },
    (socket) => {
      if (socket.alpnProtocol !== alpn) throw notStreamlet(options);
      fingerprint = remoteFingerprint(socket);
      if (fingerprint === undefined) {
        throw new StreamletError(
          "wrong-identity",
          `${formatHostPort(host, port)} shows no identity that Streamlet accepts: it is not a Streamlet peer.`,
          { data: { host, port } },
        );
      }
      if (expected !== undefined && fingerprint !== expected) {
        throw new StreamletError(
          "wrong-identity",
          `${formatHostPort(host, port)} answers with another identity than expected: it is somebody else, or the profile there was made anew.`,
          { data: { host, port, fingerprint } },
        );
      }
    },
  );
  return { socket, fingerprint: fingerprint! };
}

/**
 * Connects without TLS, for plain BitTorrent.
 * @throws StreamletError connection-refused, connection-timeout, connection-lost, unreachable, cancelled
 */
export function dialPlain(options: DialOptions): Promise<Socket> {
  const { host, port, onread } = options;
  return dial(
    options,
    "connect",
    () => {
      const socket: Socket = connectTcp({
        host,
        port,
        ...(onread === undefined ? {} : { onread: guardOnRead(onread, () => socket) }),
      });
      return socket;
    },
    () => undefined,
  );
}

/** One attempt: `open` starts it, `ready` ends it, and `accept`, in the same turn as `ready`, may still refuse by throwing. */
function dial<S extends Socket>(
  options: DialOptions,
  ready: "connect" | "secureConnect",
  open: () => S,
  accept: (socket: S) => void,
): Promise<S> {
  const { host, port, signal, timeoutMs = DIAL_TIMEOUT_MS } = options;
  return new Promise<S>((resolve, reject) => {
    if (signal?.aborted) {
      reject(cancelled(options));
      return;
    }
    let socket: S;
    try {
      socket = open();
    } catch (error) {
      reject(dialError(error, options));
      return;
    }
    guardSocket(socket);
    let settled = false;
    const settle = (error?: StreamletError) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      socket.off("close", onClose);
      if (error === undefined) {
        resolve(socket);
      } else {
        socket.destroy();
        reject(error);
      }
    };
    const onAbort = () => settle(cancelled(options));
    const onError = (error: Error) => settle(dialError(error, options));
    const onClose = () => settle(lost(options));
    const timer = setTimeout(() => {
      settle(
        new StreamletError(
          "connection-timeout",
          `${formatHostPort(host, port)} does not answer: check the address, that Streamlet runs there, and its firewall.`,
          { data: { host, port } },
        ),
      );
    }, timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once(ready, () => {
      if (settled) return;
      try {
        accept(socket);
      } catch (error) {
        settle(dialError(error, options));
        return;
      }
      socket.setNoDelay(true);
      settle();
    });
  });
}

/** An exception in the caller's callback closes the connection instead of the process. */
function guardOnRead(onread: OnReadOpts, socketOf: () => Socket): OnReadOpts {
  const callback = onread.callback;
  return {
    buffer: onread.buffer,
    callback: (bytesWritten, buffer) => {
      try {
        return callback(bytesWritten, buffer);
      } catch (error) {
        socketOf().destroy(error instanceof Error ? error : new Error(String(error)));
        return false;
      }
    },
  };
}

function dialError(error: unknown, options: DialOptions): StreamletError {
  if (error instanceof StreamletError) return error;
  const { host, port } = options;
  const where = formatHostPort(host, port);
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const extra = { cause: error, data: { host, port } };
  switch (code) {
    case "ECONNREFUSED":
      return new StreamletError(
        "connection-refused",
        `Nothing listens at ${where}: check the address, and that Streamlet runs there.`,
        extra,
      );
    case "ETIMEDOUT":
      return new StreamletError(
        "connection-timeout",
        `${where} does not answer: check the address, that Streamlet runs there, and its firewall.`,
        extra,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new StreamletError("unreachable", `There is no computer named ${host}: check the spelling.`, extra);
    case "ECONNRESET":
    case "EPIPE":
      return lost(options, error);
  }
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") return notStreamlet(options, error);
  return new StreamletError("unreachable", `${where} cannot be reached from this computer: check the network.`, extra);
}

function lost({ host, port }: DialOptions, cause?: unknown): StreamletError {
  return new StreamletError(
    "connection-lost",
    `${formatHostPort(host, port)} closed the connection at once: it is busy, or not a Streamlet peer.`,
    { cause, data: { host, port } },
  );
}

function notStreamlet({ host, port }: DialOptions, cause?: unknown): StreamletError {
  return new StreamletError(
    "bad-handshake",
    `${formatHostPort(host, port)} is not a Streamlet peer, or runs a version that this one cannot talk to.`,
    { cause, data: { host, port } },
  );
}

function cancelled({ host, port }: DialOptions): StreamletError {
  return new StreamletError("cancelled", `Connecting to ${formatHostPort(host, port)} was cancelled.`);
}
