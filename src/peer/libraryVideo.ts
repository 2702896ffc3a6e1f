/** A library entry as others are shown it. */
import { mediaFacts } from "../wire/mediaFacts";
import type { LibraryVideo } from "./status";
import type { LibraryEntry } from "./storage/library";

/** What the engine knows of it besides the entry. */
export type LiveFigures = Pick<LibraryVideo, "bytesDone" | "downRate" | "upRate" | "peers" | "publishedOn">;

/** Made anew only when something has changed: what stays the same object has not to be compared, sent or drawn again. */
export class ShownVideo {
  private last: { entry: LibraryEntry; figures: LiveFigures; video: LibraryVideo } | undefined;

  of(entry: LibraryEntry, figures: LiveFigures): LibraryVideo {
    if (!this.last || this.last.entry !== entry || !sameFigures(this.last.figures, figures)) {
      this.last = { entry, figures, video: libraryVideo(entry, figures) };
    }
    return this.last.video;
  }
}

function sameFigures(a: LiveFigures, b: LiveFigures): boolean {
  const rates = a.downRate === b.downRate && a.upRate === b.upRate;
  return rates && a.bytesDone === b.bytesDone && a.peers === b.peers && a.publishedOn === b.publishedOn;
}

function libraryVideo(e: LibraryEntry, { bytesDone, ...figures }: LiveFigures): LibraryVideo {
  const downloading = e.state === "downloading" || (e.state === "checking" && e.partPath !== undefined);
  return {
    key: e.key,
    ...(e.id ? { id: e.id } : {}),
    origin: e.origin,
    title: e.title,
    description: e.description,
    fileName: e.fileName,
    path: e.partPath ?? e.path,
    size: e.size,
    ...mediaFacts(e),
    hasThumbnail: e.thumbnail !== undefined,
    ...(e.uploadLimit === undefined ? {} : { uploadLimit: e.uploadLimit }),
    ...(e.downloadLimit === undefined ? {} : { downloadLimit: e.downloadLimit }),
    audience: e.audience,
    shared: e.shared && (e.state === "ready" || downloading),
    state: e.state,
    ...(e.error ? { error: e.error } : {}),
    bytesDone: e.state === "ready" ? e.size : bytesDone,
    addedAt: e.addedAt,
    owner: e.owner,
    ownerFingerprint: e.ownerFingerprint,
    ...figures,
  };
}
