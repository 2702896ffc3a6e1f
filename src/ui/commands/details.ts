/** Commands about one video, wherever it is listed. */
import { homedir } from "node:os";
import { join } from "node:path";
import { commands, l10n, Uri, window, workspace } from "vscode";
import type { DetailsAction } from "../../rpc/detailsPanel";
import type { App } from "../app";
import type { Command } from "../contributions";
import { inform } from "../notify";
import type { DetailsTarget } from "../panels/detailsPanel";
import { libraryTargets, videoTarget } from "../targets";
import type { Handlers } from "./handlers";

type DetailsCommand = "streamlet.showDetails" | "streamlet.saveTorrentFile";

export const detailsCommands: Handlers<DetailsCommand> = {
  "streamlet.showDetails": showDetails,
  "streamlet.saveTorrentFile": saveTorrentFile,
};

async function showDetails(app: App, args: unknown[]): Promise<void> {
  const target = await videoTarget(app, args, {
    placeHolder: l10n.t("Video to show details of"),
    none: l10n.t("There is no video yet."),
  });
  if (target) app.details.show(target);
}

const COMMANDS: Record<DetailsAction, Command> = {
  stream: "streamlet.stream",
  download: "streamlet.download",
  pause: "streamlet.pause",
  resume: "streamlet.resume",
  cancel: "streamlet.cancelDownload",
  play: "streamlet.play",
  save: "streamlet.saveToDevice",
  copyLink: "streamlet.copyLink",
  copyMagnet: "streamlet.copyMagnetLink",
  saveTorrent: "streamlet.saveTorrentFile",
};

/** A button of the panel does what the row's command does. */
export async function runDetailsAction(action: DetailsAction, { library, network }: DetailsTarget): Promise<unknown> {
  const row = network && { kind: "network", list: { value: network } };
  return commands.executeCommand(COMMANDS[action], library?.key ?? row);
}

async function saveTorrentFile(app: App, args: unknown[]): Promise<void> {
  const [video] = await libraryTargets(app, args, {
    filter: ({ audience, state }) => audience === "public" && state === "ready",
    placeHolder: l10n.t("Video to save a torrent file of"),
    none: l10n.t("Only videos that are shared with Public have a torrent file."),
    single: true,
  });
  if (!video) return;
  const { fileName, data } = await app.service.torrentFile(video.key);
  const destination = await window.showSaveDialog({
    defaultUri: Uri.file(join(homedir(), fileName)),
    title: l10n.t("Save Torrent File of “{0}”", video.title),
    saveLabel: l10n.t("Save"),
    filters: { [l10n.t("Torrent files")]: ["torrent"] },
  });
  if (!destination) return;
  await workspace.fs.writeFile(destination, Buffer.from(data, "base64"));
  await inform(l10n.t("The torrent file is saved to {0}. Any BitTorrent client opens it.", destination.fsPath));
}
