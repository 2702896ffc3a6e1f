/** Status bar: the profile, its state and rates; and one item per peer that was connected by hand. */
import {
  type Disposable,
  l10n,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
} from "vscode";
import type { Contact, ManualConnection } from "../peer/status";
import type { HostState } from "../rpc/window";
import type { Command } from "./contributions";
import { formatRate } from "./format";
import { phaseOf } from "./host/snapshots";
import { explain } from "./messages";
import { withoutIcons } from "./notify";
import { networkCondition, refusingTracker, withoutToken } from "./views/conditions";
import { addressText, refusalText } from "./views/descriptions";
import { recognize } from "./views/people";
import { impostorWarning, nameOf } from "./views/peopleText";

/** Right of VS Code's own items on the left side. */
const PRIORITY = 10;
/** More manual connections than this are listed in the Peers view only. */
const MAX_LINKS = 3;

export class StatusBar implements Disposable {
  private readonly item: StatusBarItem;
  private readonly links = new Map<string, Link>();
  private shown = "";

  constructor() {
    this.item = window.createStatusBarItem("status", StatusBarAlignment.Left, PRIORITY);
    this.item.name = l10n.t("Streamlet");
    this.item.command = "streamlet.showActions" satisfies Command;
  }

  update(state: HostState): void {
    const { text, tooltip, problem } = describe(state);
    // Each assignment is a message to the window; most states change nothing here.
    const look = `${text}\n${tooltip}\n${problem}`;
    if (look !== this.shown) {
      this.shown = look;
      this.item.text = text;
      this.item.tooltip = new MarkdownString().appendText(tooltip);
      this.item.backgroundColor = problem ? new ThemeColor(`statusBarItem.${problem}Background`) : undefined;
      this.item.accessibilityInformation = { label: tooltip.replaceAll("\n", ", "), role: "button" };
      if (text) this.item.show();
      else this.item.hide();
    }
    this.updateLinks(state);
  }

  dispose(): void {
    this.item.dispose();
    for (const { item } of this.links.values()) item.dispose();
  }

  private updateLinks({ connections, snapshot }: HostState): void {
    const wanted = connections.slice(0, MAX_LINKS);
    for (const [fingerprint, { item }] of this.links) {
      if (wanted.some((connection) => connection.fingerprint === fingerprint)) continue;
      item.dispose();
      this.links.delete(fingerprint);
    }
    for (const connection of wanted) {
      const link = this.links.get(connection.fingerprint) ?? this.makeLink(connection);
      const look = describeLink(connection, snapshot.contacts);
      const shown = JSON.stringify(look);
      if (shown === link.shown) continue;
      link.shown = shown;
      link.item.text = look.text;
      link.item.tooltip = new MarkdownString().appendText(look.tooltip);
      link.item.backgroundColor = look.problem ? new ThemeColor(`statusBarItem.${look.problem}Background`) : undefined;
      link.item.accessibilityInformation = { label: look.tooltip, role: "button" };
    }
  }

  private makeLink({ fingerprint, peerId }: ManualConnection): Link {
    const item = window.createStatusBarItem(`link.${fingerprint}`, StatusBarAlignment.Left, PRIORITY - 1);
    item.name = l10n.t("Streamlet: {0}", withoutIcons(peerId));
    item.command = {
      command: "streamlet.disconnect" satisfies Command,
      title: l10n.t("Disconnect"),
      arguments: [fingerprint],
    };
    item.show();
    const link = { item, shown: "" };
    this.links.set(fingerprint, link);
    return link;
  }
}

interface Link {
  readonly item: StatusBarItem;
  shown: string;
}

/** A connection is shown for as long as it is wanted: also while it is lost and dialled again. */
function describeLink(connection: ManualConnection, contacts: readonly Contact[]): Look {
  const { host, port, connected } = connection;
  const name = nameOf(connection);
  const where = addressText({ host, port });
  if (!connected) {
    return {
      text: `$(debug-disconnect) ${withoutIcons(name)}`,
      tooltip: l10n.t("The connection to {0} at {1} is lost; trying again. Click to stop.", name, where),
    };
  }
  const tooltip = l10n.t("Connected to {0} at {1}. Click to disconnect.", name, where);
  if (recognize(contacts, connection) === "impostor") {
    return {
      text: `$(warning) ${withoutIcons(name)}`,
      tooltip: `${impostorWarning(connection)} ${tooltip}`,
      problem: "warning",
    };
  }
  return { text: `$(link) ${withoutIcons(name)}`, tooltip };
}

interface Look {
  text: string;
  tooltip: string;
  problem?: "error" | "warning";
}

function describe(state: HostState): Look {
  const profile = state.profiles.find((candidate) => candidate.id === state.activeId);
  const name = withoutIcons(profile?.peerId ?? "Streamlet");
  const { peer } = state.snapshot;
  switch (phaseOf(state)) {
    case "joining":
    case "noProfile":
      return { text: "", tooltip: "" };
    case "stopped":
      return { text: `$(circle-slash) ${name}`, tooltip: l10n.t("Streamlet: {0} is stopped", name) };
    case "starting":
      return { text: `$(sync~spin) ${name}`, tooltip: l10n.t("Streamlet: {0} starts", name) };
    case "failed": {
      const why = state.failure ?? peer.error;
      return {
        text: `$(error) ${name}`,
        tooltip: l10n.t("Streamlet: {0} does not run. {1}", name, why ? explain(why) : ""),
        problem: "error",
      };
    }
    case "running": {
      const refusing = refusingTracker(state);
      const silent = networkCondition(state) === "noTracker";
      const trackers = peer.trackers.map((tracker) => withoutToken(tracker.address)).join(", ");
      const lines = [
        l10n.t("Streamlet: {0} on port {1}", name, peer.port),
        refusing ? refusalText(state, refusing) : "",
        silent && !refusing ? l10n.t("No tracker answers at {0}", trackers) : "",
        l10n.t("Down {0}, up {1}", formatRate(peer.downRate), formatRate(peer.upRate)),
        peer.connections === 1 ? l10n.t("1 connection") : l10n.t("{0} connections", peer.connections),
      ];
      const rates = [
        peer.downRate > 0 ? `$(arrow-down) ${formatRate(peer.downRate)}` : "",
        peer.upRate > 0 ? `$(arrow-up) ${formatRate(peer.upRate)}` : "",
      ];
      const icon = refusing || silent ? "$(warning)" : "$(broadcast)";
      return {
        text: [`${icon} ${name}`, ...rates].filter(Boolean).join(" "),
        tooltip: lines.filter(Boolean).join("\n"),
      };
    }
  }
}
