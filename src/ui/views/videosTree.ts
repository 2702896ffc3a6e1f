/** My Videos: two sections, each with the library's videos, newest first. */
import {
  type CancellationToken,
  type Disposable,
  EventEmitter,
  l10n,
  type TreeDataProvider,
  type TreeDragAndDropController,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from "vscode";
import type { LibraryVideo } from "../../peer/status";
import type { HostState } from "../../rpc/window";
import { Views } from "../contributions";
import { phaseOf } from "../host/snapshots";
import { explain } from "../messages";
import type { Pictures } from "../pictures";
import { contextOfVideo, describeVideo, iconOfVideo, tooltipOfVideo } from "./descriptions";
import { type ListNode, NodeList } from "./nodeList";
import { Pages } from "./pages";
import { friendsOf } from "./people";
import { nameOf } from "./peopleText";
import { type ActionNode, actionItem, fireChange, moreNode, setHeader } from "./treeSupport";

type Section = LibraryVideo["origin"];
interface SectionNode {
  readonly kind: "section";
  readonly section: Section;
}
export interface VideoNode {
  readonly kind: "video";
  readonly list: ListNode<LibraryVideo>;
}
export type VideosNode = SectionNode | VideoNode | ActionNode;

const SECTIONS = ["uploaded", "obtained"] as const satisfies readonly Section[];

export class VideosTree implements TreeDataProvider<VideosNode>, Disposable {
  readonly view: TreeView<VideosNode>;
  private readonly emitter = new EventEmitter<VideosNode | VideosNode[] | undefined>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly sections = new Map(
    SECTIONS.map((section) => [
      section,
      {
        node: { kind: "section", section } as SectionNode,
        list: new NodeList<LibraryVideo>((video) => video.key),
        pages: new Pages(),
      },
    ]),
  );
  /** One element object per row, see NodeList. */
  private readonly elements = new WeakMap<ListNode<LibraryVideo>, VideoNode>();
  private visible = false;
  /** Names of those whom the audience "Friends" stands for. */
  private friends: readonly string[] = [];
  private profileId: string | undefined;

  constructor(
    drop: TreeDragAndDropController<VideosNode>,
    private readonly pictures: Pictures,
  ) {
    this.view = window.createTreeView(Views.videos, {
      treeDataProvider: this,
      canSelectMany: true,
      dragAndDropController: drop,
      showCollapseAll: false,
    });
  }

  update(state: HostState): void {
    const phase = phaseOf(state);
    const switched = state.activeId !== this.profileId;
    this.profileId = state.activeId;
    // While the same profile restarts, the engine knows nothing for a moment: what was shown stays.
    const keeps = phase === "starting" && !switched && this.visible;
    const visible = phase === "running" || keeps;
    this.friends = friendsOf(state.snapshot.contacts).map(nameOf);
    if (!keeps) this.updateLists(state.snapshot.videos);
    if (visible !== this.visible) {
      this.visible = visible;
      this.emitter.fire(undefined);
    }
    setHeader(this.view, this.header(state));
  }

  showMore(section: Section): void {
    const entry = this.sections.get(section);
    entry?.pages.more();
    this.emitter.fire(entry?.node);
  }

  find(key: string): LibraryVideo | undefined {
    for (const { list } of this.sections.values()) {
      const node = list.find(key);
      if (node) return node.value;
    }
    return undefined;
  }

  getChildren(element?: VideosNode): VideosNode[] {
    if (!element) return this.visible ? [...this.sections.values()].map((section) => section.node) : [];
    if (element.kind !== "section") return [];
    const { list, pages } = this.sections.get(element.section)!;
    if (list.nodes.length === 0) return [emptyNode(element.section)];
    const shown: VideosNode[] = list.nodes.slice(0, pages.limit).map((node) => this.elementOf(node));
    const rest = list.nodes.length - shown.length;
    return rest > 0
      ? [
          ...shown,
          { ...moreNode(Views.videos, rest), id: `${element.section}/more`, command: moreCommand(element.section) },
        ]
      : shown;
  }

  getParent(element: VideosNode): VideosNode | undefined {
    return element.kind === "video" ? this.sections.get(element.list.value.origin)?.node : undefined;
  }

  getTreeItem(element: VideosNode): TreeItem {
    if (element.kind === "action") return actionItem(element);
    if (element.kind === "section") return this.sectionItem(element);
    const video = element.list.value;
    const item = new TreeItem(video.title, TreeItemCollapsibleState.None);
    item.id = `video/${video.key}`;
    item.description = describeVideo(video);
    item.iconPath = iconOfVideo(video);
    item.contextValue = contextOfVideo(video);
    item.accessibilityInformation = { label: `${video.title}, ${item.description}` };
    return item;
  }

  async resolveTreeItem(item: TreeItem, element: VideosNode, _token: CancellationToken): Promise<TreeItem> {
    if (element.kind !== "video") return item;
    const picture = await this.pictures.of(element.list.value);
    item.tooltip = tooltipOfVideo(element.list.value, this.friends, picture);
    return item;
  }

  dispose(): void {
    this.view.dispose();
    this.emitter.dispose();
  }

  private updateLists(videos: readonly LibraryVideo[]): void {
    for (const { node, list } of this.sections.values()) {
      const values = videos.filter((video) => video.origin === node.section).sort((a, b) => b.addedAt - a.addedAt);
      const change = list.update(values);
      fireChange<VideosNode, LibraryVideo>(this.emitter, change, {
        parent: node,
        node: (changed) => this.elementOf(changed),
      });
    }
  }

  private elementOf(list: ListNode<LibraryVideo>): VideoNode {
    let element = this.elements.get(list);
    if (!element) {
      element = { kind: "video", list };
      this.elements.set(list, element);
    }
    return element;
  }

  private sectionItem({ section }: SectionNode): TreeItem {
    const { list } = this.sections.get(section)!;
    const label = section === "uploaded" ? l10n.t("Uploaded") : l10n.t("Network Obtained");
    const item = new TreeItem(label, TreeItemCollapsibleState.Expanded);
    item.id = `section/${section}`;
    item.description = String(list.nodes.length);
    item.contextValue = `section ${section}`;
    const count = list.nodes.length;
    item.accessibilityInformation = {
      label: count === 1 ? l10n.t("{0}, 1 video", label) : l10n.t("{0}, {1} videos", label, count),
    };
    return item;
  }

  private header({ snapshot }: HostState): { message?: string } {
    const { port } = snapshot.peer;
    return snapshot.unreachable ? { message: explain({ code: "unreachable", message: "", data: { port } }) } : {};
  }
}

function emptyNode(section: Section): ActionNode {
  return section === "uploaded"
    ? {
        kind: "action",
        id: "uploaded/empty",
        label: l10n.t("Drop videos here, or choose files..."),
        icon: "cloud-upload",
        command: { id: "streamlet.uploadVideo" },
      }
    : { kind: "action", id: "obtained/empty", label: l10n.t("Nothing downloaded yet"), icon: "info" };
}

function moreCommand(section: Section): { id: "streamlet.showMore"; argument: string } {
  return { id: "streamlet.showMore", argument: section };
}
