/** Commands that connect to somebody by hand, with or without a tracker, and disconnect. */
import { l10n, type QuickPickItem, window } from "vscode";
import type { ManualConnection } from "../../peer/status";
import { formatContact } from "../../wire/contact";
import { formatFingerprint } from "../../wire/fingerprint";
import type { App } from "../app";
import { contactProblem, sureOf } from "../contacts";
import { confirm, inform, withoutIcons } from "../notify";
import { personTarget } from "../targets";
import { addressText } from "../views/descriptions";
import { type Person, recognize } from "../views/people";
import { describePerson, impostorWarning, nameOf } from "../views/peopleText";
import type { Handlers } from "./handlers";

type ConnectionCommand = "streamlet.connectManually" | "streamlet.connectPeer" | "streamlet.disconnect";

export const connectionCommands: Handlers<ConnectionCommand> = {
  "streamlet.connectManually": connectManually,
  "streamlet.connectPeer": connectPeer,
  "streamlet.disconnect": disconnect,
};

type Reachable = Person & { host: string; port: number };

function canConnect(person: Person): person is Reachable {
  return !person.self && !person.blocked && !person.connected && person.host !== undefined && person.port !== undefined;
}

async function connectManually(app: App): Promise<void> {
  const listed = app.peers.people.filter(canConnect);
  if (listed.length === 0) return connectByAddress(app);
  const items: (QuickPickItem & { person?: Reachable })[] = [
    { label: l10n.t("$(keyboard) Type an address..."), alwaysShow: true },
    ...listed.map((person) => ({
      label: withoutIcons(nameOf(person)),
      description: withoutIcons(describePerson(person)),
      person,
    })),
  ];
  const picked = await window.showQuickPick(items, { placeHolder: l10n.t("Connect to"), matchOnDescription: true });
  if (picked?.person) await connectToPerson(app, picked.person);
  else if (picked) await connectByAddress(app);
}

async function connectPeer(app: App, args: unknown[]): Promise<void> {
  const person = await personTarget(app, args, {
    filter: canConnect,
    placeHolder: l10n.t("Peer to connect to"),
    none: l10n.t("Nobody else is online. Use Connect Manually with their address."),
  });
  if (person && canConnect(person)) await connectToPerson(app, person);
}

/** Whoever answers has to have the key of the row; a friend's needs no question then. */
async function connectToPerson(app: App, person: Reachable): Promise<void> {
  if (!(await sureOf(person, l10n.t("Connect Anyway")))) return;
  const made = await app.service.connect(formatContact(person));
  if (!person.friend && !person.impostor) await askToStay(app, made);
}

async function connectByAddress(app: App): Promise<void> {
  const text = await window.showInputBox({
    title: l10n.t("Connect Manually"),
    prompt: l10n.t("Address of the other person (host:port), or their contact"),
    placeHolder: "192.168.1.23:5000",
    ignoreFocusOut: true,
    validateInput: addressProblem,
  });
  if (!text?.trim()) return;
  const made = await app.service.connect(text.trim());
  // Of a contact only the key that it names is taken.
  if (!text.includes("@")) await askToStay(app, made);
  else await inform(l10n.t("Connected to {0}: the key is that of the contact.", made.peerId));
}

function addressProblem(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.includes("@")) return contactProblem(trimmed);
  return trimmed === "" || /^(\[[0-9a-f:.%]+\]|[^\s:/]+):\d{1,5}$/i.test(trimmed)
    ? undefined
    : l10n.t("An address is a host and a port, such as 192.168.1.23:5000 or [fe80::1]:5000.");
}

/** Whose key it is can be known only by asking them: the dialog shows it, and closing it disconnects. */
async function askToStay(app: App, made: ManualConnection): Promise<void> {
  const known = recognize(app.host.state?.snapshot.contacts ?? [], made);
  const key = l10n.t("Fingerprint:\n{0}", formatFingerprint(made.fingerprint));
  const name = made.peerId;
  const where = addressText(made);
  let keep: boolean;
  if (known === "impostor") {
    keep = await confirm(
      l10n.t("This is not the {0} you know. Stay connected to {1}?", name, where),
      `${impostorWarning(made)}\n\n${key}`,
      l10n.t("Stay Connected Anyway"),
    );
  } else {
    const detail =
      known === "friend"
        ? l10n.t("This is the {0} you pinned: the key is the same.\n\n{1}", name, key)
        : l10n.t("{0}\n\nAsk {1} whether it is theirs. Only then it is really {1}.", key, name);
    keep = await confirm(l10n.t("Stay connected to {0} at {1}?", name, where), detail, l10n.t("Stay Connected"));
  }
  if (!keep) await app.service.disconnect(made.fingerprint);
}

/** From the status bar with a fingerprint, from a row, or from the palette. */
async function disconnect(app: App, args: unknown[]): Promise<void> {
  if (typeof args[0] === "string") {
    await app.service.disconnect(args[0]);
    return;
  }
  const person = await personTarget(app, args, {
    filter: (candidate) => candidate.connected && !candidate.self,
    placeHolder: l10n.t("Peer to disconnect from"),
    none: l10n.t("No peer is connected."),
  });
  if (person) await app.service.disconnect(person.fingerprint);
}
