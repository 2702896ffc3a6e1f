/**
 * Info dictionaries and `.torrent` files of single-file torrents: BEP 3 (v1), BEP 52 (v2) and both at once (hybrid, what we make).
 * Everything read here comes from strangers: sizes are checked before memory is taken, hashes before anything is believed.
 */
import * as crypto from "node:crypto";
import {
  type BDict,
  type BValue,
  decode,
  decodeDictWithRaw,
  encode,
  getBytes,
  getDict,
  getInt,
  getList,
} from "./bencode";
import { asBuffer, concatBytes, equalBytes, latin1Decode, latin1Encode, utf8Decode, utf8Encode } from "./bytes";
import {
  HASH_BYTES,
  LARGEST_OWN_PIECE_BYTES,
  MAX_ANNOUNCE_URLS,
  MAX_FILE_NAME_BYTES,
  MAX_METADATA_BYTES,
  MAX_PIECE_BYTES,
  MAX_PIECES,
  MAX_TORRENT_FILE_BYTES,
  MAX_URL_CHARS,
  MAX_VIDEO_BYTES,
  MIN_PIECE_BYTES,
  PIECE_LENGTH_STEPS,
  V1_HASH_BYTES,
} from "./constants";
import { StreamletError } from "./errors";
import { isPowerOfTwo, piecesRootOf } from "./merkle";
import { isVideoId, type VideoId } from "./types";

/** `meta version` of BEP 52. */
const META_VERSION_2 = 2;
const ANNOUNCE_SCHEMES = /^(?:https?|udp|wss?):\/\/[^\s/]/;

/** Piece length of a video of our own, in bytes, by its size. */
export function pieceLengthFor(size: number): number {
  return PIECE_LENGTH_STEPS.find(({ upToBytes }) => size <= upToBytes)?.pieceBytes ?? LARGEST_OWN_PIECE_BYTES;
}

/** What an info dictionary says. At least one side (v1, v2) is there. */
export interface Info {
  /** File name, as its maker wrote it: untrusted, never a path. Malformed UTF-8 has become U+FFFD. */
  name: string;
  /** Bytes, at least 1. */
  length: number;
  /** Bytes, a power of two, 16 KiB to 16 MiB. */
  pieceLength: number;
  /** v2: 32 bytes. */
  piecesRoot?: Uint8Array;
  /** v1: SHA-1 of every piece, 20 bytes each (a view on the info bytes). */
  v1Pieces?: Uint8Array;
  /** v2: SHA-256 of the info dictionary. */
  id?: VideoId;
  /** v1: SHA-1 of the info dictionary, 40 hex digits. */
  v1?: string;
}

export interface InfoParts {
  name: string;
  length: number;
  pieceLength: number;
  piecesRoot: Uint8Array;
  v1Pieces: Uint8Array;
}

/**
 * The hybrid info dictionary of a file: no `private` flag, no padding (a single file needs none).
 * @throws StreamletError `invalid-argument` for what `parseInfo` would refuse
 */
export function buildInfo(parts: InfoParts): { infoBytes: Uint8Array; id: VideoId; v1: string } {
  const { name, length, pieceLength, piecesRoot, v1Pieces } = parts;
  const nameBytes = utf8Encode(name);
  const file: BDict = new Map<string, BValue>([
    ["length", length],
    ["pieces root", piecesRoot],
  ]);
  const infoBytes = encode(
    new Map<string, BValue>([
      ["file tree", new Map([[latin1Decode(nameBytes), new Map([["", file]])]])],
      ["length", length],
      ["meta version", META_VERSION_2],
      ["name", nameBytes],
      ["piece length", pieceLength],
      ["pieces", v1Pieces],
    ]),
  );
  let info: Info;
  try {
    info = parseInfo(infoBytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StreamletError("invalid-argument", `This video cannot be described: ${reason}`, { cause });
  }
  return { infoBytes, id: info.id as VideoId, v1: info.v1 as string };
}

/** @throws StreamletError `bad-metainfo`, `multi-file-torrent` */
export function parseInfo(infoBytes: Uint8Array): Info {
  if (infoBytes.length > MAX_METADATA_BYTES) throw bad("its info dictionary is too large");
  const dict = wellFormed(() => decode(infoBytes));
  if (!(dict instanceof Map)) throw bad("its info is no dictionary");
  return infoFrom(dict, infoBytes);
}

function infoFrom(dict: BDict, infoBytes: Uint8Array): Info {
  const version = dict.get("meta version");
  if (version !== undefined && version !== META_VERSION_2)
    throw bad("it is of a newer version than this program knows");
  const pieceLength = getInt(dict, "piece length") ?? 0;
  if (!isPowerOfTwo(pieceLength) || pieceLength < MIN_PIECE_BYTES || pieceLength > MAX_PIECE_BYTES) {
    throw bad("its piece length is no power of two from 16 KiB to 16 MiB");
  }
  const v2 = version === META_VERSION_2 ? v2File(dict) : undefined;
  const v1 = v2 === undefined || dict.has("pieces") ? v1File(dict, pieceLength) : undefined;
  if (v1 && v2 && (v1.length !== v2.length || !equalBytes(v1.name, v2.name))) {
    throw bad("its v1 and v2 sides describe different files");
  }
  const file = (v2 ?? v1) as SingleFile;
  if (Math.ceil(file.length / pieceLength) > MAX_PIECES) throw bad("it has too many pieces");
  return {
    name: asBuffer(file.name).toString("utf8"),
    length: file.length,
    pieceLength,
    ...(v2 ? { piecesRoot: Uint8Array.from(v2.piecesRoot), id: digestOf("sha256", infoBytes) as VideoId } : {}),
    ...(v1 ? { v1Pieces: v1.pieces, v1: digestOf("sha1", infoBytes) } : {}),
  };
}

interface SingleFile {
  name: Uint8Array;
  length: number;
}

/** BEP 52, "Interpreting paths": one file and nothing else. */
function v2File(dict: BDict): SingleFile & { piecesRoot: Uint8Array } {
  const tree = getDict(dict, "file tree");
  const [entry] = tree ?? [];
  if (!tree || !entry) throw bad("its file tree is missing or empty");
  const [name, node] = entry;
  if (name === "" || !(node instanceof Map)) throw bad("its file tree is malformed");
  const properties = getDict(node, "");
  if (tree.size > 1 || (!properties && node.size > 0)) throw multiFile();
  if (!properties || node.size > 1) throw bad("its file tree is malformed");
  const length = fileLength(properties);
  const piecesRoot = getBytes(properties, "pieces root");
  if (piecesRoot?.length !== HASH_BYTES) throw bad("its pieces root is missing or malformed");
  return { name: fileName(latin1Encode(name)), length, piecesRoot };
}

/** BEP 3: a single file has `length`, several have `files`. */
function v1File(dict: BDict, pieceLength: number): SingleFile & { pieces: Uint8Array } {
  if (dict.has("files")) throw multiFile();
  const name = getBytes(dict, "name");
  const pieces = getBytes(dict, "pieces");
  if (!name || !pieces) throw bad("its name or its piece hashes are missing");
  const length = fileLength(dict);
  if (pieces.length !== Math.ceil(length / pieceLength) * V1_HASH_BYTES) {
    throw bad("the number of its piece hashes does not fit its length");
  }
  return { name: fileName(name), length, pieces };
}

function fileLength(dict: BDict): number {
  const length = getInt(dict, "length");
  if (length === undefined || length < 1 || length > MAX_VIDEO_BYTES) {
    throw bad("the length of its file is missing, zero or too large");
  }
  return length;
}

function fileName(name: Uint8Array): Uint8Array {
  if (name.length < 1 || name.length > MAX_FILE_NAME_BYTES) throw bad("its file name is empty or too long");
  return name;
}

export interface TorrentParts {
  infoBytes: Uint8Array;
  /** Hash of every piece; not for a file that is not longer than a piece. */
  pieceLayer?: Uint8Array;
  piecesRoot?: Uint8Array;
  announce?: readonly string[];
}

/** A `.torrent` file. The info dictionary goes in byte for byte. Several trackers become one tier each (BEP 12). */
export function buildTorrent({ infoBytes, pieceLayer, piecesRoot, announce = [] }: TorrentParts): Uint8Array {
  const entries: [string, Uint8Array][] = [];
  const [first] = announce;
  if (first !== undefined) entries.push(["announce", encode(utf8Encode(first))]);
  if (announce.length > 1) entries.push(["announce-list", encode(announce.map((url) => [utf8Encode(url)]))]);
  entries.push(["info", infoBytes]);
  if (piecesRoot) {
    const layers: BDict = new Map();
    if (pieceLayer && pieceLayer.length > 0) layers.set(latin1Decode(piecesRoot), pieceLayer);
    entries.push(["piece layers", encode(layers)]);
  }
  const parts = entries.flatMap(([key, value]) => [encode(latin1Encode(key)), value]);
  return concatBytes([latin1Encode("d"), ...parts, latin1Encode("e")]);
}

export interface Torrent {
  info: Info;
  infoBytes: Uint8Array;
  /** Hash of every piece, verified against the pieces root; absent for v1-only torrents and files that are not longer than a piece. */
  pieceLayer?: Uint8Array;
  /** Tracker URLs (http, https, udp, ws, wss), each once, in order. */
  announce: string[];
}

/** What it returns is copied out of `bytes`. @throws StreamletError `bad-metainfo`, `multi-file-torrent` */
export function parseTorrent(bytes: Uint8Array): Torrent {
  if (bytes.length > MAX_TORRENT_FILE_BYTES) throw bad("it is too large");
  const { dict, raw } = wellFormed(() => decodeDictWithRaw(bytes, "info"));
  const infoBytes = Uint8Array.from(raw);
  const info = parseInfo(infoBytes);
  const pieceLayer = info.piecesRoot && info.length > info.pieceLength ? verifiedLayer(dict, info) : undefined;
  return { info, infoBytes, ...(pieceLayer ? { pieceLayer } : {}), announce: announceUrls(dict) };
}

/** BEP 52: a torrent is not valid without the layers, or where they do not match the roots. */
function verifiedLayer(dict: BDict, info: Info): Uint8Array {
  const root = info.piecesRoot as Uint8Array;
  const layer = getBytes(getDict(dict, "piece layers") ?? new Map(), latin1Decode(root));
  const pieceCount = Math.ceil(info.length / info.pieceLength);
  if (layer?.length !== pieceCount * HASH_BYTES) throw bad("its piece layer is missing or has a wrong size");
  if (!equalBytes(piecesRootOf(layer, pieceCount, info.pieceLength, info.length), root)) {
    throw bad("its piece layer does not match its pieces root");
  }
  return Uint8Array.from(layer);
}

/** BEP 12: where `announce-list` is there, `announce` is ignored. */
function announceUrls(dict: BDict): string[] {
  const tiers = getList(dict, "announce-list")?.flatMap((tier) => (Array.isArray(tier) ? tier : [])) ?? [];
  const all = tiers.length > 0 ? tiers : [dict.get("announce")];
  const urls = new Set<string>();
  for (const item of all) {
    const url = item instanceof Uint8Array && item.length <= MAX_URL_CHARS ? utf8Decode(item) : undefined;
    if (url !== undefined && ANNOUNCE_SCHEMES.test(url) && urls.size < MAX_ANNOUNCE_URLS) urls.add(url);
  }
  return [...urls];
}

/** Whether these are the bytes of the info dictionary of this id (v2) or this 40-digit v1 info-hash. */
export function isInfoOf(infoBytes: Uint8Array, hash: string): boolean {
  return digestOf(isVideoId(hash) ? "sha256" : "sha1", infoBytes) === hash;
}

function digestOf(algorithm: "sha1" | "sha256", bytes: Uint8Array): string {
  return crypto.createHash(algorithm).update(bytes).digest("hex");
}

function wellFormed<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw bad(cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause), cause);
  }
}

function bad(reason: string, cause?: unknown): StreamletError {
  return new StreamletError("bad-metainfo", `This torrent cannot be used: ${reason}.`, { cause });
}

function multiFile(): StreamletError {
  return new StreamletError(
    "multi-file-torrent",
    "This torrent holds several files or a folder: only single videos can be fetched.",
  );
}
