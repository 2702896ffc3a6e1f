/** The dialogs around profiles: create, select, edit, delete, start, and what to do when one does not start. */
import { createServer } from "node:net";
import { commands, l10n, ProgressLocation, type QuickPickItem, window } from "vscode";
import type { ProfileDraft } from "../rpc/profilePanel";
import type { Profile } from "../rpc/window";
import { type ErrorInfo, StreamletError, toErrorInfo } from "../wire/errors";
import { formatFingerprint, shortFingerprint } from "../wire/fingerprint";
import { isFingerprint } from "../wire/types";
import { type App, activeProfile } from "./app";
import { downloadsFolder, readSetting } from "./config";
import { type Command, Views } from "./contributions";
import { formatBytes } from "./format";
import { explain } from "./messages";
import { type Choice, complain, confirm, inform, report, warn, withoutIcons, withoutLinks } from "./notify";

const DEFAULT_PORT = 5000;
/** How far "the next free port" looks. */
const PORTS_TO_TRY = 50;
const HIGHEST_PORT = 65_535;

export async function createProfile(app: App): Promise<void> {
  const identity = await app.service.prepareIdentity();
  const profiles = app.host.state?.profiles ?? [];
  const { showProfilePanel } = await import("./panels/profilePanel");
  const draft = await showProfilePanel(app.context, {
    mode: "create",
    initial: {
      peerId: "",
      port: await firstFreePort(app, DEFAULT_PORT),
      trackers: readSetting("streamlet.defaultTrackers"),
    },
    fingerprint: displayFingerprint(identity.fingerprint),
    takenNames: profiles.map((profile) => profile.peerId),
    validatePort: (port) => portProblem(app, port),
  });
  if (!draft) return;
  const { id } = await app.service.createProfile(draft, identity.token);
  await startProfile(app, id);
}

export async function selectProfile(app: App): Promise<void> {
  const profiles = app.host.state?.profiles ?? [];
  if (profiles.length === 0) return createProfile(app);
  const create = { label: l10n.t("$(add) Create Profile..."), profile: undefined };
  const picked = await window.showQuickPick([...profileItems(app), create], {
    placeHolder: l10n.t("Profile to use"),
    matchOnDescription: true,
  });
  if (!picked) return;
  if (picked.profile) await startProfile(app, picked.profile.id);
  else await createProfile(app);
}

export async function editProfile(app: App): Promise<void> {
  const profile = activeProfile(app) ?? (await pickProfile(app, l10n.t("Profile to edit")));
  if (!profile) return app.host.state?.profiles.length ? undefined : createProfile(app);
  const { showProfilePanel } = await import("./panels/profilePanel");
  const draft = await showProfilePanel(app.context, {
    mode: "edit",
    initial: { peerId: profile.peerId, port: profile.port, trackers: profile.trackers },
    fingerprint: displayFingerprint(profile.fingerprint),
    takenNames: (app.host.state?.profiles ?? []).filter(({ id }) => id !== profile.id).map(({ peerId }) => peerId),
    validatePort: (port) => portProblem(app, port),
  });
  if (draft) await saveProfile(app, profile.id, draft);
}

export async function deleteProfile(app: App): Promise<void> {
  const profile = await onlyOrPicked(app, l10n.t("Profile to delete"));
  if (!profile) return;
  const sure = await confirm(
    l10n.t("Delete the profile {0}?", profile.peerId),
    deletionDetail(app, profile),
    l10n.t("Delete Profile"),
  );
  if (!sure) return;
  // Taking the name back from trackers that do not answer takes seconds.
  await window.withProgress(
    {
      location: ProgressLocation.Notification,
      title: l10n.t("Deleting the profile {0} and giving its name back...", withoutLinks(profile.peerId)),
    },
    () => app.service.deleteProfile(profile.id),
  );
  await inform(l10n.t("The profile {0} is gone.", profile.peerId));
}

export async function resetData(app: App): Promise<void> {
  const profile = await onlyOrPicked(app, l10n.t("Profile whose data to reset"));
  if (!profile) return;
  const sure = await confirm(
    l10n.t("Reset the data of {0}?", profile.peerId),
    l10n.t(
      "Its library starts empty: uploads have to be added again, and downloads that are not complete start anew. The old library is set aside in the profile's folder; videos that were downloaded or dropped stay on disk. Name, port, trackers and key stay as they are.",
    ),
    l10n.t("Reset Data"),
  );
  if (!sure) return;
  await guarded(app, profile.id, () => app.service.resetData(profile.id));
}

export async function renewIdentity(app: App): Promise<void> {
  const profile = activeProfile(app);
  if (!profile) return;
  const sure = await confirm(
    l10n.t("Make a new key for {0}?", profile.peerId),
    l10n.t(
      "Others will see a new fingerprint. A tracker that knows {0} by the old key will not give the name to the new one: choose another Peer ID then.",
      profile.peerId,
    ),
    l10n.t("Make a New Key"),
  );
  if (sure) await guarded(app, profile.id, () => app.service.renewIdentity(profile.id));
}

export async function startProfile(app: App, id = activeProfile(app)?.id): Promise<void> {
  if (!id) return selectProfile(app);
  await guarded(app, id, () => app.service.startProfile(id));
}

/** Gives the profile the next port that is free, and starts it. */
export async function useNextFreePort(app: App, id = activeProfile(app)?.id, next?: number): Promise<void> {
  const profile = app.host.state?.profiles.find((candidate) => candidate.id === id);
  if (!profile) return;
  const { peerId, trackers } = profile;
  await saveProfile(app, profile.id, { peerId, trackers, port: next ?? (await firstFreePort(app, profile.port + 1)) });
}

async function saveProfile(app: App, id: string, draft: ProfileDraft): Promise<void> {
  await guarded(app, id, () => app.service.editProfile(id, draft));
}

async function guarded(app: App, id: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await window.withProgress({ location: { viewId: Views.videos } }, action);
  } catch (error) {
    await showStartFailure(app, error, id);
  }
}

/** Says why a profile does not start, with the ways out of just that. */
export async function showStartFailure(app: App, error: unknown, id = activeProfile(app)?.id): Promise<void> {
  const info = toErrorInfo(error);
  app.log.error(`${info.code}: ${info.message}`);
  const choices = waysOut(app, info, id);
  if (choices) await complain(explain(info), ...choices);
  else await report(app.log, error);
}

function waysOut(app: App, info: ErrorInfo, id: string | undefined): Choice[] | undefined {
  const again = { title: l10n.t("Try Again"), run: () => startProfile(app, id) };
  const edit = { title: l10n.t("Edit Profile"), run: () => editProfile(app) };
  const reset = { title: l10n.t("Reset Data..."), run: () => resetData(app) };
  const log = { title: l10n.t("Show Log"), run: () => app.log.show() };
  switch (info.code) {
    case "port-in-use": {
      const next = typeof info.data?.nextFree === "number" ? info.data.nextFree : undefined;
      const title = next ? l10n.t("Use Port {0}", next) : l10n.t("Use the Next Free Port");
      return [
        { title, run: () => useNextFreePort(app, id, next) },
        edit,
        { title: l10n.t("Cancel"), run: () => app.service.stopProfile() },
      ];
    }
    case "port-forbidden":
      return [edit];
    case "identity-missing":
      return [
        { title: l10n.t("Make a New Key..."), run: () => renewIdentity(app) },
        { title: l10n.t("Delete Profile..."), run: () => deleteProfile(app) },
      ];
    case "data-folder-in-use":
      return [again, log];
    case "library-damaged":
    case "profile-damaged":
    case "internal":
      return [again, reset, log];
    case "invalid-argument":
    case "profile-missing":
    case "connection-lost":
    case "cancelled":
      return undefined;
    default:
      return [again, edit, log];
  }
}

/** Once per window: saved profiles that cannot be read are kept, but a person should know. */
export async function tellDamagedProfiles(app: App, count: number): Promise<void> {
  const text =
    count === 1
      ? l10n.t("One saved profile cannot be read. It is kept as it is; the log shows it.")
      : l10n.t("{0} saved profiles cannot be read. They are kept as they are; the log shows them.", count);
  await warn(text, { title: l10n.t("Show Log"), run: () => app.log.show() });
}

async function onlyOrPicked(app: App, placeHolder: string): Promise<Profile | undefined> {
  const profiles = app.host.state?.profiles ?? [];
  if (profiles.length === 0) {
    await inform(l10n.t("There is no profile yet."), {
      title: l10n.t("Create Profile"),
      run: () => commands.executeCommand("streamlet.createProfile" satisfies Command),
    });
    return undefined;
  }
  return profiles.length === 1 ? profiles[0] : pickProfile(app, placeHolder);
}

async function pickProfile(app: App, placeHolder: string): Promise<Profile | undefined> {
  const items = profileItems(app);
  if (items.length === 0) return undefined;
  return (await window.showQuickPick(items, { placeHolder, matchOnDescription: true }))?.profile;
}

interface ProfileItem extends QuickPickItem {
  profile: Profile | undefined;
}

/** Last used first. */
function profileItems({ host }: App): ProfileItem[] {
  const { profiles = [], activeId, wanted } = host.state ?? {};
  return [...profiles]
    .sort((a, b) => b.lastUsedAt - a.lastUsedAt)
    .map((profile) => ({
      label: withoutIcons(profile.peerId),
      description: [
        l10n.t("port {0}", profile.port),
        isFingerprint(profile.fingerprint) ? shortFingerprint(profile.fingerprint) : "",
        profile.id === activeId && wanted ? l10n.t("in use") : "",
      ]
        .filter(Boolean)
        .join(" · "),
      profile,
    }));
}

function deletionDetail({ host }: App, profile: Profile): string {
  const lines: string[] = [];
  const { activeId, snapshot } = host.state ?? {};
  if (profile.id === activeId && snapshot && snapshot.videos.length > 0) {
    const obtained = snapshot.videos.filter((video) => video.origin === "obtained");
    const bytes = obtained.reduce((sum, video) => sum + video.bytesDone, 0);
    lines.push(
      l10n.t(
        "Videos in its library: {0}; downloaded: {1} ({2}).",
        snapshot.videos.length,
        obtained.length,
        formatBytes(bytes),
      ),
    );
  }
  lines.push(
    l10n.t(
      "This removes its key, its library, its friends and chats, and the downloads in its folder from this computer. Its name becomes free on the trackers that can be reached.",
    ),
    l10n.t("Files that you uploaded stay where they are."),
    ...(downloadsFolder() ? [l10n.t("Downloads in your own downloads folder stay as well.")] : []),
    l10n.t("This cannot be undone."),
  );
  return lines.join("\n\n");
}

function displayFingerprint(fingerprint: string): string {
  return isFingerprint(fingerprint) ? formatFingerprint(fingerprint) : fingerprint;
}

/** Why a port would not work now, for the form; the port that this very peer holds is fine. */
async function portProblem(app: App, port: number): Promise<string | undefined> {
  if (port === app.host.state?.snapshot.peer.port || (await canListen(port))) return undefined;
  return explain(new StreamletError("port-in-use", "", { data: { port } }).toInfo());
}

async function firstFreePort(app: App, from: number): Promise<number> {
  for (let port = from; port < from + PORTS_TO_TRY && port <= HIGHEST_PORT; port++) {
    if (port === app.host.state?.snapshot.peer.port || (await canListen(port))) return port;
  }
  return from;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
