/**
 * A set of items as a sorted array that is brought up to date when it is read. What was in order stays in order, and the sort
 * of the engine is fast on nearly sorted input, so a few changes among many items cost little. Arrays that were given out are
 * never changed afterwards.
 */
export class SortedView<T> {
  #sorted: T[] = [];
  readonly #items = new Set<T>();
  readonly #added = new Set<T>();
  #stale = false;

  constructor(private readonly compare: (a: T, b: T) => number) {}

  get size(): number {
    return this.#items.size;
  }

  add(item: T): void {
    if (this.#items.has(item)) return;
    this.#items.add(item);
    this.#added.add(item);
    this.#stale = true;
  }

  delete(item: T): void {
    if (!this.#items.delete(item)) return;
    this.#added.delete(item);
    this.#stale = true;
  }

  /** The item's sort key has changed. */
  touch(item: T): void {
    if (this.#items.has(item)) this.#stale = true;
  }

  sorted(): readonly T[] {
    if (this.#stale) {
      const kept = this.#sorted.filter((item) => this.#items.has(item) && !this.#added.has(item));
      for (const item of this.#added) kept.push(item);
      this.#added.clear();
      this.#sorted = kept.sort(this.compare);
      this.#stale = false;
    }
    return this.#sorted;
  }
}

/** Index of the first item that comes after `isAfter` turns true; `items` are sorted so that it turns once. */
export function firstAfter<T>(items: readonly T[], isAfter: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isAfter(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
