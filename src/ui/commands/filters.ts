/** Commands that narrow the Network view. */
import { l10n, type QuickInputButton, QuickInputButtons, type QuickPickItem, QuickPickItemKind, window } from "vscode";
import { shortFingerprint } from "../../wire/fingerprint";
import type { Fingerprint } from "../../wire/types";
import type { App } from "../app";
import { withoutIcons } from "../notify";
import { durationRange, filterSummary, NETWORK_SORTS, type NetworkFilters, sortText } from "../views/networkFilters";
import type { Handlers } from "./handlers";

type FiltersCommand = "streamlet.filterNetwork" | "streamlet.clearFilters";

export const filtersCommands: Handlers<FiltersCommand> = {
  "streamlet.filterNetwork": filterNetwork,
  "streamlet.clearFilters": async (app) => app.network.setFilters({}),
};

/** Seconds. */
const DURATIONS: { minDuration?: number; maxDuration?: number }[] = [
  { maxDuration: 60 },
  { minDuration: 60, maxDuration: 600 },
  { minDuration: 600 },
  { minDuration: 3600 },
];
/** Pixels: HD, Full HD, 4K. */
const HEIGHTS = [720, 1080, 2160] as const;
/** More owners than anybody looks through; typing narrows them, and a search by name finds the rest. */
const MAX_OWNERS = 500;

interface Choice extends QuickPickItem {
  run?(): unknown;
}
type Answer = "back" | "closed" | Choice;

/** The menu shows what is on; each choice takes effect at once, and the menu comes back until it is closed. */
async function filterNetwork(app: App): Promise<void> {
  for (;;) {
    const picked = await ask(l10n.t("Filter Network"), mainMenu(app), { placeholder: matchText(app) });
    if (picked === "back" || picked === "closed") return;
    const next = await picked.run?.();
    if (next === "closed") return;
  }
}

function matchText(app: App): string {
  const { network } = app;
  const summary = filterSummary(network.filters);
  return summary
    ? l10n.t("{0}. Choose what to change, Escape when done", summary)
    : l10n.t("Choose what to narrow the list by, Escape when done");
}

function mainMenu(app: App): Choice[] {
  const { filters, order } = app.network;
  const { owner, minDuration, maxDuration, minHeight, friendsOnly = false } = filters;
  const set = (change: NetworkFilters) => app.network.setFilters({ ...filters, ...change });
  const any = l10n.t("any");
  const items: Choice[] = [
    {
      label: l10n.t("$(person) Owner"),
      description: owner ? withoutIcons(owner.peerId) : l10n.t("anyone"),
      run: () => choose(l10n.t("Owner"), ownerItems(app, set)),
    },
    {
      label: l10n.t("$(watch) Duration"),
      description: durationRange(minDuration, maxDuration) ?? any,
      run: () => choose(l10n.t("Duration"), durationItems(filters, set)),
    },
    {
      label: l10n.t("$(screen-full) Resolution"),
      description: minHeight === undefined ? any : l10n.t("{0}p or more", minHeight),
      run: () => choose(l10n.t("Resolution"), heightItems(filters, set)),
    },
    {
      label: friendsOnly ? l10n.t("$(check) Friends only") : l10n.t("$(heart) Friends only"),
      description: friendsOnly ? l10n.t("on") : l10n.t("off"),
      run: () => set({ friendsOnly: !friendsOnly }),
    },
    {
      label: l10n.t("$(list-ordered) Sort"),
      description: sortText(order),
      run: () => choose(l10n.t("Sort"), sortItems(app)),
    },
  ];
  if (filterSummary(filters) === undefined) return items;
  return [
    ...items,
    { label: "", kind: QuickPickItemKind.Separator },
    { label: l10n.t("$(clear-all) Clear Filters"), run: () => app.network.setFilters({}) },
  ];
}

async function choose(title: string, items: Choice[]): Promise<"closed" | undefined> {
  const picked = await ask(title, items, { back: true });
  if (picked === "closed") return "closed";
  if (picked !== "back") await picked.run?.();
  return undefined;
}

type Setter = (change: NetworkFilters) => void;

function ownerItems(app: App, set: Setter): Choice[] {
  const now = app.network.filters.owner?.fingerprint;
  const owners = [...knownOwners(app)].slice(0, MAX_OWNERS).sort((a, b) => a.peerId.localeCompare(b.peerId));
  return [
    { label: l10n.t("Anyone"), ...marked(now === undefined), run: () => set({ owner: undefined }) },
    ...owners.map(({ fingerprint, peerId, note }) => ({
      label: withoutIcons(peerId),
      description: [note, shortFingerprint(fingerprint), fingerprint === now ? l10n.t("now") : undefined]
        .filter(Boolean)
        .join(" · "),
      run: () => set({ owner: { fingerprint, peerId } }),
    })),
  ];
}

interface KnownOwner {
  fingerprint: Fingerprint;
  peerId: string;
  note?: string;
}

/** Everybody whose videos there may be: those who were listed, friends, whoever is online, and the one that is chosen now. */
function knownOwners(app: App): Iterable<KnownOwner> {
  const owners = new Map<Fingerprint, KnownOwner>();
  const add = (fingerprint: Fingerprint, peerId: string, note?: string) => {
    if (peerId && !owners.has(fingerprint)) owners.set(fingerprint, { fingerprint, peerId, ...(note ? { note } : {}) });
  };
  const { snapshot } = app.host.state ?? {};
  if (snapshot?.peer.fingerprint) add(snapshot.peer.fingerprint, snapshot.peer.peerId, l10n.t("You"));
  const { owner } = app.network.filters;
  for (const { fingerprint, peerId, kind } of snapshot?.contacts ?? []) {
    if (kind === "friend") add(fingerprint, peerId, l10n.t("friend"));
  }
  for (const [fingerprint, peerId] of app.network.owners) add(fingerprint, peerId);
  for (const { fingerprint, peerId } of app.peers.peers) add(fingerprint, peerId);
  if (owner) add(owner.fingerprint, owner.peerId);
  return owners.values();
}

function durationItems({ minDuration, maxDuration }: NetworkFilters, set: Setter): Choice[] {
  const item = (label: string, range: { minDuration?: number; maxDuration?: number }): Choice => ({
    label,
    ...marked(range.minDuration === minDuration && range.maxDuration === maxDuration),
    run: () => set({ minDuration: range.minDuration, maxDuration: range.maxDuration }),
  });
  return [
    item(l10n.t("Any duration"), {}),
    ...DURATIONS.map((range) => item(durationRange(range.minDuration, range.maxDuration) ?? "", range)),
  ];
}

function heightItems({ minHeight }: NetworkFilters, set: Setter): Choice[] {
  return [
    { label: l10n.t("Any resolution"), ...marked(minHeight === undefined), run: () => set({ minHeight: undefined }) },
    ...HEIGHTS.map((height) => ({
      label: l10n.t("{0}p or more", height),
      ...marked(minHeight === height),
      run: () => set({ minHeight: height }),
    })),
  ];
}

function sortItems({ network }: App): Choice[] {
  return NETWORK_SORTS.map((sort) => ({
    label: sortText(sort),
    ...marked(sort === network.order),
    run: () => network.setSort(sort),
  }));
}

function marked(now: boolean): { description?: string } {
  return now ? { description: l10n.t("now") } : {};
}

/** One step: resolves with what was picked, or how it was left. */
function ask(
  title: string,
  items: Choice[],
  { placeholder = "", back = false }: { placeholder?: string; back?: boolean },
): Promise<Answer> {
  return new Promise((resolve) => {
    const pick = window.createQuickPick<Choice>();
    pick.title = title;
    pick.placeholder = placeholder;
    pick.items = items;
    pick.matchOnDescription = true;
    if (back) pick.buttons = [QuickInputButtons.Back];
    const answer = (value: Answer) => {
      resolve(value);
      pick.hide();
    };
    pick.onDidAccept(() => {
      const [item] = pick.selectedItems;
      if (item) answer(item);
    });
    pick.onDidTriggerButton((button: QuickInputButton) => {
      if (button === QuickInputButtons.Back) answer("back");
    });
    pick.onDidHide(() => {
      resolve("closed");
      pick.dispose();
    });
    pick.show();
  });
}
