/** Commands about other people: friends, blocks, contacts. */
import { commands, env, l10n, window } from "vscode";
import { validatePeerId } from "../../rpc/profilePanel";
import { formatContact, parseContact } from "../../wire/contact";
import { formatFingerprint } from "../../wire/fingerprint";
import type { Fingerprint } from "../../wire/types";
import { type App, activeProfile } from "../app";
import { contactProblem } from "../contacts";
import type { Command } from "../contributions";
import { confirm, inform } from "../notify";
import { personOfRow, personTarget } from "../targets";
import type { Person } from "../views/people";
import { impostorWarning, nameOf } from "../views/peopleText";
import type { Handlers } from "./handlers";

type PeopleCommand =
  | "streamlet.addFriend"
  | "streamlet.addFriendByContact"
  | "streamlet.removeFriend"
  | "streamlet.blockPeer"
  | "streamlet.unblockPeer"
  | "streamlet.copyContact"
  | "streamlet.browseVideos";

export const peopleCommands: Handlers<PeopleCommand> = {
  "streamlet.addFriend": addFriend,
  "streamlet.addFriendByContact": addFriendByContact,
  "streamlet.removeFriend": removeFriend,
  "streamlet.blockPeer": blockPeer,
  "streamlet.unblockPeer": unblockPeer,
  "streamlet.copyContact": copyContact,
  "streamlet.browseVideos": browseVideos,
};

const fingerprintText = (fingerprint: Fingerprint) => l10n.t("Fingerprint:\n{0}", formatFingerprint(fingerprint));

async function addFriend(app: App, args: unknown[]): Promise<void> {
  const person = await personTarget(app, args, {
    filter: ({ self, friend, blocked }) => !self && !friend && !blocked,
    placeHolder: l10n.t("Whom to add to your friends"),
    none: l10n.t("Nobody else is online. Use Add Friend by Contact with what your friend has copied."),
  });
  if (!person) return;
  const name = nameOf(person);
  const compare = l10n.t(
    "Ask {0} in another way, such as a call, whether this is their fingerprint. The key is pinned: nobody else can take their place.",
    name,
  );
  const key = fingerprintText(person.fingerprint);
  const sure = person.impostor
    ? await confirm(
        l10n.t("This is not the {0} you know. Add this one to your friends as well?", name),
        `${impostorWarning(person)}\n\n${key}`,
        l10n.t("Add Anyway"),
      )
    : await confirm(l10n.t("Add {0} to your friends?", name), `${key}\n\n${compare}`, l10n.t("Add to Friends"));
  if (!sure) return;
  await app.service.addFriend(formatContact(person), person.peerId || undefined);
  await sayAdded(name, person.fingerprint);
}

async function addFriendByContact(app: App): Promise<void> {
  const own = activeProfile(app)?.fingerprint;
  const text = await window.showInputBox({
    title: l10n.t("Add Friend by Contact (1 of 2)"),
    prompt: l10n.t("What your friend has copied with Copy Contact: FINGERPRINT or FINGERPRINT@host:port"),
    placeHolder: "ABCDEFG-HIJKLMN-…@192.168.1.23:5000",
    ignoreFocusOut: true,
    validateInput: (value) => contactProblem(value) ?? ownContactProblem(value, own),
  });
  if (!text?.trim()) return;
  const { fingerprint } = parseContact(text);
  const known = app.peers.people.find((person) => person.fingerprint === fingerprint);
  const name = await window.showInputBox({
    title: l10n.t("Add Friend by Contact (2 of 2)"),
    prompt: l10n.t("Peer ID of your friend; may be empty, it shows when they are online"),
    value: known?.peerId ?? "",
    ignoreFocusOut: true,
    validateInput: (value) =>
      value.trim() === "" || validatePeerId(value.trim()) === undefined
        ? undefined
        : l10n.t("A Peer ID has 1 to 32 letters, digits, “_”, “-” or “.”."),
  });
  if (name === undefined) return;
  const added = await app.service.addFriend(text.trim(), name.trim() || undefined);
  await sayAdded(nameOf(added), fingerprint);
}

function ownContactProblem(text: string, own: string | undefined): string | undefined {
  return text.trim() !== "" && parseContact(text).fingerprint === own
    ? l10n.t("This is your own contact. Ask your friend for theirs.")
    : undefined;
}

function sayAdded(name: string, fingerprint: Fingerprint): Promise<void> {
  return inform(l10n.t("{0} is your friend now, and gets the videos that you share with Friends.", name), {
    title: l10n.t("Open Chat"),
    run: () => commands.executeCommand("streamlet.openChat" satisfies Command, fingerprint),
  });
}

async function removeFriend(app: App, args: unknown[]): Promise<void> {
  const person = await personTarget(app, args, {
    filter: ({ friend }) => friend,
    placeHolder: l10n.t("Whom to remove from your friends"),
    none: l10n.t("You have no friends in Streamlet yet."),
  });
  if (!person) return;
  const name = nameOf(person);
  const sure = await confirm(
    l10n.t("Remove {0} from your friends?", name),
    l10n.t(
      "Videos that you share with Friends end for {0} at once, in the middle of a download too. Copies that {0} has made stay. Their key is not pinned any more.",
      name,
    ),
    l10n.t("Remove"),
  );
  if (sure) await app.service.removeFriend(person.fingerprint);
}

async function blockPeer(app: App, args: unknown[]): Promise<void> {
  const person = await personTarget(app, args, {
    filter: ({ self, blocked }) => !self && !blocked,
    placeHolder: l10n.t("Whom to block"),
    none: l10n.t("Nobody else is online."),
  });
  if (!person) return;
  const name = nameOf(person);
  const what = l10n.t(
    "All connections end. Nothing of {0} is shown or taken any more: no videos, no messages; and {0} gets nothing from you. {0} is not told.",
    name,
  );
  const friendship = person.friend ? `${l10n.t("{0} leaves your friends.", name)}\n\n` : "";
  const sure = await confirm(
    l10n.t("Block {0}?", name),
    `${friendship}${what}\n\n${fingerprintText(person.fingerprint)}`,
    l10n.t("Block"),
  );
  if (!sure) return;
  await app.service.block(person.fingerprint, person.peerId || undefined);
  await inform(l10n.t("{0} is blocked.", name), {
    title: l10n.t("Undo"),
    run: () => undoBlock(app, person),
  });
}

/** A friend who was blocked by mistake is a friend again. */
async function undoBlock({ service }: App, person: Person): Promise<void> {
  if (person.friend) await service.addFriend(formatContact(person), person.peerId || undefined);
  else await service.unblock(person.fingerprint);
}

async function unblockPeer(app: App, args: unknown[]): Promise<void> {
  const person = await personTarget(app, args, {
    filter: ({ blocked }) => blocked,
    placeHolder: l10n.t("Whom to unblock"),
    none: l10n.t("Nobody is blocked."),
  });
  if (!person) return;
  await app.service.unblock(person.fingerprint);
  await inform(l10n.t("{0} is not blocked any more.", nameOf(person)));
}

/** Of the person whose row was chosen, else one's own. */
async function copyContact(app: App, [row]: unknown[]): Promise<void> {
  const person = personOfRow(row);
  if (person && !person.self) {
    await env.clipboard.writeText(formatContact(person));
    await inform(l10n.t("The contact of {0} is copied.", nameOf(person)));
    return;
  }
  const { peer } = app.host.state?.snapshot ?? {};
  if (!peer?.fingerprint) return;
  const [host] = peer.addresses;
  await env.clipboard.writeText(
    formatContact({ fingerprint: peer.fingerprint, ...(host ? { host, port: peer.port } : {}) }),
  );
  await inform(l10n.t("Your contact is copied. Send it to a friend, who adds it with Add Friend by Contact."));
}

/** Narrows the Network view to one owner; its other filters and its search would hide some of theirs. */
async function browseVideos(app: App, args: unknown[]): Promise<void> {
  const person = await personTarget(app, args, {
    filter: ({ self, blocked }) => !self && !blocked,
    placeHolder: l10n.t("Whose videos to browse"),
    none: l10n.t("Nobody else is online."),
  });
  if (!person) return;
  app.network.setSearch("");
  app.network.setFilters({ owner: { fingerprint: person.fingerprint, peerId: nameOf(person) } });
  await commands.executeCommand("streamlet.network.focus");
}
