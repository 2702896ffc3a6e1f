/** The command that opens a conversation. */
import { l10n, type QuickPickItem, QuickPickItemKind, window } from "vscode";
import { parseContact } from "../../wire/contact";
import { parseFingerprint, shortFingerprint } from "../../wire/fingerprint";
import { type Fingerprint, isFingerprint } from "../../wire/types";
import type { App } from "../app";
import { type KnownPerson, knownPeople } from "../chatPeople";
import { inform, withoutIcons } from "../notify";
import type { Handlers } from "./handlers";

type ChatCommand = "streamlet.openChat";

/** People of one quick pick; a larger network is searched in the Peers view. */
const MAX_PICKS = 500;

export const chatCommands: Handlers<ChatCommand> = {
  "streamlet.openChat": openChat,
};

async function openChat(app: App, args: unknown[]): Promise<void> {
  const fingerprint = givenPerson(args[0]) ?? (await pickPerson(app));
  if (!fingerprint) return;
  if (fingerprint === app.host.state?.snapshot.peer.fingerprint) {
    await inform(l10n.t("This is you. Choose somebody else to chat with."));
    return;
  }
  await app.chats.open(fingerprint);
}

/** From a row of the Peers view, whichever it is, or a fingerprint as people or programs write it. */
function givenPerson(argument: unknown): Fingerprint | undefined {
  if (typeof argument === "string") return parseFingerprint(argument);
  const value = (argument as { list?: { value?: { fingerprint?: unknown } } } | undefined)?.list?.value;
  const fingerprint = value?.fingerprint;
  return typeof fingerprint === "string" && isFingerprint(fingerprint) ? fingerprint : undefined;
}

type PersonItem = QuickPickItem & { fingerprint?: Fingerprint };

async function pickPerson(app: App): Promise<Fingerprint | undefined> {
  const { peers } = await app.service.queryPeers({ limit: MAX_PICKS }).catch(() => ({ peers: [] }));
  const people = knownPeople(app.host.state, peers).filter(({ blocked }) => !blocked);
  const section = (label: string, fits: (person: KnownPerson) => boolean): PersonItem[] => {
    const items = people.filter(fits).map(itemOf);
    return items.length > 0 ? [{ label, kind: QuickPickItemKind.Separator }, ...items] : [];
  };
  const items: PersonItem[] = [
    ...section(l10n.t("Conversations"), ({ lastAt }) => lastAt > 0),
    ...section(l10n.t("Friends"), ({ lastAt, friend }) => lastAt === 0 && friend),
    ...section(l10n.t("Online"), ({ lastAt, friend }) => lastAt === 0 && !friend),
    { label: "", kind: QuickPickItemKind.Separator },
    { label: l10n.t("$(keyboard) Enter a fingerprint...") },
  ];
  const picked = await window.showQuickPick(items, {
    placeHolder: l10n.t("Chat with"),
    matchOnDescription: true,
  });
  if (!picked) return undefined;
  return picked.fingerprint ?? askFingerprint();
}

function itemOf({ fingerprint, peerId, friend, online, unread }: KnownPerson): PersonItem {
  const short = shortFingerprint(fingerprint);
  const words = [
    unread > 0 ? l10n.t("{0} unread", unread) : undefined,
    online ? l10n.t("online") : l10n.t("offline"),
    friend ? l10n.t("friend") : undefined,
    short,
  ];
  return {
    label: withoutIcons(peerId || short),
    description: words.filter(Boolean).join(" · "),
    fingerprint,
  };
}

async function askFingerprint(): Promise<Fingerprint | undefined> {
  const text = await window.showInputBox({
    title: l10n.t("Open Chat"),
    prompt: l10n.t("Fingerprint or contact of the other person"),
    ignoreFocusOut: true,
    validateInput: (typed) =>
      typed.trim() === "" || readContact(typed)
        ? undefined
        : l10n.t("A fingerprint has 8 groups of 7 letters and digits."),
  });
  return text === undefined ? undefined : readContact(text);
}

function readContact(text: string): Fingerprint | undefined {
  try {
    return parseContact(text).fingerprint;
  } catch {
    return undefined;
  }
}
