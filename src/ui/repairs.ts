/** Says that files of a profile were damaged, and what became of them: once each, in the window that owns the peer. */
import { type LogOutputChannel, l10n } from "vscode";
import type { HostState } from "../rpc/window";
import { warn } from "./notify";

export class Repairs {
  private readonly told = new Set<string>();

  constructor(private readonly log: LogOutputChannel) {}

  update({ snapshot }: HostState): void {
    for (const { message } of snapshot.peer.repaired ?? []) {
      if (this.told.has(message)) continue;
      this.told.add(message);
      this.log.warn(message);
      const showLog = { title: l10n.t("Show Log"), run: () => this.log.show() };
      void warn(l10n.t("A file of this profile was damaged, and as much as possible was saved: {0}", message), showLog);
    }
  }
}
