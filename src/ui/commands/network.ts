/** Commands about what others share, and about reaching them. */
import { l10n, type QuickPickItem, window } from "vscode";
import { type App, activeProfile } from "../app";
import { Views } from "../contributions";
import { inform } from "../notify";
import { downloadLink } from "../openLink";
import { editProfile } from "../profiles";
import { networkTargets } from "../targets";
import { startTrackerHere } from "../trackerTerminal";
import { localTrackerPort } from "../views/conditions";
import { NETWORK_SORTS, type NetworkSort, sortText } from "../views/networkFilters";
import type { Handlers } from "./handlers";

type NetworkCommand =
  | "streamlet.download"
  | "streamlet.openLink"
  | "streamlet.refresh"
  | "streamlet.searchNetwork"
  | "streamlet.clearSearch"
  | "streamlet.sortNetwork"
  | "streamlet.showMore"
  | "streamlet.startTrackerHere";

export const networkCommands: Handlers<NetworkCommand> = {
  "streamlet.download": download,
  "streamlet.openLink": openLink,
  "streamlet.refresh": (app) => app.service.refresh(),
  "streamlet.searchNetwork": searchNetwork,
  "streamlet.clearSearch": async (app) => app.network.setSearch(""),
  "streamlet.sortNetwork": sortNetwork,
  "streamlet.showMore": showMore,
  "streamlet.startTrackerHere": startTracker,
};

async function download(app: App, args: unknown[]): Promise<void> {
  const videos = await networkTargets(app, args, {
    filter: (video) => !video.mine && app.network.libraryVideo(video)?.state !== "ready",
    placeHolder: l10n.t("Videos to download"),
    none: l10n.t("There is nothing new to download in Network."),
  });
  for (const video of videos) {
    const { key } = await app.service.download({ source: video.id });
    app.transfers.watch(key);
  }
}

async function openLink(app: App): Promise<void> {
  const text = await window.showInputBox({
    title: l10n.t("Open Link"),
    prompt: l10n.t("Paste a Streamlet link or a magnet link"),
    placeHolder: "vscode://streamlet.streamlet/v/...",
    ignoreFocusOut: true,
    validateInput: (value) =>
      value.trim() === "" || /^[a-z][a-z0-9+.-]*:/i.test(value.trim())
        ? undefined
        : l10n.t("A link starts with vscode: or magnet:"),
  });
  if (text?.trim()) await downloadLink(app, text.trim());
}

async function searchNetwork(app: App): Promise<void> {
  const box = window.createInputBox();
  box.title = l10n.t("Search Network");
  box.placeholder = l10n.t("Name, description or Peer ID");
  box.value = app.network.search;
  // The list follows while one types, a little later than the keys.
  let timer: NodeJS.Timeout | undefined;
  const apply = () => app.network.setSearch(box.value.trim());
  box.onDidChangeValue(() => {
    clearTimeout(timer);
    timer = setTimeout(apply, SEARCH_DELAY_MS);
  });
  box.onDidAccept(() => {
    clearTimeout(timer);
    apply();
    box.hide();
  });
  box.onDidHide(() => box.dispose());
  box.show();
}

/** Long enough that a word typed quickly is one query. */
const SEARCH_DELAY_MS = 200;

async function sortNetwork(app: App): Promise<void> {
  const items: (QuickPickItem & { sort: NetworkSort })[] = NETWORK_SORTS.map((sort) => ({
    label: sortText(sort),
    ...(sort === app.network.order ? { description: l10n.t("now") } : {}),
    sort,
  }));
  const picked = await window.showQuickPick(items, { placeHolder: l10n.t("Order of the Network view") });
  if (picked) app.network.setSort(picked.sort);
}

async function showMore(app: App, [view]: unknown[]): Promise<void> {
  if (view === Views.network) app.network.showMore();
  else if (view === "friends" || view === "online" || view === "blocked") app.peers.showMore(view);
  else if (view === "uploaded" || view === "obtained") app.videos.showMore(view);
}

async function startTracker(app: App): Promise<void> {
  const profile = activeProfile(app);
  startTrackerHere(app.context, profile?.trackers ?? []);
  if (profile && localTrackerPort(profile.trackers) === undefined) {
    await inform(
      l10n.t("The tracker runs here, but your profile does not use it: add localhost:6000 to its trackers."),
      {
        title: l10n.t("Edit Profile"),
        run: () => editProfile(app),
      },
    );
  }
}
