/** Network: every video that trackers and connected peers offer, one's own included, in pages. */
import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  l10n,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from "vscode";
import type { LibraryVideo, NetworkVideo } from "../../peer/status";
import type { HostState, WindowService } from "../../rpc/window";
import { peerIdKey } from "../../wire/trackerAddress";
import type { Fingerprint } from "../../wire/types";
import { Views } from "../contributions";
import { phaseOf } from "../host/snapshots";
import { explain } from "../messages";
import type { Pictures } from "../pictures";
import { networkCondition, refusingTracker, withoutToken } from "./conditions";
import {
  contextOfNetworkVideo,
  describeNetworkVideo,
  iconOfNetworkVideo,
  refusalText,
  tooltipOfNetworkVideo,
} from "./descriptions";
import { LiveList } from "./liveList";
import { filterSummary, type NetworkFilters, type NetworkSort, queryOf } from "./networkFilters";
import type { ListChange, ListNode } from "./nodeList";
import { type ActionNode, actionItem, fireChange, moreNode, setHeader } from "./treeSupport";

export interface NetworkNode {
  readonly kind: "network";
  readonly list: ListNode<NetworkVideo>;
}
export type NetworkTreeNode = NetworkNode | ActionNode;

/** More owners than anybody looks through; a search by name finds the rest. */
const MAX_OWNERS = 500;

export class NetworkTree implements TreeDataProvider<NetworkTreeNode>, Disposable {
  readonly view: TreeView<NetworkTreeNode>;
  private readonly emitter = new EventEmitter<NetworkTreeNode | NetworkTreeNode[] | undefined>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly searchEmitter = new EventEmitter<void>();
  readonly onDidChangeSearch = this.searchEmitter.event;
  private readonly list: LiveList<NetworkVideo, NetworkNode>;
  /** Names (without case) that stand for more than one key: a fingerprint goes with them. */
  private ambiguousNames: ReadonlySet<string> = new Set();
  private text = "";
  private narrowed: NetworkFilters = {};
  private sort: NetworkSort = "newest";
  /** Everybody whose videos were listed, by fingerprint: a filter must not hide whom else one could filter by. */
  private readonly seenOwners = new Map<Fingerprint, string>();
  private state: HostState | undefined;
  private library = new Map<string, LibraryVideo>();
  private profileId: string | undefined;

  constructor(
    service: WindowService,
    private readonly pictures: Pictures,
    onError: (error: unknown) => void,
  ) {
    this.list = new LiveList<NetworkVideo, NetworkNode>({
      keyOf: (video) => `${video.ownerFingerprint}/${video.id}`,
      element: (list) => ({ kind: "network", list }),
      query: async (limit) => {
        const text = this.text ? { text: this.text } : {};
        const question = { ...queryOf(this.narrowed), ...text, sort: this.sort, limit };
        const { videos, total } = await service.queryNetwork(question);
        return { values: videos, total };
      },
      accepts: ({ total }) => !this.isEarly(total),
      onChange: (change) => this.onChange(change),
      onError,
    });
    this.view = window.createTreeView(Views.network, {
      treeDataProvider: this,
      canSelectMany: true,
      showCollapseAll: false,
    });
  }

  get search(): string {
    return this.text;
  }
  get filters(): NetworkFilters {
    return this.narrowed;
  }
  get isFiltered(): boolean {
    return filterSummary(this.narrowed) !== undefined;
  }
  get owners(): ReadonlyMap<Fingerprint, string> {
    return this.seenOwners;
  }
  get order(): NetworkSort {
    return this.sort;
  }
  get videos(): NetworkVideo[] {
    return this.list.values;
  }

  setSearch(text: string): void {
    if (text === this.text) return;
    this.text = text;
    this.searchEmitter.fire();
    this.ask();
  }

  /** All filters at once: one that is left out is off. Nothing else about the view changes. */
  setFilters(filters: NetworkFilters): void {
    this.narrowed = filters;
    this.searchEmitter.fire();
    this.ask();
  }

  setSort(sort: NetworkSort): void {
    if (sort === this.sort) return;
    this.sort = sort;
    this.ask();
  }

  showMore(): void {
    this.list.showMore();
  }

  update(state: HostState): void {
    this.state = state;
    const phase = phaseOf(state);
    if (state.activeId !== this.profileId) {
      this.profileId = state.activeId;
      // Owners and friends are another profile's.
      this.narrowed = {};
      this.seenOwners.clear();
    }
    this.list.update({ profileId: state.activeId, phase, revision: state.snapshot.networkRevision });
    if (phase === "running") this.refreshOwned(state.snapshot.videos);
    this.updateHeader();
  }

  libraryVideo(video: NetworkVideo): LibraryVideo | undefined {
    return this.library.get(video.id);
  }

  getChildren(element?: NetworkTreeNode): NetworkTreeNode[] {
    if (element) return [];
    const { elements, rest } = this.list;
    return rest > 0 ? [...elements, moreNode(Views.network, rest)] : elements;
  }

  getParent(): undefined {
    return undefined;
  }

  getTreeItem(element: NetworkTreeNode): TreeItem {
    if (element.kind === "action") return actionItem(element);
    const video = element.list.value;
    const own = this.libraryVideo(video);
    const item = new TreeItem(video.title, TreeItemCollapsibleState.None);
    item.id = `network/${element.list.key}`;
    item.description = describeNetworkVideo(video, this.ambiguousNames.has(peerIdKey(video.owner)));
    item.iconPath = iconOfNetworkVideo(video, own);
    item.contextValue = contextOfNetworkVideo(video, own);
    item.accessibilityInformation = { label: `${video.title}, ${item.description}` };
    return item;
  }

  async resolveTreeItem(item: TreeItem, element: NetworkTreeNode, _token: CancellationToken): Promise<TreeItem> {
    if (element.kind !== "network") return item;
    const video = element.list.value;
    const { libraryKey: key } = video;
    const picture = await this.pictures.of({ ...video, ...(key ? { key } : {}) });
    item.tooltip = tooltipOfNetworkVideo(video, picture);
    return item;
  }

  dispose(): void {
    this.view.dispose();
    this.emitter.dispose();
    this.searchEmitter.dispose();
  }

  private ask(): void {
    this.list.ask();
    this.updateHeader();
  }

  /** Right after a start nobody has answered yet: what the same profile showed before stays until somebody has. */
  private isEarly(total: number): boolean {
    const { state } = this;
    if (total > 0 || this.text || this.isFiltered || !state?.wanted || state.snapshot.networkKnown) return false;
    return networkCondition(state) === "loading" && phaseOf(state) === "running";
  }

  private onChange(change: ListChange<NetworkVideo>): void {
    const { values } = this.list;
    for (const { ownerFingerprint, owner } of values) {
      if (this.seenOwners.size < MAX_OWNERS) this.seenOwners.set(ownerFingerprint, owner);
    }
    const ambiguous = ambiguousNames(values, this.state);
    const structure = change.structure || [...ambiguous].join() !== [...this.ambiguousNames].join();
    this.ambiguousNames = ambiguous;
    fireChange<NetworkTreeNode, NetworkVideo>(
      this.emitter,
      { ...change, structure },
      { parent: undefined, node: (changed) => this.list.elementOf(changed) },
    );
    this.updateHeader();
  }

  /** A row shows whether its video is in the library, which the network does not know. */
  private refreshOwned(videos: readonly LibraryVideo[]): void {
    const before = this.library;
    this.library = new Map(videos.flatMap((video) => (video.id ? [[video.id, video] as const] : [])));
    const changed = this.list.nodes.filter(
      ({ value }) => before.get(value.id)?.state !== this.library.get(value.id)?.state,
    );
    if (changed.length > 0) this.emitter.fire(changed.map((node) => this.list.elementOf(node)));
  }

  /** A message hides the welcome view, so that there is one over an empty list only where it says all. */
  private updateHeader(): void {
    const { state } = this;
    const running = state !== undefined && phaseOf(state) === "running";
    const refusing = running ? refusingTracker(state) : undefined;
    const silent = running && networkCondition(state) === "noTracker";
    const where = state?.snapshot.peer.trackers.map((tracker) => withoutToken(tracker.address)).join(", ") ?? "";
    const question = this.questionText();
    let message: string | undefined;
    if (state && refusing) message = refusalText(state, refusing);
    else if (silent && this.list.nodes.length > 0) message = l10n.t("No tracker answers at {0}; trying again.", where);
    else if (running && state.snapshot.unreachable) {
      message = explain({ code: "unreachable", message: "", data: { port: state.snapshot.peer.port } });
    }
    let description = silent && !refusing ? l10n.t("{0} does not answer", where) : undefined;
    if (question !== undefined) {
      description = l10n.t("{0} found", this.list.total ?? 0);
      if (message === undefined && this.list.nodes.length > 0) message = question;
      else description = `${question} · ${description}`;
    }
    setHeader(this.view, { ...(message ? { message } : {}), ...(description ? { description } : {}) });
  }

  /** What is searched for and filtered by. */
  private questionText(): string | undefined {
    const parts = [this.text ? l10n.t("“{0}”", this.text) : undefined, filterSummary(this.narrowed)];
    return parts.filter((part) => part !== undefined).join(" · ") || undefined;
  }
}

/** Of the owners that are listed, oneself and one's friends. */
function ambiguousNames(videos: readonly NetworkVideo[], state: HostState | undefined): Set<string> {
  const { peer, contacts = [] } = state?.snapshot ?? {};
  const people = [
    ...videos.map(({ owner, ownerFingerprint }) => ({ peerId: owner, fingerprint: ownerFingerprint })),
    ...contacts.filter(({ kind }) => kind === "friend"),
    ...(peer?.fingerprint ? [{ peerId: peer.peerId, fingerprint: peer.fingerprint }] : []),
  ];
  const keys = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const { peerId, fingerprint } of people) {
    const name = peerIdKey(peerId);
    const known = keys.get(name);
    if (known !== undefined && known !== fingerprint) ambiguous.add(name);
    keys.set(name, fingerprint);
  }
  return ambiguous;
}
