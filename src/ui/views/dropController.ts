/** Dropping files onto My Videos. VS Code names files by URI where it can; elsewhere their content comes through memory. */
import { type CancellationToken, type DataTransfer, l10n, type TreeDragAndDropController, Uri } from "vscode";
import type { VideosNode } from "./videosTree";

/** The whole content passes through the extension host's memory, which other extensions share. */
export const MAX_DROPPED_BYTES = 64 * 1024 * 1024;

export interface DropTarget {
  upload(uris: readonly Uri[]): Promise<void>;
  store(name: string, content: Uint8Array): Promise<Uri>;
  /** Nothing usable, or too much for memory: the file dialog takes any size. */
  refuse(reason: string): Promise<void>;
  reportError(error: unknown): void;
}

export class DropController implements TreeDragAndDropController<VideosNode> {
  readonly dragMimeTypes: readonly string[] = [];
  readonly dropMimeTypes = ["text/uri-list", "files"] as const;

  constructor(private readonly target: DropTarget) {}

  async handleDrop(_node: VideosNode | undefined, data: DataTransfer, _token: CancellationToken): Promise<void> {
    try {
      // A transfer ends with this call: everything is read from it first, the form comes after.
      const uris = await readUris(data);
      const stored = uris.length > 0 ? [] : await this.readFiles(data);
      const all = [...uris, ...stored];
      if (all.length > 0) void this.target.upload(all).catch((error) => this.target.reportError(error));
    } catch (error) {
      this.target.reportError(error);
    }
  }

  private async readFiles(data: DataTransfer): Promise<Uri[]> {
    const stored: Uri[] = [];
    let sawFile = false;
    for (const [, item] of data) {
      const file = item.asFile();
      if (!file) continue;
      sawFile = true;
      if (file.uri) {
        stored.push(file.uri);
        continue;
      }
      const content = await file.data();
      if (content.byteLength <= MAX_DROPPED_BYTES) stored.push(await this.target.store(file.name, content));
      else
        void this.target.refuse(
          l10n.t("{0} is too large to be dropped here. Choose it in the file dialog.", file.name),
        );
    }
    if (!sawFile)
      void this.target.refuse(l10n.t("That is not a file that Streamlet can share. Choose one in the file dialog."));
    return stored;
  }
}

async function readUris(data: DataTransfer): Promise<Uri[]> {
  const list = await data.get("text/uri-list")?.asString();
  if (!list) return [];
  // RFC 2483, 5: one URI per line, lines that start with # are comments.
  return list
    .split(/\r?\n/)
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => Uri.parse(line));
}
