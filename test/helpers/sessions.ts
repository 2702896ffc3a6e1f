/** Real peers for tests: sessions on free ports of the loopback, in temporary folders, ended by `stopSessions`. */
import { join } from "node:path";
import { Session } from "../../src/peer/session";
import type { LibraryVideo, Snapshot } from "../../src/peer/status";
import type { VideoRuntime } from "../../src/peer/videoRuntime";
import type { Limits, PeerConfig } from "../../src/rpc/peerService";
import { LOOPBACK } from "./sockets";
import { tempDir } from "./tempDir";

export const NO_LIMITS: Limits = { uploadLimit: 0, downloadLimit: 0, maxConnections: 0, uploadSlots: 0, diskQuota: 0 };

export interface TestPeer {
  session: Session;
  config: PeerConfig;
  downloads: string;
}

const running = new Set<Session>();

export async function startPeer(peerId: string, options: Partial<PeerConfig> = {}): Promise<TestPeer> {
  const session = new Session();
  running.add(session);
  const dataDir = options.dataDir ?? tempDir(peerId);
  const privateKey = options.privateKey ?? (await session.createIdentity()).privateKey;
  const config: PeerConfig = { peerId, port: 0, host: LOOPBACK, trackers: [], ...options, dataDir, privateKey };
  await session.start(config);
  return { session, config, downloads: join(dataDir, "downloads") };
}

/** Stops it and starts it again on the same data, as a restart of the program does. */
export async function restartPeer(peer: TestPeer): Promise<TestPeer> {
  await peer.session.stop();
  running.delete(peer.session);
  return startPeer(peer.config.peerId, peer.config);
}

export async function stopSessions(): Promise<void> {
  await Promise.all([...running].map((session) => session.stop()));
  running.clear();
}

/** Resolves with the first snapshot that fits. */
export function snapshotWhere(
  { session }: TestPeer,
  what: string,
  fits: (snapshot: Snapshot) => boolean,
  timeoutMs = 15_000,
): Promise<Snapshot> {
  return new Promise((resolve, reject) => {
    let last: Snapshot | undefined;
    const timer = setTimeout(() => {
      off();
      reject(new Error(`never happened: ${what}; last: ${JSON.stringify(last?.videos)}`));
    }, timeoutMs);
    const look = (snapshot: Snapshot) => {
      last = snapshot;
      if (!fits(snapshot)) return;
      clearTimeout(timer);
      off();
      resolve(snapshot);
    };
    const off = session.onDidChange(look);
    void session.snapshot().then(look);
  });
}

/** Resolves when the only (or the named) video of the library fits. */
export async function videoWhere(
  peer: TestPeer,
  what: string,
  fits: (video: LibraryVideo) => boolean,
  timeoutMs?: number,
): Promise<LibraryVideo> {
  const snapshot = await snapshotWhere(peer, what, (s) => s.videos.some(fits), timeoutMs);
  return snapshot.videos.find(fits)!;
}

export interface Shared {
  key: string;
  id: string;
  link: string;
  magnet: string | null;
}

/** Shares a file and waits until it is hashed. */
export async function shareFile(
  peer: TestPeer,
  path: string,
  audience: "everyone" | "public" | "friends" = "everyone",
): Promise<Shared> {
  const { key } = await peer.session.upload({ path, audience, share: true });
  const video = await videoWhere(peer, `${path} is hashed`, (v) => v.key === key && v.state !== "hashing");
  if (video.state !== "ready") throw new Error(`the import failed: ${JSON.stringify(video.error)}`);
  return { key, id: video.id!, ...(await peer.session.link(key)) };
}

/** The link with other addresses to find the video at. */
export function linkVia(link: string, ...ports: number[]): string {
  const url = new URL(link);
  url.searchParams.delete("h");
  for (const port of ports) url.searchParams.append("h", `${LOOPBACK}:${port}`);
  return url.toString();
}

/** What the session holds of one video, for what no snapshot tells. */
export function runtimeOf({ session }: TestPeer, key: string): VideoRuntime {
  return runtimesOf({ session }).get(key)!;
}

export function runtimesOf({ session }: Pick<TestPeer, "session">): ReadonlyMap<string, VideoRuntime> {
  return (session as unknown as { running: { runtimes: Map<string, VideoRuntime> } }).running.runtimes;
}

/** A peer that shares `file`, with what another one needs to fetch it. @param rate bytes per second that it gives at most, 0 = no limit */
export async function startSharing(
  peerId: string,
  file: string,
  rate = 0,
): Promise<TestPeer & Shared & { port: number }> {
  const peer = await startPeer(peerId, { uploadLimit: rate });
  return { ...peer, ...(await shareFile(peer, file)), port: await portOf(peer) };
}

export async function portOf(peer: TestPeer): Promise<number> {
  return (await peer.session.snapshot()).peer.port;
}
