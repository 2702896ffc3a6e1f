/** Somebody who comes online with a friend's name under another key is said once, whatever the view shows. */
import { commands, l10n } from "vscode";
import type { NetworkPeer } from "../peer/status";
import { peerIdKey } from "../wire/trackerAddress";
import type { Fingerprint } from "../wire/types";
import type { App } from "./app";
import type { Command } from "./contributions";
import { warn } from "./notify";
import { impostorWarning } from "./views/peopleText";

/** Keys cost nothing: a name that is worn by ever new ones is not said ever again. */
const MAX_TOLD_PER_NAME = 3;

export class Impostors {
  private readonly told = new Map<string, Set<Fingerprint>>();

  constructor(
    private readonly app: App,
    private readonly reportError: (error: unknown) => void,
  ) {}

  update(peers: readonly NetworkPeer[]): void {
    for (const peer of peers) {
      if (!peer.impostor) continue;
      const name = peerIdKey(peer.peerId);
      const keys = this.told.get(name) ?? new Set();
      this.told.set(name, keys);
      if (keys.has(peer.fingerprint) || keys.size >= MAX_TOLD_PER_NAME) continue;
      keys.add(peer.fingerprint);
      void this.tell(peer).catch(this.reportError);
    }
  }

  private tell(peer: NetworkPeer): Promise<void> {
    const { peers } = this.app;
    return warn(
      l10n.t("Somebody is online as {0} who is not the {0} you know. {1}", peer.peerId, impostorWarning(peer)),
      {
        title: l10n.t("Show"),
        run: async () => {
          await commands.executeCommand("streamlet.peers.focus");
          await peers.reveal(peer.fingerprint);
        },
      },
      {
        title: l10n.t("Block"),
        run: () => commands.executeCommand("streamlet.blockPeer" satisfies Command, peer.fingerprint),
      },
    );
  }
}
