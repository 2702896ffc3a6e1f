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

/** Doubled with every failure: a cut connection is back at once, a restarted peer is found soon, a dead one costs little. */
const FIRST_RETRY_MS = 200;
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
    if (this.entries.has(key) || this.entries.size >= MAX_KNOWN_PEERS) return;
    this.entries.set(key, { peer, failures: 0, nextAt: 0, busy: false });
  }

  remove(peer: KnownPeer): void {
    this.entries.delete(keyOf(peer));
  }

  /** Those that may be dialled now, least failures first, one address of a peer at a time; marks them busy. */
  take(count: number): KnownPeer[] {
    const now = this.clock.now();
    const due = [...this.entries.values()].filter((e) => !e.busy && e.nextAt <= now);
    due.sort((a, b) => a.failures - b.failures);
    const busy = new Set([...this.entries.values()].filter((e) => e.busy).map((e) => e.peer.fingerprint));
    busy.delete(undefined);
    const taken: KnownPeer[] = [];
    for (const entry of due) {
      if (taken.length >= count) break;
      if (busy.has(entry.peer.fingerprint)) continue;
      if (entry.peer.fingerprint) busy.add(entry.peer.fingerprint);
      entry.busy = true;
      taken.push(entry.peer);
    }
    return taken;
  }

  /** Somebody could be dialled now. */
  get hasDue(): boolean {
    const now = this.clock.now();
    for (const entry of this.entries.values()) if (!entry.busy && entry.nextAt <= now) return true;
    return false;
  }

  /** The dial failed, or its connection ended. Returns after how many milliseconds to try again. */
  failed(peer: KnownPeer, wasUseful: boolean): number {
    const entry = this.entries.get(keyOf(peer));
    if (!entry) return MAX_RETRY_MS;
    entry.busy = false;
    entry.failures = wasUseful ? 1 : entry.failures + 1;
    const delay = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (entry.failures - 1));
    entry.nextAt = this.clock.now() + delay;
    return delay;
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
    const peers = [...this.entries.values()].flatMap((e) =>
      e.failures > 0 && !e.busy && e.peer.fingerprint ? [e.peer.fingerprint] : [],
    );
    return [...new Set(peers)];
  }
}

/** One address of one peer. */
export function keyOf(peer: Pick<KnownPeer, "fingerprint" | "host" | "port">): string {
  return `${peer.fingerprint ?? ""}@${peer.host}:${peer.port}`;
}
