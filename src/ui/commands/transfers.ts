/** Commands about what is under way, how fast it may go, and whether what is on disk is right. */
import { l10n, type QuickPickItem, window } from "vscode";
import type { LibraryVideo } from "../../peer/status";
import type { VideoLimits } from "../../rpc/peerService";
import { toErrorInfo } from "../../wire/errors";
import { readRate } from "../../wire/rate";
import type { App } from "../app";
import { formatBytes, formatRate } from "../format";
import { inform, withoutIcons } from "../notify";
import { libraryTargets } from "../targets";
import { isPartial } from "../views/descriptions";
import type { Handlers } from "./handlers";

type TransferCommand =
  | "streamlet.cancelDownload"
  | "streamlet.pause"
  | "streamlet.resume"
  | "streamlet.limitSpeed"
  | "streamlet.recheck"
  | "streamlet.checkFile";

export const transferCommands: Handlers<TransferCommand> = {
  "streamlet.cancelDownload": cancelDownload,
  "streamlet.pause": pause,
  "streamlet.resume": resume,
  "streamlet.limitSpeed": limitSpeed,
  "streamlet.recheck": recheck,
  "streamlet.checkFile": checkFile,
};

const isTransfer = ({ origin, state }: LibraryVideo) =>
  state === "ready" || (origin === "obtained" && ["downloading", "paused", "checking", "failed"].includes(state));

/** Bytes per second: a call or a slow line beside it, a usual line, most of a fast one. */
const USUAL_LIMITS = [100_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000];

async function cancelDownload(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: isPartial,
    placeHolder: l10n.t("Downloads to cancel"),
    none: l10n.t("No download is under way."),
  });
  for (const video of videos) await app.service.cancel(video.key);
}

async function pause(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: (video) => video.state === "downloading" || (video.state === "checking" && video.origin === "obtained"),
    placeHolder: l10n.t("Downloads to pause"),
    none: l10n.t("No download is under way."),
  });
  for (const video of videos) await app.service.pause(video.key);
}

async function resume(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: (video) => video.state === "paused" || video.state === "failed",
    placeHolder: l10n.t("Downloads to resume"),
    none: l10n.t("No download is paused."),
  });
  for (const video of videos) {
    await app.service.resume(video.key);
    app.transfers.watch(video.key);
  }
}

async function recheck(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: (video) => isTransfer(video) && video.state !== "checking",
    placeHolder: l10n.t("Videos to verify again"),
    none: l10n.t("There is no video on this computer to verify."),
  });
  await Promise.all(videos.map((video) => recheckOne(app, video)));
}

async function recheckOne(app: App, { key, title }: LibraryVideo): Promise<void> {
  app.transfers.watch(key);
  try {
    const { wrongBytes } = await app.service.recheck(key);
    if (wrongBytes === 0) app.transfers.forget(key);
    await inform(
      wrongBytes === 0
        ? l10n.t("“{0}” was verified: all of it is right.", title)
        : l10n.t("“{0}” was verified: {1} are wrong and come from others again.", title, formatBytes(wrongBytes)),
    );
  } catch (error) {
    app.transfers.forget(key);
    if (toErrorInfo(error).code !== "cancelled") throw error;
  }
}

async function checkFile(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: (video) => video.state === "fileMissing" || video.state === "fileChanged",
    placeHolder: l10n.t("Videos whose file to check again"),
    none: l10n.t("All files are where they should be."),
  });
  for (const video of videos) await app.service.resume(video.key);
}

// --- limits -------------------------------------------------------------------------------------------------------------

interface Direction extends QuickPickItem {
  limit: keyof VideoLimits;
}

/** Which way, where both are possible; then how fast. All chosen videos get the same. */
async function limitSpeed(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: isTransfer,
    placeHolder: l10n.t("Videos whose speed to limit"),
    none: l10n.t("There is no video that is shared or downloaded."),
  });
  const [first] = videos;
  if (!first) return;
  const title =
    videos.length === 1
      ? l10n.t("Limit Speed of “{0}”", withoutIcons(first.title))
      : l10n.t("Limit Speed of {0} Videos", videos.length);
  const limit = videos.every((video) => video.state === "ready") ? "uploadLimit" : await pickDirection(first, title);
  if (!limit) return;
  const rate = await pickRate(limit, first[limit] ?? 0, title);
  if (rate === undefined) return;
  for (const { key, uploadLimit = 0, downloadLimit = 0 } of videos) {
    await app.service.setVideoLimits(key, { uploadLimit, downloadLimit, [limit]: rate });
  }
}

async function pickDirection(video: LibraryVideo, title: string): Promise<keyof VideoLimits | undefined> {
  const now = (rate: number | undefined) => (rate ? l10n.t("at most {0}", formatRate(rate)) : l10n.t("no limit"));
  const items: Direction[] = [
    { label: l10n.t("$(arrow-down) Download"), description: now(video.downloadLimit), limit: "downloadLimit" },
    { label: l10n.t("$(arrow-up) Upload"), description: now(video.uploadLimit), limit: "uploadLimit" },
  ];
  const picked = await window.showQuickPick(items, { title, placeHolder: l10n.t("What to limit") });
  return picked?.limit;
}

/** Bytes per second, 0 = no limit; undefined where it was left. */
async function pickRate(limit: keyof VideoLimits, now: number, title: string): Promise<number | undefined> {
  const rates = [...new Set([...USUAL_LIMITS, ...(now > 0 ? [now] : [])])].sort((a, b) => a - b);
  const current = l10n.t("current");
  const items: (QuickPickItem & { rate?: number })[] = [
    { label: l10n.t("No limit"), rate: 0, ...(now === 0 ? { description: current } : {}) },
    ...rates.map((rate) => ({ label: formatRate(rate), rate, ...(rate === now ? { description: current } : {}) })),
    { label: l10n.t("Other...") },
  ];
  const placeHolder =
    limit === "uploadLimit"
      ? l10n.t("How fast this video may go out, within the limits of the profile")
      : l10n.t("How fast this video may come in, within the limits of the profile");
  const picked = await window.showQuickPick(items, { title, placeHolder });
  return picked && picked.rate === undefined ? askRate(now, title) : picked?.rate;
}

async function askRate(now: number, title: string): Promise<number | undefined> {
  const text = await window.showInputBox({
    title,
    prompt: l10n.t("Bytes per second, such as 750k or 1.5MB/s; 0 for no limit"),
    value: now > 0 ? formatRate(now).replace(" ", "") : "",
    validateInput: (typed) =>
      readRate(typed.trim()) === undefined
        ? l10n.t("A speed is a number of bytes per second, such as 750k, 2M or 1.5MB/s.")
        : undefined,
  });
  return text === undefined ? undefined : readRate(text.trim());
}
