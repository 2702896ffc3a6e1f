/** Who may have one video, and to whom we show that we want it. Pure rules over its library entry, one's friends and the wall clock. */
import type { Grant } from "../../wire/records";
import type { Fingerprint } from "../../wire/types";
import type { Engine } from "../engine";
import type { LibraryEntry } from "../storage/library";
import type { RemotePeer } from "../swarm/connectionHost";
import type { KnownPeer } from "../swarm/peerList";
import { grantFits, readGrant } from "./grants";

export class Admission {
  constructor(
    private readonly engine: Pick<Engine, "people" | "identity" | "wallClock">,
    private readonly entry: () => LibraryEntry,
    /** Whether it is offered to anybody at all. */
    private readonly isOffered: () => boolean,
  ) {}

  /** For friends only: nobody gets anything of it, not even that it is here, before showing a grant. */
  get isRestricted(): boolean {
    return this.entry().audience === "friends";
  }

  /** @param grant what this remote has shown, its signature verified; what it must say is compared here */
  allows(remote: Pick<RemotePeer, "transport" | "fingerprint">, grant: Grant | undefined): boolean {
    const { audience } = this.entry();
    const { fingerprint, transport } = remote;
    if (!this.isOffered() || (fingerprint && this.engine.people.isBlocked(fingerprint))) return false;
    if (audience === "friends") {
      return transport === "tls" && fingerprint !== undefined && this.isGranted(fingerprint, grant);
    }
    return audience === "public" || transport === "tls";
  }

  /** A video for friends is asked of its owner and of one's own friends only: others need not know that one has leave. */
  mayDial({ fingerprint, transport }: KnownPeer): boolean {
    const { people } = this.engine;
    if (fingerprint && people.isBlocked(fingerprint)) return false;
    // Who is dialled is given to as well: one that was public once is not brought to those who came to know of it then.
    if (!this.isRestricted) return transport === "tls" || this.entry().audience === "public";
    if (transport !== "tls" || fingerprint === undefined) return false;
    return fingerprint === this.entry().ownerFingerprint || people.isFriend(fingerprint);
  }

  /** What we show of our own right to it. */
  ownGrant(): Uint8Array | undefined {
    const { audience, grant } = this.entry();
    return audience === "friends" && grant ? Buffer.from(grant, "base64") : undefined;
  }

  /** Undefined where its signature is not good, or it has expired. */
  readGrant(bytes: Uint8Array): Grant | undefined {
    return readGrant(bytes, this.engine.wallClock());
  }

  /** The owner gives leave, and takes it back: the end of a friendship counts at the owner at once, elsewhere when the grant expires. */
  private isGranted(fingerprint: Fingerprint, grant: Grant | undefined): boolean {
    const { id, ownerFingerprint: owner } = this.entry();
    const { identity, people } = this.engine;
    if (!id || !owner) return false;
    if (fingerprint === owner) return true;
    if (owner === identity.fingerprint && !people.isFriend(fingerprint)) return false;
    return grantFits(grant, { id, owner, grantee: fingerprint, now: this.engine.wallClock() });
  }
}
