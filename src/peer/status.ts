/**
 * What the engine shows of itself: plain JSON values that cross worker, window and webview borders unchanged.
 * All sizes are bytes, rates bytes per second, times milliseconds since the epoch, durations seconds.
 */
import type { ErrorCode, ErrorData, ErrorInfo } from "../wire/errors";
import type { MediaFacts } from "../wire/mediaFacts";
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
  /** What videos from the network take on disk, running downloads at full size: the disk quota counts it. */
  obtainedBytes: number;
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
  obtainedBytes: 0,
};

/**
 * - optimising: a smaller copy of an upload is being made with ffmpeg (progress in `bytesDone` of `size`); hashing follows
 * - hashing: an upload that is being imported (progress in `bytesDone`)
 * - ready: whole and on disk
 * - downloading, paused: obtained from the network, not yet whole
 * - checking: existing data is being verified
 * - failed: stopped with `error`; Resume tries again
 * - fileMissing, fileChanged: the file that it refers to is gone or is not what was shared
 */
export type VideoState =
  | "optimising"
  | "hashing"
  | "ready"
  | "downloading"
  | "paused"
  | "checking"
  | "failed"
  | "fileMissing"
  | "fileChanged";

export interface LibraryVideo extends MediaFacts {
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
  /** `PeerService.thumbnail` has a picture for it. */
  hasThumbnail: boolean;
  /** Limits of its own, under those of the profile; absent = none. */
  uploadLimit?: number;
  downloadLimit?: number;
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

export interface NetworkVideo extends MediaFacts {
  id: VideoId;
  title: string;
  description: string;
  /** Owner's Peer ID (display name) and fingerprint (identity). */
  owner: string;
  ownerFingerprint: Fingerprint;
  size: number;
  hasThumbnail: boolean;
  /** Its owner is pinned as a friend. */
  friend: boolean;
  /** Its owner bears the name of a friend under another key. */
  impostor: boolean;
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
  /** Only this video, as each of its owners offers it. */
  id?: VideoId;
  text?: string;
  /** Only of this owner. */
  owner?: Fingerprint;
  /** Seconds, both inclusive. Videos of unknown duration match neither bound. */
  minDuration?: number;
  maxDuration?: number;
  /** Pixels, e.g. 720. Videos of unknown resolution do not match. */
  minHeight?: number;
  /** Only videos whose owner is a friend. */
  friendsOnly?: boolean;
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
  /** Pinned as a friend. */
  friend: boolean;
  blocked: boolean;
  /** Bears the name of a friend under another key: not who it says. */
  impostor: boolean;
  /** Somebody else who is online bears the same name (compared without case). */
  sameName: boolean;
}

/** Somebody whose key is pinned: a friend, or a person who is kept out. */
export interface Contact {
  fingerprint: Fingerprint;
  kind: "friend" | "blocked";
  /** Display name: as it was when pinned, renewed whenever that key introduces itself. "" = not yet known. */
  peerId: string;
  addedAt: number;
  online: boolean;
  /** A control connection is open. */
  connected: boolean;
  /** When they were last seen online; absent = never. */
  lastSeen?: number;
  /** Last known address. */
  host?: string;
  port?: number;
}

/** Somebody who was connected to by hand: dialled again while the connection is lost, until one side disconnects. */
export interface ManualConnection {
  /** "" = not yet known: nobody has answered since the start. */
  peerId: string;
  fingerprint: Fingerprint;
  /** As dialled. */
  host: string;
  port: number;
  connected: boolean;
}

/** One conversation, as lists show it. */
export interface ChatSummary {
  fingerprint: Fingerprint;
  peerId: string;
  /** Messages of theirs that were not yet shown. */
  unread: number;
  lastAt: number;
  /** Messages of one's own that still wait for delivery. */
  waiting: number;
}

export interface ChatMessage {
  /** Unique within the conversation. */
  id: string;
  from: "me" | "them";
  /** Plain text of a stranger, cleaned of what may not be shown; line breaks stay. */
  text: string;
  /** As the sender's clock says, but never in the future of this one. */
  sentAt: number;
  /** waiting: not yet taken by the other side. Theirs are always delivered. */
  state: "waiting" | "delivered";
}

export interface ChatPage {
  /** Oldest first. */
  messages: ChatMessage[];
  /** There are older ones. */
  more: boolean;
}

/** Where somebody stopped watching a video. */
export interface Playback {
  /** Seconds. */
  position: number;
  /** 1 = as recorded. */
  speed: number;
}

export interface Thumbnail {
  type: "image/jpeg" | "image/webp";
  /** base64, at most 16 KiB of image, header checked: at most 640 x 640 pixels. */
  data: string;
}

/** What a file says of itself before it is uploaded; what is not known is absent. */
export interface FileFacts {
  /** Seconds. */
  duration?: number;
  width?: number;
  height?: number;
  /** Where it was asked for, and ffmpeg could make one. */
  thumbnail?: Thumbnail;
}

/** One peer that gives or takes a video. */
export interface VideoSource {
  /** Display name; "" for a plain BitTorrent peer, or while unknown. */
  peerId: string;
  fingerprint: Fingerprint | "";
  /** It is this peer. */
  self: boolean;
  /** A wire connection is open; else a tracker or the owner's own connection tells of it. */
  connected: boolean;
  /** Name and version of its program, where it says so: text of a stranger. */
  client: string;
  address: string;
  transport: "tls" | "plain";
  /** 0 to 1; absent until it has said. */
  have?: number;
  downRate: number;
  upRate: number;
}

/** The pieces of a video in order, in cells of `piecesPerCell` (the last may hold fewer), so that any video fits a picture. */
export interface PieceMap {
  piecesPerCell: number;
  /** base64, one byte a cell: how much of it is here, 0 to 255; 255 only where all of it is. */
  here: string;
  /** base64, one byte a cell: how many of its pieces are under way, at most 255. */
  fetching: string;
  /** base64, one byte a cell: how many connected sources have the rarest of its pieces, at most 255. */
  sources: string;
  /** Pieces that are here, in all. */
  hereCount: number;
  /** Connected sources of the rarest piece. */
  leastSources: number;
  /** Pieces that are neither here nor at a connected source. */
  missingCount: number;
}

export interface VideoDetails {
  /** Absent while hashing, and for torrents of BitTorrent v1 only. */
  id?: VideoId;
  piecesRoot?: string;
  pieceLength?: number;
  /** 0 until its shape is known. */
  pieceCount: number;
  /** Absent where nothing of it is in the library. */
  pieces?: PieceMap;
  /** Oneself first where something is here, then connected ones; bounded (videoDetails.ts). */
  sources: VideoSource[];
}

/** What each check of the connection doctor may find, as stable words for the sentences and fixes of `src/ui`. */
export interface CheckReasons {
  port: "reachable" | "partly" | "silent" | "somebody-else";
  airplay: "airplay-port" | "other-port";
  addresses: "found" | "with-vpn" | "vpn-only" | "loopback-only";
  tracker: "online" | "name-unknown" | ErrorCode;
  clock: "right" | "inexact" | "wrong" | "no-tracker";
  reach: "reached" | "neither-side" | "nobody-yet";
  firewall: "open" | "called-back" | "not-called-back" | "nobody-to-ask" | "no-tracker";
  disk: "enough" | "low" | "full" | "unwritable";
  ffmpeg: "found" | "missing";
}

export type CheckId = keyof CheckReasons;

export interface CheckOf<Id extends CheckId> {
  id: Id;
  /** What was looked at, where there are several: the tracker's address. */
  subject?: string;
  state: "ok" | "warning" | "problem" | "skipped";
  reason: CheckReasons[Id] | "timeout" | "failed";
  /** Facts for the sentence: port, address, seconds ... */
  data?: ErrorData;
}

/** One finding of the connection doctor. */
export type Check = { [Id in CheckId]: CheckOf<Id> }[CheckId];

/** What ffmpeg on this machine can do. */
export interface MediaTools {
  /** Absolute path; undefined: not found. */
  ffmpeg?: string;
  version?: string;
}

export interface PeersPage {
  peers: NetworkPeer[];
  total: number;
}

/** A running job that is not a video of the library: saving a copy to the device. */
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
  /** Connected by hand, first come first; bounded (manualPeers.ts). */
  manual: ManualConnection[];
  /** Friends and blocked people, by name; bounded (contacts.ts). */
  contacts: Contact[];
  /** Conversations, latest first; bounded (chatStore.ts). */
  chats: ChatSummary[];
  /** Grows when `chatHistory` of some conversation may answer something else. */
  chatRevision: number;
  /** True where a download waits because neither side can be reached from outside. */
  unreachable: boolean;
}
