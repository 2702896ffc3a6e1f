/** Dials the known peers of one swarm: whom next, how many at once, and again later where it failed or the connection ended. */
import type { OnReadOpts } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../clock";
import type { PeerConnection } from "./peerConnection";
import { type KnownPeer, keyOf, PeerList } from "./peerList";

/** Dials under way at once: SYNs to the dead are cheap, but not for free. */
const MAX_DIALS = 8;

export interface DialerHost {
  readonly clock: Clock;
  /** How many more connections there may be. With `urgent`, room is made where that is fair. */
  room(urgent: boolean): number;
  mayDial(peer: KnownPeer): boolean;
  isConnectedTo(peer: KnownPeer): boolean;
  /** A connection that waits for its socket. */
  prepare(peer: KnownPeer): PeerConnection;
  dial(peer: KnownPeer, onread: OnReadOpts, signal: AbortSignal): Promise<Duplex>;
  onDialled(connection: PeerConnection, peer: KnownPeer, socket: Duplex): void;
  onDialFailed(): void;
}

export class Dialer {
  readonly peers: PeerList;
  /** Peers are wanted: without it only `callBack` dials. */
  wantsPeers = false;
  private readonly dialing = new Map<string, AbortController>();
  private closed = false;

  constructor(private readonly host: DialerHost) {
    this.peers = new PeerList(host.clock);
  }

  /** Dials under way. */
  get count(): number {
    return this.dialing.size;
  }

  stop(): void {
    this.wantsPeers = false;
    for (const abort of this.dialing.values()) abort.abort();
  }

  close(): void {
    this.closed = true;
    this.stop();
  }

  dialMore(): void {
    if (this.closed || !this.wantsPeers) return;
    const own = MAX_DIALS - this.dialing.size;
    const room = own > 0 ? Math.min(own, this.host.room(this.peers.hasDue)) : 0;
    for (const peer of this.peers.take(room)) {
      if (this.host.isConnectedTo(peer)) this.peers.failed(peer, true);
      else void this.dial(peer);
    }
  }

  /** Dials one peer now although nothing is wanted from it: it has asked to be called back. */
  async callBack(peer: KnownPeer): Promise<void> {
    const room = Math.min(MAX_DIALS - this.dialing.size, this.host.room(false));
    if (!this.host.isConnectedTo(peer) && room > 0) await this.dial(peer);
  }

  /** The dial failed, or its connection ended. */
  retryLater(peer: KnownPeer, wasUseful: boolean): void {
    this.host.clock.after(this.peers.failed(peer, wasUseful) + 1, () => this.dialMore());
  }

  private async dial(peer: KnownPeer): Promise<void> {
    const key = keyOf(peer);
    if (this.dialing.has(key) || this.closed) return;
    if (!this.host.mayDial(peer)) return this.peers.remove(peer);
    const abort = new AbortController();
    this.dialing.set(key, abort);
    const connection = this.host.prepare(peer);
    try {
      const socket = await this.host.dial(peer, connection.reader.onread as OnReadOpts, abort.signal);
      this.dialing.delete(key);
      if (this.closed || abort.signal.aborted) {
        this.peers.failed(peer, true); // free to be dialled again
        socket.destroy();
        return;
      }
      // The audience may have become narrower while it was dialled.
      if (!this.host.mayDial(peer)) {
        this.peers.remove(peer);
        socket.destroy();
        return;
      }
      this.host.onDialled(connection, peer, socket);
    } catch {
      this.dialing.delete(key);
      if (this.closed) return;
      this.retryLater(peer, false);
      if (!abort.signal.aborted) this.host.onDialFailed();
    }
  }
}
