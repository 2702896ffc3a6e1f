/**
 * Answers the requests of one connection: contiguous requests become one read and one write of about 1 MiB, laid out as
 * `[13-byte header | payload]*`, so that the disk, the cipher and the socket each see one large operation.
 */
import { BLOCK_BYTES, PIECE_HEADER_BYTES } from "../../wire/constants";
import { writePieceHeader } from "../../wire/messages";
import type { Limiter } from "../net/nestedLimiter";
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
const MAX_HEADERS = BATCH_BYTES / BLOCK_BYTES;
const BUFFER_BYTES = BATCH_BYTES + MAX_HEADERS * PIECE_HEADER_BYTES;
/** Batches up to here have smaller memory, for 1, 2, 4 or 8 blocks. */
const SMALL_BATCH_BYTES = BATCH_BYTES / 8;
const BLOCK_WITH_HEADER_BYTES = PIECE_HEADER_BYTES + BLOCK_BYTES;
/** Seconds of the upload limit in one batch. */
const LIMITED_BATCH_S = 0.25;
/**
 * Seconds of the peer's own pace in one batch, and bytes before it is known: what has not moved for a minute is not read
 * (members.ts), and a slow peer is to be told from that.
 */
const PACE_BATCH_S = 4;
const FIRST_BATCH_BYTES = 128 * 1024;
/** One batch is read while another is on its way to the network. */
const BATCHES_IN_FLIGHT = 2;
/** Idle buffers of each size that are kept for the next batch: a batch is most often followed by another. */
const KEPT_BUFFERS = 4;

/** By size. */
const freeBuffers = new Map<number, Buffer[]>();

export class Uploader {
  private readonly queue: Request[] = [];
  private batches = 0;
  private paused = true;
  private closed = false;

  constructor(
    /** Gives bytes to the socket; `onPassed` is called when it needs them no more, with an error where they are lost. */
    private readonly give: (bytes: Uint8Array, onPassed: (error?: Error | null) => void) => void,
    private readonly source: () => BlockSource | undefined,
    private readonly limiter: Limiter,
    /** Whose share of the limit it uses: all connections of one video have one. */
    private readonly flow: object,
    private readonly signal: AbortSignal,
    private readonly hooks: {
      /** Everything queued on the connection must be in the socket before a batch. */
      flush(): void;
      onSent(bytes: number): void;
      /** Bytes per second that the peer has taken of late. */
      rate(): number;
      onError(error: unknown): void;
    },
  ) {}

  /** A part of a batch is written, and the rest waits for its turn: nothing else may be written meanwhile. */
  isInsideBatch = false;
  /** Given to the socket, which has not passed it on yet. */
  unsentBytes = 0;
  /** Batches are read at the same time, but written one after the other. */
  private writing: Promise<void> = Promise.resolve();

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

  /** Takes out of the queue what fits, and returns it for rejection. */
  drop(fits: (request: Request) => boolean): Request[] {
    const dropped = this.queue.filter(fits);
    this.queue.splice(0, Number.POSITIVE_INFINITY, ...this.queue.filter((request) => !fits(request)));
    return dropped;
  }

  /** For the first time: nothing is given before. */
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
    // What is in a batch cannot be cancelled any more: at a low limit it stays short.
    const limited = this.limiter.rate === 0 ? BATCH_BYTES : this.limiter.rate * LIMITED_BATCH_S;
    const paced = Math.max(FIRST_BATCH_BYTES, this.hooks.rate() * PACE_BATCH_S);
    const most = Math.min(BATCH_BYTES, limited, paced);
    const first = this.queue[0]!;
    let end = first.piece * content.pieceLength + first.begin;
    let bytes = 0;
    let count = 0;
    for (const request of this.queue) {
      const position = request.piece * content.pieceLength + request.begin;
      if (position !== end || count === MAX_HEADERS || (count > 0 && bytes + request.length > most)) break;
      bytes += request.length;
      end = position + request.length;
      count++;
    }
    return this.queue.splice(0, count);
  }

  private async sendBatch(source: BlockSource, batch: Request[]): Promise<void> {
    const buffer = memoryFor(batch);
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
      const first = batch[0]!;
      await source.read(views, first.piece * source.content.pieceLength + first.begin);
      const written = this.writing.then(() => this.write(buffer.subarray(0, at), payload));
      this.writing = written.then(
        () => undefined,
        () => undefined,
      );
      // The memory is the socket's until then.
      await (await written).passed;
    } finally {
      release(buffer);
    }
  }

  /** Writes a batch, in parts as the limit allows; `passed` resolves when the socket needs it no more. */
  private async write(batch: Uint8Array, payload: number): Promise<{ passed: Promise<void> }> {
    let passed = Promise.resolve();
    if (this.closed) return { passed };
    this.hooks.flush();
    this.isInsideBatch = true;
    try {
      for (let from = 0, sent = 0; from < batch.length; ) {
        const to = Math.min(batch.length, from + this.limiter.partBytes);
        const waiting = this.limiter.take(to - from, this.signal, this.flow);
        if (waiting !== true) await waiting;
        if (this.closed) break;
        const upTo = Math.floor((payload * to) / batch.length);
        passed = this.writePart(batch.subarray(from, to), upTo - sent);
        from = to;
        sent = upTo;
      }
    } catch (error) {
      if (!this.closed) throw error; // else: the connection was closed while a part waited for its turn
    } finally {
      this.isInsideBatch = false;
      this.hooks.flush();
    }
    return { passed };
  }

  private writePart(part: Uint8Array, payload: number): Promise<void> {
    this.unsentBytes += part.length;
    return new Promise((resolve) => {
      this.give(part, (error) => {
        this.unsentBytes -= part.length;
        if (!error) this.hooks.onSent(payload);
        resolve();
      });
    });
  }
}

/** A small batch must not hold a megabyte, or twenty slow peers take forty. */
function memoryFor(batch: readonly Request[]): Buffer {
  let bytes = 0;
  for (const { length } of batch) bytes += PIECE_HEADER_BYTES + length;
  let size = BUFFER_BYTES;
  if (bytes <= SMALL_BATCH_BYTES) for (size = BLOCK_WITH_HEADER_BYTES; size < bytes; ) size *= 2;
  return freeBuffers.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
}

function release(buffer: Buffer): void {
  const free = freeBuffers.get(buffer.length) ?? [];
  if (free.length < KEPT_BUFFERS) free.push(buffer);
  freeBuffers.set(buffer.length, free);
}
