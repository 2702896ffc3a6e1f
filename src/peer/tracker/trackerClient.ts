import type { KeyObject } from "node:crypto";
import { StreamletError } from "../../wire/errors";
import type { CatalogQuery, CatalogRow, DirectoryPeer, DirectoryQuery, RecordKey } from "../../wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { Clock } from "../clock";
import type { TrackerStatus } from "../status";

/** What of an identity proves who one is to a tracker; `Identity` of identity.ts fits. */
export interface TrackerIdentity {
  privateKey: KeyObject;
  /** SubjectPublicKeyInfo, 91 bytes. */
  spki: Uint8Array;
  fingerprint: Fingerprint;
}

export interface TrackerClientOptions {
  /** host:port, ws://host:port or wss://host:port, with optional ?token=... */
  address: string;
  identity: TrackerIdentity;
  peerId: string;
  /** The port that is listened on now; 0 = none. Read at each hello. */
  port: () => number;
  clock?: Clock;
  /** 0 <= x < 1, for the jitter of reconnects. */
  random?: () => number;
}

/** A signed record (records.ts) with the id that it speaks of, so that it need not be parsed again. */
export interface SignedRecord {
  id: VideoId;
  record: Uint8Array;
}

export interface PeerAddress {
  fingerprint: Fingerprint;
  peerId: string;
  host: string;
  /** 0 = does not listen. */
  port: number;
}

export interface SourceAddress extends PeerAddress {
  /** Holds all or some of the video. */
  have: boolean;
  /** Is downloading it. */
  want: boolean;
}

export interface CatalogRows {
  rows: CatalogRow[];
  total: number;
  cursor?: string;
  revision: number;
  /** The tracker has just started and may not know everybody yet; ask again after so long. */
  settlingMs?: number;
}

export interface DirectoryRows {
  peers: DirectoryPeer[];
  total: number;
  cursor?: string;
  revision: number;
  settlingMs?: number;
}

export interface CallbackRequest extends PeerAddress {
  /** The video that the other side wants or has. */
  id: VideoId;
}

type Unsubscribe = () => void;
const notBuilt = (): never => {
  throw new StreamletError("internal", "The tracker client is not complete.");
};

/**
 * One tracker of a profile. One says what shall be true there (`setPublished`, `setAnnounced` ...); the client makes it so,
 * and again after every reconnect. Requests reject at once with tracker-unreachable while it is not online.
 */
export class TrackerClient {
  constructor(readonly options: TrackerClientOptions) {}

  get address(): string {
    return notBuilt();
  }
  get status(): TrackerStatus {
    return notBuilt();
  }
  /** One's own address as the tracker sees it; undefined before the first welcome. */
  get observedHost(): string | undefined {
    return notBuilt();
  }

  start(): void {
    notBuilt();
  }
  /** Goodbye: resolves when the tracker has closed, or after 1 s. */
  stop(): Promise<void> {
    return notBuilt();
  }
  /** Resolves true once online, false after `timeoutMs`, or at once when stopped. */
  waitOnline(_timeoutMs: number): Promise<boolean> {
    return notBuilt();
  }

  /** The whole set, newest record of each id; renewing is calling it again with newer records. */
  setPublished(_records: readonly SignedRecord[]): void {
    notBuilt();
  }
  /** Withdrawals to tell until they expire. */
  setWithdrawn(_records: readonly SignedRecord[]): void {
    notBuilt();
  }
  /** The whole sets: `have` = holds all or some of it, `want` = is downloading; an id may be in both. */
  setAnnounced(_sets: { have: readonly VideoId[]; want: readonly VideoId[] }): void {
    notBuilt();
  }
  /** The record (or withdrawal) set last for this id has been accepted on the present connection. */
  isAcknowledged(_id: VideoId): boolean {
    return notBuilt();
  }

  query(_query: CatalogQuery): Promise<CatalogRows> {
    return notBuilt();
  }
  /** Signed records, unverified; keys that the tracker does not know are left out. */
  records(_keys: readonly RecordKey[]): Promise<Uint8Array[]> {
    return notBuilt();
  }
  /** Peers of a video, oneself left out: by id, by its first 20 bytes (40 hex digits), or by v1 info-hash. */
  sources(_hash: string, _limit?: number): Promise<SourceAddress[]> {
    return notBuilt();
  }
  directory(_query: DirectoryQuery): Promise<DirectoryRows> {
    return notBuilt();
  }
  /** Gives the name up; the client is stopped by it. */
  releaseName(): Promise<void> {
    return notBuilt();
  }
  /** Asks a peer that cannot be reached to dial this one. Errors: unreachable (not online there), rate-limited. */
  requestCallback(_to: Fingerprint, _id: VideoId): Promise<void> {
    return notBuilt();
  }

  onDidChangeStatus(_listener: (status: TrackerStatus) => void): Unsubscribe {
    return notBuilt();
  }
  /** At most once a second; also after each reconnect. */
  onDidChangeCatalog(_listener: () => void): Unsubscribe {
    return notBuilt();
  }
  onDidChangeDirectory(_listener: () => void): Unsubscribe {
    return notBuilt();
  }
  onDidAcknowledge(_listener: (id: VideoId) => void): Unsubscribe {
    return notBuilt();
  }
  /** The tracker refuses a record for good (bad-record, refused-video, too-many ...). */
  onDidRefuse(_listener: (id: VideoId, error: StreamletError) => void): Unsubscribe {
    return notBuilt();
  }
  onDidRequestCallback(_listener: (from: CallbackRequest) => void): Unsubscribe {
    return notBuilt();
  }
}
