/**
 * A paged list that the engine answers for, as a tree shows it: asked again when a revision says so, one object per row for as
 * long as the row is there, emptied when the profile changes or stops. No `vscode`: the tree draws what `onChange` names.
 */
import type { HostPhase } from "../host/snapshots";
import { LiveQuery } from "./liveQuery";
import { type ListChange, type ListNode, NodeList } from "./nodeList";
import { Pages } from "./pages";

/** The tracker coalesces its news as well; faster than this nobody reads. */
const QUERY_INTERVAL_MS = 500;

export interface Page<T> {
  values: readonly T[];
  /** How many there are in all. */
  total: number;
}

export interface LiveListOptions<T, N> {
  keyOf: (value: T) => string;
  /** Makes the tree's element for a row; called once for each row. */
  element: (node: ListNode<T>) => N;
  query: (limit: number) => Promise<Page<T>>;
  onChange: (change: ListChange<T>) => void;
  onError: (error: unknown) => void;
  /** False: what is shown stays, this answer comes too early to mean anything. */
  accepts?: (page: Page<T>) => boolean;
}

export interface LiveState {
  profileId: string | undefined;
  phase: HostPhase;
  /** Another one: another answer is likely. */
  revision: number | string;
}

export class LiveList<T, N extends object> {
  /** Of the answer that is shown; undefined before the first one. */
  total: number | undefined;
  private readonly list: NodeList<T>;
  private readonly made = new WeakMap<ListNode<T>, N>();
  private readonly pages = new Pages();
  private readonly query: LiveQuery<Page<T>>;
  private profileId: string | undefined;
  private revision: LiveState["revision"] | undefined;

  constructor(private readonly options: LiveListOptions<T, N>) {
    this.list = new NodeList<T>(options.keyOf);
    this.query = new LiveQuery({
      query: () => options.query(this.pages.limit),
      onAnswer: (page) => {
        if (options.accepts?.(page) !== false) this.show(page.values, page.total);
      },
      onError: options.onError,
      intervalMs: QUERY_INTERVAL_MS,
    });
  }

  get nodes(): readonly ListNode<T>[] {
    return this.list.nodes;
  }
  get values(): T[] {
    return this.list.nodes.map((node) => node.value);
  }
  get elements(): N[] {
    return this.list.nodes.map((node) => this.elementOf(node));
  }
  /** How many more pages would show. */
  get rest(): number {
    return this.list.nodes.length > 0 ? Math.max(0, (this.total ?? 0) - this.list.nodes.length) : 0;
  }

  elementOf(node: ListNode<T>): N {
    let element = this.made.get(node);
    if (!element) {
      element = this.options.element(node);
      this.made.set(node, element);
    }
    return element;
  }

  showMore(): void {
    this.pages.more();
    this.query.restart();
  }

  /** Another question: from the first page on. */
  ask(): void {
    this.pages.reset();
    this.query.restart();
  }

  update({ profileId, phase, revision }: LiveState): void {
    if (profileId !== this.profileId || (phase !== "running" && phase !== "starting")) {
      this.profileId = profileId;
      this.revision = undefined;
      this.query.cancel();
      this.pages.reset();
      this.show([], undefined);
    }
    if (phase !== "running") {
      // The engine that comes next counts anew.
      this.revision = undefined;
    } else if (revision !== this.revision) {
      this.revision = revision;
      this.query.invalidate();
    }
  }

  private show(values: readonly T[], total: number | undefined): void {
    const change = this.list.update(values);
    const structure = change.structure || total !== this.total;
    this.total = total;
    if (structure || change.changed.length > 0) this.options.onChange({ ...change, structure });
  }
}
