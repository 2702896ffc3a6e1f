/** Commands about what others share, and about reaching them. */
import { l10n, type QuickPickItem, window } from "vscode";
import { formatFingerprint } from "../../wire/fingerprint";
import { isFingerprint } from "../../wire/types";
import { type App, activeProfile } from "../app";
import { Views } from "../contributions";
import { confirm, inform, withoutIcons } from "../notify";
import { downloadLink } from "../openLink";
import { editProfile } from "../profiles";
import { networkTargets, peerTarget } from "../targets";
import { startTrackerHere } from "../trackerTerminal";
import { localTrackerPort } from "../views/conditions";
import { addressText } from "../views/descriptions";
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
  | "streamlet.startTrackerHere"
  | "streamlet.connectManually"
  | "streamlet.connectPeer"
  | "streamlet.disconnect";

export const networkCommands: Handlers<NetworkCommand> = {
  "streamlet.download": download,
  "streamlet.openLink": openLink,
  "streamlet.refresh": (app) => app.service.refresh(),
  "streamlet.searchNetwork": searchNetwork,
  "streamlet.clearSearch": async (app) => app.network.setSearch(""),
  "streamlet.sortNetwork": sortNetwork,
  "streamlet.showMore": showMore,
  "streamlet.startTrackerHere": startTracker,
  "streamlet.connectManually": connectManually,
  "streamlet.connectPeer": connectPeer,
  "streamlet.disconnect": disconnect,
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
  else if (view === Views.peers) app.peers.showMore();
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

async function connectManually(app: App): Promise<void> {
  const listed = app.peers.peers.filter((peer) => !peer.self && !peer.connected);
  const typed = l10n.t("$(keyboard) Type an address...");
  let address: string | undefined;
  if (listed.length > 0) {
    const items = [
      { label: typed, address: undefined },
      ...listed.map((peer) => ({
        label: withoutIcons(peer.peerId),
        description: addressText(peer),
        address: addressText(peer),
      })),
    ];
    const picked = await window.showQuickPick(items, { placeHolder: l10n.t("Connect to"), matchOnDescription: true });
    if (!picked) return;
    address = picked.address;
  }
  address ??= await askAddress();
  if (address) await connectTo(app, address);
}

function askAddress(): Thenable<string | undefined> {
  return window.showInputBox({
    title: l10n.t("Connect Manually"),
    prompt: l10n.t("Address of the other person: host:port"),
    placeHolder: "192.168.1.23:5000",
    ignoreFocusOut: true,
    validateInput: (text) =>
      text === "" || /^(\[[0-9a-f:.%]+\]|[^\s:/]+):\d{1,5}$/i.test(text.trim())
        ? undefined
        : l10n.t("An address is a host and a port, such as 192.168.1.23:5000 or [fe80::1]:5000."),
  });
}

/** Whose key it is can be known only by asking them: the dialog shows it, and closing it disconnects. */
async function connectTo(app: App, address: string): Promise<void> {
  const made = await app.service.connect(address.trim());
  const fingerprint = isFingerprint(made.fingerprint) ? formatFingerprint(made.fingerprint) : made.fingerprint;
  const keep = await confirm(
    l10n.t("Stay connected to {0} at {1}?", made.peerId, addressText(made)),
    l10n.t("Fingerprint:\n{0}\n\nAsk {1} whether it is theirs. Only then it is really {1}.", fingerprint, made.peerId),
    l10n.t("Stay Connected"),
  );
  if (!keep) await app.service.disconnect(made.fingerprint);
}

async function connectPeer(app: App, args: unknown[]): Promise<void> {
  const peer = await peerTarget(app, args, {
    filter: (candidate) => !candidate.self && !candidate.connected,
    placeHolder: l10n.t("Peer to connect to"),
    none: l10n.t("Nobody else is online. Use Connect Manually with their address."),
  });
  if (peer) await connectTo(app, addressText(peer));
}

/** From the status bar with a fingerprint, from a row, or from the palette. */
async function disconnect(app: App, args: unknown[]): Promise<void> {
  if (typeof args[0] === "string") {
    await app.service.disconnect(args[0]);
    return;
  }
  const peer = await peerTarget(app, args, {
    filter: (candidate) => candidate.connected && !candidate.self,
    placeHolder: l10n.t("Peer to disconnect from"),
    none: l10n.t("No peer is connected."),
  });
  if (peer) await app.service.disconnect(peer.fingerprint);
}
