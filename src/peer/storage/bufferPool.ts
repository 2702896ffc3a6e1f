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
/** Of the budget: pieces in flight are not thrown away to even out less than that. */
const TOLERANCE = 1 / 8;

/** A download, as far as its memory goes. */
export interface PoolUser {
  /** Somebody has much less: gives the memory of one piece back at once, where it can. */
  giveWay(): boolean;
  /** Memory has come free since it was told that there is none. */
  onRoom(): void;
}

/** What one download has of the pool. */
export class PoolShare {
  /** Bytes, and in how many slots. */
  held = 0;
  slots = 0;
  /** Since when it wants more than there was, as a number that grows; undefined while it does not. */
  waiting: number | undefined;

  constructor(
    private readonly pool: BufferPool,
    readonly user: PoolUser,
  ) {}

  /** A slot of exactly `size` bytes, or undefined while there is none for this one; `onRoom` follows then. */
  acquire(size: number): Slot | undefined {
    return this.pool.acquire(this, size);
  }

  release(slot: Slot): void {
    this.pool.release(this, slot);
  }

  /** It may want no more what it wanted: whoever still does asks again. */
  forgetWish(): void {
    this.waiting = undefined;
  }

  /** Nothing more will be acquired; what is held may still be released. */
  leave(): void {
    this.pool.leave(this);
  }
}

/**
 * Piece memory, shared alike: what is free is for whoever wants it, the one who has least first; and where nothing is free,
 * whoever has much more than another gives way. So a download whose pieces never end (blocks, but no hashes) keeps nobody from
 * going on.
 */
export class BufferPool {
  private free: Slot[] = [];
  private total = 0;
  private count = 0;
  private nextIndex = 0;
  private readonly shares = new Set<PoolShare>();
  private wishes = 0;
  private waking = false;

  constructor(
    private readonly onSlot: (slot: Slot, memory: SharedArrayBuffer) => void,
    private readonly onDrop: (slot: Slot) => void,
    private readonly budget = POOL_BYTES,
  ) {}

  join(user: PoolUser): PoolShare {
    const share = new PoolShare(this, user);
    this.shares.add(share);
    return share;
  }

  leave(share: PoolShare): void {
    this.shares.delete(share);
    this.wakeSoon();
  }

  acquire(share: PoolShare, size: number): Slot | undefined {
    const slot = this.isTurnOf(share) ? (this.take(size) ?? this.takeFromOthers(share, size)) : undefined;
    if (!slot) {
      share.waiting ??= ++this.wishes;
      return undefined;
    }
    share.waiting = undefined;
    share.held += size;
    share.slots++;
    return slot;
  }

  release(share: PoolShare, slot: Slot): void {
    share.held -= slot.bytes.length;
    share.slots--;
    this.free.push(slot);
    this.wakeSoon();
  }

  /** Gives unused memory back, when the last download ends. */
  trim(): void {
    for (const slot of this.free.splice(0)) this.drop(slot);
  }

  private take(size: number): Slot | undefined {
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

  /** Those who have less, or as much and have waited longer, go first. */
  private isTurnOf(share: PoolShare): boolean {
    for (const other of this.shares) {
      if (other === share || other.waiting === undefined) continue;
      if (other.held < share.held) return false;
      if (other.held === share.held && other.waiting < (share.waiting ?? Number.POSITIVE_INFINITY)) return false;
    }
    return true;
  }

  private takeFromOthers(share: PoolShare, size: number): Slot | undefined {
    const richer = [...this.shares]
      .filter((other) => other !== share && this.hasTooMuch(other, share, size))
      .sort((a, b) => b.held - a.held);
    const toSpare = richer.reduce((sum, { held, slots }) => sum + held - held / slots, this.budget - this.total);
    if (toSpare < size) return undefined;
    for (const other of richer) {
      while (this.hasTooMuch(other, share, size) && other.user.giveWay()) {
        const slot = this.take(size);
        if (slot) return slot;
      }
    }
    return undefined;
  }

  /** A first piece is worth more than the second of another; beyond that only what differs by more than the tolerance counts. */
  private hasTooMuch(other: PoolShare, share: PoolShare, size: number): boolean {
    if (other.slots < 2) return false;
    return share.slots === 0 || other.held - share.held - size > this.budget * TOLERANCE;
  }

  /** Not at once: whoever releases is in the middle of something. */
  private wakeSoon(): void {
    if (this.waking) return;
    this.waking = true;
    queueMicrotask(() => {
      this.waking = false;
      const waiting = [...this.shares].filter((share) => share.waiting !== undefined);
      waiting.sort((a, b) => a.held - b.held || a.waiting! - b.waiting!);
      for (const share of waiting) {
        share.waiting = undefined;
        if (this.shares.has(share)) share.user.onRoom();
      }
    });
  }

  private drop(slot: Slot): void {
    this.total -= slot.bytes.length;
    this.count--;
    this.onDrop(slot);
  }
}
