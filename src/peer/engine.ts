import type { OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { Fingerprint } from "../wire/types";
import type { Clock } from "./clock";
import type { Identity } from "./identity";
import type { RateLimiter } from "./net/rateLimiter";
import type { People } from "./social/contacts";
import type { Library } from "./storage/library";
import type { Verifier } from "./storage/verifier";
import type { KnownPeer } from "./swarm/peerList";
import type { SwarmGroup } from "./swarm/swarmGroup";
import type { VideoRuntime } from "./videoRuntime";

/** What the parts of a running session share. Made by the session; nobody else holds more of it than this. */
export interface Engine {
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  wallClock(): number;
  /** 0 <= x < 1 */
  random(): number;
  readonly identity: Identity;
  readonly peerId: string;
  /** Peer id of BEP 3, one per session. */
  readonly peerId20: Uint8Array;
  readonly library: Library;
  readonly people: People;
  readonly verifier: Verifier;
  readonly uploadLimiter: RateLimiter;
  readonly downloadLimiter: RateLimiter;
  readonly swarms: SwarmGroup;
  /** Errors: quota-exceeded, where the disk quota has no room for this video besides all others. */
  checkQuota(key: string | undefined, size: number): void;
  listenPort(): number;
  dial(peer: KnownPeer, onread: OnReadOpts, signal: AbortSignal): Promise<Duplex>;
  /** Something that a snapshot shows has changed. */
  changed(): void;
  /** The set of shared or wanted videos has changed: trackers and catalogue must follow. */
  sharingChanged(): void;
  /** Looks for more peers of this video; what is found goes to `runtime.addPeers`. */
  findPeers(runtime: VideoRuntime): void;
  /** A download is whole and has its final name. */
  onDownloaded(runtime: VideoRuntime): void;
  /** Asks peers that cannot be reached to dial us. */
  requestCallbacks(runtime: VideoRuntime, peers: Fingerprint[]): void;
}
