import { basename, dirname } from "node:path";
import * as vscode from "vscode";
import * as z from "zod";
import { OPTIMISED_HEIGHTS } from "../../peer/smallerCopy";
import type { FileFacts } from "../../peer/status";
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
  type UploadFile,
  type UploadStrings,
  validateDescription,
  validateTitle,
} from "../../rpc/uploadPanel";
import { FormPanel } from "./formPanel";
import { pictureSchema } from "./pictureSchema";
import { describeFile, describeForms } from "./uploadFacts";

export interface FileToUpload {
  /** Absolute. */
  path: string;
  /** Bytes. */
  size: number;
}

export interface UploadPanelOptions {
  /** How many friends there are to share with. */
  friends: number;
  /** Smaller copies can be made. */
  canOptimise: boolean;
  /** Looks into a file; with `picture` also for a picture of it. */
  inspect(path: string, options: { picture: boolean }): Promise<FileFacts>;
}

interface OpenForm {
  panel: FormPanel<ToUploadPage, FromUploadPage, UploadChoice[]>;
  add(files: readonly FileToUpload[]): void;
}

/** Older editors read a file as a whole before the page gets the first byte of it. */
const MAX_PREVIEW_BYTES = 512 * 1024 * 1024;

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
  options: UploadPanelOptions,
): Promise<UploadChoice[] | undefined> {
  const open = openForms.get(context);
  if (open) {
    open.add(files);
    open.panel.reveal();
    return undefined;
  }
  const form = openUploadForm(context, files, options);
  openForms.set(context, form);
  try {
    return await form.panel.result;
  } finally {
    openForms.delete(context);
  }
}

function openUploadForm(
  context: vscode.ExtensionContext,
  initial: readonly FileToUpload[],
  options: UploadPanelOptions,
): OpenForm {
  const files = new Map<string, FileToUpload & { facts: FileFacts | undefined }>();
  const strings = uploadStrings(options);
  let closed = false;
  const panel: OpenForm["panel"] = new FormPanel({
    extensionUri: context.extensionUri,
    viewType: "streamlet.upload",
    title: strings.headingOne,
    page: "uploadPanel",
    schema: messageSchema(files, options),
    playsFiles: true,
    resourceRoots: foldersOf(initial),
    handlers: {
      ready: show,
      removeFile: ({ path }) => {
        files.delete(path);
        tellFacts(path);
      },
      noPreview: ({ path }) => void tellPreview(path),
      submit: ({ choices }) => panel.finish(choices),
      cancel: () => panel.finish(undefined),
    },
  });
  void panel.result.then(() => {
    closed = true;
  });

  const forms = () => (options.canOptimise ? { forms: describeForms([...files.values()]) } : {});

  function show(): void {
    panel.send({ type: "show", strings, files: [...files.values()].map(describe), ...forms() });
  }

  function describe(file: FileToUpload & { facts: FileFacts | undefined }): UploadFile {
    const { path, size } = file;
    const uri = size <= MAX_PREVIEW_BYTES ? panel.webview.asWebviewUri(vscode.Uri.file(path)) : undefined;
    return {
      path,
      fileName: basename(path),
      title: defaultTitle(path),
      facts: describeFile(file),
      ...(uri ? { uri: uri.toString() } : {}),
    };
  }

  function tellFacts(path: string): void {
    const file = files.get(path);
    panel.send({ type: "facts", path, facts: file ? describeFile(file) : "", ...forms() });
  }

  /** The editor decodes less than ffmpeg does. */
  async function tellPreview(path: string): Promise<void> {
    if (!options.canOptimise) return;
    const { thumbnail } = await options.inspect(path, { picture: true }).catch(() => ({}) as FileFacts);
    if (thumbnail && !closed) panel.send({ type: "preview", path, picture: thumbnail });
  }

  /** One after another: a form may have 200 files. */
  async function lookInto(more: readonly FileToUpload[]): Promise<void> {
    for (const { path } of more) {
      if (closed || !files.has(path)) continue;
      const facts = await options.inspect(path, { picture: false }).catch(() => ({}));
      const file = files.get(path);
      if (closed || !file) continue;
      file.facts = facts;
      tellFacts(path);
    }
  }

  function hold(more: readonly FileToUpload[]): void {
    const fresh = more.filter((file) => !files.has(file.path)).slice(0, MAX_UPLOAD_FILES - files.size);
    for (const file of fresh) files.set(file.path, { ...file, facts: undefined });
    if (more.some((file) => !files.has(file.path))) {
      void vscode.window.showWarningMessage(
        vscode.l10n.t("Upload at most {0} videos at once; the rest was left out.", MAX_UPLOAD_FILES),
      );
    }
    void lookInto(fresh);
  }

  hold(initial);
  return {
    panel,
    add(more) {
      hold(more);
      panel.setResourceRoots(foldersOf([...files.values()]));
      show();
    },
  };
}

function foldersOf(files: readonly FileToUpload[]): vscode.Uri[] {
  return [...new Set(files.map((file) => dirname(file.path)))].map((folder) => vscode.Uri.file(folder));
}

function messageSchema(
  files: ReadonlyMap<string, FileToUpload>,
  { canOptimise }: UploadPanelOptions,
): z.ZodType<FromUploadPage> {
  // Only the files that were given: a page cannot make the host read another one.
  const path = z.string().refine((value) => files.has(value));
  const text = (valid: (value: string) => boolean) => z.string().refine(valid);
  const height = z.literal(OPTIMISED_HEIGHTS).optional();
  const choice = z.object({
    path,
    title: text((value) => validateTitle(value) === undefined && toTitle(value) === value),
    description: text((value) => validateDescription(value) === undefined && toDescription(value) === value),
    audience: z.enum(UPLOAD_AUDIENCES),
    share: z.boolean(),
    thumbnail: pictureSchema,
    optimise: height.refine((value) => value === undefined || canOptimise),
  });
  return z.discriminatedUnion("type", [
    z.object({ type: z.literal("ready") }),
    z.object({ type: z.literal("removeFile"), path }),
    z.object({ type: z.literal("noPreview"), path }),
    z.object({ type: z.literal("submit"), choices: z.array(choice).min(1).max(MAX_UPLOAD_FILES) }),
    z.object({ type: z.literal("cancel") }),
  ]) as z.ZodType<FromUploadPage>;
}

function uploadStrings({ friends }: UploadPanelOptions): UploadStrings {
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
    noPreview: t("No preview"),
    form: t("What Is Shared"),
    original: t("The file as it is"),
    "1080": t("A smaller copy, 1080p"),
    "720": t("A smaller copy, 720p"),
    audience: t("Audience"),
    everyone: t("Everyone on my trackers"),
    everyoneHint: t("People who use Streamlet with one of your trackers find it and can watch it."),
    friends: t("Friends"),
    friendsHint:
      friends > 0
        ? t("Only people whose key you pinned ({0}). Copies that they make stay made.", friends)
        : t("You have no friends yet: choose Add to Friends on a person in Peers."),
    public: t("Public, any BitTorrent client"),
    publicHint: t("Also anyone with its magnet link or torrent file, in any BitTorrent client, unencrypted."),
    share: t("Share now"),
    shareHint: t("Otherwise it only goes to My Videos, and you share it later with Upload to Network."),
    uploadOne: t("Upload"),
    uploadMany: t("Upload {0} Videos"),
    cancel: t("Cancel"),
  };
}
