/** Peers: friends, everyone online (oneself first, always with Peer ID, address and fingerprint), and who is blocked. */
import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  l10n,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from "vscode";
import type { Contact, NetworkPeer } from "../../peer/status";
import type { HostState, WindowService } from "../../rpc/window";
import type { Command } from "../contributions";
import { Views } from "../contributions";
import { phaseOf } from "../host/snapshots";
import { explain } from "../messages";
import { networkCondition, withoutToken } from "./conditions";
import { LiveList } from "./liveList";
import { type ListNode, NodeList } from "./nodeList";
import { Pages } from "./pages";
import {
  allPeople,
  blockedRows,
  contextOfFriend,
  contextOfPeer,
  type FriendRow,
  friendRows,
  type PeerRow,
  type Person,
  peerRows,
} from "./people";
import * as text from "./peopleText";
import { markOf } from "./personMarks";
import { type ActionNode, actionItem, fireChange, moreNode, setHeader } from "./treeSupport";

/** Also what Show More names. */
export type PeersSection = "friends" | "online" | "blocked";
interface SectionNode {
  readonly kind: "section";
  readonly section: PeersSection;
}
interface FriendNode {
  readonly kind: "friend";
  readonly list: ListNode<FriendRow>;
}
interface PeerNode {
  readonly kind: "peer";
  readonly list: ListNode<PeerRow>;
}
interface BlockedNode {
  readonly kind: "blocked";
  readonly list: ListNode<Contact>;
}
/** A row of somebody. */
export type PersonNode = FriendNode | PeerNode | BlockedNode;
export type PeersTreeNode = SectionNode | PersonNode | ActionNode;

/** "Last seen 3 min ago" may lag so far behind. */
const CLOCK_INTERVAL_MS = 30_000;

export class PeersTree implements TreeDataProvider<PeersTreeNode>, Disposable {
  readonly view: TreeView<PeersTreeNode>;
  private readonly emitter = new EventEmitter<PeersTreeNode | PeersTreeNode[] | undefined>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly peersEmitter = new EventEmitter<readonly NetworkPeer[]>();
  /** Who is online as far as the open pages show, whenever that changes. */
  readonly onDidChangePeers = this.peersEmitter.event;

  private readonly sections: Record<PeersSection, SectionNode> = {
    friends: { kind: "section", section: "friends" },
    online: { kind: "section", section: "online" },
    blocked: { kind: "section", section: "blocked" },
  };
  private readonly friends = new NodeList<FriendRow>((friend) => friend.fingerprint);
  private readonly blocked = new NodeList<Contact>((contact) => contact.fingerprint);
  private readonly online: LiveList<PeerRow, PeerNode>;
  /** One element object per row, see NodeList. */
  private readonly elements = new WeakMap<object, PersonNode>();
  private readonly pages: Record<"friends" | "blocked", Pages> = { friends: new Pages(), blocked: new Pages() };
  private readonly clock: NodeJS.Timeout;
  private visible = false;
  private state: HostState | undefined;
  /** What the hints of an empty section depend on. */
  private hints = "";

  constructor(service: WindowService, onError: (error: unknown) => void) {
    this.online = new LiveList<PeerRow, PeerNode>({
      keyOf: (peer) => peer.fingerprint,
      element: (list) => ({ kind: "peer", list }),
      query: async (limit) => {
        const { peers, total } = await service.queryPeers({ limit });
        const values = peerRows(peers, this.state?.connections ?? []);
        return { values, total: total - (peers.length - values.length) };
      },
      onChange: (change) => {
        fireChange<PeersTreeNode, PeerRow>(this.emitter, change, {
          parent: this.sections.online,
          node: (changed) => this.online.elementOf(changed),
        });
        this.peersEmitter.fire(this.peers);
      },
      onError,
    });
    this.view = window.createTreeView(Views.peers, { treeDataProvider: this, showCollapseAll: false });
    this.clock = setInterval(() => this.updatePeople(), CLOCK_INTERVAL_MS);
  }

  get peers(): PeerRow[] {
    return this.online.values;
  }

  /** Everybody who is listed, each once, without oneself. */
  get people(): Person[] {
    return allPeople(this.peers, this.state?.snapshot.contacts ?? []);
  }

  showMore(section: PeersSection): void {
    if (section !== "online") {
      this.pages[section].more();
      this.emitter.fire(this.sections[section]);
    } else this.online.showMore();
  }

  /** Shows the row of somebody who is online. */
  async reveal(fingerprint: string): Promise<void> {
    const node = this.online.nodes.find(({ key }) => key === fingerprint);
    if (node) await this.view.reveal(this.online.elementOf(node), { select: true, focus: true });
  }

  update(state: HostState): void {
    this.state = state;
    const phase = phaseOf(state);
    const byHand = state.connections.map(({ fingerprint }) => fingerprint);
    const revision = [state.snapshot.peersRevision, ...byHand].join(" ");
    this.online.update({ profileId: state.activeId, phase, revision });
    // While the same profile restarts, the engine knows nothing for a moment: what was shown stays.
    const keeps = phase === "starting" && this.online.nodes.length > 0;
    if (!keeps) this.updatePeople();
    const visible = phase === "running" || keeps;
    if (visible !== this.visible) {
      this.visible = visible;
      this.emitter.fire(undefined);
    }
    const hints = networkCondition(state);
    if (hints !== this.hints) {
      this.hints = hints;
      this.emitter.fire(this.sections.online);
    }
    this.updateHeader(state);
  }

  getChildren(element?: PeersTreeNode): PeersTreeNode[] {
    if (!element) {
      if (!this.visible) return [];
      const { friends, online, blocked } = this.sections;
      return this.blocked.nodes.length > 0 ? [friends, online, blocked] : [friends, online];
    }
    if (element.kind !== "section") return [];
    if (element.section === "online") return this.onlineChildren();
    const { section } = element;
    const nodes = section === "friends" ? this.friends.nodes : this.blocked.nodes;
    if (nodes.length === 0) return [noFriendsNode()];
    const shown = nodes.slice(0, this.pages[section].limit).map((node) => this.elementOf(section, node));
    const rest = nodes.length - shown.length;
    return rest > 0 ? [...shown, moreOf(section, rest)] : shown;
  }

  getParent(element: PeersTreeNode): PeersTreeNode | undefined {
    if (element.kind === "peer") return this.sections.online;
    if (element.kind === "friend") return this.sections.friends;
    return element.kind === "blocked" ? this.sections.blocked : undefined;
  }

  getTreeItem(element: PeersTreeNode): TreeItem {
    switch (element.kind) {
      case "action":
        return actionItem(element);
      case "section":
        return this.sectionItem(element);
      case "peer":
        return peerItem(element.list.value);
      case "friend":
        return friendItem(element.list.value);
      case "blocked":
        return blockedItem(element.list.value);
    }
  }

  resolveTreeItem(item: TreeItem, element: PeersTreeNode, _token: CancellationToken): TreeItem {
    if (element.kind === "peer") item.tooltip = text.tooltipOfPeer(element.list.value);
    else if (element.kind === "friend") item.tooltip = text.tooltipOfFriend(element.list.value);
    else if (element.kind === "blocked") item.tooltip = text.tooltipOfBlocked(element.list.value);
    return item;
  }

  dispose(): void {
    clearInterval(this.clock);
    this.view.dispose();
    this.emitter.dispose();
    this.peersEmitter.dispose();
  }

  private updatePeople(): void {
    const { contacts, chats } = this.state?.snapshot ?? { contacts: [], chats: [] };
    const circle = { contacts, chats, manual: this.state?.connections ?? [] };
    const hadBlocked = this.blocked.nodes.length > 0;
    const onlineBefore = this.friendsOnline;
    const friends = this.friends.update(friendRows(circle, Date.now()));
    const blocked = this.blocked.update(blockedRows(contacts));
    // The heading counts them.
    const structure = friends.structure || this.friendsOnline !== onlineBefore;
    fireChange<PeersTreeNode, FriendRow>(
      this.emitter,
      { ...friends, structure },
      { parent: this.sections.friends, node: (changed) => this.elementOf("friends", changed) },
    );
    if (hadBlocked !== this.blocked.nodes.length > 0) this.emitter.fire(undefined);
    else
      fireChange<PeersTreeNode, Contact>(this.emitter, blocked, {
        parent: this.sections.blocked,
        node: (changed) => this.elementOf("blocked", changed),
      });
  }

  private get friendsOnline(): number {
    return this.friends.nodes.filter((node) => node.value.online).length;
  }

  private elementOf(section: "friends" | "blocked", list: ListNode<Contact>): PersonNode {
    let element = this.elements.get(list);
    if (!element) {
      element =
        section === "friends" ? { kind: "friend", list: list as ListNode<FriendRow> } : { kind: "blocked", list };
      this.elements.set(list, element);
    }
    return element;
  }

  private onlineChildren(): PeersTreeNode[] {
    const { elements, rest, total } = this.online;
    if (total === undefined) return [hint("asking", l10n.t("Asking who is online..."), "loading~spin")];
    if (rest > 0) return [...elements, moreOf("online", rest)];
    if (elements.some(({ list }) => !list.value.self)) return elements;
    const connect = hint("connect", l10n.t("Connect by address..."), "plug", "streamlet.connectManually");
    if (!this.state || networkCondition(this.state) !== "noTracker") {
      return [...elements, hint("alone", l10n.t("Nobody else is online"), "info"), connect];
    }
    return [
      ...elements,
      hint("tracker", l10n.t("Start a tracker here"), "server-process", "streamlet.startTrackerHere"),
      hint("edit", l10n.t("Edit the profile's trackers..."), "edit", "streamlet.editProfile"),
      connect,
      hint("doctor", l10n.t("Find out what is in the way..."), "pulse", "streamlet.connectionDoctor"),
    ];
  }

  private sectionItem({ section }: SectionNode): TreeItem {
    const label = sectionLabel(section);
    const collapsed = section === "blocked";
    const state = collapsed ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.Expanded;
    const item = new TreeItem(label, state);
    item.id = `section/${section}`;
    item.contextValue = `section ${section}`;
    if (section === "friends") {
      const { length } = this.friends.nodes;
      item.description = length === 0 ? "0" : l10n.t("{0} of {1} online", this.friendsOnline, length);
    } else item.description = String(section === "online" ? (this.online.total ?? "") : this.blocked.nodes.length);
    item.accessibilityInformation = { label: item.description ? `${label}, ${item.description}` : label };
    return item;
  }

  private updateHeader(state: HostState): void {
    if (phaseOf(state) !== "running") return setHeader(this.view, {});
    const { peer, unreachable } = state.snapshot;
    const where = peer.trackers.map((tracker) => withoutToken(tracker.address)).join(", ");
    if (unreachable)
      setHeader(this.view, { message: explain({ code: "unreachable", message: "", data: { port: peer.port } }) });
    else if (networkCondition(state) === "noTracker")
      setHeader(this.view, { message: l10n.t("No tracker answers at {0}; trying again.", where) });
    else setHeader(this.view, {});
  }
}

function sectionLabel(section: PeersSection): string {
  if (section === "friends") return l10n.t("Friends");
  return section === "online" ? l10n.t("Connected Users") : l10n.t("Blocked");
}

function peerItem(peer: PeerRow): TreeItem {
  const item = new TreeItem(text.labelOfPeer(peer), TreeItemCollapsibleState.None);
  item.id = `peer/${peer.fingerprint}`;
  item.description = text.describePeer(peer);
  item.iconPath = text.iconOfPeer(peer);
  item.contextValue = contextOfPeer(peer);
  if (peer.impostor) item.resourceUri = markOf(peer.fingerprint, { impostor: true });
  const warning = peer.impostor ? `${l10n.t("Warning")}: ` : "";
  item.accessibilityInformation = { label: `${warning}${item.label}, ${item.description}` };
  return item;
}

/** Enter and a click open the conversation, as people know it from lists of friends. */
function friendItem(friend: FriendRow): TreeItem {
  const item = new TreeItem(text.nameOf(friend), TreeItemCollapsibleState.None);
  item.id = `friend/${friend.fingerprint}`;
  item.description = text.describeFriend(friend);
  item.iconPath = text.iconOfFriend(friend);
  item.contextValue = contextOfFriend(friend);
  if (friend.unread > 0) item.resourceUri = markOf(friend.fingerprint, { unread: friend.unread });
  const offline = friend.online ? "" : `${l10n.t("offline")}, `;
  item.accessibilityInformation = { label: `${item.label}, ${offline}${item.description}` };
  const command: Command = "streamlet.openChat";
  item.command = { command, title: l10n.t("Open Chat"), arguments: [friend.fingerprint] };
  return item;
}

function blockedItem(contact: Contact): TreeItem {
  const item = new TreeItem(text.nameOf(contact), TreeItemCollapsibleState.None);
  item.id = `blocked/${contact.fingerprint}`;
  item.description = text.describeBlocked(contact);
  item.iconPath = new ThemeIcon("circle-slash");
  item.contextValue = "blocked";
  item.accessibilityInformation = { label: `${item.label}, ${item.description}` };
  return item;
}

function hint(id: string, label: string, icon: string, command?: Command): ActionNode {
  return { kind: "action", id: `peers/${id}`, label, icon, ...(command ? { command: { id: command } } : {}) };
}

function noFriendsNode(): ActionNode {
  return hint(
    "noFriends",
    l10n.t("No friends yet: add one by contact..."),
    "person-add",
    "streamlet.addFriendByContact",
  );
}

function moreOf(section: PeersSection, rest: number): ActionNode {
  return {
    ...moreNode(Views.peers, rest),
    id: `${Views.peers}/${section}/more`,
    command: { id: "streamlet.showMore", argument: section },
  };
}
