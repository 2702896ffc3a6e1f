import { createHash } from "node:crypto";
import { fromHex, toHex } from "../../wire/bytes";
import { SHORT_INFO_HASH_BYTES } from "../../wire/constants";
import type { Handshake } from "../../wire/handshake";
import type { VideoId } from "../../wire/types";

/** The hashes that name one video to others: v2 (BEP 52), v1 (BEP 3), or both of a hybrid. */
export class InfoHashes {
  constructor(
    private readonly id: VideoId | undefined,
    /** 40 hex digits; of a hybrid it may become known later. */
    public v1: string | undefined,
  ) {}

  /**
   * Hash to dial with, or to answer this handshake with. Who dials by the v1 hash and does not speak v2 may know no other (a v1
   * magnet link of a hybrid).
   */
  forHandshake(theirs: Handshake | undefined): { infoHash20: Uint8Array; v2: boolean } {
    const { id, v1 } = this;
    const v1Only = theirs && !theirs.reserved.v2 && toHex(theirs.infoHash20) === v1;
    if (!id || v1Only) return { infoHash20: fromHex(v1!), v2: false };
    return { infoHash20: fromHex(id).subarray(0, SHORT_INFO_HASH_BYTES), v2: true };
  }

  versionOf(infoHash20: Uint8Array): "v1" | "v2" | undefined {
    const hash = toHex(infoHash20);
    if (this.id?.startsWith(hash)) return "v2";
    return this.v1 === hash ? "v1" : undefined;
  }

  /** Whether this is the info dictionary that the hashes name. */
  isAuthentic(infoBytes: Uint8Array): boolean {
    if (this.id) return createHash("sha256").update(infoBytes).digest("hex") === this.id;
    return createHash("sha1").update(infoBytes).digest("hex") === this.v1;
  }
}
