/**
 * Everybody that exchanges one video with us. It wires: connections to the download, the uploaders and the metadata exchange;
 * known peers to dials (`Dialer`), connected ones to the choker (`Members`). It decides nothing that those decide.
 */
import type { Duplex } from "node:stream";
import type { Bitfield } from "../../wire/bitfield";
import { StreamletError } from "../../wire/errors";
import type { Handshake } from "../../wire/handshake";
import { encodeMessage } from "../../wire/messages";
import type { Grant } from "../../wire/records";
import type { Clock } from "../clock";
import type { Limiter } from "../net/nestedLimiter";
import type { HashTree } from "../storage/hashTree";
import type { ChokeCandidate, Turn } from "./choker";
import type { ConnectionHost, HashRequest, RemotePeer } from "./connectionHost";
import type { Content } from "./content";
import { Dialer } from "./dialer";
import type { Download } from "./download";
import { InfoHashes } from "./infoHashes";
import { Members } from "./members";
import { MetadataExchange } from "./metadataExchange";
import { PeerConnection } from "./peerConnection";
import type { KnownPeer, PeerList } from "./peerList";
import { RateMeter } from "./rateMeter";
import { Suggester } from "./suggester";
import type { GroupedSwarm } from "./swarmGroup";
import type { SwarmOptions } from "./swarmOptions";
import type { BlockSource } from "./uploader";

const TICK_MS = 1_000;
/** Of the places of a video. */
const KEPT_FOR_DIALLED = 0.2;

export class Swarm implements ConnectionHost, GroupedSwarm {
  readonly clock: Clock;
  readonly peerId20: Uint8Array;
  readonly uploadLimiter: Limiter;
  readonly down: RateMeter;
  readonly up: RateMeter;
  /** Set while something is to be fetched. */
  download: Download | undefined;
  private readonly names: InfoHashes;
  private readonly members: Members;
  private readonly dialer: Dialer;
  private readonly banned = new Set<string>();
  private readonly metadata: MetadataExchange;
  private readonly stopTicking: () => void;
  private blockSource: BlockSource | undefined;
  private have: Bitfield | undefined;
  private tree: HashTree | undefined;
  private known: Content | undefined;
  private closed = false;

  constructor(private readonly options: SwarmOptions) {
    this.clock = options.clock;
    this.peerId20 = options.peerId20;
    this.uploadLimiter = options.uploadLimiter;
    this.down = new RateMeter(this.clock);
    this.up = new RateMeter(this.clock);
    this.names = new InfoHashes(options.id, options.v1);
    this.members = new Members(this.clock, options.dialledWins);
    this.dialer = new Dialer({
      clock: this.clock,
      room: (urgent) => this.room(urgent),
      mayDial: (peer) => options.admission.mayDial(peer),
      isConnectedTo: (peer) => this.members.isConnectedTo(peer),
      prepare: (peer) => new PeerConnection({ ...peer, incoming: false }, this),
      dial: (peer, onread, signal) => options.dial(peer, onread, signal),
      onDialled: (connection, peer, socket) => this.onDialled(connection, peer, socket),
      onDialFailed: () => this.onDialFailed(),
    });
    this.metadata = new MetadataExchange(
      this.clock,
      (bytes) => this.names.isAuthentic(bytes),
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
    for (const connection of this.members.connections()) {
      try {
        connection.onContentKnown();
        connection.sendAvailability(have);
      } catch (error) {
        connection.close(error); // what it said it has, before that could be judged, was nonsense
      }
    }
  }

  /** Stops or starts giving data to others. */
  setSource(source: BlockSource | undefined): void {
    this.blockSource = source;
    this.rechoke();
  }

  startDownload(download: Download | undefined): void {
    this.download = download;
    this.dialer.wantsPeers = true;
    this.banned.clear();
    this.peers.retryNow();
    if (download) for (const connection of this.members.connections()) download.onAvailability(connection);
    this.dialer.dialMore();
  }

  /** Metadata only: for magnet links of unknown shape. */
  wantPeers(): void {
    this.dialer.wantsPeers = true;
    this.dialer.dialMore();
  }

  stopDownload(): void {
    this.dialer.stop();
    this.download?.stop();
    this.download = undefined;
    for (const connection of this.members.connections()) connection.setInterested(false);
  }

  /** Everybody is told, also who has it: a seed sees from that what is still rare, and what it has given to its end. */
  onPieceDone(piece: number): void {
    const have = encodeMessage({ type: "have", piece });
    for (const connection of this.members.connections()) {
      if (!connection.withheld) connection.sendFrame(have);
    }
  }

  addPeers(peers: Iterable<KnownPeer>): void {
    for (const peer of peers) if (!this.banned.has(banKey(peer))) this.peers.add(peer);
    this.dialer.dialMore();
  }

  /** Dials one peer now although nothing is wanted from it: it has asked to be called back. */
  callBack(peer: KnownPeer): Promise<void> {
    return this.dialer.callBack(peer);
  }

  /** @param grant what it has shown, and was let in for */
  accept(socket: Duplex, remote: RemotePeer, handshake: Handshake, grant?: Grant): void {
    const isFull = !this.hasPlaceForIncoming;
    const leaving = isFull ? this.members.givesWayTo(remote.host) : undefined;
    if (this.closed || (isFull && !leaving) || this.banned.has(banKey(remote))) {
      socket.destroy();
      return;
    }
    const connection = new PeerConnection(remote, this, handshake);
    connection.grant = grant;
    this.members.add(connection, undefined);
    try {
      connection.attach(socket, false);
    } catch (error) {
      connection.close(error);
    }
    leaving?.close(); // last: its place is the newcomer's
  }

  close(): void {
    this.closed = true;
    this.stopTicking();
    this.dialer.close();
    this.download?.stop();
    this.download = undefined;
    this.members.closeAll();
    this.options.group.delete(this);
  }

  /** Drops everybody who may not have the video (any more): a narrower audience takes effect at once. */
  review(): void {
    const { admission } = this.options;
    for (const connection of [...this.members.connections()]) {
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
    return this.members.count((connection) => connection.peerInterested);
  }
  /** Connected peers that give to us. */
  get sourceCount(): number {
    return this.members.count(({ ready, remote }) => ready && remote !== undefined && !remote.isEmpty);
  }

  /** Bytes that peers were asked for, or were given, and that are still under way: a new limit has to count them. */
  get bytesUnderWay(): { down: number; up: number } {
    return this.members.bytesUnderWay;
  }

  connections(): Iterable<PeerConnection> {
    return this.members.connections();
  }

  /** Known peers, connected or not. */
  get peers(): PeerList {
    return this.dialer.peers;
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
    return this.members.size + this.dialer.count;
  }

  chokeCandidates(): ChokeCandidate<unknown>[] {
    if (!this.blockSource || this.closed) return [];
    return this.members.chokeCandidates(this, this.download !== undefined);
  }

  unchokeOnly(chosen: ReadonlyMap<unknown, Turn>): void {
    if (!this.closed) this.members.unchokeOnly(chosen, this.suggester);
  }

  dropLeastUseful(): boolean {
    return this.members.dropLeastUseful();
  }

  // --- ConnectionHost ---------------------------------------------------------------------------------------------------

  content(): Content | undefined {
    return this.known;
  }
  source(): BlockSource | undefined {
    return this.blockSource;
  }
  handshakeHash(theirs: Handshake | undefined): { infoHash20: Uint8Array; v2: boolean } {
    return this.names.forHandshake(theirs);
  }
  versionOf(infoHash20: Uint8Array): "v1" | "v2" | undefined {
    return this.names.versionOf(infoHash20);
  }
  setV1(v1: string | undefined): void {
    this.names.v1 = v1;
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
    if (this.members.resolveDuplicate(connection)) return;
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
    this.suggester?.onAvailability(connection);
    this.options.onChange();
  }
  onHave(connection: PeerConnection, piece: number): void {
    this.download?.onHave(connection, piece);
    this.suggester?.onHave(connection, piece);
    this.options.onChange();
  }
  onUnchoke(connection: PeerConnection): void {
    this.download?.onUnchoke(connection);
  }
  onChoke(connection: PeerConnection): void {
    this.download?.onChoke(connection);
  }
  onInterest(connection: PeerConnection): void {
    this.members.onInterest(connection);
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
  onRequest(connection: PeerConnection, piece: number): void {
    this.suggester?.onRequest(connection, piece);
  }
  onReject(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.download?.onReject(connection, piece, begin, length);
  }
  onHashRequest(connection: PeerConnection, request: HashRequest): Uint8Array | undefined {
    if (!this.tree || !this.known?.piecesRoot || !this.blockSource) return undefined;
    if (Buffer.compare(request.piecesRoot, this.known.piecesRoot) !== 0) return undefined;
    const { blocksPerPiece } = this.known;
    const leaves = request.length * 2 ** request.base;
    const isBelowPieces = 2 ** request.base < blocksPerPiece;
    // What we do not have we do not look for.
    if (isBelowPieces && !this.have?.get(Math.floor((request.index * 2 ** request.base) / blocksPerPiece)))
      return undefined;
    // Leaves cost what must be hashed to answer: at least one whole piece, and all under the layer that is asked for.
    const cost = isBelowPieces ? Math.max(leaves, blocksPerPiece) : request.length;
    return this.members.payForHashes(connection, cost) ? this.tree.serve(request) : undefined;
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
    this.suggester?.onClosed(connection);
    const askAnother = this.metadata.onClosed(connection);
    if (member.known) this.dialer.retryLater(member.known, connection.down.total > 0);
    const hungUp = error instanceof StreamletError && error.code === "connection-lost";
    if (hungUp && member.known && !connection.ready) this.options.onTurnedAway();
    if (askAnother) this.offerMetadata();
    this.rechoke();
    this.options.onChange();
    this.dialer.dialMore();
  }
  // --- inside -----------------------------------------------------------------------------------------------------------

  /** While something is wanted, places are left for those whom we dial: whoever dials us may be of no use. */
  private get hasPlaceForIncoming(): boolean {
    const { group, maxConnections } = this.options;
    const kept = this.dialer.wantsPeers ? Math.floor(maxConnections * KEPT_FOR_DIALLED) : 0;
    const incoming = this.members.count(({ peer }) => peer.incoming);
    return this.members.size < maxConnections && incoming < maxConnections - kept && group.roomFor(this) > 0;
  }

  private room(urgent: boolean): number {
    const { group, maxConnections } = this.options;
    const own = maxConnections - this.load;
    if (own <= 0) return 0;
    if (urgent && group.roomFor(this) === 0) group.makeRoomFor(this);
    return Math.min(own, group.roomFor(this));
  }

  private onDialled(connection: PeerConnection, peer: KnownPeer, socket: Duplex): void {
    const { admission } = this.options;
    connection.withheld = admission.isRestricted && !admission.allows(connection.peer, undefined);
    this.members.add(connection, peer);
    try {
      connection.attach(socket, true);
    } catch (error) {
      connection.close(error);
    }
  }

  private onDialFailed(): void {
    const isAlone = this.members.size === 0 && this.dialer.count === 0;
    if (isAlone && this.peers.allFailed) this.options.onUnreachable();
    this.options.onChange();
  }

  private release(connection: PeerConnection, grant: Grant | undefined): void {
    connection.release(grant);
    if (this.have) connection.sendAvailability(this.have);
    this.rechoke();
  }

  private offerMetadata(): void {
    for (const connection of this.members.connections()) this.metadata.offer(connection);
  }

  /** Set while we have all of the video: else we do not know better than others what is rare. */
  private get suggester(): Suggester | undefined {
    if (!this.suggestions && this.known && this.have?.isFull) {
      this.suggestions = new Suggester(this.known.pieceCount, () => this.members.interestedCount);
      for (const connection of this.members.connections()) this.suggestions.onAvailability(connection);
    }
    return this.suggestions;
  }
  private suggestions: Suggester | undefined;

  private rechoke(): void {
    if (!this.closed) this.options.group.rechoke();
  }

  private tick(): void {
    if (this.options.admission.isRestricted) this.review(); // grants expire
    this.members.tick();
    if (!this.metadata.infoBytes) this.offerMetadata();
    this.download?.tick();
    this.dialer.dialMore();
  }
}

/** Plain peers have no identity, and an incoming one's port says nothing: their address stands for them. */
function banKey(remote: Pick<RemotePeer, "fingerprint" | "host">): string {
  return remote.fingerprint ?? remote.host;
}
