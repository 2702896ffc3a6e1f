/**
 * What the engine shows of itself: plain JSON values that cross worker, window and webview borders unchanged.
 * All sizes are bytes, rates bytes per second, times milliseconds since the epoch, durations seconds.
 */
import type { ErrorInfo } from "../wire/errors";
import type { Fingerprint, VideoId } from "../wire/types";

export type Audience = "everyone" | "friends" | "public";

export type PeerState = "stopped" | "starting" | "running" | "failed";

export interface TrackerStatus {
  /** As the profile writes it: host:port, ws://..., wss://... (without the token). */
  address: string;
  state: "connecting" | "online" | "failed";
  error?: ErrorInfo;
  /** When the next attempt is made, while `failed`. */
  retryAt?: number;
}

export interface PeerStatus {
  state: PeerState;
  error?: ErrorInfo;
  peerId: string;
  fingerprint: Fingerprint | "";
  /** The port that is really listened on; 0 while not running. */
  port: number;
  /** Addresses of this machine that others on its networks may use (no port). */
  addresses: string[];
  trackers: TrackerStatus[];
  downRate: number;
  upRate: number;
  /** Open wire connections. */
  connections: number;
}

/** What is shown of a peer that does not run. */
export const STOPPED_PEER: PeerStatus = {
  state: "stopped",
  peerId: "",
  fingerprint: "",
  port: 0,
  addresses: [],
  trackers: [],
  downRate: 0,
  upRate: 0,
  connections: 0,
};

/**
 * - hashing: an upload that is being imported (progress in `bytesDone`)
 * - ready: whole and on disk
 * - downloading, paused: obtained from the network, not yet whole
 * - checking: existing data is being verified
 * - failed: stopped with `error`; Resume tries again
 * - fileMissing, fileChanged: the file that it refers to is gone or is not what was shared
 */
export type VideoState =
  | "hashing"
  | "ready"
  | "downloading"
  | "paused"
  | "checking"
  | "failed"
  | "fileMissing"
  | "fileChanged";

export interface LibraryVideo {
  /** Stable local key of the library entry (not the network's id). */
  key: string;
  /** Network id; absent while hashing. */
  id?: VideoId;
  origin: "uploaded" | "obtained";
  title: string;
  description: string;
  fileName: string;
  /** Absolute path of the file (of the .part file while downloading). */
  path: string;
  size: number;
  /** Seconds, when known. */
  duration?: number;
  width?: number;
  height?: number;
  audience: Audience;
  /** True while it is offered to others (published and the profile running). */
  shared: boolean;
  state: VideoState;
  error?: ErrorInfo;
  /** Verified (downloads) or hashed (imports) bytes. */
  bytesDone: number;
  downRate: number;
  upRate: number;
  /** Connected sources while downloading; connected leechers while seeding. */
  peers: number;
  addedAt: number;
  /** Owner as the record says; for uploads oneself. */
  owner: string;
  ownerFingerprint: Fingerprint | "";
  /** Trackers that have acknowledged the record. */
  publishedOn: number;
}

export interface NetworkVideo {
  id: VideoId;
  title: string;
  description: string;
  /** Owner's Peer ID (display name) and fingerprint (identity). */
  owner: string;
  ownerFingerprint: Fingerprint;
  size: number;
  duration?: number;
  width?: number;
  height?: number;
  audience: Audience;
  /** Peers that hold all or some of it, oneself included. */
  sources: number;
  /** It is one's own. */
  mine: boolean;
  /** Key of the library entry, when it is in the library. */
  libraryKey?: string;
  receivedAt: number;
}

export interface NetworkQuery {
  text?: string;
  /** Only of this owner. */
  owner?: Fingerprint;
  sort?: "newest" | "name" | "size" | "sources";
  /** First `limit` of the sorted, filtered list; 1 to 10000. */
  limit: number;
}

export interface NetworkPage {
  videos: NetworkVideo[];
  /** How many match in all. */
  total: number;
}

export interface NetworkPeer {
  peerId: string;
  fingerprint: Fingerprint;
  host: string;
  port: number;
  self: boolean;
  /** A control connection is open to it. */
  connected: boolean;
  onlineSince: number;
}

export interface PeersPage {
  peers: NetworkPeer[];
  total: number;
}

/** A running job that is not a download: saving a copy to the device. */
export interface TaskStatus {
  id: string;
  kind: "save";
  title: string;
  done: number;
  total: number;
}

export interface Snapshot {
  peer: PeerStatus;
  videos: LibraryVideo[];
  tasks: TaskStatus[];
  /** Grows when a fresh `queryNetwork` may answer something else; the same for peers. */
  networkRevision: number;
  peersRevision: number;
  /** True once some tracker or connected peer has answered since the start. */
  networkKnown: boolean;
  /** True where a download waits because neither side can be reached from outside. */
  unreachable: boolean;
}
