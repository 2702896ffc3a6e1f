import { formatHostPort } from "../../peer/net/addresses";
import type { StoredContact } from "../../peer/social/contacts";
import type { ContactAddress } from "../../wire/contact";
import { formatFingerprint } from "../../wire/fingerprint";
import type { Fingerprint } from "../../wire/types";
import type { ContactsContext } from "../contacts";
import type { Output } from "../output";
import { formatTable } from "../text";

/** Pins a key. The name is not known before the friend is met. */
export async function addFriend({ contacts, output }: ContactsContext, contact: ContactAddress): Promise<void> {
  const friend = await contacts.addFriend(contact);
  emit(output, friend);
  output.line(`${nameOf(friend)} is a friend: what you share with friends is theirs to fetch.`);
}

export async function listFriends({ contacts, output }: ContactsContext): Promise<void> {
  const friends = contacts.list().filter(({ kind }) => kind === "friend");
  for (const friend of friends) emit(output, friend);
  const rows = friends.map((friend) => [friend.peerId, addressOf(friend), formatFingerprint(friend.fingerprint)]);
  for (const text of formatTable(rows.length > 0 ? [["PEER ID", "ADDRESS", "KEY"], ...rows] : [])) output.line(text);
  if (rows.length === 0) output.line("No friends yet: streamlet friends add CONTACT.");
}

/** Somebody who is no friend stays none: that is no error. */
export async function removeFriend({ contacts, output }: ContactsContext, fingerprint: Fingerprint): Promise<void> {
  const friend = contacts.get(fingerprint);
  if (friend?.kind !== "friend") return output.line("That is the key of no friend.");
  await contacts.remove(fingerprint, "friend");
  output.line(`${nameOf(friend)} is no friend any more. Copies that were made stay made.`);
}

function emit(output: Output, { fingerprint, peerId, host, port, addedAt }: StoredContact): void {
  output.event({ event: "friend", fingerprint, peerId, host: host ?? null, port: port ?? null, addedAt });
}

function addressOf({ host, port }: StoredContact): string {
  return host && port ? formatHostPort(host, port) : "";
}

function nameOf({ peerId, fingerprint }: StoredContact): string {
  return peerId || formatFingerprint(fingerprint);
}
