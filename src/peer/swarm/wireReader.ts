/**
 * Cuts the byte stream of one wire connection into handshake, frames and blocks. Payload of `piece` messages goes straight
 * into the memory that the sink names, without a copy where the socket allows it (`onread`).
 *
 * What it keeps track of: `state`, how many bytes the state still needs (`need`), and the bytes of a header or frame that
 * came in parts (`stash`). A length is checked against its cap before any memory is taken.
 */
import { asBuffer } from "../../wire/bytes";
import { BLOCK_BYTES, HANDSHAKE_BYTES, MAX_FRAME_BYTES, MAX_REQUEST_BYTES, MESSAGE_ID } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";

/** Reads go straight to their target while at least this much payload remains; shorter rests share a read with what follows. */
const DIRECT_MIN_BYTES = 2 * BLOCK_BYTES;
const SCRATCH_BYTES = 64 * 1024;
const PREFIX_BYTES = 4;
const BLOCK_HEAD_BYTES = 8;

export interface WireSink {
  /** The 68 bytes of the handshake. Views given to the sink are valid during the call only. */
  onHandshake(bytes: Uint8Array): void;
  /** One message without its length prefix; empty = keep-alive. Never a `piece`. */
  onFrame(frame: Uint8Array): void;
  /** Where the payload of this block goes; undefined = nowhere. */
  onBlockStart(piece: number, begin: number, length: number): Uint8Array | undefined;
  onBlockBytes(count: number): void;
  onBlockEnd(piece: number, begin: number, length: number): void;
  /** The stream broke a rule; nothing more is read. */
  onViolation(error: unknown): void;
}

type State = "handshake" | "prefix" | "id" | "body" | "blockHead" | "payload" | "stopped";

export class WireReader {
  private state: State;
  private need: number;
  private stash: Buffer = Buffer.alloc(HANDSHAKE_BYTES);
  private stashed = 0;
  private scratch: Buffer | undefined;
  private frameLength = 0;
  private piece = 0;
  private begin = 0;
  private blockLength = 0;
  private filled = 0;
  private target: Buffer | undefined;
  /** The socket holds a view of `target` and may write into it at any moment. */
  private pinned = false;

  constructor(
    private readonly sink: WireSink,
    expectHandshake = true,
  ) {
    this.state = expectHandshake ? "handshake" : "prefix";
    this.need = expectHandshake ? HANDSHAKE_BYTES : PREFIX_BYTES;
  }

  /** For `net.connect`/`tls.connect` of a socket that this reader alone reads. */
  readonly onread = {
    buffer: (): Uint8Array => this.nextBuffer(),
    callback: (count: number, bytes: Uint8Array): boolean => {
      this.received(count, bytes);
      return this.state !== "stopped";
    },
  };

  /** For sockets that emit `data`. */
  push(chunk: Uint8Array): void {
    this.take(asBuffer(chunk));
  }

  stop(): void {
    this.state = "stopped";
    this.target = undefined;
    this.stash = Buffer.alloc(0);
  }

  /**
   * Sends the rest of the block that is being received nowhere. False where the socket holds a view of the target: then only
   * destroying the socket keeps it from writing there.
   */
  abandonBlock(): boolean {
    if (this.pinned) return false;
    this.target = undefined;
    return true;
  }

  private nextBuffer(): Uint8Array {
    if (this.state === "payload" && this.target && this.blockLength - this.filled >= DIRECT_MIN_BYTES) {
      this.pinned = true;
      return this.target.subarray(this.filled, this.blockLength);
    }
    this.pinned = false;
    this.scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    return this.scratch;
  }

  private received(count: number, bytes: Uint8Array): void {
    const direct = this.pinned;
    this.pinned = false;
    this.take(direct ? count : asBuffer(bytes).subarray(0, count));
  }

  /** @param what came; a number of bytes where they are in their place already */
  private take(what: Buffer | number): void {
    if (this.state === "stopped") return;
    try {
      if (typeof what === "number") this.advance(what);
      else this.parse(what);
    } catch (error) {
      this.stop();
      this.sink.onViolation(error);
    }
  }

  private parse(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.state !== "stopped") {
      if (this.state === "payload") {
        const count = Math.min(chunk.length - at, this.blockLength - this.filled);
        if (this.target) copyInto(this.target, this.filled, chunk.subarray(at, at + count));
        at += count;
        this.advance(count);
        continue;
      }
      const end = this.endOfFrame(chunk, at);
      if (end !== undefined) {
        this.sink.onFrame(chunk.subarray(at + PREFIX_BYTES, end));
        at = end;
        continue;
      }
      const available = chunk.length - at;
      if (this.stashed === 0 && available >= this.need) {
        const view = chunk.subarray(at, at + this.need);
        at += this.need;
        this.accept(view);
        continue;
      }
      const count = Math.min(available, this.need - this.stashed);
      if (this.stash.length < this.need) this.growStash();
      chunk.copy(this.stash, this.stashed, at, at + count);
      this.stashed += count;
      at += count;
      if (this.stashed === this.need) {
        this.stashed = 0;
        this.accept(this.stash.subarray(0, this.need));
      }
    }
  }

  /** Where the message that begins here ends, if all of it is here, as most are: then it needs no copy. */
  private endOfFrame(chunk: Buffer, at: number): number | undefined {
    if (this.state !== "prefix" || this.stashed > 0 || chunk.length - at <= PREFIX_BYTES) return undefined;
    const length = chunk.readUInt32BE(at);
    const end = at + PREFIX_BYTES + length;
    const isFrame = length > 0 && length <= MAX_FRAME_BYTES && chunk[at + PREFIX_BYTES] !== MESSAGE_ID.piece;
    return isFrame && end <= chunk.length ? end : undefined;
  }

  private growStash(): void {
    const grown = Buffer.allocUnsafeSlow(this.need);
    this.stash.copy(grown, 0, 0, this.stashed);
    this.stash = grown;
  }

  private advance(count: number): void {
    this.filled += count;
    this.sink.onBlockBytes(count);
    if (this.state !== "payload" || this.filled < this.blockLength) return;
    this.target = undefined;
    this.expect("prefix", PREFIX_BYTES);
    this.sink.onBlockEnd(this.piece, this.begin, this.blockLength);
  }

  private expect(state: State, need: number): void {
    if (this.state === "stopped") return;
    this.state = state;
    this.need = need;
  }

  private accept(bytes: Buffer): void {
    switch (this.state) {
      case "handshake":
        this.expect("prefix", PREFIX_BYTES);
        this.sink.onHandshake(bytes);
        return;
      case "prefix":
        this.frameLength = bytes.readUInt32BE(0);
        if (this.frameLength === 0) return this.sink.onFrame(bytes.subarray(0, 0));
        if (this.frameLength > MAX_FRAME_BYTES) {
          throw new StreamletError("frame-too-large", `A message of ${this.frameLength} bytes was announced.`);
        }
        return this.expect("id", 1);
      case "id":
        return this.acceptId(bytes[0]!);
      case "body": {
        const frame = bytes;
        this.expect("prefix", PREFIX_BYTES);
        this.sink.onFrame(frame);
        return;
      }
      case "blockHead": {
        this.piece = bytes.readUInt32BE(0);
        this.begin = bytes.readUInt32BE(4);
        this.blockLength = this.frameLength - 1 - BLOCK_HEAD_BYTES;
        this.filled = 0;
        const target = this.sink.onBlockStart(this.piece, this.begin, this.blockLength);
        this.target = target && asBuffer(target);
        return this.expect("payload", 0);
      }
      default:
        return;
    }
  }

  private acceptId(id: number): void {
    if (id === MESSAGE_ID.piece) {
      const length = this.frameLength - 1 - BLOCK_HEAD_BYTES;
      if (length <= 0 || length > MAX_REQUEST_BYTES) {
        throw new StreamletError("bad-message", `A block of ${length} bytes was announced.`);
      }
      return this.expect("blockHead", BLOCK_HEAD_BYTES);
    }
    if (this.frameLength > MAX_FRAME_BYTES) {
      throw new StreamletError("frame-too-large", `A message of ${this.frameLength} bytes was announced.`);
    }
    if (this.frameLength === 1) {
      this.expect("prefix", PREFIX_BYTES);
      return this.sink.onFrame(Buffer.of(id));
    }
    // The id stays in front of the body, as the message decoder wants it: it is the first byte of the stash.
    this.need = this.frameLength;
    this.state = "body";
    if (this.stash.length < this.need) this.stash = Buffer.allocUnsafeSlow(this.need);
    this.stash[0] = id;
    this.stashed = 1;
  }
}

/**
 * `target.set(bytes, at)`, three times as fast where the target is shared memory: there `set` and `copy` go word by word with
 * atomic stores, `fill` is one memcpy. Nobody else touches these bytes before the block is whole.
 */
function copyInto(target: Buffer, at: number, bytes: Uint8Array): void {
  target.fill(bytes, at, at + bytes.length);
}
