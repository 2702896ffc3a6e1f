/** What the "Details" panel says of a video: sentences and figures, from what the engine knows of it right now. */
import { env, l10n } from "vscode";
import type { LibraryVideo, NetworkVideo, PieceMap, VideoDetails, VideoSource } from "../../peer/status";
import type { DetailsAction, DetailsStrings, DetailsView, Fact, PiecesView, SourceRow } from "../../rpc/detailsPanel";
import { formatFingerprint } from "../../wire/fingerprint";
import { formatBytes, formatDuration, formatRate } from "../format";
import { describeVideo, isPartial, ownLimitsText } from "../views/descriptions";
import { nameOfSource } from "./sourcesText";

/** What is known of one video; at least one of `library` and `network` was there when the panel was opened. */
export interface KnownVideo {
  library: LibraryVideo | undefined;
  /** As its owner offers it; kept when it is not offered any more. */
  network: NetworkVideo | undefined;
  /** Somebody offers it now; undefined until that is known. */
  isOffered: boolean | undefined;
  /** It was in the library when the panel was opened, or since. */
  wasInLibrary: boolean;
  isRunning: boolean;
  details: VideoDetails | undefined;
}

export function detailsView(video: KnownVideo): DetailsView {
  const { library, network, details } = video;
  const shown = library ?? network;
  const warning = warningOf(video);
  const progress = library && progressOf(library);
  return {
    title: shown?.title ?? "",
    description: shown?.description ?? "",
    ...(warning ? { warning } : {}),
    state: library ? describeVideo(library) : l10n.t("not in your library"),
    ...(progress === undefined ? {} : { progress }),
    actions: video.isRunning ? actionsOf(video) : [],
    facts: factsOf(video),
    sources: (details?.sources ?? []).map(sourceRow),
    noSources: details ? l10n.t("Nobody who can be reached has it.") : l10n.t("Asking who has it..."),
    ...(details?.pieces ? { pieces: piecesView(details.pieces, details.pieceCount) } : {}),
  };
}

function warningOf({ library, network, isOffered, wasInLibrary, isRunning }: KnownVideo): string | undefined {
  if (!isRunning) return l10n.t("The profile is stopped: this is how it was.");
  if (!library && isOffered === false) {
    return wasInLibrary
      ? l10n.t("This video was removed from your library, and nobody offers it now.")
      : l10n.t("Nobody offers this video any more: its owner has stopped sharing it, or is offline.");
  }
  if (network?.impostor) {
    return l10n.t(
      "The owner is not your friend {0}: somebody else uses that name. Compare the fingerprints before you trust it.",
      network.owner,
    );
  }
  if (!library && wasInLibrary) return l10n.t("This video was removed from your library.");
  return undefined;
}

function progressOf(video: LibraryVideo): number | undefined {
  return isPartial(video) && video.size > 0 ? Math.min(1, video.bytesDone / video.size) : undefined;
}

function actionsOf({ library, network, isOffered }: KnownVideo): DetailsView["actions"] {
  const labels: Record<DetailsAction, string> = {
    stream: l10n.t("Play"),
    download: l10n.t("Download"),
    pause: l10n.t("Pause"),
    resume: l10n.t("Resume"),
    cancel: l10n.t("Cancel"),
    play: l10n.t("Play in System Player"),
    save: l10n.t("Save to Device..."),
    copyLink: l10n.t("Copy Link"),
    copyMagnet: l10n.t("Copy Magnet Link"),
    saveTorrent: l10n.t("Save Torrent File..."),
  };
  const state = library?.state;
  const isPublic = (library ?? network)?.audience === "public";
  const offers: Record<DetailsAction, boolean> = {
    stream: library
      ? state === "ready" || (library.origin === "obtained" && isPartial(library))
      : isOffered !== false && network !== undefined,
    download: !library && isOffered !== false && network !== undefined && !network.mine,
    pause: library?.origin === "obtained" && (state === "downloading" || state === "checking"),
    resume: state === "paused" || state === "failed",
    cancel: library !== undefined && isPartial(library),
    play: state === "ready",
    save: state === "ready",
    copyLink: library ? library.id !== undefined && state !== "hashing" : isOffered !== false,
    copyMagnet: isPublic && (library ? library.id !== undefined : isOffered !== false),
    saveTorrent: isPublic && state === "ready",
  };
  const all = Object.keys(offers) as DetailsAction[];
  return all
    .filter((action) => offers[action])
    .map((action, index) => ({ action, label: labels[action], primary: index === 0 && action !== "copyLink" }));
}

function factsOf({ library, network, details }: KnownVideo): Fact[] {
  const shown = library ?? network;
  if (!shown) return [];
  const { ownerFingerprint: owner, container, codecs, duration, width, height } = shown;
  const mine = network?.mine ?? library?.origin === "uploaded";
  const facts: [label: string, value: string | undefined, code?: boolean][] = [
    [l10n.t("Owner"), ownerText(shown.owner, { mine, friend: network?.friend === true })],
    [l10n.t("Fingerprint"), owner ? formatFingerprint(owner) : undefined, true],
    [l10n.t("Size"), shown.size > 0 ? sizeText(shown.size) : undefined],
    [l10n.t("Duration"), duration === undefined ? undefined : formatDuration(duration)],
    [l10n.t("Resolution"), width && height ? `${width} × ${height}` : undefined],
    [l10n.t("Format"), [container, codecs].filter(Boolean).join(", ") || undefined],
    [l10n.t("Audience"), audienceText(shown.audience)],
    [l10n.t("Limit"), library && ownLimitsText(library)],
    [l10n.t("File"), library?.path],
    [l10n.t("Pieces"), details && details.pieceCount > 0 ? pieceSizeText(details) : undefined],
    [l10n.t("Video id"), details?.id ?? network?.id ?? library?.id, true],
  ];
  return facts.flatMap(([label, value, code]) => (value ? [{ label, value, ...(code ? { code } : {}) }] : []));
}

function ownerText(name: string, { mine, friend }: { mine: boolean; friend: boolean }): string {
  if (name === "") return l10n.t("unknown");
  if (mine) return l10n.t("{0} (You)", name);
  return friend ? l10n.t("{0} (friend)", name) : name;
}

function sizeText(bytes: number): string {
  return l10n.t("{0} ({1} bytes)", formatBytes(bytes), count(bytes));
}

function pieceSizeText({ pieceCount, pieceLength = 0 }: VideoDetails): string {
  if (pieceCount === 1) return l10n.t("1 piece");
  return l10n.t("{0} of {1} each", count(pieceCount), formatBytes(pieceLength));
}

export function audienceText(audience: LibraryVideo["audience"]): string {
  switch (audience) {
    case "everyone":
      return l10n.t("Everyone on the trackers");
    case "friends":
      return l10n.t("Friends of the owner");
    case "public":
      return l10n.t("Public, any BitTorrent client");
  }
}

function sourceRow(source: VideoSource): SourceRow {
  const { self, connected, client, address, transport, have, downRate, upRate } = source;
  const name = nameOfSource(source);
  return {
    cells: [
      self ? l10n.t("{0} (You)", name) : name,
      address,
      client || "–",
      self ? "–" : connected ? transportText(transport) : l10n.t("not connected"),
      have === undefined ? "–" : `${Math.floor(have * 100)} %`,
      downRate > 0 ? formatRate(downRate) : "–",
      upRate > 0 ? formatRate(upRate) : "–",
    ],
    self,
    distant: !connected,
  };
}

function transportText(transport: VideoSource["transport"]): string {
  return transport === "tls" ? l10n.t("encrypted") : l10n.t("plain BitTorrent");
}

function piecesView(
  { here, fetching, sources, hereCount, leastSources, missingCount }: PieceMap,
  pieceCount: number,
): PiecesView {
  return {
    here,
    fetching,
    sources,
    text: `${l10n.t("{0} of {1} pieces here", count(hereCount), count(pieceCount))}${reachText()}`,
  };
  function reachText(): string {
    if (hereCount === pieceCount) return ".";
    if (missingCount > 0) return `; ${l10n.t("{0} are at no source that is connected.", count(missingCount))}`;
    if (leastSources === 0) return ".";
    return leastSources === 1
      ? `; ${l10n.t("every piece has a connected source.")}`
      : `; ${l10n.t("every piece has {0} or more connected sources.", leastSources)}`;
  }
}

function count(value: number): string {
  return value.toLocaleString(env.language);
}

export function detailsStrings(): DetailsStrings {
  return {
    picture: l10n.t("Preview"),
    noPicture: l10n.t("No preview"),
    description: l10n.t("Description"),
    progress: l10n.t("Progress"),
    sources: l10n.t("Sources"),
    columns: [
      l10n.t("Name"),
      l10n.t("Address"),
      l10n.t("Program"),
      l10n.t("Connection"),
      l10n.t("Has"),
      l10n.t("Down"),
      l10n.t("Up"),
    ],
    pieces: l10n.t("Pieces"),
    legend: {
      here: l10n.t("here"),
      fetching: l10n.t("being fetched"),
      missing: l10n.t("not here"),
      sources: l10n.t("at connected sources (five fill the strip)"),
    },
  };
}
