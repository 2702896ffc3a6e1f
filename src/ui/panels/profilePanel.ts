import * as vscode from "vscode";
import * as z from "zod";
import {
  type FromProfilePage,
  MAX_PEER_ID_LENGTH,
  MAX_TRACKERS,
  type ProfileDraft,
  type ProfileStrings,
  type ToProfilePage,
  toProfileDraft,
} from "../../rpc/profilePanel";
import { FormPanel } from "./formPanel";

export interface ProfilePanelOptions {
  mode: "create" | "edit";
  /** What the form starts with; in edit mode the profile as it is. */
  initial: ProfileDraft;
  /** Of the profile's key, as it is shown to people; edit mode. */
  fingerprint?: string;
  /** Peer IDs of the other profiles here. */
  takenNames: string[];
  /** Why a port may not work, as a sentence; shown as a hint that forbids nothing. */
  validatePort?(port: number): Promise<string | undefined>;
}

type ProfileForm = FormPanel<ToProfilePage, FromProfilePage, ProfileDraft>;

/** Open forms by what they edit: asking for one again brings it to the front. */
const openForms = new WeakMap<vscode.ExtensionContext, Map<string, ProfileForm>>();

/**
 * Asks for a profile in the "Create Profile" or "Edit Profile" form.
 * Answers undefined when the form is cancelled or closed, and at once where the same form is open already: that one comes
 * to the front, and whoever opened it gets the answer.
 */
export async function showProfilePanel(
  context: vscode.ExtensionContext,
  options: ProfilePanelOptions,
): Promise<ProfileDraft | undefined> {
  const forms = openForms.get(context) ?? new Map<string, ProfileForm>();
  openForms.set(context, forms);
  const key = options.mode === "create" ? "create" : `edit ${options.initial.peerId}`;
  const open = forms.get(key);
  if (open) {
    open.reveal();
    return undefined;
  }
  const form = openProfileForm(context, options);
  forms.set(key, form);
  try {
    return await form.result;
  } finally {
    forms.delete(key);
  }
}

function openProfileForm(context: vscode.ExtensionContext, options: ProfilePanelOptions): ProfileForm {
  const strings = profileStrings(options);
  const form: ProfileForm = new FormPanel({
    extensionUri: context.extensionUri,
    viewType: "streamlet.profile",
    title: strings.heading,
    page: "profilePanel",
    schema: messageSchema(options.takenNames),
    handlers: {
      ready: () =>
        form.send({
          type: "show",
          mode: options.mode,
          initial: options.initial,
          ...(options.fingerprint ? { fingerprint: options.fingerprint } : {}),
          takenNames: options.takenNames,
          platform: process.platform,
          probesPorts: options.validatePort !== undefined,
          strings,
        }),
      probePort: async ({ port }) => {
        const text = await options.validatePort?.(port);
        form.send({ type: "portHint", port, ...(text ? { text } : {}) });
      },
      copyFingerprint: async () => {
        await vscode.env.clipboard.writeText(options.fingerprint ?? "");
        form.send({ type: "fingerprintCopied" });
      },
      submit: ({ draft }) => form.finish(draft),
      cancel: () => form.finish(undefined),
    },
  });
  return form;
}

function messageSchema(takenNames: string[]): z.ZodType<FromProfilePage> {
  const port = z.number().int().min(1).max(65_535);
  const draft = z
    .object({
      peerId: z.string().max(MAX_PEER_ID_LENGTH),
      port,
      trackers: z.array(z.string()).min(1).max(MAX_TRACKERS),
    })
    .refine((value) => toProfileDraft({ ...value, port: String(value.port) }, takenNames) !== undefined);
  return z.discriminatedUnion("type", [
    z.object({ type: z.literal("ready") }),
    z.object({ type: z.literal("probePort"), port }),
    z.object({ type: z.literal("copyFingerprint") }),
    z.object({ type: z.literal("submit"), draft }),
    z.object({ type: z.literal("cancel") }),
  ]);
}

function profileStrings({ mode, initial }: ProfilePanelOptions): ProfileStrings {
  const { t } = vscode.l10n;
  const create = mode === "create";
  return {
    heading: create ? t("Create Profile") : t("Edit Profile {0}", initial.peerId),
    intro: create
      ? t("A profile is who you are to others: a name, a key of its own, and where you meet.")
      : t("A new port or new trackers take effect at once; running transfers resume."),
    peerId: t("Peer ID"),
    peerIdHint: t("The name that others see: 1 to 32 letters, digits, _ - ."),
    peerIdEmpty: t("Type the name that others will see."),
    peerIdTooLong: t("At most {0} characters.", MAX_PEER_ID_LENGTH),
    peerIdCharacters: t("Use only letters (A-Z), digits, underscore, hyphen and dot."),
    peerIdDots: t("Use at least one letter or digit."),
    peerIdUsed: t("Another of your profiles has this name."),
    port: t("Port"),
    portHint: t("Others connect to it."),
    portEmpty: t("Type a port, e.g. 5000."),
    portNotANumber: t("A port is a whole number."),
    portOutOfRange: t("A port is between 1 and 65535."),
    portPrivileged: t("Ports below 1024 often need administrator rights."),
    portAirPlay: t("macOS uses this port for AirPlay Receiver: switch that off, or choose another port, e.g. 5001."),
    trackers: t("Trackers"),
    trackersHint: t("Where people find each other. Videos never pass through a tracker."),
    ...trackerStrings(),
    fingerprint: t("Fingerprint"),
    fingerprintHint: t("Identifies your key. Compare it with a friend over another channel to be sure of each other."),
    keyNote: t(
      "A key pair is made for this profile and stays on this machine. You can see its fingerprint afterwards.",
    ),
    copy: t("Copy Fingerprint"),
    copied: t("Copied"),
    save: create ? t("Create Profile") : t("Save"),
    cancel: t("Cancel"),
  };
}

/** Texts of a list of trackers (webview/trackerList.ts), wherever it stands. */
export function trackerStrings() {
  const { t } = vscode.l10n;
  return {
    tracker: t("Tracker {0}"),
    addTracker: t("Add Tracker"),
    removeTracker: t("Remove Tracker {0}"),
    trackerAdded: t("Tracker {0} added."),
    trackerRemoved: t("Tracker {0} removed."),
    trackerEmpty: t("Type a tracker's address, e.g. localhost:6000."),
    trackerTooLong: t("This is too long for an address."),
    trackerSpaces: t("An address has no spaces in it."),
    trackerScheme: t("Write host:port, or start with ws:// or wss://."),
    trackerForm: t("Write it as host:port, ws://host:port or wss://host:port."),
    trackerHost: t("This is not a valid host name or IP address."),
    trackerPortMissing: t("Add the port, e.g. {0}.", ":6000"),
    trackerPort: t("The port is a whole number between 1 and 65535."),
    trackerPath: t("A tracker's address ends with its port; remove what follows."),
    trackerQuery: t("After the question mark only {0} may stand.", "token=..."),
    trackerRepeated: t("This tracker is in the list already."),
  };
}
