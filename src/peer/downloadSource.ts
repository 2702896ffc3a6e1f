/** What a person may give to download: an id, a link, a magnet link, a .torrent file. Everything becomes one shape. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PeerConfig } from "../rpc/peerService";
import { toHex } from "../wire/bytes";
import { MAX_TORRENT_FILE_BYTES } from "../wire/constants";
import { StreamletError } from "../wire/errors";
import { parseLink, parseMagnet } from "../wire/links";
import { type MediaFacts, mediaFacts } from "../wire/mediaFacts";
import { parseTorrent } from "../wire/metainfo";
import type { VideoRecord } from "../wire/records";
import { type Fingerprint, isVideoId, type VideoId } from "../wire/types";
import type { Audience } from "./status";
import { safeFileName } from "./storage/fileNames";

/** Extensions that a download may have; any other name gets `.mp4` so that a system player takes it for what it is. */
const VIDEO_EXTENSION = /\.(mp4|m4v|mov|mkv|webm|avi|flv)$/i;
/** Enough of an id to tell files apart. */
const PROVISIONAL_NAME_CHARS = 16;

/** The file name of a download, whatever somebody else called it. */
export function downloadName(untrusted: string): string {
  const safe = safeFileName(untrusted);
  return VIDEO_EXTENSION.test(safe) ? safe : `${safe}.mp4`;
}

/** What a download is called until its metadata has come, where only its info-hash is known. */
export function provisionalName(infoHash: string): string {
  return `${infoHash.slice(0, PROVISIONAL_NAME_CHARS)}.mp4`;
}

export interface DownloadSpec extends MediaFacts {
  /** v2 info-hash; absent for v1-only torrents. */
  id?: VideoId;
  v1?: string;
  title: string;
  description: string;
  /** Untrusted. */
  fileName: string;
  /** Bytes; 0 until the metadata is known. */
  size: number;
  pieceLength?: number;
  piecesRoot?: string;
  audience: Audience;
  owner: string;
  ownerFingerprint: Fingerprint | "";
  sequence: number;
  infoBytes?: Uint8Array;
  /** Piece layer of a .torrent file, proven against its root. */
  pieceLayer?: Uint8Array;
  /** host:port of peers; those of a link are the owner's. */
  peers: string[];
  trackers: string[];
}

/** Where records come from. */
export interface RecordSource {
  /** Asks whoever can be asked. */
  recordsOf(id: VideoId): Promise<VideoRecord[]>;
  /** Asks the owner only. Errors: no-sources, unknown-video. */
  recordsFromOwner(id: VideoId, owner: Fingerprint, hosts: readonly string[]): Promise<VideoRecord[]>;
  isFriend(fingerprint: Fingerprint): boolean;
}

/** Errors: bad-link, bad-metainfo, multi-file-torrent, file-missing, unknown-video, no-sources, tracker-unreachable. */
export async function readDownloadSource(source: string, records: RecordSource): Promise<DownloadSpec> {
  const text = source.trim();
  if (isVideoId(text.toLowerCase())) return fromId(text.toLowerCase() as VideoId, records);
  if (/^magnet:/i.test(text)) return fromMagnet(text, records);
  if (/^[a-z][a-z0-9+.-]*:\/\/streamlet\.streamlet\//i.test(text)) return fromLink(text, records);
  if (/\.torrent$/i.test(text)) return fromTorrentFile(text);
  throw new StreamletError(
    "bad-link",
    "That is neither a video's id (64 hex digits) nor a Streamlet link, a magnet link or a .torrent file.",
  );
}

async function fromId(id: VideoId, records: RecordSource): Promise<DownloadSpec> {
  const record = chosen(await records.recordsOf(id), records);
  if (!record) {
    throw new StreamletError(
      "unknown-video",
      "Nobody who can be reached offers this video. Check the id, or ask its owner to share it again.",
    );
  }
  return fromRecord(record);
}

function fromRecord(record: VideoRecord): DownloadSpec {
  return {
    id: record.id,
    v1: record.v1,
    title: record.title,
    description: record.description,
    fileName: record.fileName,
    size: record.length,
    pieceLength: record.pieceLength,
    piecesRoot: record.piecesRoot,
    audience: record.audience,
    owner: record.ownerName,
    ownerFingerprint: record.owner,
    sequence: record.sequence,
    ...mediaFacts(record),
    peers: [],
    trackers: [],
  };
}

async function fromLink(text: string, records: RecordSource): Promise<DownloadSpec> {
  const link = parseLink(text);
  // A link suffices by itself, unless leave is needed; a record adds title and owner's name where somebody has it.
  const known =
    link.friendsOnly && link.owner
      ? await records.recordsFromOwner(link.id, link.owner, link.hosts)
      : await records.recordsOf(link.id).catch(() => []);
  const ofOwner = known.filter((r) => !link.owner || r.owner === link.owner);
  const record = chosen(ofOwner, records);
  const base: DownloadSpec = record
    ? fromRecord(record)
    : {
        id: link.id,
        title: `Video ${link.id.slice(0, 8)}`,
        description: "",
        fileName: provisionalName(link.id),
        size: link.length ?? 0,
        ...(link.pieceLength ? { pieceLength: link.pieceLength } : {}),
        ...(link.piecesRoot ? { piecesRoot: link.piecesRoot } : {}),
        audience: link.friendsOnly ? "friends" : "everyone",
        owner: "",
        ownerFingerprint: link.owner ?? "",
        sequence: 0,
        peers: [],
        trackers: [],
      };
  return { ...base, peers: link.hosts, trackers: link.trackers };
}

async function fromMagnet(text: string, records: RecordSource): Promise<DownloadSpec> {
  const magnet = parseMagnet(text);
  const record = magnet.id ? chosen(await records.recordsOf(magnet.id).catch(() => []), records) : undefined;
  if (record) return { ...fromRecord(record), peers: magnet.peers };
  const name = magnet.name ?? provisionalName(magnet.id ?? magnet.v1 ?? "");
  return {
    ...(magnet.id ? { id: magnet.id } : {}),
    ...(magnet.v1 ? { v1: magnet.v1 } : {}),
    title: name,
    description: "",
    fileName: name,
    size: 0,
    audience: "public",
    owner: "",
    ownerFingerprint: "",
    sequence: 0,
    peers: magnet.peers,
    trackers: [],
  };
}

async function fromTorrentFile(path: string): Promise<DownloadSpec> {
  const file = await stat(path).catch((cause) => {
    throw new StreamletError("file-missing", `There is no file ${path}.`, { cause, data: { path } });
  });
  if (file.size > MAX_TORRENT_FILE_BYTES) {
    throw new StreamletError("bad-metainfo", `${path} is too large to be a .torrent file.`, { data: { path } });
  }
  const { info, infoBytes, pieceLayer } = parseTorrent(await readFile(path));
  return {
    ...(info.id ? { id: info.id } : {}),
    ...(info.v1 ? { v1: info.v1 } : {}),
    title: info.name,
    description: "",
    fileName: info.name,
    size: info.length,
    pieceLength: info.pieceLength,
    ...(info.piecesRoot ? { piecesRoot: toHex(info.piecesRoot) } : {}),
    audience: "public",
    owner: "",
    ownerFingerprint: "",
    sequence: 0,
    infoBytes,
    ...(pieceLayer ? { pieceLayer } : {}),
    peers: [],
    trackers: [],
  };
}

/**
 * A friend's that is for friends goes before others: whoever else claims the same video must not make us speak of it to everybody.
 * A stranger's goes after others: whoever claims a video as theirs must not keep us from those who have it.
 */
function chosen(
  records: readonly VideoRecord[],
  { isFriend }: Pick<RecordSource, "isFriend">,
): VideoRecord | undefined {
  const ofFriends = records.filter(({ audience, owner }) => audience === "friends" && isFriend(owner));
  const open = records.filter(({ audience }) => audience !== "friends");
  const candidates = [ofFriends, open, records].find(({ length }) => length > 0) ?? [];
  return candidates.reduce<VideoRecord | undefined>((a, b) => (a && a.sequence >= b.sequence ? a : b), undefined);
}

/** Where obtained videos go unless it is said otherwise. */
export function downloadsDirOf({ downloadsDir, dataDir }: Pick<PeerConfig, "downloadsDir" | "dataDir">): string {
  return downloadsDir ?? join(dataDir, "downloads");
}
