/** Who has reached the port since it is listened on: all that this machine can know about firewalls and routers by itself. */
import type { Fingerprint } from "../../wire/types";
import { Emitter } from "../tracker/emitter";

/** What the listener says of a connection; plain BitTorrent peers have no fingerprint. */
export interface Incoming {
  host: string;
  fingerprint?: Fingerprint;
}

export class IncomingLog {
  private readonly arrived = new Emitter<Incoming>();
  private outsiders = 0;

  /** @param isOwn whether an address is this machine's: a connection from there says nothing about the way in */
  constructor(readonly isOwn: (host: string) => boolean) {}

  /** Connections from other machines so far. */
  get fromOutside(): number {
    return this.outsiders;
  }

  note(incoming: Incoming): void {
    if (!this.isOwn(incoming.host)) this.outsiders += 1;
    this.arrived.fire(incoming);
  }

  /** Resolves true when another machine connects as one of `expected`, false when `signal` aborts. */
  awaitOneOf(expected: ReadonlySet<Fingerprint>, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (came: boolean) => {
        forget();
        signal.removeEventListener("abort", onAbort);
        resolve(came);
      };
      const onAbort = () => finish(false);
      const forget = this.arrived.on(({ host, fingerprint }) => {
        if (fingerprint && expected.has(fingerprint) && !this.isOwn(host)) finish(true);
      });
      if (signal.aborted) finish(false);
      else signal.addEventListener("abort", onAbort);
    });
  }
}
