import { basename } from "node:path";
import * as vscode from "vscode";
import * as z from "zod";
import {
  defaultTitle,
  type FromUploadPage,
  MAX_DESCRIPTION_LENGTH,
  MAX_TITLE_LENGTH,
  MAX_UPLOAD_FILES,
  type ToUploadPage,
  toDescription,
  toTitle,
  UPLOAD_AUDIENCES,
  type UploadChoice,
  type UploadStrings,
  validateDescription,
  validateTitle,
} from "../../rpc/uploadPanel";
import { formatBytes } from "../format";
import { FormPanel } from "./formPanel";

export interface FileToUpload {
  /** Absolute. */
  path: string;
  /** Bytes. */
  size: number;
}

interface OpenForm {
  panel: FormPanel<ToUploadPage, FromUploadPage, UploadChoice[]>;
  add(files: readonly FileToUpload[]): void;
}

/** The open form: more files go into it. */
const openForms = new WeakMap<vscode.ExtensionContext, OpenForm>();

/**
 * Asks for name, description and audience of files in the "Upload" form; the answer has at least one entry.
 * Answers undefined when the form is cancelled or closed, and at once where the form is open already: the files are added
 * to that one, and whoever opened it gets the answer for all.
 */
export async function showUploadPanel(
  context: vscode.ExtensionContext,
  files: readonly FileToUpload[],
): Promise<UploadChoice[] | undefined> {
  const open = openForms.get(context);
  if (open) {
    open.add(files);
    open.panel.reveal();
    return undefined;
  }
  const form = openUploadForm(context, files);
  openForms.set(context, form);
  try {
    return await form.panel.result;
  } finally {
    openForms.delete(context);
  }
}

function openUploadForm(context: vscode.ExtensionContext, initial: readonly FileToUpload[]): OpenForm {
  const files = new Map<string, FileToUpload>();
  const strings = uploadStrings();
  const panel: OpenForm["panel"] = new FormPanel({
    extensionUri: context.extensionUri,
    viewType: "streamlet.upload",
    title: strings.headingOne,
    page: "uploadPanel",
    schema: messageSchema(files),
    handlers: {
      ready: show,
      removeFile: ({ path }) => {
        files.delete(path);
      },
      submit: ({ choices }) => panel.finish(choices),
      cancel: () => panel.finish(undefined),
    },
  });

  function show(): void {
    panel.send({
      type: "show",
      strings,
      files: [...files.values()].map(({ path, size }) => ({
        path,
        fileName: basename(path),
        title: defaultTitle(path),
        sizeText: formatBytes(size),
      })),
    });
  }

  function hold(more: readonly FileToUpload[]): void {
    for (const file of more) if (files.size < MAX_UPLOAD_FILES) files.set(file.path, file);
    if (more.some((file) => !files.has(file.path))) {
      void vscode.window.showWarningMessage(
        vscode.l10n.t("Upload at most {0} videos at once; the rest was left out.", MAX_UPLOAD_FILES),
      );
    }
  }

  hold(initial);
  return {
    panel,
    add(more) {
      hold(more);
      show();
    },
  };
}

function messageSchema(files: ReadonlyMap<string, FileToUpload>): z.ZodType<FromUploadPage> {
  // Only the files that were given: a page cannot make the host read another one.
  const path = z.string().refine((value) => files.has(value));
  const text = (valid: (value: string) => boolean) => z.string().refine(valid);
  const choice = z.object({
    path,
    title: text((value) => validateTitle(value) === undefined && toTitle(value) === value),
    description: text((value) => validateDescription(value) === undefined && toDescription(value) === value),
    audience: z.enum(UPLOAD_AUDIENCES),
    share: z.boolean(),
  });
  return z.discriminatedUnion("type", [
    z.object({ type: z.literal("ready") }),
    z.object({ type: z.literal("removeFile"), path }),
    z.object({ type: z.literal("submit"), choices: z.array(choice).min(1).max(MAX_UPLOAD_FILES) }),
    z.object({ type: z.literal("cancel") }),
  ]);
}

function uploadStrings(): UploadStrings {
  const { t } = vscode.l10n;
  return {
    headingOne: t("Upload Video"),
    headingMany: t("Upload {0} Videos"),
    intro: t("Files stay where they are; a video only travels when somebody watches or downloads it."),
    title: t("Name"),
    titleEmpty: t("Type a name for the video."),
    titleTooLong: t("At most {0} characters.", MAX_TITLE_LENGTH),
    description: t("Description (optional)"),
    descriptionTooLong: t("At most {0} characters.", MAX_DESCRIPTION_LENGTH),
    removeFile: t("Do not upload {0}"),
    fileRemoved: t("{0} removed."),
    filesAdded: t("Files added: {0}."),
    audience: t("Audience"),
    everyone: t("Everyone on my trackers"),
    everyoneHint: t("People who use Streamlet with one of your trackers find it and can watch it."),
    public: t("Public, any BitTorrent client"),
    publicHint: t("Also anyone with its magnet link or torrent file, in any BitTorrent client, unencrypted."),
    share: t("Share now"),
    shareHint: t("Otherwise it only goes to My Videos, and you share it later with Upload to Network."),
    uploadOne: t("Upload"),
    uploadMany: t("Upload {0} Videos"),
    cancel: t("Cancel"),
  };
}
