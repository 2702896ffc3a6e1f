/** What commands and views are given instead of globals. */
import type { ExtensionContext, LogOutputChannel } from "vscode";
import type { Profile, WindowService } from "../rpc/window";
import type { Chats } from "./chats";
import type { Edits } from "./edits";
import type { FirstSteps } from "./firstSteps";
import type { PeerHost } from "./host/peerHost";
import type { DetailsPanels } from "./panels/detailsPanel";
import type { PlayerPanels } from "./panels/playerPanel";
import type { SettingsPanel } from "./panels/settingsPanel";
import type { Transfers } from "./transfers";
import type { NetworkTree } from "./views/networkTree";
import type { PeersTree } from "./views/peersTree";
import type { VideosTree } from "./views/videosTree";

export interface App {
  readonly context: ExtensionContext;
  readonly log: LogOutputChannel;
  readonly host: PeerHost;
  readonly service: WindowService;
  readonly videos: VideosTree;
  readonly network: NetworkTree;
  readonly peers: PeersTree;
  readonly details: DetailsPanels;
  readonly player: PlayerPanels;
  readonly settings: SettingsPanel;
  readonly transfers: Transfers;
  readonly chats: Chats;
  readonly edits: Edits;
  readonly firstSteps: FirstSteps;
}

export function activeProfile({ host }: Pick<App, "host">): Profile | undefined {
  return host.state?.profiles.find((profile) => profile.id === host.state?.activeId);
}
