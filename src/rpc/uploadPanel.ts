/** Contract of the "Upload" panel, and the rules of its fields, the same on both sides. */
import type { Audience } from "../peer/status";
import { charCount, cleanText } from "../wire/text";

/** Sharing with friends needs friends: they come with the Peers features, and this choice with them. */
export const UPLOAD_AUDIENCES = ["everyone", "public"] as const satisfies readonly Audience[];
export type UploadAudience = (typeof UPLOAD_AUDIENCES)[number];

/** Characters (code points); the same bounds as a published record has. */
export const MAX_TITLE_LENGTH = 200;
export const MAX_DESCRIPTION_LENGTH = 4000;
/** Files in one form; more at once is a slip (a whole disk dropped), and the form would be no help. */
export const MAX_UPLOAD_FILES = 200;

export type TitleProblem = "titleEmpty" | "titleTooLong";
export type DescriptionProblem = "descriptionTooLong";

/** The title that what was typed stands for: nothing in it can hide or reorder what people read. */
export function toTitle(typed: string): string {
  return cleanText(typed);
}

/** The same for a description, which may have several lines. */
export function toDescription(typed: string): string {
  return cleanText(typed, { lines: true });
}

export function validateTitle(typed: string): TitleProblem | undefined {
  const title = toTitle(typed);
  if (title.length === 0) return "titleEmpty";
  return charCount(title) > MAX_TITLE_LENGTH ? "titleTooLong" : undefined;
}

export function validateDescription(typed: string): DescriptionProblem | undefined {
  return charCount(toDescription(typed)) > MAX_DESCRIPTION_LENGTH ? "descriptionTooLong" : undefined;
}

/** A title from a file's path: its name without the extension, cleaned and cut; the whole name if nothing is left. */
export function defaultTitle(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  const stem = toTitle(name.replace(/\.[^.]*$/, ""));
  return [...(stem || toTitle(name))].slice(0, MAX_TITLE_LENGTH).join("").trim();
}

/** One file of the form. */
export interface UploadFile {
  path: string;
  fileName: string;
  title: string;
  /** For display, e.g. "1.2 GB". */
  sizeText: string;
}

/** What a person decided about one file. */
export interface UploadChoice {
  path: string;
  title: string;
  description: string;
  audience: UploadAudience;
  /** Offer it to others as soon as it is hashed. */
  share: boolean;
}

/** Texts of the page, in the language of the editor. `{0}` is filled in the page. */
export type UploadStrings = Record<
  | "headingOne"
  | "headingMany"
  | "intro"
  | "title"
  | "description"
  | "removeFile"
  | "fileRemoved"
  | "filesAdded"
  | "audience"
  | "everyone"
  | "everyoneHint"
  | "public"
  | "publicHint"
  | "share"
  | "shareHint"
  | "uploadOne"
  | "uploadMany"
  | "cancel"
  | TitleProblem
  | DescriptionProblem,
  string
>;

/** Everything that the page shows; the answer to `ready`, and sent again when files were added. */
export interface ShowUploadMessage {
  type: "show";
  files: UploadFile[];
  strings: UploadStrings;
}

export type ToUploadPage = ShowUploadMessage;

/** The page runs (again) and has nothing to show yet. */
export interface UploadReadyMessage {
  type: "ready";
}

/** A file was taken off the list. */
export interface RemoveFileMessage {
  type: "removeFile";
  path: string;
}

export interface SubmitUploadMessage {
  type: "submit";
  choices: UploadChoice[];
}

export interface CancelUploadMessage {
  type: "cancel";
}

export type FromUploadPage = UploadReadyMessage | RemoveFileMessage | SubmitUploadMessage | CancelUploadMessage;
