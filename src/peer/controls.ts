/**
 * The control connections that are open, at most one to each person: from whom one is taken, to whom one is dialled, and which of two
 * is kept. What is asked and said on them is answered elsewhere (`ControlHost`).
 */
import type { TLSSocket } from "node:tls";
import type { Fingerprint } from "../wire/types";
import type { Identity } from "./identity";
import type { HostPort } from "./net/addresses";
import { ControlConnection, type ControlHost, type ControlPeer } from "./net/controlConnection";
import type { RemoteIdentity } from "./net/listener";
import { type People, refuseBlocked } from "./social/contacts";

export interface ControlsHost {
  readonly identity: Identity;
  readonly people: People;
  readonly control: ControlHost;
  /**
   * One more is open. The result is called once, when it has closed, with the reason of `ControlConnection.onDidClose`.
   * `isGone`: no other connection to the same person is open.
   */
  onOpened(control: ControlConnection): (reason: string, isGone: boolean) => void;
}

export class Controls {
  private readonly open = new Map<Fingerprint, ControlConnection>();
  private readonly stopSignal = new AbortController();

  constructor(private readonly host: ControlsHost) {}

  get(fingerprint: Fingerprint): ControlConnection | undefined {
    return this.open.get(fingerprint);
  }
  has(fingerprint: Fingerprint): boolean {
    return this.open.has(fingerprint);
  }
  values(): Iterable<ControlConnection> {
    return this.open.values();
  }

  /** A blocked person learns nothing, not even that they are blocked: closed before the hello. */
  accept(socket: TLSSocket, remote: RemoteIdentity): void {
    const { identity, control, people } = this.host;
    if (people.isBlocked(remote.fingerprint)) return void socket.destroy();
    ControlConnection.accept(socket, remote, { identity, control }).then(
      (connection) => this.add(connection),
      () => socket.destroy(),
    );
  }

  /** Errors: as `ControlConnection.dial`, and invalid-argument (blocked). */
  async dial({ host, port }: HostPort, expected: Fingerprint | undefined): Promise<ControlPeer> {
    const { identity, control, people } = this.host;
    const { signal } = this.stopSignal;
    if (expected) refuseBlocked(people, expected);
    const options = { identity, control, host, port, signal, ...(expected ? { expected } : {}) };
    const connection = await ControlConnection.dial(options);
    this.add(connection);
    refuseBlocked(people, connection.peer.fingerprint);
    return connection.peer;
  }

  /** Closes all, and takes no more. */
  stop(): void {
    this.stopSignal.abort();
    for (const control of this.open.values()) control.close("stopped");
  }

  private add(control: ControlConnection): void {
    const { identity, people } = this.host;
    if (this.stopSignal.signal.aborted) return control.close("stopped");
    const { fingerprint } = control.peer;
    if (people.isBlocked(fingerprint)) return control.close();
    const other = this.open.get(fingerprint);
    if (other) {
      // Both sides keep the connection that the smaller fingerprint has dialled; of two by the same side, the newer one.
      const keepOutgoing = identity.fingerprint < fingerprint;
      const loser = control.outgoing !== other.outgoing && control.outgoing !== keepOutgoing ? control : other;
      loser.close("duplicate");
      if (loser === control) return;
    }
    this.open.set(fingerprint, control);
    const onClosed = this.host.onOpened(control);
    control.onDidClose((reason) => {
      const isGone = this.open.get(fingerprint) === control;
      if (isGone) this.open.delete(fingerprint);
      onClosed(reason, isGone);
    });
  }
}
