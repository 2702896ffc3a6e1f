/**
 * What an ordinary BitTorrent client asks a tracker over HTTP (BEP 3, BEP 48), out of the text of its request. Pure.
 * Values are bytes in percent-encoding, not UTF-8 text: the URL class would spoil an info-hash.
 */
import { toHex } from "../src/wire/bytes";
import { V1_HASH_BYTES } from "../src/wire/constants";

/** Longest query that is looked at: an announce is some 300 characters, a scrape of 74 hashes (BEP 15's number) 5,400. */
export const MAX_QUERY_CHARS = 8_192;
export const MAX_SCRAPE_HASHES = 74;
/** Peers in an answer: what clients ask for when they say nothing, and the most they get. */
export const DEFAULT_NUMWANT = 50;
export const MAX_NUMWANT = 200;
const PEER_ID_BYTES = 20;

export interface AnnounceQuery {
  /** 40 hex digits: v1, or v2 cut to 20 bytes. */
  infoHash: string;
  /** 20 bytes. */
  peerId: Uint8Array;
  /** 1-65535 */
  port: number;
  /** Bytes; undefined where it was not said. */
  left: number | undefined;
  event: "started" | "completed" | "stopped" | undefined;
  /** 0 to MAX_NUMWANT */
  numwant: number;
  /** BEP 23: peers as bytes. Off only where it is asked for with `compact=0`. */
  compact: boolean;
  noPeerId: boolean;
}

/** A reason, in plain words: it is shown to people in their client. */
export class AnnounceError extends Error {}

/** `ip` is ignored: peers are where they are seen. @throws AnnounceError */
export function parseAnnounce(query: string): AnnounceQuery {
  const values = parseQuery(query);
  const [infoHash] = values.get("info_hash") ?? [];
  if (infoHash?.length !== V1_HASH_BYTES) throw new AnnounceError("info_hash has to be 20 bytes");
  const [peerId] = values.get("peer_id") ?? [];
  if (peerId?.length !== PEER_ID_BYTES) throw new AnnounceError("peer_id has to be 20 bytes");
  const port = numberOf(values, "port");
  if (port === undefined || port < 1 || port > 65_535) throw new AnnounceError("port has to be from 1 to 65535");
  const event = textOf(values, "event");
  return {
    infoHash: toHex(infoHash),
    peerId,
    port,
    left: numberOf(values, "left"),
    event: event === "started" || event === "completed" || event === "stopped" ? event : undefined,
    numwant: Math.min(numberOf(values, "numwant") ?? DEFAULT_NUMWANT, MAX_NUMWANT),
    compact: textOf(values, "compact") !== "0",
    noPeerId: textOf(values, "no_peer_id") === "1",
  };
}

/** Hashes as 40 hex digits, in the order of the request, each once. @throws AnnounceError */
export function parseScrape(query: string): string[] {
  const hashes = parseQuery(query).get("info_hash") ?? [];
  if (hashes.length === 0) throw new AnnounceError("name the torrents with info_hash: not all are told");
  if (hashes.length > MAX_SCRAPE_HASHES) throw new AnnounceError(`at most ${MAX_SCRAPE_HASHES} torrents at once`);
  if (hashes.some((hash) => hash.length !== V1_HASH_BYTES)) throw new AnnounceError("info_hash has to be 20 bytes");
  return [...new Set(hashes.map(toHex))];
}

function parseQuery(query: string): Map<string, Uint8Array[]> {
  if (query.length > MAX_QUERY_CHARS) throw new AnnounceError("the request is too long");
  const values = new Map<string, Uint8Array[]>();
  for (const part of query.split("&")) {
    const equals = part.indexOf("=");
    if (equals < 0) continue;
    const name = part.slice(0, equals);
    const list = values.get(name);
    const value = decodePercent(part.slice(equals + 1));
    if (list) list.push(value);
    else values.set(name, [value]);
  }
  return values;
}

function decodePercent(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x25) {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw new AnnounceError("its percent-encoding is wrong");
      bytes[length++] = Number.parseInt(digits, 16);
      at += 2;
    } else if (code > 0x7e) throw new AnnounceError("its percent-encoding is wrong");
    else bytes[length++] = code;
  }
  return bytes.slice(0, length);
}

function textOf(values: Map<string, Uint8Array[]>, name: string): string | undefined {
  const value = values.get(name)?.[0];
  return value && Buffer.from(value).toString("latin1");
}

function numberOf(values: Map<string, Uint8Array[]>, name: string): number | undefined {
  const text = textOf(values, name);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
