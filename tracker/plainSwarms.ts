/** Ordinary BitTorrent clients that have announced themselves over HTTP, by video; forgotten when they fall silent. */
import type { VideoId } from "../src/wire/types";
import type { PlainPeer } from "./store";

/** In all and of one video: about 200 bytes each. The longest silent one makes room. */
const MAX_PEERS = 200_000;
const MAX_PEERS_PER_VIDEO = 5_000;

interface Entry extends PlainPeer {
  expires: number;
}

interface PlainSwarm {
  /** By address; the longest silent first. */
  peers: Map<string, Entry>;
  downloaded: number;
}

export class PlainSwarms {
  readonly #swarms = new Map<VideoId, PlainSwarm>();
  #size = 0;

  set(id: VideoId, peer: PlainPeer, expires: number, completed: boolean): void {
    let swarm = this.#swarms.get(id);
    if (!swarm) {
      swarm = { peers: new Map(), downloaded: 0 };
      this.#swarms.set(id, swarm);
    }
    const key = addressOf(peer);
    this.#delete(swarm, key);
    if (this.#size >= MAX_PEERS) return;
    const [oldest] = swarm.peers.keys();
    if (swarm.peers.size >= MAX_PEERS_PER_VIDEO && oldest !== undefined) this.#delete(swarm, oldest);
    swarm.peers.set(key, { ...peer, expires });
    this.#size++;
    if (completed) swarm.downloaded++;
  }

  delete(id: VideoId, peer: Pick<PlainPeer, "host" | "port">): void {
    const swarm = this.#swarms.get(id);
    if (swarm) this.#delete(swarm, addressOf(peer));
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
      for (const [key, { expires }] of swarm.peers) if (expires <= now) this.#delete(swarm, key);
      if (swarm.peers.size === 0 && !isKnown(id)) this.#swarms.delete(id);
    }
  }

  #alive(id: VideoId, now: number): Entry[] {
    return [...(this.#swarms.get(id)?.peers.values() ?? [])].filter(({ expires }) => expires > now);
  }

  #delete(swarm: PlainSwarm, key: string): void {
    if (swarm.peers.delete(key)) this.#size--;
  }
}

function addressOf({ host, port }: Pick<PlainPeer, "host" | "port">): string {
  return `${host} ${port}`;
}
