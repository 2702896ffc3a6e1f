/** What stands beside and in the tooltip of a row. Text of other people goes through `appendText` only. */
import { l10n, MarkdownString, ThemeColor, ThemeIcon } from "vscode";
import type { Audience, LibraryVideo, NetworkVideo, Thumbnail, TrackerStatus, VideoState } from "../../peer/status";
import type { HostState } from "../../rpc/window";
import { shortFingerprint } from "../../wire/fingerprint";
import type { Fingerprint } from "../../wire/types";
import { formatBytes, formatDuration, formatPercent, formatRate } from "../format";
import { explain } from "../messages";
import { pictureAddress } from "../pictures";
import { withoutToken } from "./conditions";

const SEPARATOR = " · ";

/** State first (a narrow side bar cuts the end), then what moves, then the size. */
export function describeVideo(video: LibraryVideo): string {
  const percent = formatPercent(video.bytesDone, video.size);
  switch (video.state) {
    case "optimising":
      return l10n.t("optimising {0}", percent);
    case "hashing":
      return l10n.t("preparing {0}", percent);
    case "checking":
      return l10n.t("checking {0}", percent);
    case "downloading":
      return video.peers === 0
        ? joined(l10n.t("downloading {0}", percent), l10n.t("waiting for peers"))
        : joined(
            l10n.t("downloading {0}", percent),
            formatRate(video.downRate),
            limitText(video.downloadLimit),
            peersText(video.peers),
          );
    case "paused":
      return joined(l10n.t("paused"), percent);
    case "failed":
      return joined(l10n.t("stopped"), video.error ? explain(video.error) : undefined);
    case "fileMissing":
      return l10n.t("file missing");
    case "fileChanged":
      return l10n.t("file changed");
    case "ready":
      return joined(
        sharingText(video),
        video.upRate > 0 ? `↑ ${formatRate(video.upRate)}` : undefined,
        video.upRate > 0 ? limitText(video.uploadLimit) : undefined,
        video.upRate > 0 && video.peers > 0 ? peersText(video.peers) : undefined,
        durationText(video),
        heightText(video),
        formatBytes(video.size),
      );
  }
}

function limitText(limit: number | undefined): string | undefined {
  return limit === undefined ? undefined : l10n.t("max. {0}", formatRate(limit));
}

/** Limits of this video alone, both ways. */
export function ownLimitsText({ downloadLimit, uploadLimit }: LibraryVideo): string | undefined {
  return (
    joined(
      downloadLimit === undefined ? undefined : l10n.t("download at most {0}", formatRate(downloadLimit)),
      uploadLimit === undefined ? undefined : l10n.t("upload at most {0}", formatRate(uploadLimit)),
    ) || undefined
  );
}

function sharingText(video: LibraryVideo): string | undefined {
  if (!video.shared) return video.origin === "uploaded" ? l10n.t("not shared") : undefined;
  if (video.audience === "friends") return l10n.t("Friends only");
  // Of what others own one is a source; it is their record that a tracker acknowledges.
  if (video.origin === "uploaded" && video.publishedOn === 0) return l10n.t("waiting for a tracker");
  return video.audience === "public" ? l10n.t("On Network, public") : l10n.t("On Network");
}

export function iconOfVideo(video: LibraryVideo): ThemeIcon {
  switch (video.state) {
    case "optimising":
    case "hashing":
    case "checking":
      return new ThemeIcon("sync~spin");
    case "downloading":
      return new ThemeIcon("cloud-download", new ThemeColor("charts.blue"));
    case "paused":
      return new ThemeIcon("debug-pause");
    case "failed":
      return new ThemeIcon("error", new ThemeColor("list.errorForeground"));
    case "fileMissing":
    case "fileChanged":
      return new ThemeIcon("warning", new ThemeColor("list.warningForeground"));
    case "ready":
      if (!video.shared) return new ThemeIcon("device-camera-video");
      return new ThemeIcon(AUDIENCE_ICONS[video.audience], new ThemeColor("charts.green"));
  }
}

/** As the choice of the audience shows them. */
const AUDIENCE_ICONS: Record<Audience, string> = { everyone: "broadcast", friends: "heart", public: "globe" };

const PARTIAL: readonly VideoState[] = ["optimising", "hashing", "downloading", "paused", "checking", "failed"];

/** It is not all there yet: on its way, or stopped on it. */
export function isPartial({ state }: Pick<LibraryVideo, "state">): boolean {
  return PARTIAL.includes(state);
}

/** Words that the menus in package.json test, in this order: video, origin, state, sharing, partial?, audience. */
export function contextOfVideo(video: LibraryVideo): string {
  return [
    "video",
    video.origin,
    video.state,
    video.shared ? "shared" : "unshared",
    ...(isPartial(video) ? ["partial"] : []),
    video.audience,
  ].join(" ");
}

/** Names beyond this are counted only. */
const MAX_FRIENDS_NAMED = 10;

/** Who gets a video that is shared, and what that means. */
function audienceText({ audience, shared }: LibraryVideo, friends: readonly string[]): string | undefined {
  if (!shared) return undefined;
  if (audience === "everyone") return l10n.t("everyone on your trackers");
  if (audience === "public") return l10n.t("everyone, with any BitTorrent client");
  if (friends.length === 0) return l10n.t("friends only, and you have none yet: add them in the Peers view");
  const named = friends.slice(0, MAX_FRIENDS_NAMED).join(", ");
  const rest = friends.length - MAX_FRIENDS_NAMED;
  return rest > 0
    ? l10n.t("friends only: {0} and {1} more; nobody else sees or gets it", named, rest)
    : l10n.t("friends only: {0}; nobody else sees or gets it", named);
}

/** @param friends names of those whom "Friends" stands for */
export function tooltipOfVideo(video: LibraryVideo, friends: readonly string[], picture?: Thumbnail): MarkdownString {
  return tooltip(video, picture, [
    [l10n.t("State"), describeVideo(video)],
    [l10n.t("Limit"), ownLimitsText(video)],
    [l10n.t("Shared with"), video.origin === "uploaded" ? audienceText(video, friends) : undefined],
    [l10n.t("Size"), formatBytes(video.size)],
    [l10n.t("Duration"), durationText(video)],
    [l10n.t("Resolution"), resolutionText(video)],
    [l10n.t("Format"), formatText(video)],
    [l10n.t("Owner"), ownerText(video.owner, video.ownerFingerprint, video.origin === "uploaded")],
    [l10n.t("File"), video.path],
  ]);
}

/** @param ambiguous somebody else bears the owner's name: a fingerprint tells them apart */
export function describeNetworkVideo(video: NetworkVideo, ambiguous = false): string {
  return joined(
    ownerName(video),
    ambiguous || video.impostor ? shortFingerprint(video.ownerFingerprint) : undefined,
    durationText(video),
    heightText(video),
    formatBytes(video.size),
    video.sources === 1 ? l10n.t("1 source") : l10n.t("{0} sources", video.sources),
  );
}

/** Always the Peer ID; oneself, friends and who only bears a friend's name are marked. */
function ownerName({ owner, mine, friend, impostor }: NetworkVideo): string {
  if (mine) return l10n.t("{0} (You)", owner);
  if (impostor) return l10n.t("⚠ not your friend {0}", owner);
  return friend ? l10n.t("{0} (friend)", owner) : owner;
}

export function iconOfNetworkVideo(video: NetworkVideo, own: LibraryVideo | undefined): ThemeIcon {
  if (video.mine) return new ThemeIcon("account", new ThemeColor("charts.green"));
  if (video.impostor) return new ThemeIcon("warning", new ThemeColor("list.warningForeground"));
  if (!own) return new ThemeIcon("device-camera-video");
  return own.state === "ready" ? new ThemeIcon("pass", new ThemeColor("charts.green")) : iconOfVideo(own);
}

export function contextOfNetworkVideo(video: NetworkVideo, own: LibraryVideo | undefined): string {
  const possession = own ? `owned ${own.state}` : "absent";
  return ["network", video.mine ? "mine" : "theirs", possession, video.audience].join(" ");
}

export function tooltipOfNetworkVideo(video: NetworkVideo, picture?: Thumbnail): MarkdownString {
  return tooltip(video, picture, [
    [l10n.t("Owner"), joined(ownerName(video), shortFingerprint(video.ownerFingerprint))],
    [l10n.t("Size"), formatBytes(video.size)],
    [l10n.t("Duration"), durationText(video)],
    [l10n.t("Resolution"), resolutionText(video)],
    [l10n.t("Format"), formatText(video)],
    [l10n.t("Sources"), String(video.sources)],
  ]);
}

/** Why a tracker does not serve this profile, and what to do. */
export function refusalText({ snapshot }: HostState, { address, error }: TrackerStatus): string {
  const shown = withoutToken(address);
  if (!error) return shown;
  return `${shown}: ${explain({ ...error, data: { address: shown, name: snapshot.peer.peerId, ...error.data } })}`;
}

export function addressText({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function ownerText(name: string, fingerprint: Fingerprint | "", mine: boolean): string {
  const shown = mine ? l10n.t("{0} (You)", name) : name;
  return fingerprint ? joined(shown, shortFingerprint(fingerprint)) : shown;
}

function durationText({ duration }: { duration?: number }): string | undefined {
  return duration === undefined ? undefined : formatDuration(duration);
}

function resolutionText({ width, height }: { width?: number; height?: number }): string | undefined {
  return width && height ? `${width} × ${height}` : undefined;
}

/** As filters and players say it. */
function heightText({ height }: { height?: number }): string | undefined {
  return height ? `${height}p` : undefined;
}

function formatText({ container, codecs }: { container?: string; codecs?: string }): string | undefined {
  return [container, codecs].filter(Boolean).join(", ") || undefined;
}

function peersText(count: number): string {
  return count === 1 ? l10n.t("1 peer") : l10n.t("{0} peers", count);
}

export function joined(...parts: (string | undefined)[]): string {
  return parts.filter(Boolean).join(SEPARATOR);
}

/** Lines of a tooltip beyond this are noise: a description may have 4000 characters. */
const MAX_DESCRIPTION_CHARS = 600;

/** Pixels; a picture keeps its shape. */
const PICTURE_WIDTH = 240;

/** `title` and `description` are other people's text. */
export function tooltip(
  { title, description }: { title: string; description: string },
  picture: Thumbnail | undefined,
  rows: [name: string, value: string | undefined][],
): MarkdownString {
  const text = new MarkdownString();
  text.appendMarkdown("**");
  appendForeign(text, title);
  text.appendMarkdown("**");
  const address = picture && pictureAddress(picture);
  if (address) text.appendMarkdown(`\n\n![${l10n.t("Preview")}](${address}|width=${PICTURE_WIDTH})`);
  if (description) {
    const cut =
      description.length > MAX_DESCRIPTION_CHARS ? `${description.slice(0, MAX_DESCRIPTION_CHARS)}…` : description;
    appendForeign(text.appendMarkdown("\n\n"), cut);
  }
  for (const [name, value] of rows) {
    if (value) appendForeign(text.appendMarkdown("\n\n"), `${name}: ${value}`);
  }
  return text;
}

/**
 * `appendText` word by word, with our own blanks between: its blanks do not break, and long lines would be cut off. The signs
 * that make an address or a numbered list are escaped, which it leaves undone: a stranger's `https://...` stays text.
 */
function appendForeign(text: MarkdownString, foreign: string): void {
  for (const part of foreign.trim().split(/(\s+|[.:/@])/)) {
    if (/^[.:/@]$/.test(part)) text.appendMarkdown(`\\${part}`);
    else if (/^\s/.test(part)) text.appendMarkdown(part.includes("\n") ? "\n\n" : " ");
    else if (part !== "") text.appendText(part);
  }
}
