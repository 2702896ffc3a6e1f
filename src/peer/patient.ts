/** What the connection doctor is shown of a running peer. */
import type { Patient } from "./diagnose";
import { downloadsDirOf } from "./downloadSource";
import { localAddresses } from "./net/addresses";
import type { RunningPeer } from "./runningPeer";

export function patientOf(peer: RunningPeer): Patient {
  const { config, identity, trackers, incoming, addresses } = peer;
  const runtimes = [...peer.runtimes.values()];
  return {
    identity,
    port: peer.listenPort(),
    ...(addresses.only ? { host: addresses.only } : {}),
    addresses: addresses.hosts(),
    hasNetwork: localAddresses().length > 0,
    trackers,
    incoming,
    videos: runtimes.flatMap(({ entry }) => (entry.id && entry.shared ? [entry.id] : [])),
    unreachable: runtimes.some((runtime) => runtime.unreachable),
    downloadsDir: downloadsDirOf(config),
    mediaTools: () => peer.uploads.ffmpeg.tools(),
  };
}
