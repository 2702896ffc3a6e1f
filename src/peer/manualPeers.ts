/**
 * Peers that were connected to by hand: dialled again while the connection is lost, until this side or the other one
 * disconnects. Keeps track of: where each was dialled, and whose key it was the first time; another key is never taken there.
 */
import { parseContact } from "../wire/contact";
import { StreamletError } from "../wire/errors";
import type { Fingerprint } from "../wire/types";
import { type HostPort, parseHostPort } from "./net/addresses";
import type { ControlPeer } from "./net/controlConnection";
import type { ManualConnection } from "./status";

/** As many as a configuration may name (schemas.ts); each costs a connection for as long as the peer runs. */
const MAX_MANUAL_PEERS = 32;
/** What a person who disconnects tells the other side: it is not to dial again. */
export const DISCONNECTED = "disconnected";

export interface ManualPeersHost {
  /** Opens a control connection. @param expected the only key that is taken; absent: whoever answers */
  dial(address: HostPort, expected: Fingerprint | undefined): Promise<ControlPeer>;
  isConnected(fingerprint: Fingerprint): boolean;
  close(fingerprint: Fingerprint): void;
  changed(): void;
}

interface Wanted extends HostPort {
  /** Absent until somebody has answered. */
  fingerprint?: Fingerprint;
  peerId: string;
  dialing: boolean;
}

export class ManualPeers {
  private wanted: Wanted[] = [];

  /** @param addresses of the configuration: dialled by `retry` until somebody answers */
  constructor(
    private readonly host: ManualPeersHost,
    addresses: readonly string[],
  ) {
    for (const address of addresses) this.wanted.push({ ...parse(address), peerId: "", dialing: false });
  }

  /** Those whose key is known. */
  list(): ManualConnection[] {
    return this.wanted.flatMap(({ fingerprint, peerId, host, port }) =>
      fingerprint ? [{ fingerprint, peerId, host, port, connected: this.host.isConnected(fingerprint) }] : [],
    );
  }

  /** Errors: see PeerService.connect; nothing is kept of an address where nobody answered. */
  async connect(address: string): Promise<ManualConnection> {
    if (this.wanted.length >= MAX_MANUAL_PEERS) {
      throw new StreamletError(
        "too-many",
        `At most ${MAX_MANUAL_PEERS} peers can be connected by hand: disconnect one.`,
      );
    }
    const to: Wanted = { ...parse(address), peerId: "", dialing: true };
    return this.dial(to);
  }

  /** Dials those that are not connected. */
  retry(): void {
    for (const peer of this.wanted) {
      if (peer.dialing || (peer.fingerprint && this.host.isConnected(peer.fingerprint))) continue;
      // Who cannot be reached now may be at the next round.
      this.dial(peer).catch(() => undefined);
    }
  }

  /** See PeerService.disconnect. */
  disconnect(fingerprint: string): void {
    this.forget(fingerprint);
    this.host.close(fingerprint as Fingerprint);
  }

  forget(fingerprint: string): void {
    this.wanted = this.wanted.filter((peer) => peer.fingerprint !== fingerprint);
    this.host.changed();
  }

  onDidClose(fingerprint: Fingerprint, reason: string): void {
    if (reason === DISCONNECTED) this.forget(fingerprint);
  }

  private async dial(to: Wanted): Promise<ManualConnection> {
    to.dialing = true;
    const known = this.wanted.includes(to);
    try {
      const { fingerprint, peerId } = await this.host.dial(to, to.fingerprint);
      if (known && !this.wanted.includes(to)) {
        // Whoever disconnected meanwhile could not close what was not yet open.
        this.host.close(fingerprint);
        throw new StreamletError("cancelled", "It was disconnected meanwhile.");
      }
      this.wanted = this.wanted.filter((other) => other === to || other.fingerprint !== fingerprint);
      Object.assign(to, { fingerprint, peerId });
      if (!known) this.wanted.push(to);
      this.host.changed();
      return { fingerprint, peerId, host: to.host, port: to.port, connected: true };
    } finally {
      to.dialing = false;
    }
  }
}

/** @throws StreamletError invalid-argument */
function parse(address: string): HostPort & { fingerprint?: Fingerprint } {
  if (!address.includes("@")) return parseHostPort(address);
  const { fingerprint, host, port } = parseContact(address);
  if (!host || !port) throw new StreamletError("invalid-argument", "This contact has no address to connect to.");
  return { fingerprint, host, port };
}
