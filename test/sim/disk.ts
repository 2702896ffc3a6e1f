import { BufferPool, type Slot } from "../../src/peer/storage/bufferPool";
import type { Verdict } from "../../src/peer/storage/verifier";
import type { PieceProof } from "../../src/peer/storage/verifyProtocol";
import type { Content } from "../../src/peer/swarm/content";
import type { BlockSource } from "../../src/peer/swarm/uploader";
import type { Bitfield } from "../../src/wire/bitfield";
import type { SimClock } from "./simClock";
import type { SimVideo } from "./video";

/** Hashing and writing a piece of 256 KiB takes no longer on a slow machine. */
const WRITE_MS = 2;

/**
 * What one simulated peer has of the video, and its verify worker. What arrives is checked by the code that checks it always
 * (real hashes; `SimVideo.check`). Written pieces that equal the video are not kept a second time; one that does not is kept as it is, given to others
 * as it is, and counted: 200 copies would not fit into memory, and there must be none anyway.
 */
export class SimDisk implements BlockSource {
  readonly pool = new BufferPool(
    () => undefined,
    () => undefined,
  );
  readonly content: Content;
  private readonly wrong = new Map<number, Buffer>();
  wrongBytes = 0;
  /** Pieces that were not what their hashes say, and were not written. */
  refusedPieces = 0;

  constructor(
    private readonly clock: SimClock,
    private readonly video: SimVideo,
    readonly have: Bitfield,
  ) {
    this.content = video.content;
  }

  hasPiece(piece: number): boolean {
    return this.have.get(piece);
  }

  async read(views: Uint8Array[], position: number): Promise<void> {
    let at = position;
    for (const view of views) {
      this.video.bytes.copy(view, 0, at, at + view.length);
      for (const [piece, bytes] of this.wrong) overlay(view, at, bytes, piece * this.content.pieceLength);
      at += view.length;
    }
  }

  write(_file: number, slot: Slot, length: number, position: number, proof: PieceProof): Promise<Verdict> {
    const data = slot.bytes.subarray(0, length);
    const { bad, leaves } = this.video.check(data, position, proof);
    if (bad) this.refusedPieces++;
    else this.keep(data, position);
    return new Promise((resolve) => {
      this.clock.after(WRITE_MS, () => resolve(bad ? { good: false, bad } : { good: true, leaves }));
    });
  }

  private keep(data: Buffer, position: number): void {
    const expected = this.video.bytes.subarray(position, position + data.length);
    if (data.equals(expected)) return;
    this.wrong.set(Math.floor(position / this.content.pieceLength), Buffer.from(data));
    for (let i = 0; i < data.length; i++) if (data[i] !== expected[i]) this.wrongBytes++;
  }
}

/** Puts that part of `bytes` (which lie at `bytesAt`) into `view` (which lies at `viewAt`) that falls into it. */
function overlay(view: Uint8Array, viewAt: number, bytes: Uint8Array, bytesAt: number): void {
  const from = Math.max(viewAt, bytesAt);
  const to = Math.min(viewAt + view.length, bytesAt + bytes.length);
  if (from < to) view.set(bytes.subarray(from - bytesAt, to - bytesAt), from - viewAt);
}
