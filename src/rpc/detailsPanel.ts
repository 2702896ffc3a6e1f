/** Contract of the "Details" panel. The host composes every sentence; the page lays them out and knows nothing of videos. */
import type { Thumbnail } from "../peer/status";

export const DETAILS_ACTIONS = [
  "stream",
  "download",
  "pause",
  "resume",
  "cancel",
  "play",
  "save",
  "copyLink",
  "copyMagnet",
  "saveTorrent",
] as const;
export type DetailsAction = (typeof DETAILS_ACTIONS)[number];

export interface Fact {
  label: string;
  value: string;
  /** Set in the editor's font, to be selected as a whole: ids, fingerprints. */
  code?: boolean;
}

export interface SourceRow {
  /** Texts by column, in the order of `DetailsStrings.columns`. */
  cells: string[];
  /** Oneself. */
  self: boolean;
  /** Known of, not connected. */
  distant: boolean;
}

export interface PiecesView {
  /** As `PieceMap` has them: base64, one byte a cell. */
  here: string;
  fetching: string;
  sources: string;
  /** The same in words. */
  text: string;
}

/** Everything that changes while the page is open. Titles, descriptions and names are other people's. */
export interface DetailsView {
  title: string;
  description: string;
  /** Something that has to be known before anything else: an impostor, a video that is gone. */
  warning?: string;
  state: string;
  /** 0 to 1, while something is under way. */
  progress?: number;
  actions: { action: DetailsAction; label: string; primary: boolean }[];
  facts: Fact[];
  sources: SourceRow[];
  /** What is said in the place of an empty table. */
  noSources: string;
  pieces?: PiecesView;
}

export interface DetailsStrings {
  /** Of the picture, for screen readers. */
  picture: string;
  noPicture: string;
  description: string;
  progress: string;
  sources: string;
  columns: string[];
  pieces: string;
  legend: { here: string; fetching: string; missing: string; sources: string };
}

/** Sent when the page is ready, and then at most twice a second. */
export interface ShowDetailsMessage {
  type: "show";
  strings: DetailsStrings;
  view: DetailsView;
}

/** Null: there is none. */
export interface PictureMessage {
  type: "picture";
  picture: Thumbnail | null;
}

/** Something to be said to a screen reader. */
export interface SayMessage {
  type: "say";
  text: string;
}

export type ToDetailsPage = ShowDetailsMessage | PictureMessage | SayMessage;

export type FromDetailsPage = { type: "ready" } | { type: "action"; action: DetailsAction };
