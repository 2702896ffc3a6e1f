/** Commands that play. */
import { commands, env, l10n, Uri, window } from "vscode";
import type { LibraryVideo } from "../../peer/status";
import type { PlayerAction } from "../../rpc/playerPanel";
import type { App } from "../app";
import type { Command } from "../contributions";
import { formatDuration } from "../format";
import { inform } from "../notify";
import { videoTarget } from "../targets";
import type { Handlers } from "./handlers";

type PlayerCommand = "streamlet.stream";

/** Long enough to be read in the status bar. */
const COPIED_MS = 4_000;

export const playerCommands: Handlers<PlayerCommand> = {
  "streamlet.stream": stream,
};

/** In an editor tab, at once: what is not here comes while it plays. */
async function stream(app: App, args: unknown[]): Promise<void> {
  const target = await videoTarget(app, args, {
    placeHolder: l10n.t("Video to play"),
    none: l10n.t("There is no video yet."),
  });
  const source = target?.library?.key ?? target?.network?.id;
  if (!source) return;
  await app.player.play(source);
}

/** What the player's buttons do. */
export async function runPlayerAction(
  app: App,
  action: Exclude<PlayerAction, "retry">,
  video: LibraryVideo,
  { position }: { position: number },
): Promise<void> {
  if (action === "details") {
    await commands.executeCommand("streamlet.showDetails" satisfies Command, video.key);
  } else if (action === "copyLink") {
    const { link } = await app.service.link(video.key);
    const seconds = Math.floor(position);
    await env.clipboard.writeText(`${link.replace(/^[^:]+/, env.uriScheme)}${seconds > 0 ? `#t=${seconds}` : ""}`);
    window.setStatusBarMessage(l10n.t("Link copied; it begins at {0}.", formatDuration(seconds)), COPIED_MS);
  } else if (action === "systemPlayer" && video.state === "ready") {
    await commands.executeCommand("streamlet.play" satisfies Command, video.key);
  } else {
    // While it downloads there is no file to open: the address of a stream is what any program can play. It is not the tab's own,
    // which ends with the tab.
    const { url } = await app.service.openStream(video.key);
    const opened = await env.openExternal(Uri.parse(url, true)).then(
      (done) => done,
      () => false,
    );
    if (!opened) {
      await inform(l10n.t("No program on this computer opens {0}.", url), {
        title: l10n.t("Copy"),
        run: () => env.clipboard.writeText(url),
      });
    }
  }
}
