/**
 * Answers the requests of one connection: contiguous requests become one read and one write of about 1 MiB, laid out as
 * `[13-byte header | payload]*`, so that the disk, the cipher and the socket each see one large operation.
 */
import type { Duplex } from "node:stream";
import { PIECE_HEADER_BYTES } from "../../wire/constants";
import { writePieceHeader } from "../../wire/messages";
import type { RateLimiter } from "../net/rateLimiter";
import type { Content } from "./content";

/** Verified data that can be given to others. */
export interface BlockSource {
  readonly content: Content;
  hasPiece(piece: number): boolean;
  /** Fills the views in order from `position` on. Errors: file-missing, file-changed. */
  read(views: Uint8Array[], position: number): Promise<void>;
}

interface Request {
  piece: number;
  begin: number;
  length: number;
}

/** One write; larger ones gained nothing. */
const BATCH_BYTES = 1024 * 1024;
const MAX_HEADERS = BATCH_BYTES / (16 * 1024);
const BUFFER_BYTES = BATCH_BYTES + MAX_HEADERS * PIECE_HEADER_BYTES;
/** One batch is read while another is on its way to the network. */
const BATCHES_IN_FLIGHT = 2;
/** Idle buffers kept for the next batch. */
const KEPT_BUFFERS = 4;

const freeBuffers: Buffer[] = [];

export class Uploader {
  private readonly queue: Request[] = [];
  private batches = 0;
  private paused = true;
  private closed = false;

  constructor(
    private readonly socket: Duplex,
    private readonly source: () => BlockSource | undefined,
    private readonly limiter: RateLimiter,
    private readonly signal: AbortSignal,
    private readonly hooks: {
      /** Everything queued on the connection must be in the socket before a batch. */
      flush(): void;
      onSent(bytes: number): void;
      onError(error: unknown): void;
    },
  ) {}

  get queued(): number {
    return this.queue.length;
  }

  push(request: Request): void {
    this.queue.push(request);
    this.pump();
  }

  /** True if it was still queued. */
  cancel(piece: number, begin: number, length: number): boolean {
    const at = this.queue.findIndex((r) => r.piece === piece && r.begin === begin && r.length === length);
    if (at < 0) return false;
    this.queue.splice(at, 1);
    return true;
  }

  /** Choked: what is queued is returned for rejection. */
  pause(): Request[] {
    this.paused = true;
    return this.queue.splice(0);
  }

  start(): void {
    this.paused = false;
    this.pump();
  }

  close(): void {
    this.closed = true;
    this.queue.length = 0;
  }

  private pump(): void {
    while (!this.paused && !this.closed && this.batches < BATCHES_IN_FLIGHT && this.queue.length > 0) {
      const source = this.source();
      if (!source) return;
      this.batches++;
      this.sendBatch(source, this.nextBatch(source.content)).then(
        () => {
          this.batches--;
          this.pump();
        },
        (error) => {
          this.batches--;
          if (!this.closed) this.hooks.onError(error);
        },
      );
    }
  }

  private nextBatch(content: Content): Request[] {
    const first = this.queue[0]!;
    let end = first.piece * content.pieceLength + first.begin;
    let bytes = 0;
    let count = 0;
    for (const request of this.queue) {
      const position = request.piece * content.pieceLength + request.begin;
      if (position !== end || count === MAX_HEADERS || (count > 0 && bytes + request.length > BATCH_BYTES)) break;
      bytes += request.length;
      end = position + request.length;
      count++;
    }
    return this.queue.splice(0, count);
  }

  private async sendBatch(source: BlockSource, batch: Request[]): Promise<void> {
    const buffer = freeBuffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    let released = false;
    try {
      const views: Uint8Array[] = [];
      let at = 0;
      let payload = 0;
      for (const { piece, begin, length } of batch) {
        writePieceHeader(buffer, at, piece, begin, length);
        at += PIECE_HEADER_BYTES;
        views.push(buffer.subarray(at, at + length));
        at += length;
        payload += length;
      }
      const waiting = this.limiter.take(payload, this.signal);
      if (waiting instanceof Promise) await waiting;
      const first = batch[0]!;
      await source.read(views, first.piece * source.content.pieceLength + first.begin);
      if (this.closed) return;
      this.hooks.flush();
      released = true; // the socket owns it until the write is done
      await new Promise<void>((resolve) => {
        this.socket.write(buffer.subarray(0, at), () => {
          release(buffer);
          resolve();
        });
      });
      this.hooks.onSent(payload);
    } finally {
      if (!released) release(buffer);
    }
  }
}

function release(buffer: Buffer): void {
  if (freeBuffers.length < KEPT_BUFFERS) freeBuffers.push(buffer);
}
