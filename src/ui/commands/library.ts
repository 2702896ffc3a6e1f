/** Commands about one's own videos and downloads. */
import { dirname, join } from "node:path";
import { commands, env, l10n, type QuickPickItem, UIKind, Uri, window } from "vscode";
import type { Audience, LibraryVideo } from "../../peer/status";
import type { App } from "../app";
import { tellIfNoFriends } from "../contacts";
import { confirm, inform } from "../notify";
import { saveCopy } from "../saveCopy";
import { libraryTargets, linkTargets } from "../targets";
import { chooseFiles, friendsOf, uploadFiles } from "../uploads";
import { isPartial } from "../views/descriptions";
import type { Handlers } from "./handlers";

type LibraryCommand =
  | "streamlet.uploadVideo"
  | "streamlet.publish"
  | "streamlet.stopSharing"
  | "streamlet.editInfo"
  | "streamlet.play"
  | "streamlet.saveToDevice"
  | "streamlet.removeVideo"
  | "streamlet.deleteVideo"
  | "streamlet.revealInFileManager"
  | "streamlet.copyLink"
  | "streamlet.copyMagnetLink";

const isWhole = (video: LibraryVideo) => video.state === "ready";

export const libraryCommands: Handlers<LibraryCommand> = {
  "streamlet.uploadVideo": uploadVideo,
  "streamlet.publish": publish,
  "streamlet.stopSharing": stopSharing,
  "streamlet.editInfo": editInfo,
  "streamlet.play": play,
  "streamlet.saveToDevice": saveToDevice,
  "streamlet.removeVideo": removeVideo,
  "streamlet.deleteVideo": deleteVideo,
  "streamlet.revealInFileManager": revealInFileManager,
  "streamlet.copyLink": (app, args) => copyLinks(app, args, "link"),
  "streamlet.copyMagnetLink": (app, args) => copyLinks(app, args, "magnet"),
};

/** From the Explorer's context menu with the clicked file and the selection, else with the file dialog. */
async function uploadVideo(app: App, [first, selection]: unknown[]): Promise<void> {
  const selected = Array.isArray(selection) ? selection.filter((uri) => uri instanceof Uri) : [];
  const given = selected.length > 0 ? selected : first instanceof Uri ? [first] : [];
  await uploadFiles(app, given.length > 0 ? given : await chooseFiles());
}

async function publish(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: isWhole,
    placeHolder: l10n.t("Videos to share"),
    none: l10n.t("There is no complete video to share. Upload one first."),
  });
  // Only its owner decides who may have a video.
  const own = videos.filter((video) => video.origin === "uploaded");
  const audience = own.length > 0 ? await pickAudience(app, own) : undefined;
  for (const video of videos) {
    if (video.origin === "obtained") await app.service.share(video.key, video.audience);
    else if (audience) await app.service.share(video.key, audience);
  }
  if (audience === "friends") await tellIfNoFriends(app);
}

async function pickAudience(app: App, videos: readonly LibraryVideo[]): Promise<Audience | undefined> {
  const friends = friendsOf(app.host.state);
  const items: (QuickPickItem & { audience: Audience })[] = [
    {
      label: l10n.t("$(broadcast) Everyone"),
      detail: l10n.t("Everyone on the trackers of this profile sees it in Network."),
      audience: "everyone",
    },
    {
      label: l10n.t("$(heart) Friends"),
      detail:
        friends > 0
          ? l10n.t("Only people whose key you pinned ({0}). Copies that are made already stay made.", friends)
          : l10n.t("You have no friends yet: add one in Peers. Copies that are made already stay made."),
      audience: "friends",
    },
    {
      label: l10n.t("$(globe) Public"),
      detail: l10n.t("Also any BitTorrent client that has the magnet link; that traffic is not encrypted."),
      audience: "public",
    },
  ];
  const title = videos.length === 1 ? videos[0]?.title : l10n.t("{0} videos", videos.length);
  const picked = await window.showQuickPick(items, { placeHolder: l10n.t("Who may get “{0}”?", title ?? "") });
  return picked?.audience;
}

async function stopSharing(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: (video) => video.shared,
    placeHolder: l10n.t("Videos to stop sharing"),
    none: l10n.t("No video is shared."),
  });
  for (const video of videos) await app.service.unshare(video.key);
}

async function editInfo(app: App, args: unknown[]): Promise<void> {
  const [video] = await libraryTargets(app, args, {
    filter: (candidate) => candidate.origin === "uploaded",
    placeHolder: l10n.t("Video to edit"),
    none: l10n.t("You have not uploaded a video yet."),
    single: true,
  });
  if (video) await app.edits.edit(video);
}

async function play(app: App, args: unknown[]): Promise<void> {
  const [video] = await libraryTargets(app, args, {
    filter: isWhole,
    placeHolder: l10n.t("Video to play"),
    none: l10n.t("There is no complete video to play yet."),
    single: true,
  });
  if (!video) return;
  const uri = Uri.file(video.path);
  if (env.uiKind === UIKind.Web) {
    // A browser has no system player: VS Code's own preview plays what the browser can.
    await commands.executeCommand("vscode.open", uri);
    return;
  }
  const opened = await env.openExternal(uri).then(
    (done) => done,
    () => false,
  );
  if (!opened) {
    await inform(l10n.t("No program on this computer opens {0}. Install a video player such as VLC.", video.fileName), {
      title: l10n.t("Reveal"),
      run: () => reveal(video),
    });
  }
}

async function saveToDevice(app: App, args: unknown[]): Promise<void> {
  const [video] = await libraryTargets(app, args, {
    filter: isWhole,
    placeHolder: l10n.t("Video to save"),
    none: l10n.t("There is no complete video to save yet."),
    single: true,
  });
  if (video) await saveCopy(app, video);
}

async function removeVideo(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: () => true,
    placeHolder: l10n.t("Videos to remove from the library"),
    none: l10n.t("The library is empty."),
  });
  if (videos.length === 0) return;
  const partial = videos.filter((video) => video.origin === "obtained" && isPartial(video));
  const sure = await confirm(
    question(
      videos,
      (title) => l10n.t("Remove “{0}” from the library?", title),
      (n) => l10n.t("Remove {0} videos from the library?", n),
    ),
    partial.length > 0
      ? l10n.t(
          "It will not be shared any more. Complete files stay on disk; what has arrived of incomplete downloads is deleted.",
        )
      : l10n.t("It will not be shared any more. The file stays on disk."),
    l10n.t("Remove"),
  );
  if (!sure) return;
  for (const video of videos) await app.service.remove(video.key, { deleteFile: false });
}

async function deleteVideo(app: App, args: unknown[]): Promise<void> {
  const videos = await libraryTargets(app, args, {
    filter: (video) => video.origin === "obtained",
    placeHolder: l10n.t("Downloads to delete"),
    none: l10n.t("Nothing was downloaded. Uploaded files are yours: remove them from the library instead."),
  });
  if (videos.length === 0) return;
  const sure = await confirm(
    question(
      videos,
      (title) => l10n.t("Delete “{0}” from this computer?", title),
      (n) => l10n.t("Delete {0} videos from this computer?", n),
    ),
    l10n.t("The downloaded file is deleted and leaves the library. This cannot be undone."),
    l10n.t("Delete"),
  );
  if (!sure) return;
  for (const video of videos) await app.service.remove(video.key, { deleteFile: true });
}

function question(
  videos: readonly LibraryVideo[],
  one: (title: string) => string,
  many: (count: number) => string,
): string {
  return videos.length === 1 ? one(videos[0]?.title ?? "") : many(videos.length);
}

async function revealInFileManager(app: App, args: unknown[]): Promise<void> {
  const [video] = await libraryTargets(app, args, {
    filter: (candidate) => candidate.state !== "fileMissing",
    placeHolder: l10n.t("Video to reveal"),
    none: l10n.t("The library is empty."),
    single: true,
  });
  if (video) await reveal(video);
}

async function reveal(video: LibraryVideo): Promise<void> {
  if (env.uiKind !== UIKind.Web) {
    await commands.executeCommand("revealFileInOS", Uri.file(video.path));
    return;
  }
  await inform(
    l10n.t("In a browser there is no file manager. The file is {0}", join(dirname(video.path), video.fileName)),
    {
      title: l10n.t("Copy Path"),
      run: () => env.clipboard.writeText(video.path),
    },
  );
}

async function copyLinks(app: App, args: unknown[], kind: "link" | "magnet"): Promise<void> {
  const offered = linkTargets(app, args).filter(({ isPublic }) => kind === "link" || isPublic);
  const videos = offered.length > 0 ? [] : await linkedVideos(app, args, kind);
  const links: string[] = [];
  for (const video of [...offered.map(({ video: id }) => id), ...videos.map(({ key }) => key)]) {
    const { link, magnet } = await app.service.link(video);
    // A link opens the kind of editor that it was made in: code-oss:, vscode-insiders: ...
    const text = kind === "link" ? link.replace(/^[a-z][a-z0-9+.-]*:/, `${env.uriScheme}:`) : magnet;
    if (text) links.push(text);
  }
  if (links.length === 0) return;
  await env.clipboard.writeText(links.join("\n"));
  const unshared = videos.some((video) => video.origin === "uploaded" && !video.shared);
  const text = links.length === 1 ? l10n.t("Link copied.") : l10n.t("{0} links copied.", links.length);
  await inform(
    unshared ? l10n.t("{0} It works as soon as the video is shared.", text) : text,
    ...(unshared ? [{ title: l10n.t("Share"), run: () => publish(app, args) }] : []),
  );
}

function linkedVideos(app: App, args: unknown[], kind: "link" | "magnet"): Promise<LibraryVideo[]> {
  return libraryTargets(app, args, {
    filter: (video) => video.id !== undefined && (kind === "link" || video.audience === "public"),
    placeHolder: l10n.t("Videos to link to"),
    none:
      kind === "link"
        ? l10n.t("There is no video to link to yet.")
        : l10n.t("Only videos that are shared with Public have a magnet link."),
  });
}
