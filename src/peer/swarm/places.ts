/** Who gives way to a newcomer where all places of a video are taken. Pure. */

/** Somebody who has just come may not have said yet what they want. */
const SETTLE_MS = 5_000;
/** An address that has this many places more than the newcomer's has too many. */
const MORE_THAN_FAIR = 2;

export interface Place {
  /** What counts as one party (`addressGroup`). */
  party: string;
  /** We want something of it. */
  gives: boolean;
  /** It wants something of us. */
  takes: boolean;
  openedAt: number;
  /** When either was last so. */
  usefulAt: number;
  /** Bytes per second, both ways. */
  rate: number;
}

/**
 * Whoever has been of no use to either side for longest; where all are of use, the slowest of those who only take and are of the
 * party that has many more places than the newcomer's. Undefined: nobody, the newcomer has to go. Times in ms.
 */
export function givesWay<P extends Place>(places: readonly P[], party: string, now: number): P | undefined {
  const idle = places.filter(({ gives, takes, openedAt }) => !gives && !takes && now - openedAt >= SETTLE_MS);
  if (idle.length > 0) return idle.reduce((a, b) => (b.usefulAt < a.usefulAt ? b : a));
  const counts = new Map<string, number>();
  for (const place of places) counts.set(place.party, (counts.get(place.party) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  if (most - (counts.get(party) ?? 0) < MORE_THAN_FAIR) return undefined;
  const taking = places.filter((place) => counts.get(place.party) === most && !place.gives);
  return taking.length > 0 ? taking.reduce((a, b) => (isWorthLess(b, a) ? b : a)) : undefined;
}

function isWorthLess(a: Place, b: Place): boolean {
  return a.rate < b.rate || (a.rate === b.rate && a.openedAt > b.openedAt);
}
