/**
 * Everybody that exchanges one video with us. It wires: connections to the download, the uploaders, the metadata exchange and
 * the choker; known peers to dials. It decides nothing that those decide.
 */
import { createHash } from "node:crypto";
import type { OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { Bitfield } from "../../wire/bitfield";
import { fromHex, toHex } from "../../wire/bytes";
import { SHORT_INFO_HASH_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import type { Handshake } from "../../wire/handshake";
import type { Grant } from "../../wire/records";
import type { VideoId } from "../../wire/types";
import type { Clock } from "../clock";
import type { RateLimiter } from "../net/rateLimiter";
import type { HashTree } from "../storage/hashTree";
import type { ChokeCandidate } from "./choker";
import type { ConnectionHost, HashRequest, RemotePeer } from "./connectionHost";
import type { Content } from "./content";
import type { Download } from "./download";
import { MetadataExchange } from "./metadataExchange";
import { PeerConnection } from "./peerConnection";
import { type KnownPeer, keyOf, PeerList } from "./peerList";
import { RateMeter } from "./rateMeter";
import type { GroupedSwarm, SwarmGroup } from "./swarmGroup";
import type { BlockSource } from "./uploader";

export interface SwarmOptions {
  /** v2 info-hash; absent for v1-only torrents. */
  id: VideoId | undefined;
  /** v1 info-hash, 40 hex digits; absent until the metadata is known or for v2-only torrents. */
  v1: string | undefined;
  infoBytes: Uint8Array | undefined;
  clock: Clock;
  peerId20: Uint8Array;
  uploadLimiter: RateLimiter;
  /** Of this video; the group has its own limit for all. */
  maxConnections: number;
  group: SwarmGroup;
  admission: SwarmAdmission;
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

/** Dials under way at once: SYNs to the dead are cheap, but not for free. */
const MAX_DIALS = 8;
const TICK_MS = 1_000;
/** BEP 3: "keepalives are generally sent once every two minutes"; ours are earlier than anybody's timeout. */
const KEEP_ALIVE_MS = 50_000;
const SILENCE_MS = 130_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Connections that neither side can use are kept so long, in case a piece comes along. */
const IDLE_MS = 60_000;
/** Hashes served per second and connection: a gigabyte per second of 16 KiB leaves, twice. */
const HASHES_PER_SECOND = 131_072;

interface Member {
  connection: PeerConnection;
  known: KnownPeer | undefined;
  interestedAt: number;
  unchokedAt: number | undefined;
  hashTokens: number;
  usefulAt: number;
}

export class Swarm implements ConnectionHost, GroupedSwarm {
  readonly clock: Clock;
  readonly peerId20: Uint8Array;
  readonly uploadLimiter: RateLimiter;
  readonly down: RateMeter;
  readonly up: RateMeter;
  readonly peers: PeerList;
  /** Set while something is to be fetched. */
  download: Download | undefined;
  private readonly members = new Map<PeerConnection, Member>();
  private readonly banned = new Set<string>();
  private readonly dialing = new Map<string, AbortController>();
  private readonly metadata: MetadataExchange;
  private readonly stopTicking: () => void;
  private blockSource: BlockSource | undefined;
  private have: Bitfield | undefined;
  private tree: HashTree | undefined;
  private known: Content | undefined;
  private wantsPeers = false;
  private closed = false;

  constructor(private readonly options: SwarmOptions) {
    this.clock = options.clock;
    this.peerId20 = options.peerId20;
    this.uploadLimiter = options.uploadLimiter;
    this.down = new RateMeter(this.clock);
    this.up = new RateMeter(this.clock);
    this.peers = new PeerList(this.clock);
    this.metadata = new MetadataExchange(
      this.clock,
      (bytes) => this.isAuthentic(bytes),
      (bytes) => options.onInfo(bytes),
      (connection, error) => this.ban(connection, error),
      options.infoBytes,
    );
    this.stopTicking = this.clock.every(TICK_MS, () => this.tick());
    options.group.add(this);
  }

  // --- what the video's owner (videoRuntime) says -----------------------------------------------------------------------

  /** The video's shape has become known, provisionally from a record or for good from the info dictionary. */
  setContent(content: Content, have: Bitfield, tree: HashTree | undefined, source: BlockSource | undefined): void {
    const first = this.known === undefined;
    this.known = content;
    this.have = have;
    this.tree = tree;
    this.blockSource = source;
    if (!first) return;
    for (const { connection } of this.members.values()) {
      try {
        connection.onContentKnown();
        connection.sendAvailability(have);
      } catch (error) {
        connection.close(error); // what it said it has, before that could be judged, was nonsense
      }
    }
  }

  setInfo(infoBytes: Uint8Array): void {
    this.metadata.infoBytes = infoBytes;
  }

  /** Stops or starts giving data to others. */
  setSource(source: BlockSource | undefined): void {
    this.blockSource = source;
    this.rechoke();
  }

  startDownload(download: Download | undefined): void {
    this.download = download;
    this.wantsPeers = true;
    this.banned.clear();
    this.peers.retryNow();
    if (download) for (const { connection } of this.members.values()) download.onAvailability(connection);
    this.dialMore();
  }

  /** Metadata only: for magnet links of unknown shape. */
  wantPeers(): void {
    this.wantsPeers = true;
    this.dialMore();
  }

  stopDownload(): void {
    this.wantsPeers = false;
    for (const abort of this.dialing.values()) abort.abort();
    this.download?.stop();
    this.download = undefined;
    for (const { connection } of this.members.values()) connection.setInterested(false);
  }

  onPieceDone(piece: number): void {
    for (const { connection } of this.members.values()) {
      if (connection.withheld || connection.remote?.get(piece) === true) continue;
      connection.send({ type: "have", piece });
    }
  }

  addPeers(peers: Iterable<KnownPeer>): void {
    for (const peer of peers) if (!this.banned.has(banKey(peer))) this.peers.add(peer);
    this.dialMore();
  }

  /** Dials one peer now although nothing is wanted from it: it has asked to be called back. */
  async callBack(peer: KnownPeer): Promise<void> {
    const room = Math.min(MAX_DIALS - this.dialing.size, this.options.group.roomFor(this));
    if (!this.isConnectedTo(peer) && room > 0) await this.dial(peer);
  }

  /** @param grant what it has shown, and was let in for */
  accept(socket: Duplex, remote: RemotePeer, handshake: Handshake, grant?: Grant): void {
    const full = this.members.size >= this.options.maxConnections || this.options.group.roomFor(this) === 0;
    if (this.closed || full || this.banned.has(banKey(remote))) {
      socket.destroy();
      return;
    }
    const connection = new PeerConnection(remote, this, handshake);
    connection.grant = grant;
    this.join(connection, undefined);
    try {
      connection.attach(socket, false);
    } catch (error) {
      connection.close(error);
    }
  }

  close(): void {
    this.closed = true;
    this.stopTicking();
    for (const abort of this.dialing.values()) abort.abort();
    this.download?.stop();
    this.download = undefined;
    for (const { connection } of [...this.members.values()]) connection.close();
    this.options.group.delete(this);
  }

  /** Drops everybody who may not have the video (any more): a narrower audience takes effect at once. */
  review(): void {
    const { admission } = this.options;
    for (const { connection } of [...this.members.values()]) {
      const isAllowed = admission.allows(connection.peer, connection.grant);
      // Who gets nothing anyway may stay to give.
      const gives = connection.withheld && admission.mayDial(connection.peer);
      if (!isAllowed && !gives) connection.close();
      else if (isAllowed && connection.withheld) this.release(connection, connection.grant);
    }
  }

  get connectionCount(): number {
    return this.members.size;
  }
  /** Connected peers that are fetching from us. */
  get leecherCount(): number {
    let count = 0;
    for (const { connection } of this.members.values()) if (connection.peerInterested) count++;
    return count;
  }
  /** Connected peers that give to us. */
  get sourceCount(): number {
    let count = 0;
    for (const { connection } of this.members.values()) if (connection.ready && connection.remote?.count) count++;
    return count;
  }

  /** Bytes that peers were asked for, or were given, and that are still under way: a new limit has to count them. */
  get bytesUnderWay(): { down: number; up: number } {
    let down = 0;
    let up = 0;
    for (const { connection } of this.members.values()) {
      down += connection.inFlightBytes;
      up += connection.unsentBytes;
    }
    return { down, up };
  }

  *connections(): Iterable<PeerConnection> {
    yield* this.members.keys();
  }

  /** Bans and closes: it sent what is not the video. */
  ban(connection: PeerConnection, error: StreamletError): void {
    const member = this.members.get(connection);
    this.banned.add(banKey(connection.peer));
    if (member?.known) this.peers.remove(member.known);
    connection.close(error);
  }

  // --- GroupedSwarm -----------------------------------------------------------------------------------------------------

  get load(): number {
    return this.members.size + this.dialing.size;
  }

  chokeCandidates(): ChokeCandidate<unknown>[] {
    if (!this.blockSource || this.closed) return [];
    return [...this.members.values()].map((member) => ({
      peer: member,
      video: this,
      interested: member.connection.peerInterested && !member.connection.withheld,
      unchokedAt: member.unchokedAt,
      interestedAt: member.interestedAt,
    }));
  }

  unchokeOnly(chosen: ReadonlySet<unknown>): void {
    if (this.closed) return;
    for (const member of this.members.values()) this.choke(member, !chosen.has(member));
  }

  dropLeastUseful(): boolean {
    const [least] = [...this.members.keys()].sort((a, b) => usefulness(a) - usefulness(b) || b.openedAt - a.openedAt);
    least?.close();
    return least !== undefined;
  }

  // --- ConnectionHost ---------------------------------------------------------------------------------------------------

  content(): Content | undefined {
    return this.known;
  }
  source(): BlockSource | undefined {
    return this.blockSource;
  }
  /** Who dials by the v1 hash and does not speak v2 may know no other (a v1 magnet link of a hybrid). */
  handshakeHash(theirs: Handshake | undefined): { infoHash20: Uint8Array; v2: boolean } {
    const { id, v1 } = this.options;
    const v1Only = theirs && !theirs.reserved.v2 && toHex(theirs.infoHash20) === v1;
    if (!id || v1Only) return { infoHash20: fromHex(v1!), v2: false };
    return { infoHash20: fromHex(id).subarray(0, SHORT_INFO_HASH_BYTES), v2: true };
  }
  versionOf(infoHash20: Uint8Array): "v1" | "v2" | undefined {
    const hash = toHex(infoHash20);
    if (this.options.id?.startsWith(hash)) return "v2";
    return this.options.v1 === hash ? "v1" : undefined;
  }
  setV1(v1: string | undefined): void {
    this.options.v1 = v1;
  }
  listenPort(): number {
    return this.options.listenPort();
  }
  metadataSize(): number {
    return this.metadata.infoBytes?.length ?? 0;
  }

  ownGrant(): Uint8Array | undefined {
    return this.options.admission.ownGrant();
  }

  onGrant(connection: PeerConnection, bytes: Uint8Array): void {
    const { admission } = this.options;
    const grant = admission.readGrant(bytes);
    if (grant && admission.allows(connection.peer, grant)) this.release(connection, grant);
  }

  onReady(connection: PeerConnection): void {
    if (this.resolveDuplicate(connection)) return;
    if (this.have) connection.sendAvailability(this.have);
    this.download?.onAvailability(connection);
    this.options.onChange();
  }

  onExtended(connection: PeerConnection): void {
    this.metadata.offer(connection);
    this.download?.onAvailability(connection);
  }

  onAvailability(connection: PeerConnection): void {
    this.download?.onAvailability(connection);
    this.options.onChange();
  }
  onUnchoke(connection: PeerConnection): void {
    this.download?.onAvailability(connection);
  }
  onChoke(connection: PeerConnection): void {
    this.download?.onChoke(connection);
  }
  onInterest(connection: PeerConnection): void {
    const member = this.members.get(connection);
    if (member && connection.peerInterested) member.interestedAt = this.clock.now();
    this.rechoke();
    this.options.onChange();
  }
  onBlockStart(connection: PeerConnection, piece: number, begin: number, length: number): Uint8Array | undefined {
    return this.download?.onBlockStart(connection, piece, begin, length);
  }
  onBlock(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.down.add(length);
    if (this.download) this.download.onBlock(connection, piece, begin, length);
    else connection.forget(piece, begin);
  }
  onReject(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.download?.onReject(connection, piece, begin, length);
  }
  onHashRequest(connection: PeerConnection, request: HashRequest): Uint8Array | undefined {
    const member = this.members.get(connection);
    if (!member || !this.tree || !this.known?.piecesRoot || !this.blockSource) return undefined;
    if (Buffer.compare(request.piecesRoot, this.known.piecesRoot) !== 0) return undefined;
    // Leaves cost what must be hashed to answer: at least one whole piece, and all under the layer that is asked for.
    const { blocksPerPiece } = this.known;
    const leaves = request.length * 2 ** request.base;
    member.hashTokens -= 2 ** request.base < blocksPerPiece ? Math.max(leaves, blocksPerPiece) : request.length;
    return member.hashTokens < 0 ? undefined : this.tree.serve(request);
  }
  onHashes(connection: PeerConnection, hashes: Parameters<ConnectionHost["onHashes"]>[1]): void {
    this.download?.onHashes(connection, hashes);
  }
  onHashReject(connection: PeerConnection, request: Parameters<ConnectionHost["onHashReject"]>[1]): void {
    this.download?.onHashReject(connection, request);
  }
  onMetadata(connection: PeerConnection, message: Parameters<ConnectionHost["onMetadata"]>[1]): void {
    if (connection.withheld && message.type === "request") {
      return connection.sendMetadata({ type: "reject", piece: message.piece });
    }
    this.metadata.onMessage(connection, message);
  }
  onUploaded(_connection: PeerConnection, bytes: number): void {
    this.up.add(bytes);
  }
  onSourceError(error: unknown): void {
    this.options.onSourceError(error);
  }

  onClosed(connection: PeerConnection, error: unknown): void {
    const member = this.members.get(connection);
    if (!member) return;
    this.members.delete(connection);
    this.download?.onClosed(connection);
    const askAnother = this.metadata.onClosed(connection);
    if (member.known) this.retryLater(member.known, connection.down.total > 0);
    const hungUp = error instanceof StreamletError && error.code === "connection-lost";
    if (hungUp && member.known && !connection.ready) this.options.onTurnedAway();
    if (askAnother) this.offerMetadata();
    this.lastError = error ?? this.lastError;
    this.rechoke();
    this.options.onChange();
    this.dialMore();
  }
  /** Why the last connection ended or could not be made, for a person who wonders. */
  lastError: unknown;

  // --- inside -----------------------------------------------------------------------------------------------------------

  private join(connection: PeerConnection, known: KnownPeer | undefined): void {
    const now = this.clock.now();
    this.members.set(connection, {
      connection,
      known,
      interestedAt: now,
      unchokedAt: undefined,
      hashTokens: HASHES_PER_SECOND,
      usefulAt: now,
    });
  }

  private isConnectedTo(peer: KnownPeer): boolean {
    const key = remoteKey(peer);
    for (const { connection } of this.members.values()) if (remoteKey(connection.peer) === key) return true;
    return false;
  }

  private dialMore(): void {
    if (this.closed || !this.wantsPeers) return;
    const { group, maxConnections } = this.options;
    const own = Math.min(maxConnections - this.load, MAX_DIALS - this.dialing.size);
    if (own > 0 && group.roomFor(this) === 0 && this.peers.hasDue) group.makeRoomFor(this);
    for (const peer of this.peers.take(Math.min(own, group.roomFor(this)))) {
      if (this.isConnectedTo(peer)) this.peers.failed(peer, true);
      else void this.dial(peer);
    }
  }

  private async dial(peer: KnownPeer): Promise<void> {
    const key = keyOf(peer);
    if (this.dialing.has(key) || this.closed) return;
    const { admission } = this.options;
    if (!admission.mayDial(peer)) return this.peers.remove(peer);
    const abort = new AbortController();
    this.dialing.set(key, abort);
    const connection = new PeerConnection({ ...peer, incoming: false }, this);
    try {
      const socket = await this.options.dial(peer, connection.reader.onread as OnReadOpts, abort.signal);
      this.dialing.delete(key);
      if (this.closed || abort.signal.aborted) {
        socket.destroy();
        return;
      }
      // The audience may have become narrower while it was dialled.
      if (!admission.mayDial(peer)) {
        this.peers.remove(peer);
        socket.destroy();
        return;
      }
      connection.withheld = admission.isRestricted && !admission.allows(connection.peer, undefined);
      this.join(connection, peer);
      connection.attach(socket, true);
    } catch (error) {
      this.dialing.delete(key);
      if (this.closed) return;
      this.lastError = error;
      if (this.members.has(connection)) return connection.close(error);
      this.retryLater(peer, false);
      if (abort.signal.aborted) return;
      if (this.members.size === 0 && this.dialing.size === 0 && this.peers.allFailed) this.options.onUnreachable();
      this.options.onChange();
    }
  }

  private release(connection: PeerConnection, grant: Grant | undefined): void {
    connection.release(grant);
    if (this.have) connection.sendAvailability(this.have);
    this.rechoke();
  }

  private retryLater(peer: KnownPeer, wasUseful: boolean): void {
    this.clock.after(this.peers.failed(peer, wasUseful) + 1, () => this.dialMore());
  }

  /** Two connections to one peer: both sides keep the one that the smaller fingerprint has dialled. True if this one went. */
  private resolveDuplicate(connection: PeerConnection): boolean {
    const key = remoteKey(connection.peer);
    for (const { connection: other } of this.members.values()) {
      if (other === connection || other.closed || remoteKey(other.peer) !== key) continue;
      if (connection.peer.fingerprint === undefined) continue;
      const keepDialled = this.dialledWins(connection.peer.fingerprint);
      // Of two by the same side the older one is dead, and only its end is not known yet.
      const redialled = connection.peer.incoming === other.peer.incoming;
      const loser = !redialled && connection.peer.incoming === keepDialled ? connection : other;
      loser.close();
      return loser === connection;
    }
    return false;
  }
  /** True where our fingerprint is the smaller one. Set by the session, which knows it. */
  dialledWins: (remote: string) => boolean = () => true;

  private isAuthentic(bytes: Uint8Array): boolean {
    const { id, v1 } = this.options;
    if (id) return createHash("sha256").update(bytes).digest("hex") === id;
    return createHash("sha1").update(bytes).digest("hex") === v1;
  }

  private offerMetadata(): void {
    for (const { connection } of this.members.values()) this.metadata.offer(connection);
  }

  private choke(member: Member, choking: boolean): void {
    if (member.connection.amChoking === choking) return;
    member.unchokedAt = choking ? undefined : this.clock.now();
    member.connection.setChoking(choking);
  }

  private rechoke(): void {
    if (!this.closed) this.options.group.rechoke();
  }

  private tick(): void {
    const now = this.clock.now();
    if (this.options.admission.isRestricted) this.review(); // grants expire
    for (const member of [...this.members.values()]) {
      const { connection } = member;
      member.hashTokens = HASHES_PER_SECOND;
      if (connection.peerInterested || connection.amInterested) member.usefulAt = now;
      const silent = now - connection.lastReceivedAt;
      if (silent > SILENCE_MS || (!connection.ready && now - connection.openedAt > HANDSHAKE_TIMEOUT_MS)) {
        connection.close(new StreamletError("connection-timeout", "The peer has gone silent."));
      } else if (now - member.usefulAt > IDLE_MS) connection.close();
      else if (now - connection.lastSentAt > KEEP_ALIVE_MS) connection.send({ type: "keepAlive" });
    }
    if (!this.metadata.infoBytes) this.offerMetadata();
    this.download?.tick();
    this.dialMore();
  }
}

/** Plain peers have no identity, and an incoming one's port says nothing: their address stands for them. */
function banKey(remote: Pick<RemotePeer, "fingerprint" | "host">): string {
  return remote.fingerprint ?? remote.host;
}

function remoteKey(remote: Pick<RemotePeer, "fingerprint" | "host" | "port">): string {
  return remote.fingerprint ?? `${remote.host}:${remote.port}`;
}

/** Who gives to us is worth most, then who takes; of equals the faster one. */
function usefulness(connection: PeerConnection): number {
  const rank = connection.amInterested ? 2 : connection.peerInterested ? 1 : 0;
  return rank * 1e12 + connection.down.rate() + connection.up.rate();
}
