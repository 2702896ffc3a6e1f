/** What commands about people share: contacts as text, and the question before anything is done with an impostor. */
import { commands, l10n } from "vscode";
import { parseContact } from "../wire/contact";
import { formatFingerprint, parseFingerprint } from "../wire/fingerprint";
import type { App } from "./app";
import type { Command } from "./contributions";
import { confirm, warn } from "./notify";
import type { Person } from "./views/people";
import { impostorWarning } from "./views/peopleText";

/** Why the text is no contact; undefined where it is one, or nothing yet. */
export function contactProblem(text: string): string | undefined {
  const [fingerprint = "", ...rest] = text.trim().split("@");
  if (fingerprint === "" && rest.length === 0) return undefined;
  if (!parseFingerprint(fingerprint)) {
    return l10n.t("A contact begins with a fingerprint, 8 groups of 7 characters; one of them is missing or mistyped.");
  }
  try {
    parseContact(text);
    return undefined;
  } catch {
    return l10n.t("After the @ stands an address: a host and a port, such as 192.168.1.23:5000 or [fe80::1]:5000.");
  }
}

/** Asks before something is done with somebody who bears a friend's name under another key. True for everybody else. */
export async function sureOf(person: Person, action: string): Promise<boolean> {
  if (!person.impostor) return true;
  const key = l10n.t("Fingerprint:\n{0}", formatFingerprint(person.fingerprint));
  return confirm(
    l10n.t("This is not the {0} you know.", person.peerId),
    `${impostorWarning(person)}\n\n${key}`,
    action,
  );
}

/** A video for friends reaches nobody while there are none: says so, and how to add one. */
export async function tellIfNoFriends({ host }: App): Promise<void> {
  const contacts = host.state?.snapshot.contacts ?? [];
  if (contacts.some(({ kind }) => kind === "friend")) return;
  await warn(
    l10n.t("You have no friends yet, so nobody gets this video. Add people in the Peers view."),
    {
      title: l10n.t("Add Friend by Contact..."),
      run: () => commands.executeCommand("streamlet.addFriendByContact" satisfies Command),
    },
    { title: l10n.t("Show Peers"), run: () => commands.executeCommand("streamlet.peers.focus") },
  );
}
