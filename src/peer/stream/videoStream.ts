/**
 * One video as players read it, whether it is whole or on its way. Keeps track of: who reads where, and who waits for bytes
 * that are not here. Where the readers are decides what is fetched first; a reader that closes gives its window up at once.
 */
import type { Bitfield } from "../../wire/bitfield";
import { StreamletError } from "../../wire/errors";
import type { Content } from "../swarm/content";
import { bytesPerSecond, chooseWindows, NO_WINDOWS, type Windows } from "./windows";

/** One read returns at most so much, so that an aborted one has cost little. */
export const MAX_READ_BYTES = 512 * 1024;
/** More readers of one video are a mistake of their program. A player has two or three open at once. */
export const MAX_READERS = 64;

/** What a stream sees of its video. */
export interface StreamedVideo {
  /** Undefined until the shape is known. */
  content(): Content | undefined;
  have(): Bitfield | undefined;
  /** Reads verified bytes from disk. Errors: file-missing, file-changed, file-unreadable. */
  readDisk(position: number, length: number): Promise<Buffer>;
  /** Bytes of a piece under way that are proven already, from `offset` of it on; undefined where the first one is not. */
  readMemory(piece: number, offset: number, maxBytes: number): Buffer | undefined;
  setWindows(windows: Windows): void;
  /** Why nothing more will come, if so: the download failed, was paused or was removed. */
  stoppedBecause(): StreamletError | undefined;
  /** Seconds, if known. */
  duration(): number | undefined;
  indexRanges(): readonly (readonly [number, number])[];
}

export class VideoStream {
  private readonly readers = new Set<PieceReader>();
  private waiting: (() => void)[] = [];
  /** A reader is on the way, and begins where every player begins. */
  private expected = false;

  constructor(readonly video: StreamedVideo) {}

  get readerCount(): number {
    return this.readers.size;
  }

  /** Errors: too-many. */
  open(position = 0): PieceReader {
    if (this.readers.size >= MAX_READERS) {
      throw new StreamletError("too-many", `This video is read by ${MAX_READERS} players already: close some.`);
    }
    const reader = new PieceReader(this, position, () => {
      this.readers.delete(reader);
      this.updateWindows();
      this.onProgress(); // a read that waits notices that it is closed
    });
    this.readers.add(reader);
    this.expected = false;
    this.updateWindows();
    return reader;
  }

  /** Somebody is about to open a player, which takes a moment: what it reads first is fetched first, from now on. */
  expectReader(): void {
    this.expected = this.readers.size === 0;
    if (this.expected) this.updateWindows();
  }

  /** Bytes have come, the shape has become known, or the download has ended in whatever way. */
  onProgress(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }

  progress(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  updateWindows(): void {
    if (this.video.content()) this.video.setWindows(this.windows());
  }

  /** What readers wait for and is not here; nothing while the shape is unknown. */
  windows(): Windows {
    const { video } = this;
    const content = video.content();
    if (!content) return NO_WINDOWS;
    const rate = bytesPerSecond(content.length, video.duration());
    const readers = this.expected ? [{ position: 0 }] : [...this.readers];
    const windows = chooseWindows(content, readers, rate, video.indexRanges());
    const have = video.have();
    const missing = (piece: number) => have?.get(piece) !== true;
    return {
      readers: windows.readers.filter(({ piece }) => missing(piece)),
      critical: windows.critical.filter(missing),
      high: windows.high.filter(missing),
    };
  }

  /** Every reader's wait ends with `closed`, and everybody else's. */
  close(): void {
    for (const reader of [...this.readers]) reader.close();
    this.onProgress();
  }
}

/** A seekable reader. Not for two reads at once. */
export class PieceReader {
  private closed = false;

  constructor(
    private readonly stream: VideoStream,
    /** Byte that the next read begins with. */
    public position: number,
    private readonly onClose: () => void,
  ) {}

  /** Where it reads next decides what is fetched first. */
  seek(position: number): void {
    this.position = position;
    this.stream.updateWindows();
  }

  /**
   * The next bytes, at least one and at most `maxBytes`: as soon as the first of them is here and verified. Empty at the end.
   * Errors: cancelled (closed), and what ended the download (no-sources ... disk-full), file-missing, file-changed.
   */
  async read(maxBytes: number): Promise<Buffer> {
    const { video } = this.stream;
    for (;;) {
      if (this.closed) throw new StreamletError("cancelled", "The reader was closed.");
      const content = video.content();
      const bytes = content && (await this.readNow(content, Math.min(maxBytes, MAX_READ_BYTES)));
      if (bytes) {
        const before = Math.floor(this.position / content.pieceLength);
        this.position += bytes.length;
        if (Math.floor(this.position / content.pieceLength) !== before) this.stream.updateWindows();
        return bytes;
      }
      const stopped = video.stoppedBecause();
      if (stopped) throw stopped;
      await this.stream.progress();
    }
  }

  /** Undefined where the next byte is not here. */
  private async readNow(content: Content, maxBytes: number): Promise<Buffer | undefined> {
    const { video } = this.stream;
    const { position } = this;
    if (position >= content.length) return Buffer.alloc(0);
    const have = video.have();
    const piece = Math.floor(position / content.pieceLength);
    const offset = position - piece * content.pieceLength;
    if (!have?.get(piece)) return video.readMemory(piece, offset, maxBytes);
    let end = position + Math.min(maxBytes, content.length - position);
    for (let next = piece + 1; next * content.pieceLength < end; next++) {
      if (!have.get(next)) end = next * content.pieceLength;
    }
    return video.readDisk(position, end - position);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose();
  }
}
