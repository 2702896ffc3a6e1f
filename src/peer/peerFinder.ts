/**
 * Where the peers of a video come from: addresses in its link, connected peers, the profile's trackers, and trackers that
 * only its link names. What is found goes to the video's runtime; who cannot be reached is asked to call back.
 */
import type { Fingerprint } from "../wire/types";
import type { Clock } from "./clock";
import { parseHostPort } from "./net/addresses";
import type { ControlConnection } from "./net/controlConnection";
import type { KnownPeer } from "./swarm/peerList";
import type { TrackerClient } from "./tracker/trackerClient";
import type { VideoRuntime } from "./videoRuntime";

/** A peer that cannot be reached is asked to call back at most this often. */
const CALLBACK_INTERVAL_MS = 30_000;
/** Links of strangers must not make this peer talk to ever more trackers. */
const MAX_GUEST_TRACKERS = 8;

export interface PeerFinderHost {
  readonly clock: Clock;
  readonly self: Fingerprint;
  /** The profile's trackers. */
  readonly trackers: readonly TrackerClient[];
  /** As the profile writes them. */
  readonly trackerAddresses: readonly string[];
  controls(): Iterable<ControlConnection>;
  runtimes(): Iterable<VideoRuntime>;
  makeTracker(address: string): TrackerClient;
}

export class PeerFinder {
  private readonly guests = new Map<string, TrackerClient>();
  private readonly callbacksAt = new Map<string, number>();
  private stopped = false;

  constructor(private readonly host: PeerFinderHost) {}

  find(runtime: VideoRuntime): void {
    const { entry } = runtime;
    runtime.addPeers(linkedPeers(entry));
    runtime.addPeers(
      [...this.host.controls()].map(({ peer }): KnownPeer => {
        return { host: peer.host, port: peer.port, fingerprint: peer.fingerprint, transport: "tls" };
      }),
    );
    const hash = entry.id ?? entry.v1;
    // No tracker hears of a video for friends.
    if (!hash || entry.audience === "friends") return;
    const guests = (entry.trackers ?? []).flatMap((address) => this.guest(address) ?? []);
    for (const tracker of [...this.host.trackers, ...guests]) {
      tracker.sources(hash).then(
        ({ peers, plain }) => {
          if (this.stopped) return;
          const others = peers.filter((s) => s.fingerprint !== this.host.self && s.port > 0);
          runtime.addPeers(
            others.map(({ fingerprint, host, port }) => ({ fingerprint, host, port, transport: "tls" })),
          );
          if (entry.audience !== "public") return;
          runtime.addPeers(
            plain
              .filter(({ port }) => port > 0)
              .map(({ host, port }) => ({ fingerprint: undefined, host, port, transport: "plain" })),
          );
        },
        () => undefined, // its status says why; the next round asks again
      );
    }
  }

  findForAll(): void {
    for (const runtime of this.host.runtimes()) if (runtime.isDownloading) this.find(runtime);
  }

  requestCallbacks(runtime: VideoRuntime, peers: Fingerprint[]): void {
    const { id, audience } = runtime.entry;
    if (!id) return;
    const grant = runtime.admission.ownGrant();
    for (const peer of peers) {
      const key = `${id}:${peer}`;
      const now = this.host.clock.now();
      if (now - (this.callbacksAt.get(key) ?? Number.NEGATIVE_INFINITY) < CALLBACK_INTERVAL_MS) continue;
      this.callbacksAt.set(key, now);
      for (const control of this.host.controls()) {
        if (control.peer.fingerprint === peer) control.requestCallBack({ id, ...(grant ? { grant } : {}) });
      }
      if (audience === "friends") continue; // no tracker hears of it
      for (const tracker of this.host.trackers) tracker.requestCallback(peer, id).catch(() => undefined);
    }
  }

  /** Ends the trackers that it has started. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.guests.values()].map((client) => client.stop()));
  }

  /** A tracker that a link names and the profile does not: asked for sources, never told what is shared here. */
  private guest(address: string): TrackerClient | undefined {
    if (this.host.trackerAddresses.includes(address)) return undefined;
    const known = this.guests.get(address);
    if (known || this.guests.size >= MAX_GUEST_TRACKERS) return known;
    const client = this.host.makeTracker(address);
    this.guests.set(address, client);
    client.onDidChangeStatus(() => {
      if (client.status.state === "online") this.findForAll();
    });
    client.start();
    return client;
  }
}

/** The addresses of a link are its owner's; those of a magnet link are plain BitTorrent peers. */
function linkedPeers(entry: VideoRuntime["entry"]): KnownPeer[] {
  const plain = entry.audience === "public" && entry.ownerFingerprint === "";
  return (entry.peers ?? []).map((address): KnownPeer => {
    const { host, port } = parseHostPort(address);
    return { host, port, fingerprint: entry.ownerFingerprint || undefined, transport: plain ? "plain" : "tls" };
  });
}
