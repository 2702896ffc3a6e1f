/** A tracker that refuses this profile (the name is taken, a token is missing) is said once, with the way out. */
import { l10n } from "vscode";
import type { HostState } from "../rpc/window";
import type { App } from "./app";
import { warn } from "./notify";
import { editProfile } from "./profiles";
import { refusingTracker } from "./views/conditions";
import { refusalText } from "./views/descriptions";

export class Refusals {
  private told = "";

  constructor(private readonly app: App) {}

  update(state: HostState): void {
    const tracker = refusingTracker(state);
    if (!tracker?.error) {
      // A tracker that is asked again is `connecting` for a moment, which takes nothing back.
      if (state.snapshot.peer.trackers.some(({ state: tried }) => tried === "online")) this.told = "";
      return;
    }
    const refusal = [state.activeId, state.snapshot.peer.peerId, tracker.address, tracker.error.code].join(" ");
    if (refusal === this.told) return;
    this.told = refusal;
    void warn(refusalText(state, tracker), { title: l10n.t("Edit Profile"), run: () => editProfile(this.app) });
  }
}
