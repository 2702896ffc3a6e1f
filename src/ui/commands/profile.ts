/** Commands about profiles, settings and the status bar. */
import { commands, env, l10n, type QuickPickItem, window } from "vscode";
import { formatFingerprint } from "../../wire/fingerprint";
import { isFingerprint } from "../../wire/types";
import { type App, activeProfile } from "../app";
import type { Command } from "../contributions";
import { phaseOf } from "../host/snapshots";
import { inform } from "../notify";
import * as profiles from "../profiles";
import type { Handlers } from "./handlers";

type ProfileCommand =
  | "streamlet.createProfile"
  | "streamlet.selectProfile"
  | "streamlet.startProfile"
  | "streamlet.stopProfile"
  | "streamlet.editProfile"
  | "streamlet.deleteProfile"
  | "streamlet.resetData"
  | "streamlet.renewIdentity"
  | "streamlet.useNextFreePort"
  | "streamlet.copyFingerprint"
  | "streamlet.openSettings"
  | "streamlet.openNativeSettings"
  | "streamlet.showActions"
  | "streamlet.showLog";

export const profileCommands: Handlers<ProfileCommand> = {
  "streamlet.createProfile": (app) => profiles.createProfile(app),
  "streamlet.selectProfile": (app) => profiles.selectProfile(app),
  "streamlet.startProfile": (app) => profiles.startProfile(app),
  "streamlet.stopProfile": (app) => app.service.stopProfile(),
  "streamlet.editProfile": (app) => profiles.editProfile(app),
  "streamlet.deleteProfile": (app) => profiles.deleteProfile(app),
  "streamlet.resetData": (app) => profiles.resetData(app),
  "streamlet.renewIdentity": (app) => profiles.renewIdentity(app),
  "streamlet.useNextFreePort": (app) => profiles.useNextFreePort(app),
  "streamlet.copyFingerprint": copyFingerprint,
  "streamlet.openSettings": async ({ settings }) => settings.show(),
  "streamlet.openNativeSettings": openNativeSettings,
  "streamlet.showActions": showActions,
  "streamlet.showLog": async ({ log }) => log.show(),
};

/** Of the peer whose row was chosen, else one's own. */
async function copyFingerprint(app: App, [row]: unknown[]): Promise<void> {
  const chosen = (row as { list?: { value?: { fingerprint?: unknown } } } | undefined)?.list?.value?.fingerprint;
  const fingerprint = typeof chosen === "string" ? chosen : activeProfile(app)?.fingerprint;
  if (!fingerprint || !isFingerprint(fingerprint)) return;
  await env.clipboard.writeText(formatFingerprint(fingerprint));
  await inform(l10n.t("Fingerprint copied. Compare it with the other person by another way, such as a call."));
}

async function showActions(app: App): Promise<void> {
  const { state } = app.host;
  const phase = phaseOf(state);
  const item = (label: string, command: Command): QuickPickItem & { command: Command } => ({ label, command });
  const running = phase === "running";
  const items = [
    ...(running ? [item(l10n.t("$(cloud-upload) Upload Video..."), "streamlet.uploadVideo")] : []),
    ...(running ? [item(l10n.t("$(link-external) Open Link..."), "streamlet.openLink")] : []),
    ...(running ? [item(l10n.t("$(plug) Connect Manually..."), "streamlet.connectManually")] : []),
    ...(phase === "stopped" || phase === "failed"
      ? [item(l10n.t("$(play) Start Profile"), "streamlet.startProfile")]
      : []),
    ...(running || phase === "starting" ? [item(l10n.t("$(debug-stop) Stop Profile"), "streamlet.stopProfile")] : []),
    item(l10n.t("$(account) Select Profile..."), "streamlet.selectProfile"),
    item(l10n.t("$(edit) Edit Profile..."), "streamlet.editProfile"),
    item(l10n.t("$(server-process) Start a Tracker Here"), "streamlet.startTrackerHere"),
    item(l10n.t("$(pulse) Connection Doctor"), "streamlet.connectionDoctor"),
    item(l10n.t("$(key) Copy My Fingerprint"), "streamlet.copyFingerprint"),
    item(l10n.t("$(gear) Open Settings"), "streamlet.openSettings"),
    item(l10n.t("$(output) Show Log"), "streamlet.showLog"),
  ];
  const placeHolder = activeProfile(app)?.peerId ?? l10n.t("Streamlet");
  const picked = await window.showQuickPick(items, { placeHolder });
  if (picked) await commands.executeCommand(picked.command);
}

async function openNativeSettings({ context }: App): Promise<void> {
  await commands.executeCommand("workbench.action.openSettings", `@ext:${context.extension.id}`);
}
