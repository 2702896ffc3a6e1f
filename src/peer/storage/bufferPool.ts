/** One piece's worth of shared memory, filled by the network thread and read by the verify worker. */
export interface Slot {
  readonly index: number;
  readonly bytes: Buffer;
}

/**
 * Memory for pieces in flight, over all downloads: 48 MiB hold a bandwidth-delay product of 1 Gbit/s at 350 ms and keep the
 * process below 200 MB resident. At least two pieces are always allowed, else the largest pieces could not overlap.
 */
export const POOL_BYTES = 48 * 1024 * 1024;
const MIN_SLOTS = 2;

export class BufferPool {
  private free: Slot[] = [];
  private total = 0;
  private count = 0;
  private nextIndex = 0;

  constructor(
    private readonly onSlot: (slot: Slot, memory: SharedArrayBuffer) => void,
    private readonly onDrop: (slot: Slot) => void,
    private readonly budget = POOL_BYTES,
  ) {}

  /** A slot of exactly `size` bytes, or undefined while the budget is used up. */
  acquire(size: number): Slot | undefined {
    const found = this.free.findIndex((slot) => slot.bytes.length === size);
    if (found >= 0) return this.free.splice(found, 1)[0];
    // Slots of other sizes are given up before the budget says no.
    while (this.total + size > this.budget && this.free.length > 0) this.drop(this.free.pop()!);
    if (this.total + size > this.budget && this.count >= MIN_SLOTS) return undefined;
    const memory = new SharedArrayBuffer(size);
    const slot: Slot = { index: this.nextIndex++, bytes: Buffer.from(memory) };
    this.total += size;
    this.count++;
    this.onSlot(slot, memory);
    return slot;
  }

  release(slot: Slot): void {
    this.free.push(slot);
  }

  /** Gives unused memory back, when the last download ends. */
  trim(): void {
    for (const slot of this.free.splice(0)) this.drop(slot);
  }

  private drop(slot: Slot): void {
    this.total -= slot.bytes.length;
    this.count--;
    this.onDrop(slot);
  }
}
