/** Open "Edit Info" forms: each video has one at most, and each is told what happens to its video meanwhile. */
import type { ExtensionContext } from "vscode";
import type { LibraryVideo } from "../peer/status";
import type { EditedInfo } from "../rpc/peerService";
import type { HostState, WindowService } from "../rpc/window";
import { toErrorInfo } from "../wire/errors";
import { explain } from "./messages";
import type { EditPanel } from "./panels/editPanel";

export class Edits {
  /** Undefined while it opens. */
  private readonly open = new Map<string, EditPanel | undefined>();

  constructor(
    private readonly context: ExtensionContext,
    private readonly service: WindowService,
  ) {}

  update({ snapshot }: HostState): void {
    for (const video of snapshot.videos) this.open.get(video.key)?.update(video);
  }

  /** Resolves when the form is closed; at once where it is open already, and comes to the front. */
  async edit(video: LibraryVideo): Promise<void> {
    const { key } = video;
    if (this.open.has(key)) return this.open.get(key)?.reveal();
    this.open.set(key, undefined);
    try {
      const picture = await this.service.thumbnail({ key }).catch(() => null);
      const { openEditPanel } = await import("./panels/editPanel");
      const save = async (edit: EditedInfo) => {
        try {
          await this.service.editInfo(key, edit);
          return undefined;
        } catch (error) {
          return explain(toErrorInfo(error));
        }
      };
      const panel = openEditPanel(this.context, { video, picture, save });
      this.open.set(key, panel);
      await panel.closed;
    } finally {
      this.open.delete(key);
    }
  }
}
