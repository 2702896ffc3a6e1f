/** Ordinary BitTorrent clients that have announced themselves over HTTP, by video; forgotten when they fall silent. */
import type { VideoId } from "../src/wire/types";
import { addressKey } from "./rules";
import type { PlainPeer } from "./store";

/** In all and of one video: about 300 bytes each. The longest silent one makes room. */
const MAX_PEERS = 200_000;
const MAX_PEERS_PER_VIDEO = 5_000;
/** Of one video at one address, such as an office behind one router: it names any port it likes, and must not crowd out others. */
const MAX_PEERS_PER_ADDRESS = 64;

interface Entry extends PlainPeer {
  swarm: PlainSwarm;
  expires: number;
}

interface PlainSwarm {
  /** By host and port; the longest silent first, here and below. */
  peers: Map<string, Entry>;
  /** By what limits count by. */
  byAddress: Map<string, Set<Entry>>;
  downloaded: number;
}

export class PlainSwarms {
  readonly #swarms = new Map<VideoId, PlainSwarm>();
  readonly #all = new Set<Entry>();

  constructor(private readonly maxPeers = MAX_PEERS) {}

  set(id: VideoId, peer: PlainPeer, expires: number, completed: boolean): void {
    let swarm = this.#swarms.get(id);
    if (!swarm) {
      swarm = { peers: new Map(), byAddress: new Map(), downloaded: 0 };
      this.#swarms.set(id, swarm);
    }
    this.#delete(swarm.peers.get(nameOf(peer)));
    const neighbours = swarm.byAddress.get(addressKey(peer.host)) ?? new Set();
    if (neighbours.size >= MAX_PEERS_PER_ADDRESS) this.#delete(firstOf(neighbours));
    if (swarm.peers.size >= MAX_PEERS_PER_VIDEO) this.#delete(firstOf(swarm.peers.values()));
    if (this.#all.size >= this.maxPeers) this.#delete(firstOf(this.#all));
    const entry: Entry = { ...peer, swarm, expires };
    this.#all.add(entry);
    swarm.peers.set(nameOf(peer), entry);
    swarm.byAddress.set(addressKey(peer.host), neighbours.add(entry));
    if (completed) swarm.downloaded++;
  }

  delete(id: VideoId, peer: Pick<PlainPeer, "host" | "port">): void {
    this.#delete(this.#swarms.get(id)?.peers.get(nameOf(peer)));
  }

  /** Those that were heard of lately, in no certain order. */
  find(id: VideoId, limit: number, now: number, random: () => number): PlainPeer[] {
    const all = this.#alive(id, now);
    const start = Math.floor(random() * all.length);
    return [...all.slice(start), ...all.slice(0, start)].slice(0, limit);
  }

  count(id: VideoId, now: number): { complete: number; incomplete: number; downloaded: number } {
    const all = this.#alive(id, now);
    const complete = all.filter((peer) => peer.complete).length;
    return { complete, incomplete: all.length - complete, downloaded: this.#swarms.get(id)?.downloaded ?? 0 };
  }

  /** @param isKnown false for videos of which nothing is kept any more */
  sweep(now: number, isKnown: (id: VideoId) => boolean): void {
    for (const [id, swarm] of this.#swarms) {
      for (const entry of swarm.peers.values()) if (entry.expires <= now) this.#delete(entry);
      if (swarm.peers.size === 0 && !isKnown(id)) this.#swarms.delete(id);
    }
  }

  #alive(id: VideoId, now: number): Entry[] {
    return [...(this.#swarms.get(id)?.peers.values() ?? [])].filter(({ expires }) => expires > now);
  }

  #delete(entry: Entry | undefined): void {
    if (!entry || !this.#all.delete(entry)) return;
    const { peers, byAddress } = entry.swarm;
    const address = addressKey(entry.host);
    const neighbours = byAddress.get(address);
    peers.delete(nameOf(entry));
    if (neighbours?.delete(entry) && neighbours.size === 0) byAddress.delete(address);
  }
}

function nameOf({ host, port }: Pick<PlainPeer, "host" | "port">): string {
  return `${host} ${port}`;
}

function firstOf<T>(entries: Iterable<T>): T | undefined {
  for (const entry of entries) return entry;
  return undefined;
}
