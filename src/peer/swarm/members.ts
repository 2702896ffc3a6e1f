/**
 * Who is connected in one swarm. It decides which of two connections to one peer stays, who is let go (silent, not
 * reading, or of no use to either side for a minute) and who is of least use; it carries out what the choker decides.
 */
import { StreamletError } from "../../wire/errors";
import type { Fingerprint } from "../../wire/types";
import type { Clock } from "../clock";
import { addressGroup } from "../net/addresses";
import type { ChokeCandidate, Turn } from "./choker";
import type { RemotePeer } from "./connectionHost";
import type { PeerConnection } from "./peerConnection";
import type { KnownPeer } from "./peerList";
import { givesWay } from "./places";

/** BEP 3: "keepalives are generally sent once every two minutes"; ours are earlier than anybody's timeout. */
const KEEP_ALIVE_MS = 50_000;
const SILENCE_MS = 130_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Connections that neither side can use are kept so long, in case a piece comes along. */
const IDLE_MS = 60_000;
/** What a peer was given and does not read takes memory: by then any link has moved at least some of it (uploader.ts). */
const UNREAD_MS = 60_000;
/** Hashes served per second and connection: a gigabyte per second of 16 KiB leaves, twice. */
const HASHES_PER_SECOND = 131_072;

/** Of the last second, in what a peer gives: BEP 3 looks at ten seconds or twenty. */
const GIVES_WEIGHT = 0.1;

export interface Member {
  connection: PeerConnection;
  /** Set where we dialled. */
  known: KnownPeer | undefined;
  /** Its upload slot. */
  turn: Turn | undefined;
  waitingSince: number;
  /** It has never had a slot. */
  isNew: boolean;
  /** Bytes per second that it gives us, over the last ten seconds or so. */
  gives: number;
  receivedBefore: number;
  hashTokens: number;
  usefulAt: number;
}

export class Members {
  private readonly members = new Map<PeerConnection, Member>();

  constructor(
    private readonly clock: Clock,
    /** See `SwarmOptions`. */
    private readonly dialledWins: (remote: Fingerprint) => boolean,
  ) {}

  add(connection: PeerConnection, known: KnownPeer | undefined): void {
    const now = this.clock.now();
    this.members.set(connection, {
      connection,
      known,
      turn: undefined,
      waitingSince: now,
      isNew: true,
      gives: 0,
      receivedBefore: 0,
      hashTokens: HASHES_PER_SECOND,
      usefulAt: now,
    });
  }

  get(connection: PeerConnection): Member | undefined {
    return this.members.get(connection);
  }

  delete(connection: PeerConnection): void {
    this.members.delete(connection);
  }

  get size(): number {
    return this.members.size;
  }

  connections(): IterableIterator<PeerConnection> {
    return this.members.keys();
  }

  count(matches: (connection: PeerConnection) => boolean): number {
    let count = 0;
    for (const connection of this.members.keys()) if (matches(connection)) count++;
    return count;
  }

  /** Bytes that peers were asked for, or were given, and that are still under way. */
  get bytesUnderWay(): { down: number; up: number } {
    let down = 0;
    let up = 0;
    for (const connection of this.members.keys()) {
      down += connection.inFlightBytes;
      up += connection.unsentBytes;
    }
    return { down, up };
  }

  isConnectedTo(peer: KnownPeer): boolean {
    const key = remoteKey(peer);
    return this.count((connection) => remoteKey(connection.peer) === key) > 0;
  }

  closeAll(): void {
    for (const connection of [...this.members.keys()]) connection.close();
  }

  onInterest(connection: PeerConnection): void {
    const member = this.members.get(connection);
    if (member && connection.peerInterested) member.waitingSince = this.clock.now();
  }

  /** Takes what a hash request costs from what the connection may ask per second. False where it has no more. */
  payForHashes(connection: PeerConnection, hashes: number): boolean {
    const member = this.members.get(connection);
    if (!member) return false;
    member.hashTokens -= hashes;
    return member.hashTokens >= 0;
  }

  /** Two connections to one peer: both sides keep the one that the smaller fingerprint has dialled. True if this one went. */
  resolveDuplicate(connection: PeerConnection): boolean {
    const { fingerprint } = connection.peer;
    if (fingerprint === undefined) return false;
    const key = remoteKey(connection.peer);
    for (const other of this.members.keys()) {
      if (other === connection || other.closed || remoteKey(other.peer) !== key) continue;
      const keepDialled = this.dialledWins(fingerprint);
      // Of two by the same side the older one is dead, and only its end is not known yet.
      const redialled = connection.peer.incoming === other.peer.incoming;
      const loser = !redialled && connection.peer.incoming === keepDialled ? connection : other;
      loser.close();
      return loser === connection;
    }
    return false;
  }

  /** @param isFetching we want something of them too */
  chokeCandidates(video: unknown, isFetching: boolean): ChokeCandidate<unknown>[] {
    return [...this.members.values()].map((member) => ({
      peer: member,
      video,
      interested: member.connection.peerInterested && !member.connection.withheld,
      turn: member.turn,
      waitingSince: member.waitingSince,
      isNew: member.isNew,
      gives: isFetching ? member.gives : undefined,
    }));
  }

  /** Peers that want something that we have. */
  get interestedCount(): number {
    let count = 0;
    for (const { connection } of this.members.values()) if (connection.peerInterested) count++;
    return count;
  }

  /** @param observer hears of every change before the peer does */
  unchokeOnly(
    chosen: ReadonlyMap<unknown, Turn>,
    observer?: { onChoke(connection: PeerConnection): void; onUnchoke(connection: PeerConnection): void },
  ): void {
    for (const member of this.members.values()) {
      const turn = chosen.get(member);
      if (member.turn && !turn) member.waitingSince = this.clock.now();
      member.turn = turn;
      if (turn) member.isNew = false;
      if (turn && member.connection.amChoking) observer?.onUnchoke(member.connection);
      if (!turn && !member.connection.amChoking) observer?.onChoke(member.connection);
      member.connection.setChoking(turn === undefined);
    }
  }

  dropLeastUseful(): boolean {
    const [least] = [...this.members.keys()].sort((a, b) => usefulness(a) - usefulness(b) || b.openedAt - a.openedAt);
    least?.close();
    return least !== undefined;
  }

  /** Of those who have dialled us, the one that gives way to another who does so from `host`. */
  givesWayTo(host: string): PeerConnection | undefined {
    const places = [...this.members.values()]
      .filter(({ connection }) => connection.peer.incoming && !connection.closed)
      .map(({ connection, usefulAt }) => ({
        connection,
        party: addressGroup(connection.peer.host),
        gives: connection.amInterested,
        takes: connection.peerInterested,
        openedAt: connection.openedAt,
        usefulAt,
        rate: connection.down.rate() + connection.up.rate(),
      }));
    return givesWay(places, addressGroup(host), this.clock.now())?.connection;
  }

  /** Once a second: who has gone silent or is of no use goes, and whoever is kept hears from us. */
  tick(): void {
    const now = this.clock.now();
    for (const member of [...this.members.values()]) {
      const { connection } = member;
      member.hashTokens = HASHES_PER_SECOND;
      const received = connection.down.total;
      member.gives += (received - member.receivedBefore - member.gives) * GIVES_WEIGHT;
      member.receivedBefore = received;
      if (connection.peerInterested || connection.amInterested) member.usefulAt = now;
      const silent = now - connection.lastReceivedAt;
      const unread = connection.unreadSince !== undefined && now - connection.unreadSince > UNREAD_MS;
      if (unread) connection.close(new StreamletError("connection-timeout", "The peer does not read what it is sent."));
      else if (silent > SILENCE_MS || (!connection.ready && now - connection.openedAt > HANDSHAKE_TIMEOUT_MS)) {
        connection.close(new StreamletError("connection-timeout", "The peer has gone silent."));
      } else if (now - member.usefulAt > IDLE_MS) connection.close();
      else if (now - connection.lastSentAt > KEEP_ALIVE_MS) connection.send({ type: "keepAlive" });
    }
  }
}

function remoteKey(remote: Pick<RemotePeer, "fingerprint" | "host" | "port">): string {
  return remote.fingerprint ?? `${remote.host}:${remote.port}`;
}

/** Who gives to us is worth most, then who takes; of equals the faster one. */
function usefulness(connection: PeerConnection): number {
  const rank = connection.amInterested ? 2 : connection.peerInterested ? 1 : 0;
  return rank * 1e12 + connection.down.rate() + connection.up.rate();
}
