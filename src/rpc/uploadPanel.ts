/** Contract of the "Upload" panel, and the rules of its fields, the same on both sides. */
import type { OptimisedHeight } from "../peer/smallerCopy";
import type { Audience } from "../peer/status";
import { charCount, cleanText } from "../wire/text";

export const UPLOAD_AUDIENCES = ["everyone", "friends", "public"] as const satisfies readonly Audience[];
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

/** What is shared of the files: as they are, or smaller copies of them. */
export const UPLOAD_FORMS = ["original", "1080", "720"] as const;
export type UploadForm = (typeof UPLOAD_FORMS)[number];

export function heightOf(form: UploadForm): OptimisedHeight | undefined {
  return form === "original" ? undefined : form === "1080" ? 1080 : 720;
}

/** A picture as a page shows it: base64, and its type as `Thumbnail` has it. */
export interface PagePicture {
  type: string;
  data: string;
}

/** base64 of the 16 KiB that a picture may have. */
export const MAX_PICTURE_CHARS = 21_848;

/** One file of the form. */
export interface UploadFile {
  path: string;
  fileName: string;
  title: string;
  /** For display: "1.2 GB", and once it is known "2:31 · 1920 × 1080 · 1.2 GB". */
  facts: string;
  /** Where the page can read it, to make a picture of it; absent for files that are too large for that. */
  uri?: string;
}

/** What a person decided about one file. */
export interface UploadChoice {
  path: string;
  title: string;
  description: string;
  audience: UploadAudience;
  /** Offer it to others as soon as it is hashed. */
  share: boolean;
  /** The picture that the page has made, base64. */
  thumbnail?: string;
  /** Height of a smaller copy that is shared instead. */
  optimise?: OptimisedHeight;
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
  | "friends"
  | "friendsHint"
  | "public"
  | "publicHint"
  | "share"
  | "shareHint"
  | "form"
  | UploadForm
  | "noPreview"
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
  /** What each form of the files weighs; absent where there is no ffmpeg to make smaller copies. */
  forms?: Record<UploadForm, string>;
  strings: UploadStrings;
}

/** More is known of a file: `facts` of one, and `forms` of all. */
export interface UploadFactsMessage {
  type: "facts";
  path: string;
  facts: string;
  forms?: Record<UploadForm, string>;
}

/** Answer to `noPreview`, where somebody else could make one. */
export interface UploadPreviewMessage {
  type: "preview";
  path: string;
  picture: PagePicture;
}

export type ToUploadPage = ShowUploadMessage | UploadFactsMessage | UploadPreviewMessage;

/** The page runs (again) and has nothing to show yet. */
export interface UploadReadyMessage {
  type: "ready";
}

/** A file was taken off the list. */
export interface RemoveFileMessage {
  type: "removeFile";
  path: string;
}

/** The page cannot make a picture of this file. */
export interface NoPreviewMessage {
  type: "noPreview";
  path: string;
}

export interface SubmitUploadMessage {
  type: "submit";
  choices: UploadChoice[];
}

export interface CancelUploadMessage {
  type: "cancel";
}

export type FromUploadPage =
  | UploadReadyMessage
  | RemoveFileMessage
  | NoPreviewMessage
  | SubmitUploadMessage
  | CancelUploadMessage;
