/** Pure decision: whom to unchoke. Slots are given in the order in which peers became interested, and taken in turn. */

export interface ChokeCandidate<T> {
  peer: T;
  /** The video that it wants: each video that is wanted gets its share of the slots. */
  video: unknown;
  interested: boolean;
  /** Milliseconds; when it was unchoked, undefined while choked. */
  unchokedAt: number | undefined;
  /** Milliseconds; when it became interested. */
  interestedAt: number;
}

/** BEP 3 recalculates every ten seconds, so that a peer's TCP has time to reach its speed. */
export const ROTATION_MS = 10_000;

/**
 * The peers that shall be unchoked: all interested ones while there are slots, else each in turn for at least a rotation. Of
 * those who wait, the one whose video has fewest slots comes first.
 */
export function chooseUnchoked<T>(candidates: readonly ChokeCandidate<T>[], slots: number, now: number): Set<T> {
  const interested = candidates.filter((c) => c.interested);
  const holding = interested.filter((c) => c.unchokedAt !== undefined).sort((a, b) => a.unchokedAt! - b.unchokedAt!);
  const waiting = interested.filter((c) => c.unchokedAt === undefined).sort((a, b) => a.interestedAt - b.interestedAt);
  const free = Math.max(0, slots - holding.length);
  // Whoever has held a slot longest gives it up to one that waits, once its turn is over.
  const tired = holding.filter((c) => now - c.unchokedAt! >= ROTATION_MS);
  const leaving = new Set(tired.slice(0, Math.max(0, waiting.length - free)));
  const chosen = slots > 0 ? holding.filter((c) => !leaving.has(c)).slice(-slots) : [];
  const slotsOf = new Map<unknown, number>();
  const choose = (c: ChokeCandidate<T>) => slotsOf.set(c.video, (slotsOf.get(c.video) ?? 0) + 1);
  for (const candidate of chosen) choose(candidate);
  while (chosen.length < slots && waiting.length > 0) {
    let next = 0;
    for (let i = 1; i < waiting.length; i++) {
      if ((slotsOf.get(waiting[i]!.video) ?? 0) < (slotsOf.get(waiting[next]!.video) ?? 0)) next = i;
    }
    const [candidate] = waiting.splice(next, 1);
    chosen.push(candidate!);
    choose(candidate!);
  }
  return new Set(chosen.map((c) => c.peer));
}
