/** Connects to somebody for a video, over TLS or as plain BitTorrent. Whom to dial is decided by the swarm; a blocked person is never. */
import type { Duplex } from "node:stream";
import type { Engine } from "./engine";
import { dialPlain, dialTls } from "./net/tlsTransport";
import { refuseBlocked } from "./social/contacts";
import type { KnownPeer } from "./swarm/peerList";

/** Errors: as `dialTls`, and invalid-argument (blocked). */
export async function dialWire(
  { identity, people }: Pick<Engine, "identity" | "people">,
  { host, port, transport, fingerprint: expected }: KnownPeer,
  onread: Parameters<Engine["dial"]>[1],
  signal: AbortSignal,
): Promise<Duplex> {
  if (transport === "plain") return dialPlain({ host, port, signal, onread });
  if (expected) refuseBlocked(people, expected);
  const options = { host, port, signal, onread, identity, alpn: "streamlet-wire/1" as const };
  const { socket, fingerprint } = await dialTls(expected ? { ...options, expected } : options);
  if (people.isBlocked(fingerprint)) socket.destroy();
  refuseBlocked(people, fingerprint);
  return socket;
}
