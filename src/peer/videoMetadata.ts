/**
 * What the info dictionary of a video says about its entry: whether it is the one that the record or link promised, and the name
 * that a download gets which was named after its id. Never asks anybody for it, nor opens the file that it describes.
 */
import { createHash } from "node:crypto";
import { basename, dirname, extname } from "node:path";
import { toHex } from "../wire/bytes";
import { StreamletError } from "../wire/errors";
import { type Info, parseInfo } from "../wire/metainfo";
import { downloadName, provisionalName } from "./downloadSource";
import type { Engine } from "./engine";
import { uniquePath } from "./storage/fileNames";
import type { LibraryEntry } from "./storage/library";
import type { Content } from "./swarm/content";

/** A finished download without a name waits so long for the metadata, which says it: several round trips of the slowest links. */
const NAME_WAIT_MS = 5_000;
/** The title of a video of which only the id is known holds so much of it. */
const UNTITLED_ID_CHARS = 8;

export class VideoMetadata {
  private onNamed: (() => void) | undefined;

  constructor(
    private readonly key: string,
    private readonly engine: Pick<Engine, "library" | "clock">,
  ) {}

  /** The dictionary that is kept; a download gets its name from it, since a kill may have come between the two. */
  async kept(isDownloading: boolean): Promise<Uint8Array | undefined> {
    const { library } = this.engine;
    const infoBytes = await library.readInfo(this.key);
    if (infoBytes && isDownloading) library.update(this.key, realName(this.entry, parseInfo(infoBytes).name));
    return infoBytes;
  }

  /**
   * Keeps the dictionary that others have sent; the entry follows it.
   * @param known the shape that the record or link gave, where it did. Errors: bad-record, where the two differ.
   */
  async take(infoBytes: Uint8Array, known: Content | undefined): Promise<{ info: Info; v1: string | undefined }> {
    const info = parseInfo(infoBytes);
    if (known && !isSame(info, known)) {
      throw new StreamletError(
        "bad-record",
        "The video is not what its record or link says. Ask its owner for a new link.",
      );
    }
    const { library } = this.engine;
    await library.saveInfo(this.key, infoBytes);
    const v1 = info.v1Pieces ? createHash("sha1").update(infoBytes).digest("hex") : undefined;
    library.update(this.key, {
      size: info.length,
      pieceLength: info.pieceLength,
      ...(info.piecesRoot ? { piecesRoot: toHex(info.piecesRoot) } : {}),
      ...(v1 ? { v1 } : {}),
      ...realName(this.entry, info.name),
    });
    this.onNamed?.();
    return { info, v1 };
  }

  /** Resolves when a download has the name that it will keep, or nobody has said it in time: the last block may come first. */
  async named(): Promise<void> {
    if (!hasProvisionalName(this.entry)) return;
    await new Promise<void>((resolve) => {
      this.onNamed = resolve;
      this.engine.clock.after(NAME_WAIT_MS, resolve);
    });
  }

  private get entry(): LibraryEntry {
    return this.engine.library.get(this.key)!;
  }
}

function isSame(info: Info, known: Content): boolean {
  if (info.length !== known.length || info.pieceLength !== known.pieceLength) return false;
  const root = info.piecesRoot;
  return root !== undefined && known.piecesRoot !== undefined && Buffer.compare(root, known.piecesRoot) === 0;
}

/** A download that was named after its id, for want of anything better, gets its name; one that somebody named keeps it. */
function realName(entry: LibraryEntry, name: string): Partial<LibraryEntry> {
  if (!hasProvisionalName(entry)) return {};
  const { id, v1, path, title } = entry;
  const fileName = downloadName(name);
  const untitled = title.includes((id ?? v1)!.slice(0, UNTITLED_ID_CHARS));
  return {
    fileName,
    path: uniquePath(dirname(path), fileName),
    ...(untitled ? { title: fileName.slice(0, -extname(fileName).length) } : {}),
  };
}

/** A file that has its final place keeps the name that it got. */
function hasProvisionalName({ id, v1, path, partPath }: LibraryEntry): boolean {
  return partPath !== undefined && basename(path) === provisionalName((id ?? v1)!);
}
