/** A video as ffmpeg reads it for a page, and what can be told from how it is read. */
import type { Reading, StreamSource } from "./gateway";

/** Containers without an index are read up to where a page begins; twice that, and what a probe takes, is a crafted one ... */
const VAIN_FACTOR = 2;
const VAIN_BYTES = 64 * 1024 * 1024;
/** ... and nobody waits for more than so much to be read. */
const MAX_VAIN_BYTES = 4 * 1024 ** 3;

export class ConvertedInput implements StreamSource {
  readonly tag: string;
  readonly contentType = "application/octet-stream";
  /** What others call it is no business of whoever guesses by names what is in it. */
  readonly fileName = "video";
  /** The page has more than it takes. */
  pageIsBusy = false;
  /** Why it could not be read. */
  failure: unknown;
  private length = 0;
  /** Reads that wait for bytes. */
  private waiting = 0;
  private bytesInVain = 0;
  private moved = false;

  constructor(private readonly source: StreamSource) {
    this.tag = source.tag;
  }

  onOutput(): void {
    this.moved = true;
    this.bytesInVain = 0;
  }

  /** Since the last call: has it come any further, or does it wait for somebody? */
  hasMoved(): boolean {
    const moved = this.moved || this.pageIsBusy || this.waiting > 0;
    this.moved = false;
    return moved;
  }

  /** Reads on and on and makes nothing of it. */
  readsInVain(): boolean {
    return this.bytesInVain > Math.min(VAIN_FACTOR * this.length + VAIN_BYTES, MAX_VAIN_BYTES);
  }

  async size(signal: AbortSignal): Promise<number> {
    this.length = await this.watch(() => this.source.size(signal), signal);
    return this.length;
  }

  async open(position: number): Promise<Reading> {
    const closing = new AbortController();
    const reader = await this.watch(() => this.source.open(position), closing.signal);
    return {
      read: async (maxBytes) => {
        const bytes = await this.watch(() => reader.read(maxBytes), closing.signal);
        this.bytesInVain += bytes.length;
        return bytes;
      },
      close: () => {
        closing.abort();
        reader.close();
      },
    };
  }

  /** One that ends because nobody reads any more is no failure. */
  private async watch<T>(run: () => Promise<T>, closed: AbortSignal): Promise<T> {
    this.waiting++;
    try {
      const result = await run();
      this.moved = true;
      return result;
    } catch (error) {
      if (!closed.aborted) this.failure ??= error;
      throw error;
    } finally {
      this.waiting--;
    }
  }
}
