/** Contract of the "Edit Info" panel. Its fields have the rules of uploadPanel.ts. */
import type { DescriptionProblem, PagePicture, TitleProblem } from "./uploadPanel";

/** What can be changed of a video. */
export interface EditDraft {
  title: string;
  description: string;
}

export interface EditSubmission extends EditDraft {
  /** Another picture, base64. */
  thumbnail?: string;
  /** What the person had before their eyes when they decided. */
  was: EditDraft;
}

/** Texts of the page, in the language of the editor. `{0}` is filled in the page. */
export type EditStrings = Record<
  | "heading"
  | "intro"
  | "title"
  | "description"
  | "picture"
  | "noPicture"
  | "chooseFrame"
  | "frame"
  | "frameOpening"
  | "frameFailed"
  | "audience"
  | "audienceHint"
  | "changedMeanwhile"
  | "noDescription"
  | "takeTheirs"
  | "save"
  | "cancel"
  | TitleProblem
  | DescriptionProblem,
  string
>;

/** Everything that the page shows; the answer to `ready`. */
export interface ShowEditMessage {
  type: "show";
  fileName: string;
  /** e.g. "2:31 · 1920 × 1080 · 1.2 GB". */
  facts: string;
  draft: EditDraft;
  picture?: PagePicture;
  /** Where the page can read the file, for another frame; absent where that is no use. */
  uri?: string;
  strings: EditStrings;
}

/** Somebody else has changed the video while the form was open. */
export interface ChangedMeanwhileMessage {
  type: "changed";
  draft: EditDraft;
}

/** It could not be saved; the form stays open. */
export interface EditRefusedMessage {
  type: "refused";
  text: string;
}

export type ToEditPage = ShowEditMessage | ChangedMeanwhileMessage | EditRefusedMessage;

/** The page runs (again) and has nothing to show yet. */
export interface EditReadyMessage {
  type: "ready";
}

export interface SubmitEditMessage {
  type: "submit";
  edit: EditSubmission;
}

export interface CancelEditMessage {
  type: "cancel";
}

export type FromEditPage = EditReadyMessage | SubmitEditMessage | CancelEditMessage;
