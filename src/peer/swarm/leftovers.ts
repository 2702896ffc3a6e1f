/**
 * What a peer may still take of us when its turn is over: the pieces that it has begun ("allowed fast", BEP 6). Nobody else could use
 * what it has of them, and those that only we have would wait for its next turn. Pure.
 */

/** Of each turn. */
const MAX_PIECES = 2;
const MAX_MS = 60_000;

export class Leftovers {
  /** What it has asked us for and lacks, the oldest first. */
  private readonly begun = new Set<number>();
  private readonly allowed = new Set<number>();
  /** Each byte of them once, whatever it asks for. */
  private bytesLeft = 0;
  private until = 0;

  onRequest(piece: number): void {
    this.begun.add(piece);
  }

  onHave(piece: number): void {
    this.begun.delete(piece);
    this.allowed.delete(piece);
  }

  onTurnBegun(): void {
    this.allowed.clear();
  }

  /** @param now milliseconds @param sizeOf bytes of a piece. Returns what is allowed from now on. */
  onTurnEnded(now: number, sizeOf: (piece: number) => number): number[] {
    const pieces = [...this.begun].slice(0, MAX_PIECES);
    this.begun.clear();
    this.allowed.clear();
    this.bytesLeft = 0;
    this.until = now + MAX_MS;
    for (const piece of pieces) {
      this.begun.add(piece);
      this.allowed.add(piece);
      this.bytesLeft += sizeOf(piece);
    }
    return pieces;
  }

  has(piece: number): boolean {
    return this.allowed.has(piece);
  }

  /** May it have so many bytes of this piece? They count as given. */
  take(piece: number, length: number, now: number): boolean {
    if (!this.allowed.has(piece) || now >= this.until || length > this.bytesLeft) return false;
    this.bytesLeft -= length;
    return true;
  }
}
