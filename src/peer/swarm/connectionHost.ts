/** What a connection tells, and whom: everything that a wire connection does not decide itself. */

import type { MetadataMessage } from "../../wire/extensions";
import type { Handshake } from "../../wire/handshake";
import type { HashHeader } from "../../wire/messages";
import type { Fingerprint } from "../../wire/types";
import type { Clock } from "../clock";
import type { Limiter } from "../net/nestedLimiter";
import type { Content } from "./content";
import type { PeerConnection } from "./peerConnection";
import type { BlockSource } from "./uploader";

export interface RemotePeer {
  /** Proven by TLS; absent on plain BitTorrent. */
  fingerprint: Fingerprint | undefined;
  host: string;
  port: number;
  transport: "tls" | "plain";
  incoming: boolean;
}

export type HashRequest = HashHeader;
export type Hashes = HashHeader & { hashes: Uint8Array };

/** What the swarm does with the messages of a connection. Throwing a StreamletError closes the connection with it. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly peerId20: Uint8Array;
  readonly uploadLimiter: Limiter;
  content(): Content | undefined;
  source(): BlockSource | undefined;
  /** Hash to dial with, or to answer this handshake with; `v2` where that is the v2 one. */
  handshakeHash(theirs: Handshake | undefined): { infoHash20: Uint8Array; v2: boolean };
  /** Which hash of this swarm the remote handshake names; undefined where it is another video's. */
  versionOf(infoHash20: Uint8Array): "v1" | "v2" | undefined;
  listenPort(): number;
  metadataSize(): number;
  /** What we show of our right to have the video: for friends' videos. */
  ownGrant(): Uint8Array | undefined;
  /** The remote of a dialled connection to which nothing goes yet has shown this. */
  onGrant(connection: PeerConnection, grant: Uint8Array): void;
  onReady(connection: PeerConnection): void;
  onExtended(connection: PeerConnection): void;
  onAvailability(connection: PeerConnection): void;
  /** It has one piece more. */
  onHave(connection: PeerConnection, piece: number): void;
  onChoke(connection: PeerConnection): void;
  onUnchoke(connection: PeerConnection): void;
  onInterest(connection: PeerConnection): void;
  onBlockStart(connection: PeerConnection, piece: number, begin: number, length: number): Uint8Array | undefined;
  onBlock(connection: PeerConnection, piece: number, begin: number, length: number): void;
  /** It asks for a block of this piece, and gets it. */
  onRequest(connection: PeerConnection, piece: number): void;
  onReject(connection: PeerConnection, piece: number, begin: number, length: number): void;
  onHashRequest(connection: PeerConnection, request: HashRequest): Uint8Array | undefined;
  onHashes(connection: PeerConnection, hashes: Hashes): void;
  onHashReject(connection: PeerConnection, request: HashRequest): void;
  onMetadata(connection: PeerConnection, message: MetadataMessage): void;
  onUploaded(connection: PeerConnection, bytes: number): void;
  /** The data that we serve cannot be read any more. */
  onSourceError(error: unknown): void;
  onClosed(connection: PeerConnection, error: unknown): void;
}
