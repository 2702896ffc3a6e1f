/** Peers: everyone online, oneself first, always with Peer ID, address and fingerprint. */
import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  l10n,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from "vscode";
import type { NetworkPeer, PeersPage } from "../../peer/status";
import type { HostState, WindowService } from "../../rpc/window";
import { Views } from "../contributions";
import { phaseOf } from "../host/snapshots";
import { explain } from "../messages";
import { describePeer, labelOfPeer, tooltipOfPeer } from "./descriptions";
import { LiveQuery } from "./liveQuery";
import { type ListNode, NodeList } from "./nodeList";
import { type ActionNode, actionItem, fireChange, moreNode, Pages, setHeader } from "./treeSupport";

export interface PeerNode {
  readonly kind: "peer";
  readonly list: ListNode<NetworkPeer>;
}
export type PeersTreeNode = PeerNode | ActionNode;

const QUERY_INTERVAL_MS = 500;

export class PeersTree implements TreeDataProvider<PeersTreeNode>, Disposable {
  readonly view: TreeView<PeersTreeNode>;
  private readonly emitter = new EventEmitter<PeersTreeNode | PeersTreeNode[] | undefined>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly list = new NodeList<NetworkPeer>((peer) => peer.fingerprint);
  private readonly elements = new WeakMap<ListNode<NetworkPeer>, PeerNode>();
  private readonly pages = new Pages();
  private readonly query: LiveQuery<PeersPage>;
  private total = 0;
  private state: HostState | undefined;
  private profileId: string | undefined;
  private revision: number | undefined;

  constructor(service: WindowService, onError: (error: unknown) => void) {
    this.query = new LiveQuery({
      query: () => service.queryPeers({ limit: this.pages.limit }),
      onAnswer: (page) => this.show(page),
      onError,
      intervalMs: QUERY_INTERVAL_MS,
    });
    this.view = window.createTreeView(Views.peers, { treeDataProvider: this, showCollapseAll: false });
  }

  get peers(): NetworkPeer[] {
    return this.list.nodes.map((node) => node.value);
  }

  showMore(): void {
    this.pages.more();
    this.query.restart();
  }

  update(state: HostState): void {
    this.state = state;
    const phase = phaseOf(state);
    if (state.activeId !== this.profileId || (phase !== "running" && phase !== "starting")) {
      this.profileId = state.activeId;
      this.query.cancel();
      this.pages.reset();
      this.show({ peers: [], total: 0 });
    }
    if (phase !== "running") this.revision = undefined;
    else if (state.snapshot.peersRevision !== this.revision) {
      this.revision = state.snapshot.peersRevision;
      this.query.invalidate();
    }
    this.updateHeader();
  }

  getChildren(element?: PeersTreeNode): PeersTreeNode[] {
    if (element) return [];
    const nodes: PeersTreeNode[] = this.list.nodes.map((node) => this.elementOf(node));
    const rest = this.total - nodes.length;
    return rest > 0 && nodes.length > 0 ? [...nodes, moreNode(Views.peers, rest)] : nodes;
  }

  getParent(): undefined {
    return undefined;
  }

  getTreeItem(element: PeersTreeNode): TreeItem {
    if (element.kind === "action") return actionItem(element);
    const peer = element.list.value;
    const item = new TreeItem(labelOfPeer(peer), TreeItemCollapsibleState.None);
    item.id = `peer/${peer.fingerprint}`;
    item.description = describePeer(peer);
    item.iconPath = iconOf(peer);
    item.contextValue = peer.self ? "peer self" : `peer other ${peer.connected ? "linked" : "unlinked"}`;
    item.accessibilityInformation = { label: `${item.label}, ${item.description}` };
    return item;
  }

  resolveTreeItem(item: TreeItem, element: PeersTreeNode, _token: CancellationToken): TreeItem {
    if (element.kind === "peer") item.tooltip = tooltipOfPeer(element.list.value, Date.now());
    return item;
  }

  dispose(): void {
    this.view.dispose();
    this.emitter.dispose();
  }

  private show(page: PeersPage): void {
    const change = this.list.update([...page.peers].sort(selfFirst));
    const structure = change.structure || page.total !== this.total;
    this.total = page.total;
    fireChange<PeersTreeNode, NetworkPeer>(
      this.emitter,
      { ...change, structure },
      { parent: undefined, node: (changed) => this.elementOf(changed) },
    );
    this.updateHeader();
  }

  private elementOf(list: ListNode<NetworkPeer>): PeerNode {
    let element = this.elements.get(list);
    if (!element) {
      element = { kind: "peer", list };
      this.elements.set(list, element);
    }
    return element;
  }

  private updateHeader(): void {
    const { state } = this;
    if (!state || phaseOf(state) !== "running") return setHeader(this.view, {});
    const { peer, unreachable } = state.snapshot;
    const alone = this.list.nodes.length > 0 && this.list.nodes.every((node) => node.value.self);
    if (unreachable)
      setHeader(this.view, { message: explain({ code: "unreachable", message: "", data: { port: peer.port } }) });
    else if (alone) setHeader(this.view, { message: l10n.t("Nobody else is online.") });
    else setHeader(this.view, {});
  }
}

function selfFirst(a: NetworkPeer, b: NetworkPeer): number {
  if (a.self !== b.self) return a.self ? -1 : 1;
  return a.peerId.localeCompare(b.peerId) || (a.fingerprint < b.fingerprint ? -1 : 1);
}

function iconOf(peer: NetworkPeer): ThemeIcon {
  if (peer.self) return new ThemeIcon("account", new ThemeColor("charts.green"));
  return peer.connected ? new ThemeIcon("link", new ThemeColor("charts.green")) : new ThemeIcon("person");
}
