import { dirname } from "node:path";
import * as vscode from "vscode";
import * as z from "zod";
import type { Audience, LibraryVideo, Thumbnail } from "../../peer/status";
import type { EditDraft, EditStrings, EditSubmission, FromEditPage, ToEditPage } from "../../rpc/editPanel";
import {
  MAX_DESCRIPTION_LENGTH,
  MAX_TITLE_LENGTH,
  toDescription,
  toTitle,
  validateDescription,
  validateTitle,
} from "../../rpc/uploadPanel";
import { FormPanel } from "./formPanel";
import { pictureSchema } from "./pictureSchema";
import { describeFile } from "./uploadFacts";

export interface EditPanelOptions {
  video: LibraryVideo;
  picture: Thumbnail | null;
  /** Resolves when it is saved; undefined: done, else the sentence that says why not. */
  save(edit: EditSubmission): Promise<string | undefined>;
}

export interface EditPanel {
  /** Resolves when the form is closed, saved or not. */
  readonly closed: Promise<void>;
  /** The video as the library has it now. */
  update(video: LibraryVideo): void;
  reveal(): void;
}

/** Beyond that, older editors are too slow with it, as in the upload form. */
const MAX_PREVIEW_BYTES = 512 * 1024 * 1024;

/** The "Edit Info" form of one video. */
export function openEditPanel(context: vscode.ExtensionContext, options: EditPanelOptions): EditPanel {
  const { video, picture } = options;
  const strings = editStrings(video);
  const isWhole = video.state === "ready" && video.size <= MAX_PREVIEW_BYTES;
  const file = vscode.Uri.file(video.path);
  /** As the page was told last. */
  let known: EditDraft = draftOf(video);
  let latest = video;
  let saving = false;
  const form: FormPanel<ToEditPage, FromEditPage, true> = new FormPanel<ToEditPage, FromEditPage, true>({
    extensionUri: context.extensionUri,
    viewType: "streamlet.edit",
    title: strings.heading,
    page: "editPanel",
    schema,
    playsFiles: true,
    resourceRoots: isWhole ? [vscode.Uri.file(dirname(video.path))] : [],
    handlers: {
      ready: () =>
        form.send({
          type: "show",
          fileName: video.fileName,
          facts: describeFile({ size: video.size, facts: video }),
          draft: known,
          ...(picture ? { picture } : {}),
          ...(isWhole ? { uri: form.webview.asWebviewUri(file).toString() } : {}),
          strings,
        }),
      submit: async ({ edit }) => {
        saving = true;
        const refused = await options.save(edit);
        saving = false;
        if (refused === undefined) return form.finish(true);
        form.send({ type: "refused", text: refused });
        tellChange();
      },
      cancel: () => form.finish(undefined),
    },
  });

  /** While this form saves, it is its own change that comes. */
  function tellChange(): void {
    const draft = draftOf(latest);
    if (saving || (draft.title === known.title && draft.description === known.description)) return;
    known = draft;
    form.send({ type: "changed", draft });
  }

  return {
    closed: form.result.then(() => undefined),
    update(now) {
      latest = now;
      tellChange();
    },
    reveal: () => form.reveal(),
  };
}

function draftOf({ title, description }: LibraryVideo): EditDraft {
  return { title, description };
}

const draft = {
  title: z.string().refine((value) => validateTitle(value) === undefined && toTitle(value) === value),
  description: z.string().refine((value) => validateDescription(value) === undefined && toDescription(value) === value),
};
const anyText = z.string().max(100_000);
const schema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({
    type: z.literal("submit"),
    edit: z.object({ ...draft, thumbnail: pictureSchema, was: z.object({ title: anyText, description: anyText }) }),
  }),
  z.object({ type: z.literal("cancel") }),
]) as z.ZodType<FromEditPage>;

function audienceTexts(audience: Audience): [label: string, hint: string] {
  const { t } = vscode.l10n;
  switch (audience) {
    case "everyone":
      return [t("Everyone on my trackers"), t("People who use Streamlet with one of your trackers see the new text.")];
    case "friends":
      return [t("Friends"), t("Only your friends see the video and the new text.")];
    case "public":
      return [
        t("Public, any BitTorrent client"),
        t("People who use Streamlet see the new text; other BitTorrent clients know the file by its name only."),
      ];
  }
}

function editStrings(video: LibraryVideo): EditStrings {
  const { t } = vscode.l10n;
  const [label, hint] = audienceTexts(video.audience);
  const shared = video.shared ? hint : t("It is not shared now. Upload to Network shares it.");
  return {
    heading: t("Edit Info"),
    intro: t("The file and its link stay as they are."),
    title: t("Name"),
    titleEmpty: t("Type a name for the video."),
    titleTooLong: t("At most {0} characters.", MAX_TITLE_LENGTH),
    description: t("Description (optional)"),
    descriptionTooLong: t("At most {0} characters.", MAX_DESCRIPTION_LENGTH),
    picture: t("Preview picture"),
    noPicture: t("No preview picture"),
    chooseFrame: t("Choose Frame"),
    frame: t("Frame at {0}"),
    frameOpening: t("Opening the video…"),
    frameFailed: t("This editor cannot decode the video: its picture stays as it is."),
    audience: t("Audience: {0}", label),
    audienceHint: video.shared ? t("{0} Upload to Network changes who may have it.", shared) : shared,
    changedMeanwhile: t("The video was changed meanwhile, in another window. Saving replaces this:"),
    noDescription: t("(no description)"),
    takeTheirs: t("Use This Instead"),
    save: t("Save"),
    cancel: t("Cancel"),
  };
}
