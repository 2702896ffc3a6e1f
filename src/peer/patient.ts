/** What the connection doctor is shown of a running peer. */
import type { Patient } from "./diagnose";
import { downloadsDirOf } from "./downloadSource";
import { localAddresses } from "./net/addresses";
import type { RunningPeer } from "./runningPeer";

export function patientOf(peer: RunningPeer): Patient {
  const { config, identity, trackers, incoming } = peer;
  const runtimes = [...peer.runtimes.values()];
  const { host } = config;
  return {
    identity,
    port: peer.listenPort(),
    ...(host && !/^(0\.0\.0\.0|::)$/.test(host) ? { host } : {}),
    addresses: peer.ownHosts(),
    hasNetwork: localAddresses().length > 0,
    trackers,
    incoming,
    videos: runtimes.flatMap(({ entry }) => (entry.id && entry.shared ? [entry.id] : [])),
    unreachable: runtimes.some((runtime) => runtime.unreachable),
    downloadsDir: downloadsDirOf(config),
    mediaTools: () => peer.uploads.ffmpeg.tools(),
  };
}
