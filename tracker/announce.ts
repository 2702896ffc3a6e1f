/**
 * The tracker of ordinary BitTorrent clients: `/announce` and `/scrape` (BEP 3, 7, 23, 48) for videos whose newest record says
 * public. A v1 hash, a v2 hash cut to 20 bytes, and what Streamlet peers announce are one swarm. What others do not have leave
 * to know of gets the answer of a torrent that does not exist.
 */
import { isIP, isIPv6 } from "node:net";
import { type BDict, type BValue, encode } from "../src/wire/bencode";
import { fromHex, utf8Encode } from "../src/wire/bytes";
import type { Fingerprint, VideoId } from "../src/wire/types";
import { AnnounceError, parseAnnounce, parseScrape } from "./announceQuery";
import { type Asker, hostFor } from "./rules";
import type { TrackerStore } from "./store";

/** Seconds between announces: short, because swarms among friends are small and young; a request costs little. */
export const ANNOUNCE_INTERVAL_S = 300;
/** Seconds; sooner than this a client should not come again, except with an event. */
export const MIN_ANNOUNCE_INTERVAL_S = 30;
/** A client that has missed two announces is gone. */
export const PLAIN_PEER_LIFETIME_MS = 2.2 * ANNOUNCE_INTERVAL_S * 1000;
/** All that a swarm has can be looked at: it counts who is whole. */
const SCRAPE_MEMBERS = 1_000;
/** Nobody: whoever asks over HTTP has no fingerprint. */
const NOBODY = "" as Fingerprint;

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;

interface Address {
  host: string;
  port: number;
  /** 20 bytes, where known. */
  peerId?: Uint8Array;
}

export class Announcer {
  constructor(
    private readonly store: TrackerStore,
    /** Milliseconds since the epoch. */
    private readonly now: () => number,
  ) {}

  /** Answers in bencoding, failures too: clients show their `failure reason`. */
  async announce(query: string, asker: Asker): Promise<Uint8Array> {
    return answered(async () => {
      const { infoHash, peerId, port, left, event, numwant, compact, noPeerId } = parseAnnounce(query);
      const id = await this.#videoOf(infoHash);
      const self = { host: asker.host, port };
      if (event === "stopped") await this.store.removePlain(id, self);
      else {
        const expires = this.now() + PLAIN_PEER_LIFETIME_MS;
        const peer = { ...self, peerId, complete: left === 0 };
        await this.store.announcePlain(id, peer, expires, event === "completed");
      }
      const addresses = event === "stopped" ? [] : await this.#addresses(id, numwant, asker, self);
      const counts = await this.#count(id);
      return new Map<string, BValue>([
        ["complete", counts.complete],
        ["downloaded", counts.downloaded],
        ["incomplete", counts.incomplete],
        ["interval", ANNOUNCE_INTERVAL_S],
        ["min interval", MIN_ANNOUNCE_INTERVAL_S],
        ...(compact ? compactPeers(addresses) : [["peers", peerDicts(addresses, noPeerId)] as [string, BValue]]),
      ]);
    });
  }

  async scrape(query: string): Promise<Uint8Array> {
    return answered(async () => {
      const files: BDict = new Map();
      for (const hash of parseScrape(query).sort()) {
        const id = await this.store.publicVideo(hash);
        if (!id) continue;
        const counts = await this.#count(id);
        files.set(Buffer.from(hash, "hex").toString("latin1"), new Map(Object.entries(counts)));
      }
      return new Map([["files", files]]);
    });
  }

  async #videoOf(infoHash: string): Promise<VideoId> {
    const id = await this.store.publicVideo(infoHash);
    if (!id) throw new AnnounceError("this tracker does not know that torrent: its owner has to share it as Public");
    return id;
  }

  /** Holders among Streamlet's peers first: they are connected to the tracker now. */
  async #addresses(id: VideoId, limit: number, asker: Asker, self: Address): Promise<Address[]> {
    const { members } = await this.store.swarm(id, limit, NOBODY);
    const found = [
      ...members.map(({ info }): Address => ({ host: info.host, port: info.port })),
      ...(await this.store.plainSwarm(id, limit)),
    ];
    const seen = new Set([`${self.host} ${self.port}`]);
    const addresses: Address[] = [];
    for (const address of found) {
      const key = `${address.host} ${address.port}`;
      if (address.port === 0 || seen.has(key) || addresses.length >= limit) continue;
      seen.add(key);
      const host = hostFor(address.host, asker);
      addresses.push({ ...address, host: isIP(host) ? host : asker.localHost });
    }
    return addresses;
  }

  async #count(id: VideoId): Promise<{ complete: number; downloaded: number; incomplete: number }> {
    const plain = await this.store.countPlain(id);
    const { members } = await this.store.swarm(id, SCRAPE_MEMBERS, NOBODY);
    const leechers = members.filter((member) => member.want).length;
    return {
      complete: plain.complete + members.length - leechers,
      downloaded: plain.downloaded,
      incomplete: plain.incomplete + leechers,
    };
  }
}

async function answered(work: () => Promise<BDict>): Promise<Uint8Array> {
  try {
    return encode(await work());
  } catch (error) {
    if (!(error instanceof AnnounceError)) throw error;
    return encode(new Map([["failure reason", utf8Encode(error.message)]]));
  }
}

/** BEP 23 and, for IPv6, BEP 7. */
function compactPeers(addresses: readonly Address[]): [string, BValue][] {
  const v4 = addresses.filter(({ host }) => !isIPv6(host));
  const v6 = addresses.filter(({ host }) => isIPv6(host));
  const peers: [string, BValue] = ["peers", compact(v4, IPV4_BYTES)];
  return v6.length > 0 ? [peers, ["peers6", compact(v6, IPV6_BYTES)]] : [peers];
}

function compact(addresses: readonly Address[], hostBytes: number): Uint8Array {
  const bytes = Buffer.alloc(addresses.length * (hostBytes + 2));
  addresses.forEach(({ host, port }, index) => {
    const at = index * (hostBytes + 2);
    bytes.set(hostBytes === IPV4_BYTES ? host.split(".").map(Number) : ipv6Bytes(host), at);
    bytes.writeUInt16BE(port, at + hostBytes);
  });
  return bytes;
}

function ipv6Bytes(host: string): Uint8Array {
  // The URL class brings every way to write an address into one: lower case, no leading zeros, one "::".
  const [head = "", tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split("::") as [string, string?];
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: IPV6_BYTES / 2 - front.length - back.length }, () => "0");
  return fromHex([...front, ...middle, ...back].map((group) => group.padStart(4, "0")).join(""));
}

function peerDicts(addresses: readonly Address[], noPeerId: boolean): BDict[] {
  return addresses.map(({ host, port, peerId }) => {
    const peer: BDict = new Map<string, BValue>([["ip", utf8Encode(host)]]);
    if (peerId && !noPeerId) peer.set("peer id", peerId);
    return peer.set("port", port);
  });
}
