/** From files to library entries: the file dialog, the Explorer's selection and drops all end in the same form. */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { l10n, Uri, window, workspace } from "vscode";
import type { MediaTools } from "../peer/status";
import type { HostState } from "../rpc/window";
import { StreamletError, toErrorInfo } from "../wire/errors";
import { type App, activeProfile } from "./app";
import { tellIfNoFriends } from "./contacts";
import { VIDEO_EXTENSIONS } from "./contributions";
import { DROPPED_FOLDER, profileFolder } from "./host/places";
import { phaseOf } from "./host/snapshots";
import { explain } from "./messages";
import { complain, report } from "./notify";
import { createProfile, startProfile } from "./profiles";

/** More refusals than this in one toast cannot be read. */
const MAX_REASONS = 3;

/** The file dialog, for one or many videos. */
export async function chooseFiles(): Promise<Uri[]> {
  const folder = workspace.workspaceFolders?.find((candidate) => candidate.uri.scheme === "file");
  const chosen = await window.showOpenDialog({
    canSelectMany: true,
    filters: { [l10n.t("Videos")]: [...VIDEO_EXTENSIONS], [l10n.t("All Files")]: ["*"] },
    openLabel: l10n.t("Upload"),
    title: l10n.t("Upload Video"),
    ...(folder ? { defaultUri: folder.uri } : {}),
  });
  return chosen ?? [];
}

/** Asks for names and audience, then adds the files to the library; what is refused is said with its reason. */
export async function uploadFiles(app: App, uris: readonly Uri[]): Promise<void> {
  if (uris.length === 0 || !(await ensureRunning(app))) return;
  const { files, refused } = await checkFiles(uris);
  void tellRefused(app, refused);
  if (files.length === 0) return;
  const { showUploadPanel } = await import("./panels/uploadPanel");
  const tools = await app.service.mediaTools().catch(() => ({}) as MediaTools);
  const choices = await showUploadPanel(app.context, files, {
    friends: friendsOf(app.host.state),
    canOptimise: tools.ffmpeg !== undefined,
    inspect: (path, options) => app.service.inspectFile(path, options),
  });
  const failed: string[] = [];
  for (const choice of choices ?? []) {
    try {
      const { key } = await app.service.upload(choice);
      app.transfers.watch(key);
    } catch (error) {
      const info = toErrorInfo(error);
      app.log.error(`${info.code}: ${info.message}`);
      failed.push(explain({ ...info, data: { path: choice.path, ...info.data } }));
    }
  }
  await tellRefused(app, failed);
  if (choices?.some(({ audience, share }) => share && audience === "friends")) await tellIfNoFriends(app);
}

/** How many people a video for friends can go to. */
export function friendsOf(state: HostState | undefined): number {
  return state?.snapshot.contacts.filter(({ kind }) => kind === "friend").length ?? 0;
}

/** Content of a dropped file that has no path here: it is kept in the profile's folder, and shared from there. */
export async function storeDropped(app: App, name: string, content: Uint8Array): Promise<Uri> {
  const profile = activeProfile(app);
  if (!profile) throw new StreamletError("not-running", "No profile runs: start one first.");
  const folder = join(profileFolder(app.context.globalStorageUri.fsPath, profile.id), DROPPED_FOLDER);
  await mkdir(folder, { recursive: true });
  const safe = plainFileName(name);
  const extension = extname(safe);
  for (let copy = 1; ; copy++) {
    const path = join(folder, copy === 1 ? safe : `${basename(safe, extension)} (${copy})${extension}`);
    try {
      await writeFile(path, content, { flag: "wx" });
      return Uri.file(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") continue;
      if (code === "ENOSPC") throw new StreamletError("disk-full", "The disk is full.", { cause: error });
      throw new StreamletError("write-failed", `The dropped file cannot be stored: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

/** Characters; with four bytes each and " (2)" still within the 255 bytes that file systems allow. */
const MAX_STEM_CHARS = 60;
/** Devices on Windows, with any extension ("Naming Files, Paths, and Namespaces"). */
const RESERVED_NAMES = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** The last part of a name as every file system takes it. It is the person's own file: what others see is named elsewhere. */
function plainFileName(name: string): string {
  const last = name.split(/[\\/]/).pop() ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const clean = last.replace(/[\u0000-\u001f<>:"|?*]/g, "_").replace(/^\.+|[. ]+$/g, "");
  const extension = extname(clean);
  const stem = [...basename(clean, extension)].slice(0, MAX_STEM_CHARS).join("");
  if (stem === "") return "video.mp4";
  return `${RESERVED_NAMES.test(stem) ? "_" : ""}${stem}${extension}`;
}

async function checkFiles(
  uris: readonly Uri[],
): Promise<{ files: { path: string; size: number }[]; refused: string[] }> {
  const files: { path: string; size: number }[] = [];
  const refused: string[] = [];
  for (const uri of uris) {
    const name = basename(uri.path);
    if (uri.scheme !== "file") {
      refused.push(
        l10n.t(
          "{0} is not on this computer ({1}): Streamlet shares files of the computer that it runs on. Copy it there first.",
          name,
          uri.scheme,
        ),
      );
      continue;
    }
    const path = uri.fsPath;
    if (!(VIDEO_EXTENSIONS as readonly string[]).includes(extname(path).slice(1).toLowerCase())) {
      refused.push(explain({ code: "unsupported-format", message: "", data: { path } }));
      continue;
    }
    const info = await stat(path).catch(() => undefined);
    if (!info) refused.push(explain({ code: "file-missing", message: "", data: { path } }));
    else if (!info.isFile()) refused.push(explain({ code: "not-a-video", message: "", data: { path } }));
    else if (info.size === 0) refused.push(explain({ code: "empty-file", message: "", data: { path } }));
    else files.push({ path, size: info.size });
  }
  return { files, refused };
}

async function tellRefused(app: App, reasons: readonly string[]): Promise<void> {
  if (reasons.length === 0) return;
  const more = reasons.length - MAX_REASONS;
  const text = reasons.slice(0, MAX_REASONS).join(" ");
  await complain(more > 0 ? l10n.t("{0} And {1} more.", text, more) : text, {
    title: l10n.t("Choose Other Files..."),
    run: async () => uploadFiles(app, await chooseFiles()),
  });
}

/** Uploading needs a running profile: starts or creates one on the way. */
async function ensureRunning(app: App): Promise<boolean> {
  const isRunning = () => app.host.state !== undefined && phaseOf(app.host.state) === "running";
  if (isRunning()) return true;
  try {
    if (activeProfile(app)) await startProfile(app);
    else await createProfile(app);
  } catch (error) {
    await report(app.log, error);
  }
  return isRunning();
}
