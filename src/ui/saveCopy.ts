/** "Save to Device": a copy of a whole video wherever the person wants it, with progress and cancel. */
import { homedir } from "node:os";
import { join } from "node:path";
import { l10n, ProgressLocation, Uri, window } from "vscode";
import type { LibraryVideo, TaskStatus } from "../peer/status";
import { StreamletError } from "../wire/errors";
import type { App } from "./app";
import { formatBytes, formatPercent } from "./format";
import { inform, withoutLinks } from "./notify";

/** The engine's states come at most four times a second. */
const POLL_MS = 250;

export async function saveCopy(app: App, video: LibraryVideo): Promise<void> {
  const destination = await window.showSaveDialog({
    defaultUri: Uri.file(join(homedir(), video.fileName)),
    title: l10n.t("Save “{0}” to Device", video.title),
    saveLabel: l10n.t("Save"),
  });
  if (!destination) return;
  if (destination.scheme !== "file") {
    throw new StreamletError(
      "invalid-argument",
      l10n.t("Streamlet can save to the computer that it runs on only, not to {0}.", destination.scheme),
    );
  }
  if (destination.fsPath === video.path) {
    throw new StreamletError("invalid-argument", l10n.t("That is the file itself. Choose another name or folder."));
  }
  const title = withoutLinks(l10n.t("Saving “{0}”", video.title));
  const saved = await window.withProgress(
    { location: ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const before = new Set(tasksOf(app).map((task) => task.id));
      const mine = () => tasksOf(app).find((task) => !before.has(task.id) && task.kind === "save");
      let shown = 0;
      const timer = setInterval(() => {
        const task = mine();
        if (!task) return;
        if (token.isCancellationRequested) void app.service.cancelTask(task.id).catch(() => undefined);
        const percent = task.total > 0 ? Math.floor((task.done / task.total) * 100) : 0;
        progress.report({ message: progressText(task), increment: Math.max(0, percent - shown) });
        shown = Math.max(shown, percent);
      }, POLL_MS);
      try {
        // The dialog has asked before replacing a file.
        await app.service.saveCopy(video.key, destination.fsPath, { force: true });
        return true;
      } catch (error) {
        if (token.isCancellationRequested) return false;
        throw error;
      } finally {
        clearInterval(timer);
      }
    },
  );
  if (saved) await inform(l10n.t("“{0}” is saved to {1}.", video.title, destination.fsPath));
}

function tasksOf(app: App): readonly TaskStatus[] {
  return app.host.state?.snapshot.tasks ?? [];
}

function progressText({ done, total }: TaskStatus): string {
  return l10n.t("{0} of {1} ({2})", formatBytes(done), formatBytes(total), formatPercent(done, total));
}
