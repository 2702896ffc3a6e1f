/** Links to videos, clicked outside (URI handler) or pasted: asks once before anybody is contacted. */
import { commands, l10n, type Uri, type UriHandler } from "vscode";
import type { App } from "./app";
import type { Command } from "./contributions";
import { phaseOf } from "./host/snapshots";
import { ask, inform, report } from "./notify";
import { startProfile } from "./profiles";

/** Hosts beyond this make a dialog nobody reads. */
const MAX_HOSTS_SHOWN = 5;

export class LinkHandler implements UriHandler {
  constructor(private readonly app: App) {}

  async handleUri(uri: Uri): Promise<void> {
    try {
      // The text as it was clicked: the engine's parser decides what it is.
      await downloadLink(this.app, uri.toString(true));
    } catch (error) {
      await report(this.app.log, error);
    }
  }
}

export async function downloadLink(app: App, link: string): Promise<void> {
  if ((app.host.state?.profiles.length ?? 0) === 0) {
    await inform(l10n.t("A profile is needed to open this link. Create one, then open the link again."), {
      title: l10n.t("Create Profile"),
      run: () => commands.executeCommand("streamlet.createProfile" satisfies Command),
    });
    return;
  }
  const hosts = await hostsOf(link);
  const shown = hosts.slice(0, MAX_HOSTS_SHOWN).join(", ");
  const play = l10n.t("Play");
  const action = await ask(
    l10n.t("Open the video of this link?"),
    hosts.length > 0
      ? l10n.t("Streamlet will contact {0}. They see your address.", shown)
      : l10n.t("Streamlet will ask your trackers who has it. Whoever has it sees your address."),
    play,
    l10n.t("Download"),
  );
  if (!action) return;
  if (!app.host.state || phaseOf(app.host.state) !== "running") await startProfile(app);
  if (action === play) {
    await app.player.play(link, await startOf(link));
    return;
  }
  const { key } = await app.service.download({ source: link });
  app.transfers.watch(key);
  await commands.executeCommand("streamlet.videos.focus");
}

/** Seconds into the video, where the link says so (`#t=83`). */
async function startOf(link: string): Promise<number | undefined> {
  const { parseLink } = await import("../wire/links");
  return /^magnet:/i.test(link) ? undefined : parseLink(link).time;
}

/** Whom a link would contact. Errors: bad-link, before anybody is asked or contacted. */
async function hostsOf(link: string): Promise<string[]> {
  const { parseLink, parseMagnet } = await import("../wire/links");
  if (/^magnet:/i.test(link)) {
    const { peers, trackers } = parseMagnet(link);
    return [...peers, ...trackers];
  }
  const { hosts, trackers } = parseLink(link);
  return [...hosts, ...trackers];
}
