import { StreamletError } from "../../wire/errors";
import type { VideoRecord } from "../../wire/records";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { NetworkPage, NetworkQuery, PeersPage } from "../status";
import type { TrackerClient } from "./trackerClient";

/** One's own shared video (any audience), shown even with no tracker. */
export interface OwnVideo {
  record: VideoRecord;
  /** When it was shared first, milliseconds since the epoch. */
  receivedAt: number;
}

/** A connected peer's catalogue: `ControlConnection` fits. */
export interface CatalogPeer {
  readonly peer: { peerId: string; fingerprint: Fingerprint; host: string; port: number };
  queryCatalog(query: {
    text?: string;
    owner?: Fingerprint;
    limit: number;
    cursor?: string;
  }): Promise<{ records: Uint8Array[]; total: number; cursor?: string }>;
  onDidChangeCatalog(listener: () => void): () => void;
}

export interface CatalogOptions {
  self: { peerId: string; fingerprint: Fingerprint; host: () => string; port: () => number };
  /** Wall clock, milliseconds since the epoch. */
  now?: () => number;
  /** Key of the library entry of a video, when it is in the library. */
  libraryKeyOf?: (id: VideoId) => string | undefined;
}

const notBuilt = (): never => {
  throw new StreamletError("internal", "The catalogue is not complete.");
};

/** Merges one's own records, several trackers and connected peers into what the Network and Peers views show. */
export class Catalog {
  constructor(readonly options: CatalogOptions) {}

  /** Grows when a fresh `query` may answer something else. */
  get revision(): number {
    return notBuilt();
  }
  get peersRevision(): number {
    return notBuilt();
  }
  /** Some tracker or connected peer has answered since the start. */
  get known(): boolean {
    return notBuilt();
  }

  setOwn(_videos: readonly OwnVideo[]): void {
    notBuilt();
  }
  /** The client is started and stopped by its owner; the result takes it out again. */
  addTracker(_client: TrackerClient): () => void {
    return notBuilt();
  }
  addPeer(_peer: CatalogPeer): () => void {
    return notBuilt();
  }

  query(_query: NetworkQuery): Promise<NetworkPage> {
    return notBuilt();
  }
  queryPeers(_query: { limit: number }): Promise<PeersPage> {
    return notBuilt();
  }
  /** Asks everyone again; resolves when all have answered or after 5 s. */
  refresh(): Promise<void> {
    return notBuilt();
  }
  /** Newest verified record of each owner of this video, asking the sources when none is known. Empty: unknown. */
  recordsOf(_id: VideoId): Promise<VideoRecord[]> {
    return notBuilt();
  }

  onDidChange(_listener: () => void): () => void {
    return notBuilt();
  }
  dispose(): void {
    notBuilt();
  }
}
