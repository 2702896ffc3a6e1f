/** Under which addresses this peer can be reached, as far as this machine knows. It asks nobody else. */
import type { Clock } from "../clock";
import { localAddresses } from "./addresses";

/** A changed network shows within so long. */
const KNOWN_FOR_MS = 10_000;
const LOOPBACK = /^(127\.|::1$)/;

export class OwnAddresses {
  /** The one address that it listens on; undefined where it is all of this machine's. */
  readonly only: string | undefined;
  private known: { at: number; list: string[] } | undefined;

  /** @param host as in `PeerConfig` */
  constructor(
    private readonly clock: Clock,
    host: string | undefined,
  ) {
    this.only = host && !/^(0\.0\.0\.0|::)$/.test(host) ? host : undefined;
  }

  /** Where others may reach this peer. Never empty. */
  hosts(): string[] {
    if (this.only) return [this.only];
    const all = this.ofMachine();
    return all.length > 0 ? all : ["127.0.0.1"];
  }

  /** Whoever comes from there is on this machine. */
  isOwn(host: string): boolean {
    return LOOPBACK.test(host) || this.ofMachine().includes(host);
  }

  /** Asking the system for its interfaces costs more than all the rest of a snapshot. */
  private ofMachine(): string[] {
    const now = this.clock.now();
    if (!this.known || now - this.known.at > KNOWN_FOR_MS) this.known = { at: now, list: localAddresses() };
    return this.known.list;
  }
}
