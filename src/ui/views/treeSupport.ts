/** What the three trees share. */
import { type EventEmitter, l10n, ThemeIcon, TreeItem, TreeItemCollapsibleState, type TreeView } from "vscode";
import type { Command, View } from "../contributions";
import type { ListChange } from "./nodeList";

/** A row that runs a command: "Show more", hints in empty sections. */
export interface ActionNode {
  readonly kind: "action";
  readonly id: string;
  readonly label: string;
  readonly icon: string;
  readonly command?: { id: Command; argument?: unknown };
}

export function actionItem(node: ActionNode): TreeItem {
  const item = new TreeItem(node.label, TreeItemCollapsibleState.None);
  item.id = node.id;
  item.iconPath = new ThemeIcon(node.icon);
  item.contextValue = "action";
  if (node.command) {
    const { id, argument } = node.command;
    item.command = { command: id, title: node.label, arguments: argument === undefined ? [] : [argument] };
  }
  return item;
}

export function moreNode(view: View, rest: number): ActionNode {
  return {
    kind: "action",
    id: `${view}/more`,
    label: l10n.t("Show more ({0} left)", rest),
    icon: "ellipsis",
    command: { id: "streamlet.showMore", argument: view },
  };
}

/** Refreshes as little as a change needs: the changed rows, or the children of `parent`. */
export function fireChange<N, T>(
  emitter: EventEmitter<N | N[] | undefined>,
  change: ListChange<T>,
  { parent, node }: { parent: N | undefined; node: (changed: ListChange<T>["changed"][number]) => N },
): void {
  if (change.structure) emitter.fire(parent);
  else if (change.changed.length > 0) emitter.fire(change.changed.map(node));
}

/** Sets a view's message and description only when they differ: each assignment goes to the window. */
export function setHeader(view: TreeView<unknown>, header: { message?: string; description?: string }): void {
  if (view.message !== header.message) view.message = header.message;
  if (view.description !== header.description) view.description = header.description;
}
