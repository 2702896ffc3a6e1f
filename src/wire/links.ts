/** Links to a video, for people to send each other: `vscode://streamlet.streamlet/v/...` and, for public videos, magnets (BEP 9, 52). */
import { utf8Decode, utf8Encode } from "./bytes";
import {
  MAX_ANNOUNCE_URLS,
  MAX_DURATION_SECONDS,
  MAX_FILE_NAME_BYTES,
  MAX_LINK_CHARS,
  MAX_LINK_HOSTS,
  MAX_LINK_TRACKERS,
  MAX_PIECE_BYTES,
  MAX_PIECES,
  MAX_URL_CHARS,
  MAX_VIDEO_BYTES,
  MIN_PIECE_BYTES,
} from "./constants";
import { StreamletError } from "./errors";
import { isPowerOfTwo } from "./merkle";
import { cleanText } from "./text";
import { parseTrackerAddress } from "./trackerAddress";
import { type Fingerprint, isFingerprint, isVideoId, type VideoId } from "./types";

const EXTENSION_ID = "streamlet.streamlet";
const LINK = new RegExp(
  `^([a-z][a-z0-9+.-]{0,63})://${EXTENSION_ID.replace(".", "\\.")}/v/([0-9a-f]{64})/?(?:\\?([^#]*))?(?:#(.*))?$`,
  "i",
);
const SCHEME = /^[a-z][a-z0-9+.-]{0,63}$/i;
/** What stands in a query as it is; anything else goes as base64url, which has no colon, while every address has one. */
const PLAIN_ADDRESS = /^[A-Za-z0-9._-]+:[A-Za-z0-9._:-]*$/;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;
/** `t=83` or `t=83.5`, seconds. */
const TIME = /^t=([0-9]{1,7}(?:\.[0-9]{1,3})?)$/;
const HOST_PORT = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):([1-9][0-9]{0,4})$/;
const ANNOUNCE = /^(?:https?|udp|wss?):\/\/[^\s/]/;

/** What a link says. All of it is a stranger's word: ask before anybody is contacted. */
export interface Link {
  /** The editor's, e.g. `vscode`. */
  scheme: string;
  id: VideoId;
  /** These three come together or not at all: with them a download starts before the metadata is there. 64 hex digits. */
  piecesRoot?: string;
  /** Bytes. */
  length?: number;
  /** Bytes. */
  pieceLength?: number;
  owner?: Fingerprint;
  /** It is for its owner's friends: who opens it asks the owner, and nobody else. Goes with `owner`. */
  friendsOnly?: boolean;
  /** `host:port` of peers that may have it. */
  hosts: string[];
  /** Trackers as a profile writes them, without tokens. */
  trackers: string[];
  /** Where to start playing, seconds. */
  time?: number;
}

/** What is left out is not in the link; more hosts or trackers than a link takes are dropped. */
export type LinkParts = Omit<Link, "scheme" | "hosts" | "trackers"> & {
  /** Default `vscode`. */
  scheme?: string;
  hosts?: readonly string[];
  trackers?: readonly string[];
};

/** Tokens of trackers never get into it. @throws StreamletError `invalid-argument` for addresses that are none */
export function formatLink(parts: LinkParts): string {
  const { scheme = "vscode", id, piecesRoot, length, pieceLength, owner, time } = parts;
  if (!SCHEME.test(scheme) || !isVideoId(id)) throw invalid("A link needs an editor's scheme and the id of a video.");
  const query: string[] = [];
  if (piecesRoot !== undefined && length !== undefined && pieceLength !== undefined) {
    query.push(`r=${piecesRoot}`, `l=${length}`, `p=${pieceLength}`);
  }
  if (owner !== undefined) query.push(`o=${owner}`);
  if (parts.friendsOnly) query.push("a=friends");
  for (const host of (parts.hosts ?? []).slice(0, MAX_LINK_HOSTS)) {
    if (!isHostPort(host)) throw invalid(`"${host}" is not written like host:port.`);
    query.push(`h=${escapeAddress(host)}`);
  }
  for (const tracker of (parts.trackers ?? []).slice(0, MAX_LINK_TRACKERS)) {
    query.push(`t=${escapeAddress(parseTrackerAddress(tracker).display)}`);
  }
  const start = time === undefined ? "" : `#t=${Math.round(time * 1000) / 1000}`;
  return `${scheme}://${EXTENSION_ID}/v/${id}${query.length > 0 ? `?${query.join("&")}` : ""}${start}`;
}

/** Takes the link of any editor, as text. Unknown parameters are skipped. @throws StreamletError `bad-link` */
export function parseLink(text: string): Link {
  const match = text.length <= MAX_LINK_CHARS ? LINK.exec(text.trim()) : null;
  if (!match) throw bad('it does not look like "vscode://streamlet.streamlet/v/..."');
  const [, scheme = "", id = "", query = "", fragment = ""] = match;
  const link: Link = {
    scheme: scheme.toLowerCase(),
    id: id.toLowerCase() as VideoId,
    hosts: [],
    trackers: [],
  };
  for (const [name, value] of parametersOf(query)) readParameter(link, name, value);
  checkContent(link);
  if (link.friendsOnly && link.owner === undefined) throw bad("it is for friends of nobody");
  if (fragment !== "") {
    const seconds = Number(TIME.exec(fragment)?.[1]);
    if (!(seconds <= MAX_DURATION_SECONDS)) throw bad("its time is malformed");
    link.time = seconds;
  }
  return link;
}

/** Editors may hand on a query with its separators escaped: that is undone first. */
function parametersOf(query: string): [string, string][] {
  const readable = query.includes("=") ? query : percentDecode(query);
  const list: [string, string][] = [];
  for (const part of readable.split("&")) {
    const at = part.indexOf("=");
    if (at > 0) list.push([part.slice(0, at), percentDecode(part.slice(at + 1))]);
  }
  return list;
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad("it has a broken escape");
  }
}

function readParameter(link: Link, name: string, value: string): void {
  switch (name) {
    case "r":
      if (!isVideoId(value.toLowerCase())) throw bad("its pieces root is malformed");
      link.piecesRoot = value.toLowerCase();
      return;
    case "l":
      link.length = decimal(value, 1, MAX_VIDEO_BYTES, "length");
      return;
    case "p":
      link.pieceLength = decimal(value, MIN_PIECE_BYTES, MAX_PIECE_BYTES, "piece length");
      return;
    case "o": {
      const owner = value.toLowerCase();
      if (!isFingerprint(owner)) throw bad("its owner is malformed");
      link.owner = owner;
      return;
    }
    case "a":
      // What a later version may say of an audience must not make a secret of no video, nor tell of one.
      if (value !== "friends") throw bad("its audience is unknown");
      link.friendsOnly = true;
      return;
    case "h": {
      const host = unescapeAddress(value);
      if (!isHostPort(host)) throw bad("one of its hosts is malformed");
      if (link.hosts.length >= MAX_LINK_HOSTS) throw bad("it names too many hosts");
      link.hosts.push(host);
      return;
    }
    case "t":
      if (link.trackers.length >= MAX_LINK_TRACKERS) throw bad("it names too many trackers");
      link.trackers.push(trackerOf(unescapeAddress(value)));
      return;
  }
}

function trackerOf(value: string): string {
  try {
    return parseTrackerAddress(value).display;
  } catch (cause) {
    throw bad("one of its trackers is malformed", cause);
  }
}

function checkContent({ piecesRoot, length, pieceLength }: Link): void {
  const given = [piecesRoot, length, pieceLength].filter((value) => value !== undefined).length;
  if (given === 0) return;
  if (length === undefined || pieceLength === undefined || given !== 3) throw bad("a part of its content is missing");
  if (!isPowerOfTwo(pieceLength) || Math.ceil(length / pieceLength) > MAX_PIECES)
    throw bad("its piece length is wrong");
}

function escapeAddress(address: string): string {
  return PLAIN_ADDRESS.test(address) ? address : Buffer.from(utf8Encode(address)).toString("base64url");
}

function unescapeAddress(value: string): string {
  if (value.includes(":") || value.length > MAX_URL_CHARS) return value;
  if (!BASE64URL.test(value)) throw bad("an address in it is malformed");
  return utf8Decode(Buffer.from(value, "base64url")) ?? "";
}

function decimal(value: string, least: number, most: number, name: string): number {
  const number = DECIMAL.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) throw bad(`its ${name} is malformed`);
  return number;
}

/** `name:port`, `1.2.3.4:port` or `[v6]:port`, port 1 to 65535. */
export function isHostPort(text: string): boolean {
  const port = HOST_PORT.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65_535 && URL.canParse(`http://${text}/`);
}

export interface Magnet {
  /** v2; at least one of `id` and `v1` is there. */
  id?: VideoId;
  /** v1 info-hash, 40 hex digits. */
  v1?: string;
  name?: string;
  /** Bytes. */
  length?: number;
  /** Announce URLs. */
  trackers: string[];
  /** `host:port`. */
  peers: string[];
}

/** @throws StreamletError `invalid-argument` where it names no video */
export function formatMagnet(
  magnet: Partial<Omit<Magnet, "trackers" | "peers">> & {
    trackers?: readonly string[];
    peers?: readonly string[];
  },
): string {
  const { id, v1, name, length, trackers = [], peers = [] } = magnet;
  const parts: string[] = [];
  if (v1 !== undefined) parts.push(`xt=urn:btih:${v1}`);
  // Multihash of a SHA-256: 0x12, 32 bytes (BEP 52).
  if (id !== undefined) parts.push(`xt=urn:btmh:1220${id}`);
  if (parts.length === 0) throw invalid("A magnet needs an info-hash.");
  if (name !== undefined) parts.push(`dn=${encodeURIComponent(cleanText(name))}`);
  if (length !== undefined) parts.push(`xl=${length}`);
  for (const url of trackers.slice(0, MAX_ANNOUNCE_URLS)) parts.push(`tr=${encodeURIComponent(url)}`);
  for (const peer of peers.slice(0, MAX_LINK_HOSTS)) parts.push(`x.pe=${peer}`);
  return `magnet:?${parts.join("&")}`;
}

/** Trackers and peers that are malformed or too many are skipped: magnets are old, copied and cut. @throws StreamletError `bad-link` */
export function parseMagnet(text: string): Magnet {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LINK_CHARS || !/^magnet:\?/i.test(trimmed)) throw bad("it is no magnet link");
  const magnet: Magnet = { trackers: [], peers: [] };
  for (const [name, value] of new URLSearchParams(trimmed.slice("magnet:?".length))) {
    const key = name.toLowerCase().replace(/\.\d+$/, ""); // xt.1, tr.2 ...: BEP 9 has none, others do
    if (key === "xt") readTopic(magnet, value);
    else if (key === "dn") magnet.name ??= shownName(value);
    else if (key === "xl" && DECIMAL.test(value) && Number(value) <= MAX_VIDEO_BYTES) magnet.length ??= Number(value);
    else if (key === "tr") addUnique(magnet.trackers, value, MAX_ANNOUNCE_URLS, isAnnounceUrl);
    else if (key === "x.pe") addUnique(magnet.peers, value, MAX_LINK_HOSTS, isHostPort);
  }
  if (magnet.id === undefined && magnet.v1 === undefined) throw bad("it has no info-hash of BitTorrent");
  return magnet;
}

function readTopic(magnet: Magnet, topic: string): void {
  const v2 = /^urn:btmh:1220([0-9a-f]{64})$/i.exec(topic)?.[1]?.toLowerCase();
  const v1 = v1Hash(/^urn:btih:([0-9a-z]+)$/i.exec(topic)?.[1] ?? "");
  if ((v2 && magnet.id && magnet.id !== v2) || (v1 && magnet.v1 && magnet.v1 !== v1)) {
    throw bad("it names several torrents");
  }
  if (v2) magnet.id = v2 as VideoId;
  if (v1) magnet.v1 = v1;
}

/** 40 hex digits, or 32 characters of base32 (BEP 9, "for compatibility"). */
function v1Hash(text: string): string | undefined {
  if (/^[0-9a-f]{40}$/i.test(text)) return text.toLowerCase();
  if (!/^[a-z2-7]{32}$/i.test(text)) return undefined;
  let value = 0n;
  for (const char of text.toUpperCase()) value = value * 32n + BigInt("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(char));
  return value.toString(16).padStart(40, "0");
}

function shownName(value: string): string {
  return cleanText(value).slice(0, MAX_FILE_NAME_BYTES);
}

function isAnnounceUrl(url: string): boolean {
  return url.length <= MAX_URL_CHARS && ANNOUNCE.test(url);
}

function addUnique(list: string[], value: string, most: number, accepts: (value: string) => boolean): void {
  if (list.length < most && !list.includes(value) && accepts(value)) list.push(value);
}

function invalid(message: string): StreamletError {
  return new StreamletError("invalid-argument", message);
}

function bad(reason: string, cause?: unknown): StreamletError {
  return new StreamletError("bad-link", `This link cannot be opened: ${reason}.`, { cause });
}
