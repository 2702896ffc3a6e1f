/**
 * What the two ends of a connection tell each other about themselves, in the handshake (BEP 3, 52) and the extended one (BEP 10),
 * and what follows from it: which messages the remote takes, and how much may be asked for at a time.
 */
import {
  BLOCK_BYTES,
  EXTENDED_HANDSHAKE_ID,
  MAX_QUEUED_REQUESTS,
  MAX_REQUEST_BYTES,
  UT_METADATA_ID,
} from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { decodeExtendedHandshake, type ExtendedHandshake, encodeExtendedHandshake } from "../../wire/extensions";
import { encodeHandshake, type Handshake } from "../../wire/handshake";
import type { Message } from "../../wire/messages";
import type { ConnectionHost, RemotePeer } from "./connectionHost";

const VERSION = "Streamlet 0.1";

export class Hello {
  /** It told us `st_request`, or speaks TLS: another Streamlet, which keeps early requests and takes larger ones. */
  isStreamlet: boolean;
  maxRequestBytes = BLOCK_BYTES;
  supportsFast = false;
  supportsV2 = false;
  /** Peer id of BEP 3; undefined until its handshake has come. */
  remoteId20: Uint8Array | undefined;
  extended: ExtendedHandshake | undefined;
  /** Id under which it takes `ut_metadata` (BEP 9); undefined where it does not. */
  metadataId: number | undefined;
  /** We have said that this is a v2 connection (BEP 52). */
  private offersV2 = false;

  constructor(
    private readonly peer: RemotePeer,
    private readonly host: ConnectionHost,
  ) {
    this.isStreamlet = peer.transport === "tls";
    if (this.isStreamlet) this.maxRequestBytes = MAX_REQUEST_BYTES;
  }

  /** @param theirs what is answered; undefined where we are the first to speak */
  handshake(theirs: Handshake | undefined): Uint8Array {
    const { infoHash20, v2 } = this.host.handshakeHash(theirs);
    this.offersV2 = v2;
    return encodeHandshake({
      infoHash20,
      peerId20: this.host.peerId20,
      reserved: { extended: true, fast: true, v2 },
    });
  }

  /** Before its handshake has come: to another Streamlet everything may go out at once. */
  assumeStreamlet(): void {
    this.supportsFast = true;
    this.supportsV2 = this.offersV2;
  }

  extendedHandshake(withheld: boolean): Message {
    const metadataSize = withheld ? 0 : this.host.metadataSize();
    const grant = this.peer.transport === "tls" ? this.host.ownGrant() : undefined;
    const hello: ExtendedHandshake = {
      m: { ut_metadata: UT_METADATA_ID },
      reqq: MAX_QUEUED_REQUESTS,
      v: VERSION,
      p: this.host.listenPort(),
      st_request: MAX_REQUEST_BYTES,
      ...(metadataSize > 0 ? { metadata_size: metadataSize } : {}),
      ...(grant ? { st_grant: grant } : {}),
    };
    return { type: "extended", id: EXTENDED_HANDSHAKE_ID, payload: encodeExtendedHandshake(hello) };
  }

  /** @throws StreamletError bad-handshake: another video's, or our own */
  accept(theirs: Handshake): void {
    const version = this.host.versionOf(theirs.infoHash20);
    if (version === undefined) {
      throw new StreamletError("bad-handshake", "The peer answered for another video.");
    }
    if (Buffer.compare(theirs.peerId20, this.host.peerId20) === 0) {
      throw new StreamletError("bad-handshake", "That is this peer itself.");
    }
    this.remoteId20 = theirs.peerId20;
    this.supportsFast = theirs.reserved.fast;
    // The bit offers v2 on a hybrid; on the v2 hash libtorrent takes v2 for granted, and leaves the bit out.
    this.supportsV2 = this.offersV2 && (version === "v2" || theirs.reserved.v2);
  }

  /** It may come again with other content; what is absent then is gone. */
  acceptExtended(payload: Uint8Array): ExtendedHandshake {
    const hello = decodeExtendedHandshake(payload);
    this.extended = hello;
    this.metadataId = hello.m.ut_metadata || undefined;
    if (hello.st_request !== undefined) {
      this.isStreamlet = true;
      this.maxRequestBytes = Math.max(BLOCK_BYTES, Math.min(hello.st_request, MAX_REQUEST_BYTES));
    }
    return hello;
  }
}
