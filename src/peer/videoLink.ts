/** Links to a video, of the library or of the network: what somebody else needs to fetch it. */
import { StreamletError } from "../wire/errors";
import { formatLink, formatMagnet } from "../wire/links";
import { announceUrl } from "../wire/trackerAddress";
import { type Fingerprint, isVideoId, type VideoId } from "../wire/types";
import { formatHostPort } from "./net/addresses";
import type { RunningPeer } from "./runningPeer";
import type { Audience } from "./status";

export interface Links {
  link: string;
  /** Of public videos only. */
  magnet: string | null;
}

interface LinkedVideo {
  id: VideoId;
  v1?: string;
  piecesRoot: string;
  pieceLength: number;
  length: number;
  fileName: string;
  audience: Audience;
  owner: Fingerprint;
  /** host:port of somebody who has it. */
  hosts: string[];
}

/** One's own addresses in a link: more only make it longer. */
const MAX_OWN_HOSTS = 4;

/** @param video key of the library, or id of the network. Errors: unknown-video, invalid-argument (nothing to link to yet). */
export async function linksOf(peer: RunningPeer, video: string): Promise<Links> {
  const found = linkedEntry(peer, video) ?? (isVideoId(video) ? await linkedRecord(peer, video) : undefined);
  if (!found) throw new StreamletError("unknown-video", "This video is not in the library any more.");
  const { trackers } = peer.config;
  // Who opens a link to a video for friends asks its owner: no tracker hears of it.
  const friendsOnly = found.audience === "friends";
  const link = formatLink({ ...found, friendsOnly, trackers: friendsOnly ? [] : trackers });
  if (found.audience !== "public") return { link, magnet: null };
  const { id, v1, fileName, length, hosts } = found;
  const magnet = formatMagnet({
    id,
    ...(v1 ? { v1 } : {}),
    name: fileName,
    length,
    trackers: trackers.flatMap((address) => announceUrl(address) ?? []),
    peers: hosts,
  });
  return { link, magnet };
}

function linkedEntry(peer: RunningPeer, video: string): LinkedVideo | undefined {
  const entry = peer.library.get(video) ?? (isVideoId(video) ? peer.library.findById(video) : undefined);
  if (!entry) return undefined;
  const { id, v1, piecesRoot, pieceLength, size, audience, fileName, ownerFingerprint: owner } = entry;
  if (!id || !piecesRoot || !pieceLength || !owner) {
    throw new StreamletError("invalid-argument", "This video has no link yet: wait until it is hashed or downloaded.");
  }
  const hosts = owner === peer.identity.fingerprint ? ownHosts(peer) : (entry.peers ?? []);
  return { id, ...(v1 ? { v1 } : {}), piecesRoot, pieceLength, length: size, audience, fileName, owner, hosts };
}

async function linkedRecord(peer: RunningPeer, id: VideoId): Promise<LinkedVideo | undefined> {
  const [record] = await peer.catalog.recordsOf(id);
  if (!record) return undefined;
  const { v1, piecesRoot, pieceLength, length, audience, fileName, owner } = record;
  const control = peer.controls.get(owner)?.peer;
  const hosts = control && control.port > 0 ? [formatHostPort(control.host, control.port)] : [];
  return { id, v1, piecesRoot, pieceLength, length, audience, fileName, owner, hosts };
}

function ownHosts(peer: RunningPeer): string[] {
  const port = peer.listenPort();
  return peer.addresses
    .hosts()
    .slice(0, MAX_OWN_HOSTS)
    .map((host) => formatHostPort(host, port));
}
