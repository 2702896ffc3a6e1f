/** Puts the parts together and lets the state flow: engine -> PeerHost -> everything that draws. */
import { join } from "node:path";
import { commands, type ExtensionContext, env, type LogOutputChannel, l10n, Uri, window, workspace } from "vscode";
import { PROFILE_SETTINGS } from "../rpc/profileSettings";
import type { HostState } from "../rpc/window";
import { type App, activeProfile } from "./app";
import { Chats } from "./chats";
import { runDetailsAction } from "./commands/details";
import { registerCommands } from "./commands/handlers";
import { runPlayerAction } from "./commands/player";
import { downloadsFolder, nativeSettings, readAppearance, readPreferences, readSetting } from "./config";
import { ContextUpdater } from "./contextKeys";
import type { Setting } from "./contributions";
import { Edits } from "./edits";
import { FirstSteps, TICK_COMMAND } from "./firstSteps";
import { PeerHost } from "./host/peerHost";
import { Impostors } from "./impostors";
import { complain, inform, openSettingsChoice, report, warn } from "./notify";
import { LinkHandler } from "./openLink";
import { setAppearance } from "./panels/appearance";
import { DetailsPanels } from "./panels/detailsPanel";
import { PlayerPanels } from "./panels/playerPanel";
import { ReachableAddresses } from "./panels/reachableAddresses";
import { quotaAdvice, SettingsPanel } from "./panels/settingsPanel";
import { Pictures } from "./pictures";
import { showStartFailure, tellDamagedProfiles } from "./profiles";
import { Refusals } from "./refusals";
import { StatusBar } from "./statusBar";
import { Transfers } from "./transfers";
import { chooseFiles, storeDropped, uploadFiles } from "./uploads";
import { DropController } from "./views/dropController";
import { NetworkTree } from "./views/networkTree";
import { PeersTree } from "./views/peersTree";
import { PersonMarks } from "./views/personMarks";
import { VideosTree } from "./views/videosTree";

/** What the engine is started with; of other settings it is told while it runs. */
const RESTARTING: readonly Setting[] = [
  "streamlet.downloadsFolder",
  "streamlet.library.copyOnUpload",
  "streamlet.ffmpegPath",
];

/** `close` is what `deactivate` has to wait for. */
export function buildApp(context: ExtensionContext): { app: App; close: () => Promise<void> } {
  const log = window.createOutputChannel("Streamlet", { log: true });
  const reportError = (error: unknown) => void report(log, error);
  /** Views ask again by themselves; while a profile stops or a window takes over, questions fail without harm. */
  const logOnly = (error: unknown) => log.debug(String(error));

  const host = new PeerHost({
    store: context.globalState,
    secrets: context.secrets,
    storagePath: context.globalStorageUri.fsPath,
    workerFile: join(context.extensionPath, "dist", "peerWorker.js"),
    preferences: readPreferences,
    settings: nativeSettings,
    onSettingsFailed: (error) => void tellSettingsFailed(log, error),
    startOnLaunch: () => readSetting("streamlet.startOnLaunch"),
    log,
    onDidChange: (state) => show(state),
    onDidFailToStart: (error) => void showStartFailure(app, error).catch(reportError),
    onOtherVersion: () => void tellOtherVersion(),
  });
  const pictures = new Pictures(host.service);
  const app: App = {
    context,
    log,
    host,
    service: host.service,
    videos: new VideosTree(
      new DropController({
        upload: (uris) => uploadFiles(app, uris),
        store: (name, content) => storeDropped(app, name, content),
        refuse: (reason) =>
          complain(reason, {
            title: l10n.t("Choose Files..."),
            run: async () => uploadFiles(app, await chooseFiles()),
          }),
        reportError,
      }),
      pictures,
    ),
    network: new NetworkTree(host.service, pictures, logOnly),
    peers: new PeersTree(host.service, logOnly),
    details: new DetailsPanels({
      extensionUri: context.extensionUri,
      service: host.service,
      pictures,
      run: runDetailsAction,
      onError: logOnly,
    }),
    player: new PlayerPanels({
      extensionUri: context.extensionUri,
      service: host.service,
      addresses: new ReachableAddresses(async (url) => (await env.asExternalUri(Uri.parse(url, true))).toString(true)),
      state: () => host.state,
      run: (action, video, at) => runPlayerAction(app, action, video, at),
      onError: logOnly,
    }),
    settings: new SettingsPanel(context.extensionUri, host.service),
    transfers: new Transfers(host, reportError),
    chats: new Chats(() => app, reportError),
    edits: new Edits(context, host.service),
    firstSteps: new FirstSteps({
      walkthroughs: context.extension.packageJSON.contributes.walkthroughs,
      extensionId: context.extension.id,
      isOwner: () => host.isOwner,
      store: context.globalState,
      tick: (step) => commands.executeCommand(TICK_COMMAND, step),
      onError: logOnly,
    }),
  };
  const statusBar = new StatusBar();
  const contextKeys = new ContextUpdater((key, value) => app.firstSteps.onContext(key, value));
  const refusals = new Refusals(app);
  const impostors = new Impostors(app, reportError);
  let toldDamage = false;

  function show(state: HostState): void {
    app.videos.update(state);
    app.network.update(state);
    app.details.update(state);
    app.player.update(state);
    app.peers.update(state);
    setAppearance(readAppearance(activeProfile(app)));
    app.settings.update(state);
    app.transfers.update(state);
    app.chats.update(state);
    app.edits.update(state);
    statusBar.update(state);
    if (host.isOwner) refusals.update(state);
    contextKeys.update(state, { searching: app.network.search !== "", filtering: app.network.isFiltered });
    if (state.damagedProfiles > 0 && !toldDamage && host.isOwner) {
      toldDamage = true;
      void tellDamagedProfiles(app, state.damagedProfiles);
    }
  }

  context.subscriptions.push(
    log,
    app.videos,
    app.network,
    app.peers,
    app.details,
    app.player,
    app.settings,
    app.transfers,
    app.chats,
    statusBar,
    registerCommands(app),
    window.registerUriHandler(new LinkHandler(app)),
    PersonMarks.register(),
    app.peers.onDidChangePeers((peers) => host.isOwner && impostors.update(peers)),
    app.network.onDidChangeSearch(() => host.state && show(host.state)),
    workspace.onDidChangeConfiguration((event) => {
      const restart = RESTARTING.some((setting) => event.affectsConfiguration(setting));
      if (event.affectsConfiguration("streamlet.downloadsFolder")) void checkDownloadsFolder();
      if (event.affectsConfiguration("streamlet.limits.diskQuota")) void tellQuota(app);
      if (event.affectsConfiguration("streamlet.appearance")) setAppearance(readAppearance(activeProfile(app)));
      if (restart || PROFILE_SETTINGS.some((key) => event.affectsConfiguration(key)))
        host.applyPreferences({ restart }).catch(reportError);
    }),
  );
  setAppearance(readAppearance(undefined));
  // After activation has returned: nothing of this is needed to draw the first view.
  setImmediate(() => host.start());
  return { app, close: () => host.dispose() };
}

async function checkDownloadsFolder(): Promise<void> {
  if (readSetting("streamlet.downloadsFolder").trim() === "" || downloadsFolder() !== undefined) return;
  await warn(
    l10n.t("The downloads folder has to be an absolute path. Until it is, downloads go into the profile's folder."),
    {
      title: l10n.t("Open Settings"),
      run: () => commands.executeCommand("workbench.action.openSettings", "streamlet.downloadsFolder"),
    },
  );
}

/** In the window where it was set, unless its page says so already. */
async function tellQuota({ host, settings }: App): Promise<void> {
  const used = host.state?.snapshot.peer.obtainedBytes ?? 0;
  if (!window.state.focused || settings.isVisible) return;
  const advice = quotaAdvice(readSetting("streamlet.limits.diskQuota"), used);
  if (advice) await inform(advice, openSettingsChoice());
}

async function tellSettingsFailed(log: LogOutputChannel, error: unknown): Promise<void> {
  log.error(`The settings of the profile cannot be written: ${String(error)}`);
  await warn(
    l10n.t(
      "The settings of the profile could not be written into settings.json. Does it have unsaved changes or mistakes? They are written as soon as that is possible.",
    ),
    { title: l10n.t("Open settings.json"), run: () => commands.executeCommand("workbench.action.openSettingsJson") },
  );
}

async function tellOtherVersion(): Promise<void> {
  await warn(l10n.t("Streamlet was updated while windows were open. Reload the windows to use it everywhere."), {
    title: l10n.t("Reload Window"),
    run: () => commands.executeCommand("workbench.action.reloadWindow"),
  });
}
