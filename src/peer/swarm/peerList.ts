/** Known peers of one swarm that can be dialled: whom to try next, and when again. A known peer is not a connection. */

import type { Fingerprint } from "../../wire/types";
import type { Clock } from "../clock";

export interface KnownPeer {
  /** Expected identity; undefined for plain BitTorrent. */
  fingerprint: Fingerprint | undefined;
  host: string;
  port: number;
  transport: "tls" | "plain";
}

/** First retry after a second, doubled up to half a minute: a restarted peer is found soon, a dead one costs little. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Enough to choose from; a tracker's answers beyond it add nothing. */
const MAX_KNOWN_PEERS = 500;

interface Entry {
  peer: KnownPeer;
  failures: number;
  nextAt: number;
  busy: boolean;
}

export class PeerList {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly clock: Clock) {}

  add(peer: KnownPeer): void {
    const key = keyOf(peer);
    const known = this.entries.get(key);
    if (known) {
      // A new address of the same peer is worth a try at once.
      if (known.peer.host !== peer.host || known.peer.port !== peer.port) known.nextAt = 0;
      known.peer = peer;
    } else if (this.entries.size < MAX_KNOWN_PEERS) {
      this.entries.set(key, { peer, failures: 0, nextAt: 0, busy: false });
    }
  }

  remove(peer: KnownPeer): void {
    this.entries.delete(keyOf(peer));
  }

  /** Those that may be dialled now, least failures first; marks them busy. */
  take(count: number): KnownPeer[] {
    const now = this.clock.now();
    const due = [...this.entries.values()].filter((e) => !e.busy && e.nextAt <= now);
    due.sort((a, b) => a.failures - b.failures);
    return due.slice(0, count).map((entry) => {
      entry.busy = true;
      return entry.peer;
    });
  }

  /** The dial failed, or its connection ended: try again later. */
  failed(peer: KnownPeer, wasConnected: boolean): void {
    const entry = this.entries.get(keyOf(peer));
    if (!entry) return;
    entry.busy = false;
    entry.failures = wasConnected ? 1 : entry.failures + 1;
    entry.nextAt = this.clock.now() + Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (entry.failures - 1));
  }

  /** Someone asked for it: every known peer may be tried at once. */
  retryNow(): void {
    for (const entry of this.entries.values()) entry.nextAt = 0;
  }

  get size(): number {
    return this.entries.size;
  }

  /** None is connected or being dialled for the first time. */
  get allFailed(): boolean {
    return this.entries.size > 0 && [...this.entries.values()].every((e) => e.failures > 0 && !e.busy);
  }

  /** Failed TLS peers, for a call-back through a tracker. */
  unreachable(): Fingerprint[] {
    return [...this.entries.values()].flatMap((e) =>
      e.failures > 0 && !e.busy && e.peer.fingerprint ? [e.peer.fingerprint] : [],
    );
  }
}

export function keyOf(peer: Pick<KnownPeer, "fingerprint" | "host" | "port">): string {
  return peer.fingerprint ?? `${peer.host}:${peer.port}`;
}
