/** What is shown of one video besides its list entry: where its pieces are, and who has it. Reads, and changes nothing. */
import { clientName } from "../wire/clientName";
import type { Fingerprint, VideoId } from "../wire/types";
import { isVideoId } from "../wire/types";
import type { KnownSource } from "./knownSources";
import { formatHostPort } from "./net/addresses";
import type { RunningPeer } from "./runningPeer";
import type { Audience, VideoDetails, VideoSource } from "./status";
import type { LibraryEntry } from "./storage/library";
import type { PeerConnection } from "./swarm/peerConnection";
import { type Pieces, pieceMap } from "./swarm/pieceMap";
import type { VideoRuntime } from "./videoRuntime";

/** More than a table shows; a swarm of ours has at most 50 connections. */
const MAX_SOURCES = 100;

/** @param video id or library key. Undefined: nobody knows it. */
export async function videoDetails(peer: RunningPeer, video: string): Promise<VideoDetails | undefined> {
  const entry = peer.library.get(video) ?? (isVideoId(video) ? peer.library.findById(video) : undefined);
  if (entry) return detailsOfEntry(peer, entry);
  return isVideoId(video) ? detailsOfRecord(peer, video) : undefined;
}

async function detailsOfEntry(peer: RunningPeer, entry: LibraryEntry): Promise<VideoDetails> {
  const { id, v1, piecesRoot, pieceLength, size } = entry;
  const runtime = peer.runtimes.get(entry.key);
  const hash = id ?? v1;
  const [pieces, known] = await Promise.all([runtime?.pieces(), hash ? knownSources(peer, hash, entry.audience) : []]);
  return {
    ...(id ? { id } : {}),
    ...(piecesRoot ? { piecesRoot } : {}),
    ...(pieceLength ? { pieceLength } : {}),
    pieceCount: pieceLength && size > 0 ? Math.ceil(size / pieceLength) : 0,
    ...(pieces ? { pieces: pieceMap(pieces) } : {}),
    sources: [...ownSource(peer, runtime, pieces), ...others(runtime, known, nameBook(peer, known))].slice(
      0,
      MAX_SOURCES,
    ),
  };
}

async function detailsOfRecord(peer: RunningPeer, id: VideoId): Promise<VideoDetails | undefined> {
  const records = await peer.catalog.recordsOf(id);
  const [record] = records;
  if (!record) return undefined;
  const forFriends = records.filter(({ audience }) => audience === "friends");
  const isSecret = forFriends.length === records.length || forFriends.some((r) => peer.contacts.isFriend(r.owner));
  const known = await knownSources(peer, id, isSecret ? "friends" : "everyone");
  // Without any tracker it is the connected owner who offers it.
  for (const { owner } of records) {
    const control = peer.controls.get(owner);
    if (control && !known.some(({ fingerprint }) => fingerprint === owner)) known.push({ ...control.peer });
  }
  const { piecesRoot, pieceLength, length } = record;
  return {
    id,
    piecesRoot,
    pieceLength,
    pieceCount: Math.ceil(length / pieceLength),
    sources: others(undefined, known, nameBook(peer, known)).slice(0, MAX_SOURCES),
  };
}

/** No tracker hears of a video for friends. */
async function knownSources(peer: RunningPeer, hash: string, audience: Audience): Promise<KnownSource[]> {
  if (audience === "friends") return [];
  const known = await peer.knownSources.of(hash);
  return known.filter(({ fingerprint }) => !fingerprint || !peer.contacts.isBlocked(fingerprint));
}

function ownSource(peer: RunningPeer, runtime: VideoRuntime | undefined, pieces: Pieces | undefined): VideoSource[] {
  if (!runtime || !pieces || pieces.here.isEmpty) return [];
  const { swarm } = runtime;
  return [
    {
      peerId: peer.peerId,
      fingerprint: peer.identity.fingerprint,
      self: true,
      connected: true,
      client: "",
      address: formatHostPort(peer.addresses.hosts()[0]!, peer.listenPort()),
      transport: "tls",
      have: pieces.here.count / pieces.here.length,
      downRate: swarm?.down.rate() ?? 0,
      upRate: swarm?.up.rate() ?? 0,
    },
  ];
}

function addressOf({ host, port }: { host: string; port: number }): string {
  return formatHostPort(host, port);
}

type NameOf = (fingerprint: Fingerprint) => string;

/** Connected ones, then those that only trackers speak of; each peer once. */
function others(runtime: VideoRuntime | undefined, known: readonly KnownSource[], nameOf: NameOf): VideoSource[] {
  const connections = [...(runtime?.swarm?.connections() ?? [])].filter(({ ready }) => ready);
  const connected = new Set(connections.map(({ peer }) => peer.fingerprint ?? addressOf(peer)));
  return [
    ...connections.map((connection) => connectedSource(connection, nameOf)),
    ...known
      .filter((source) => !connected.has(source.fingerprint ?? addressOf(source)))
      .map((source) => knownSource(source, nameOf)),
  ];
}

function connectedSource(connection: PeerConnection, nameOf: NameOf): VideoSource {
  const { peer, remote, remoteKnown, hello, down, up } = connection;
  const { fingerprint, transport } = peer;
  // The port that an incoming connection comes from is not the one that it listens on.
  const port = peer.incoming ? (hello.extended?.p ?? peer.port) : peer.port;
  return {
    peerId: fingerprint ? nameOf(fingerprint) : "",
    fingerprint: fingerprint ?? "",
    self: false,
    connected: true,
    client: clientName(hello.extended?.v, hello.remoteId20),
    address: formatHostPort(peer.host, port),
    transport,
    ...(remote && remoteKnown ? { have: remote.count / remote.length } : {}),
    downRate: down.rate(),
    upRate: up.rate(),
  };
}

function knownSource(source: KnownSource, nameOf: NameOf): VideoSource {
  const { fingerprint } = source;
  return {
    peerId: fingerprint ? source.peerId || nameOf(fingerprint) : "",
    fingerprint: fingerprint ?? "",
    self: false,
    connected: false,
    client: "",
    address: addressOf(source),
    transport: fingerprint ? "tls" : "plain",
    downRate: 0,
    upRate: 0,
  };
}

/** A key's display name: as it introduced itself to us, as it is registered at a tracker, or as it was pinned. */
function nameBook(peer: RunningPeer, known: readonly KnownSource[]): NameOf {
  const registered = new Map(known.map(({ fingerprint, peerId }) => [fingerprint, peerId]));
  return (fingerprint) =>
    peer.controls.get(fingerprint)?.peer.peerId ??
    registered.get(fingerprint) ??
    peer.contacts.get(fingerprint)?.peerId ??
    "";
}
