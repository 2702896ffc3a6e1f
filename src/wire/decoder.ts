/**
 * Cuts a stream of bytes into messages. A length is checked before anything is kept; what is kept is at most one unfinished frame, in
 * a buffer that grows with what has really arrived, so that a peer that announces much and sends little costs little.
 */
import { asBuffer } from "./bytes";
import { LENGTH_PREFIX_BYTES, MAX_FRAME_BYTES } from "./constants";
import { StreamletError } from "./errors";
import { decodeMessage, type Message } from "./messages";

/** First size of the buffer of an unfinished frame: every frame but blocks and long bitfields fits. */
const FIRST_BUFFER_BYTES = 4096;

export interface FrameDecoderOptions {
  /** Largest frame without its length prefix. Default: MAX_FRAME_BYTES. */
  maxFrameBytes?: number;
  /**
   * Byte arrays of a message are views on the chunk that was pushed, or on a buffer of its own where the frame came in parts: copy what
   * must outlive a recycled chunk. May call `close`, not `push`.
   */
  onMessage(message: Message): void;
  /** Called at most once, with `bad-message` or `frame-too-large`; nothing is decoded afterwards. */
  onError(error: StreamletError): void;
}

export class FrameDecoder {
  private readonly maxFrameBytes: number;
  private readonly prefix = Buffer.alloc(LENGTH_PREFIX_BYTES);
  private prefixLength = 0;
  /** Length of the frame whose prefix is complete. */
  private frameLength: number | undefined;
  private frame: Buffer | undefined;
  private frameFilled = 0;
  private closed = false;

  constructor(private readonly options: FrameDecoderOptions) {
    this.maxFrameBytes = options.maxFrameBytes ?? MAX_FRAME_BYTES;
  }

  /** Memory held for an unfinished frame, in bytes. */
  get bufferedBytes(): number {
    return this.frame?.length ?? 0;
  }

  /** True after an error or `close`. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Drops what is unfinished and ignores everything that follows, the rest of the current chunk included. */
  close(): void {
    this.closed = true;
    this.frame = undefined;
  }

  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    let at = 0;
    while (!this.closed && at < bytes.length) {
      at = this.frameLength === undefined ? this.readLength(bytes, at) : this.readFrame(bytes, at, this.frameLength);
    }
  }

  private readLength(bytes: Buffer, at: number): number {
    const taken = Math.min(LENGTH_PREFIX_BYTES - this.prefixLength, bytes.length - at);
    bytes.copy(this.prefix, this.prefixLength, at, at + taken);
    this.prefixLength += taken;
    if (this.prefixLength < LENGTH_PREFIX_BYTES) return at + taken;
    this.prefixLength = 0;
    const length = this.prefix.readUInt32BE(0);
    if (length > this.maxFrameBytes) {
      this.fail(
        new StreamletError("frame-too-large", `A message of ${length} bytes is above ${this.maxFrameBytes}.`, {
          data: { length, limit: this.maxFrameBytes },
        }),
      );
    } else if (length === 0) this.deliver(this.prefix.subarray(0, 0));
    else this.frameLength = length;
    return at + taken;
  }

  private readFrame(bytes: Buffer, at: number, length: number): number {
    const available = bytes.length - at;
    if (this.frameFilled === 0 && available >= length) {
      this.frameLength = undefined;
      this.deliver(bytes.subarray(at, at + length));
      return at + length;
    }
    const taken = Math.min(length - this.frameFilled, available);
    const frame = this.roomFor(this.frameFilled + taken, length);
    bytes.copy(frame, this.frameFilled, at, at + taken);
    this.frameFilled += taken;
    if (this.frameFilled === length) {
      this.frame = undefined;
      this.frameFilled = 0;
      this.frameLength = undefined;
      this.deliver(frame.subarray(0, length));
    }
    return at + taken;
  }

  /** Doubles, so that copying stays linear; never beyond the frame's length. */
  private roomFor(needed: number, length: number): Buffer {
    if (this.frame && this.frame.length >= needed) return this.frame;
    const size = Math.min(length, Math.max(needed, FIRST_BUFFER_BYTES, 2 * (this.frame?.length ?? 0)));
    const larger = Buffer.allocUnsafeSlow(size);
    this.frame?.copy(larger, 0, 0, this.frameFilled);
    this.frame = larger;
    return larger;
  }

  private deliver(frame: Buffer): void {
    let message: Message;
    try {
      message = decodeMessage(frame);
    } catch (error) {
      this.fail(error instanceof StreamletError ? error : new StreamletError("internal", String(error)));
      return;
    }
    this.options.onMessage(message);
  }

  private fail(error: StreamletError): void {
    this.close();
    this.options.onError(error);
  }
}
