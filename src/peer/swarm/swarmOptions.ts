import type { OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { Grant } from "../../wire/records";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { Clock } from "../clock";
import type { Limiter } from "../net/nestedLimiter";
import type { RemotePeer } from "./connectionHost";
import type { KnownPeer } from "./peerList";
import type { SwarmGroup } from "./swarmGroup";

/** What a swarm is made of, and whom it tells what. */
export interface SwarmOptions {
  /** v2 info-hash; absent for v1-only torrents. */
  id: VideoId | undefined;
  /** v1 info-hash, 40 hex digits; absent until the metadata is known or for v2-only torrents. */
  v1: string | undefined;
  infoBytes: Uint8Array | undefined;
  clock: Clock;
  peerId20: Uint8Array;
  uploadLimiter: Limiter;
  /** Of this video; the group has its own limit for all. */
  maxConnections: number;
  group: SwarmGroup;
  admission: SwarmAdmission;
  /** Of two connections to this peer both sides keep the one that the smaller fingerprint has dialled: true where that is ours. */
  dialledWins(remote: Fingerprint): boolean;
  listenPort(): number;
  dial(peer: KnownPeer, onread: OnReadOpts, signal: AbortSignal): Promise<Duplex>;
  /** The info dictionary has come and is the right one. */
  onInfo(infoBytes: Uint8Array): void;
  /** Peers, availability or the like changed. */
  onChange(): void;
  /** The data that we serve is gone or is not what it was. */
  onSourceError(error: unknown): void;
  /** No known peer can be reached, and nobody is connected. */
  onUnreachable(): void;
  /** Somebody who was dialled has hung up without a word, as one does who does not have the video, or not for us. */
  onTurnedAway(): void;
}

/** Who may have the video: asked when somebody comes, and again while they stay. `Admission` of social/admission.ts fits. */
export interface SwarmAdmission {
  readonly isRestricted: boolean;
  allows(remote: RemotePeer, grant: Grant | undefined): boolean;
  mayDial(peer: KnownPeer): boolean;
  ownGrant(): Uint8Array | undefined;
  readGrant(bytes: Uint8Array): Grant | undefined;
}
