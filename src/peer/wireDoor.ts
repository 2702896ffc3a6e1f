/** Lets in who comes for a video, or asks for it, or says nothing: neither that there is none, nor that it is for others. */
import type { Socket } from "node:net";
import { toHex } from "../wire/bytes";
import type { Grant } from "../wire/records";
import type { CallBackRequest, ControlPeer } from "./net/controlConnection";
import { handshakeDeadline, peekExtendedHandshake, readHandshake } from "./net/wireHandshake";
import { readGrant } from "./social/grants";
import type { RemotePeer } from "./swarm/connectionHost";
import type { VideoRuntime } from "./videoRuntime";

export interface WireDoorHost {
  /** By the first 20 bytes of an id, or a v1 info-hash. */
  find(hash: string): VideoRuntime | undefined;
  /** Milliseconds since the epoch. */
  wallClock(): number;
}

type Caller = Pick<ControlPeer, "fingerprint" | "host" | "port">;

export class WireDoor {
  constructor(private readonly host: WireDoorHost) {}

  /**
   * A video that anybody may have is given at once. All other ids are treated alike, whether they are for friends, not shared any
   * more or of no video at all: the extended handshake is read, the grant in it verified, and only then the id is looked at again.
   * Over plain BitTorrent, where nobody can show a grant, nothing is waited for.
   */
  async accept(socket: Socket, remote: RemotePeer): Promise<void> {
    try {
      const deadline = handshakeDeadline();
      const handshake = await readHandshake(socket, deadline);
      const hash = toHex(handshake.infoHash20);
      const open = this.host.find(hash);
      if (open && !open.admission.isRestricted && open.admission.allows(remote, undefined)) {
        return await open.accept(socket, remote, handshake);
      }
      if (remote.transport === "plain") return void socket.destroy();
      const hello = await peekExtendedHandshake(socket, deadline);
      const grant = readGrant(hello.st_grant, this.host.wallClock());
      const runtime = this.host.find(hash);
      if (runtime?.admission.allows(remote, grant)) await runtime.accept(socket, remote, handshake, grant);
      else socket.destroy();
    } catch {
      socket.destroy();
    }
  }

  /** Dials who asks for it over a control connection, if they may have that video. There is no answer, whatever the id is. */
  callBack({ id, grant }: CallBackRequest, from: ControlPeer): void {
    this.dial(this.host.find(id), from, readGrant(grant, this.host.wallClock()));
  }

  /** The same through a tracker, where nobody shows a grant: who may have a video for friends asks without one. */
  callBackAnybody(id: string, from: Caller): void {
    const runtime = this.host.find(id);
    if (!runtime?.admission.isRestricted) this.dial(runtime, from, undefined);
  }

  private dial(runtime: VideoRuntime | undefined, { fingerprint, host, port }: Caller, grant: Grant | undefined): void {
    if (port === 0 || !runtime?.admission.allows({ transport: "tls", fingerprint }, grant)) return;
    void runtime.callBack({ fingerprint, host, port, transport: "tls" }).catch(() => undefined); // it asks again
  }
}
