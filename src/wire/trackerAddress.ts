/**
 * How a tracker is written: `host:port`, `ws://host:port` or `wss://host:port`, each with an optional `?token=...`
 * (protocol.md, "Tracker"). Also the rule for Peer IDs, which trackers make unique.
 */
import { StreamletError } from "./errors";

/** `host` alone means this port; it is X11's, so browsers and `fetch` refuse it, and `ws` does not. */
export const DEFAULT_TRACKER_PORT = 6000;
/** Longest address that is looked at: a host name has at most 253 characters (RFC 1035), the rest is scheme, port and token. */
export const MAX_TRACKER_ADDRESS_CHARS = 512;
/** Longest Peer ID, in characters. */
export const MAX_PEER_ID_CHARS = 32;

const PEER_ID = /^[A-Za-z0-9_.-]{1,32}$/;
const ONLY_DOTS = /^\.+$/;

/** 1-32 letters, digits, `_`, `-`, `.`; not only dots, because folders are named after it. */
export function isPeerId(text: string): boolean {
  return PEER_ID.test(text) && !ONLY_DOTS.test(text);
}

/** Names are compared without case: `Alice` and `alice` are one name. */
export function peerIdKey(peerId: string): string {
  return peerId.toLowerCase();
}

/**
 * Where ordinary BitTorrent clients announce themselves to that tracker (BEP 3). Undefined where the tracker wants a token:
 * tokens get into no link and no torrent file.
 * @throws StreamletError `invalid-argument` for an address that is none
 */
export function announceUrl(address: string): string | undefined {
  const { canonical, token } = parseTrackerAddress(address);
  return token === undefined ? `${canonical.replace(/^ws/, "http")}/announce` : undefined;
}

export interface TrackerAddress {
  /** As written, without the token: what is shown and logged. */
  display: string;
  /** `ws://host:port` or `wss://host:port`, lower case, port always there: what a hello is signed for. */
  canonical: string;
  /** What is dialled, with the token. */
  url: string;
  /** Without the brackets of an IPv6 address. */
  host: string;
  port: number;
  secure: boolean;
  token?: string;
}

/** Errors: invalid-argument with a sentence that says what an address looks like. */
export function parseTrackerAddress(text: string): TrackerAddress {
  const written = text.trim();
  const refuse = (why: string): never => {
    const shown = written.replace(/\?.*$/s, "").slice(0, 80);
    throw new StreamletError("invalid-argument", `"${shown}" is not a tracker's address: ${why}`, {
      data: { address: shown },
    });
  };
  const example = 'write it like "localhost:6000", "ws://host:6000" or "wss://host:443".';
  if (written === "" || written.length > MAX_TRACKER_ADDRESS_CHARS || /[\s\\]/.test(written)) return refuse(example);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(written)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "ws" && scheme !== "wss") return refuse(example);
  let parsed: URL;
  try {
    parsed = new URL(scheme === undefined ? `ws://${written}` : written);
  } catch {
    return refuse(example);
  }
  if (parsed.hostname === "" || parsed.username !== "" || parsed.password !== "" || parsed.hash !== "") {
    return refuse(example);
  }
  if (parsed.pathname !== "/" && parsed.pathname !== "") return refuse("it has no path.");
  const secure = scheme === "wss";
  // The URL class drops a port that is the scheme's own, so whether one was written is read from the text.
  const writtenPort = /:(\d+)(?:[/?]|$)/.exec(written.replace(/^[a-z]+:\/\//i, "").replace(/^\[[^\]]*\]/, ""))?.[1];
  const port = writtenPort !== undefined ? Number(writtenPort) : secure ? 443 : DEFAULT_TRACKER_PORT;
  if (port < 1 || port > 65_535) return refuse("its port must be between 1 and 65535.");
  const token = parsed.searchParams.get("token") ?? undefined;
  const canonical = `${secure ? "wss" : "ws"}://${parsed.hostname.toLowerCase()}:${port}`;
  return {
    display: written.replace(/\/?\?.*$/s, ""),
    canonical,
    url: token === undefined || token === "" ? canonical : `${canonical}/?token=${encodeURIComponent(token)}`,
    host: parsed.hostname.toLowerCase().replace(/^\[|\]$/g, ""),
    port,
    secure,
    ...(token ? { token } : {}),
  };
}
