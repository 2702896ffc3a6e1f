/**
 * What a tracker remembers, behind one interface: the rules (directory.ts) do not know whether it is this process's memory or
 * something that several processes share. Everything is asynchronous, and each operation is whole by itself (a shared store
 * makes it so with a transaction). test/tracker/storeSuite.ts is what every store must pass.
 */
import type { CatalogQuery, CatalogRow, DirectoryQuery, RecordKey } from "../src/wire/trackerMessages";
import type { Fingerprint, VideoId } from "../src/wire/types";

/** Who holds a name. Times are milliseconds since the epoch. */
export interface NameEntry {
  /** As its holder writes it; compared without case. */
  name: string;
  owner: Fingerprint;
  firstSeen: number;
  lastSeen: number;
}

/** One connected peer. */
export interface SessionInfo {
  /** Unique among all connections of all nodes. */
  session: string;
  fingerprint: Fingerprint;
  peerId: string;
  /** As the tracker sees it. */
  host: string;
  /** 0 = does not listen. */
  port: number;
  onlineSince: number;
}

/** A verified record, with what is searched and sorted by taken out of it. */
export interface StoredRecord {
  key: RecordKey;
  owner: Fingerprint;
  id: VideoId;
  /** v1 info-hash, 40 hex digits. */
  v1: string;
  audience: "everyone" | "public";
  sequence: number;
  expires: number;
  withdrawn: boolean;
  title: string;
  description: string;
  ownerName: string;
  /** Bytes. */
  size: number;
  /** Seconds; 0 = unknown. */
  duration: number;
  /** Pixels; 0 = unknown. */
  height: number;
  /** The signed record as its owner sent it. */
  bytes: Uint8Array;
}

export type NameOutcome = "granted" | "renewed" | "taken" | "full";

/** `older`: a record with a higher sequence, or another one with the same, is there. */
export type PutOutcome =
  | { kind: "stored" | "same" }
  | { kind: "older"; newest: number }
  | { kind: "owner-full" | "store-full" };

export interface RowsPage {
  rows: CatalogRow[];
  total: number;
  cursor?: string;
}

export interface SessionsPage {
  sessions: SessionInfo[];
  total: number;
  cursor?: string;
}

export interface SwarmMember {
  info: SessionInfo;
  have: boolean;
  want: boolean;
}

/** A BitTorrent client that announces itself over HTTP: it has an address and no key. */
export interface PlainPeer {
  /** As the tracker sees it. */
  host: string;
  port: number;
  /** 20 bytes. */
  peerId: Uint8Array;
  /** It has all of the video. */
  complete: boolean;
}

/** What is announced: 64-digit ids, or 40-digit hashes. */
export interface Announcement {
  have: readonly string[];
  want: readonly string[];
  gone: readonly string[];
  /** All has been said since the hello; what was taken over from an earlier session and not repeated goes. */
  complete: boolean;
}

export interface Callback {
  from: SessionInfo;
  id: VideoId;
}

/** What a store tells the node on which a session lives. */
export interface StoreListener {
  /** Another connection of the same key has taken the session over. */
  onReplaced(session: string): void;
  /** The name of the session was taken from it. */
  onReleased(session: string): void;
  onCallback(session: string, callback: Callback): void;
}

export interface StoreCounts {
  sessions: number;
  videos: number;
  names: number;
}

export interface TrackerStore {
  setListener(listener: StoreListener): void;

  /** Gives the name to the key, unless another one holds it that is online or was seen within `NAME_LAPSE_MS`. A key holds one
   *  name: a new one frees the old. Resolves when it is kept for good. */
  claimName(name: string, owner: Fingerprint): Promise<NameOutcome>;
  /** Who holds it, lapsed or not. */
  nameHolder(name: string): Promise<NameEntry | undefined>;
  /** Frees a name; false when nobody holds it. With `owner` only when that key holds it; without, its session ends too. */
  releaseName(name: string, owner?: Fingerprint): Promise<boolean>;

  /** A second session of a key takes over what the first one had published and announced, until it is `complete`. */
  openSession(info: SessionInfo): Promise<void>;
  closeSession(session: string): Promise<void>;
  findSession(fingerprint: Fingerprint): Promise<SessionInfo | undefined>;
  /** Sorted by name. */
  sessions(query: DirectoryQuery): Promise<SessionsPage>;

  /** `session` has published it: it is listed while that session lives, or while a source announces it. */
  putRecord(record: StoredRecord, session: string): Promise<PutOutcome>;
  /** Newest records of these keys, withdrawals too, in order, unknown ones left out; stops before `maxBytes` is exceeded. */
  records(keys: readonly RecordKey[], maxBytes: number): Promise<{ records: Uint8Array[]; answered: number }>;
  query(query: CatalogQuery): Promise<RowsPage>;

  /** False when the session would hold too many ids; then nothing has changed. */
  announce(session: string, announcement: Announcement): Promise<boolean>;
  /** By id, truncated id or v1 hash; holders first, else at random; `except` is left out. */
  swarm(hash: string, limit: number, except: Fingerprint): Promise<{ members: SwarmMember[]; total: number }>;

  /** The video that a v1 hash, or a v2 hash cut to 20 bytes, stands for, if a valid record says that it is public. */
  publicVideo(hash: string): Promise<VideoId | undefined>;
  /** Kept until `expires` (milliseconds since the epoch); host and port name the peer. `completed`: it has just become whole. */
  announcePlain(id: VideoId, peer: PlainPeer, expires: number, completed: boolean): Promise<void>;
  removePlain(id: VideoId, peer: Pick<PlainPeer, "host" | "port">): Promise<void>;
  /** Some of them, at random. */
  plainSwarm(id: VideoId, limit: number): Promise<PlainPeer[]>;
  countPlain(id: VideoId): Promise<{ complete: number; incomplete: number; downloaded: number }>;

  /** Reaches the node where that key is online; false when it is not. */
  sendCallback(to: Fingerprint, callback: Callback): Promise<boolean>;

  /** Grow when lists may answer something else. */
  revisions(): { catalog: number; directory: number };
  counts(): StoreCounts;
  /** Drops what has expired; called now and then. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}
