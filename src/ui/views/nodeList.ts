/**
 * Keeps one object per listed thing for as long as the thing is listed: VS Code knows tree elements by identity, so a node
 * that stays the same object can be refreshed alone, keeps its selection and does not flicker. Pure.
 */
export interface ListNode<T> {
  readonly key: string;
  value: T;
}

export interface ListChange<T> {
  /** Nodes came, went or moved: the parent's children have to be asked for again. */
  structure: boolean;
  /** Nodes that stay but look different. */
  changed: ListNode<T>[];
}

export class NodeList<T> {
  private readonly byKey = new Map<string, ListNode<T>>();
  private order: ListNode<T>[] = [];

  constructor(private readonly keyOf: (value: T) => string) {}

  get nodes(): readonly ListNode<T>[] {
    return this.order;
  }

  find(key: string): ListNode<T> | undefined {
    return this.byKey.get(key);
  }

  /** `values` in the order to show; of two with the same key the first counts. */
  update(values: readonly T[]): ListChange<T> {
    const order: ListNode<T>[] = [];
    const changed: ListNode<T>[] = [];
    const seen = new Set<string>();
    for (const value of values) {
      const key = this.keyOf(value);
      if (seen.has(key)) continue;
      seen.add(key);
      const known = this.byKey.get(key);
      if (known && !equal(known.value, value)) {
        known.value = value;
        changed.push(known);
      }
      const node = known ?? { key, value };
      this.byKey.set(key, node);
      order.push(node);
    }
    const structure = order.length !== this.order.length || order.some((node, index) => node !== this.order[index]);
    for (const key of this.byKey.keys()) if (!seen.has(key)) this.byKey.delete(key);
    this.order = order;
    return { structure, changed };
  }
}

/** Statuses are flat JSON made by one piece of code, so that the order of their keys does not differ. */
function equal(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
