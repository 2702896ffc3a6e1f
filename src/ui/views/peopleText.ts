/** What stands beside and in the tooltip of somebody's row. Names come from other people: `appendText` only. */
import { env, l10n, type MarkdownString, ThemeColor, ThemeIcon } from "vscode";
import type { Contact, NetworkPeer } from "../../peer/status";
import { formatFingerprint, shortFingerprint } from "../../wire/fingerprint";
import { addressText, joined, tooltip } from "./descriptions";
import type { Ago, FriendRow, PeerRow, Person } from "./people";

/** What somebody is called; a friend who has never been online may have no name yet. */
export function nameOf({ peerId, fingerprint }: Pick<Person, "peerId" | "fingerprint">): string {
  return peerId || shortFingerprint(fingerprint);
}

export function labelOfPeer(peer: NetworkPeer): string {
  return peer.self ? l10n.t("{0} (You)", peer.peerId) : peer.peerId;
}

/** A side bar is narrow and cuts the end: what tells people apart stands first. */
export function describePeer(peer: PeerRow): string {
  const key = shortFingerprint(peer.fingerprint);
  const address = addressText(peer);
  // Friends are connected by themselves.
  const linked = peer.connected && (peer.byHand || !peer.friend) ? l10n.t("connected") : undefined;
  if (peer.impostor) return joined(impostorText(peer), key, address, linked);
  const friend = peer.friend ? l10n.t("friend") : undefined;
  return peer.sameName ? joined(key, friend, address, linked) : joined(friend, address, key, linked);
}

export function impostorText({ peerId }: Pick<Person, "peerId">): string {
  return l10n.t("not the {0} you know: another key", peerId);
}

/** For dialogs and tooltips: what happened and what to do. */
export function impostorWarning({ peerId }: Pick<Person, "peerId">): string {
  return l10n.t(
    "The key is not the one of your friend {0}: somebody else took the name, or {0} has a new key. Ask {0} in another way, such as a call, before you connect, chat or download.",
    peerId,
  );
}

export function iconOfPeer(peer: NetworkPeer): ThemeIcon {
  if (peer.self) return new ThemeIcon("account", new ThemeColor("charts.green"));
  if (peer.impostor) return new ThemeIcon("warning", new ThemeColor("errorForeground"));
  const color = peer.connected ? new ThemeColor("charts.green") : undefined;
  if (peer.friend) return new ThemeIcon("heart-filled", color);
  return peer.connected ? new ThemeIcon("link", color) : new ThemeIcon("person");
}

export function tooltipOfPeer(peer: NetworkPeer): MarkdownString {
  return tooltip({ title: labelOfPeer(peer), description: peer.impostor ? impostorWarning(peer) : "" }, undefined, [
    [l10n.t("Friend"), peer.friend ? l10n.t("yes, this is the key you pinned") : undefined],
    [l10n.t("Address"), addressText(peer)],
    [l10n.t("Fingerprint"), formatFingerprint(peer.fingerprint)],
    [l10n.t("Online since"), peer.onlineSince > 0 ? timeText(peer.onlineSince) : undefined],
    [l10n.t("Same name"), peer.sameName && !peer.impostor ? l10n.t("somebody else is online under it") : undefined],
  ]);
}

export function describeFriend(friend: FriendRow): string {
  return joined(
    presenceText(friend),
    unreadText(friend.unread),
    waitingText(friend.waiting),
    friend.connected && friend.byHand ? l10n.t("connected") : undefined,
    shortFingerprint(friend.fingerprint),
    addressOf(friend),
  );
}

export function iconOfFriend(friend: FriendRow): ThemeIcon {
  return friend.online
    ? new ThemeIcon("circle-filled", new ThemeColor("charts.green"))
    : new ThemeIcon("circle-outline", new ThemeColor("disabledForeground"));
}

export function tooltipOfFriend(friend: FriendRow): MarkdownString {
  const presence = friend.online ? l10n.t("online") : l10n.t("offline");
  return tooltip({ title: nameOf(friend), description: "" }, undefined, [
    [l10n.t("Friend"), presence],
    [l10n.t("Last seen"), !friend.online && friend.lastSeen ? timeText(friend.lastSeen) : undefined],
    [l10n.t("Messages"), joined(unreadText(friend.unread), waitingText(friend.waiting)) || undefined],
    [l10n.t("Address"), addressOf(friend)],
    [l10n.t("Fingerprint"), formatFingerprint(friend.fingerprint)],
  ]);
}

export function describeBlocked(contact: Contact): string {
  return joined(l10n.t("blocked"), shortFingerprint(contact.fingerprint));
}

export function tooltipOfBlocked(contact: Contact): MarkdownString {
  const description = l10n.t("Nothing of this person is shown or taken, and they get nothing from you.");
  return tooltip({ title: nameOf(contact), description }, undefined, [
    [l10n.t("Blocked on"), timeText(contact.addedAt)],
    [l10n.t("Fingerprint"), formatFingerprint(contact.fingerprint)],
  ]);
}

/** In quick picks, where rows of all sections stand together. */
export function describePerson(person: Person): string {
  const key = shortFingerprint(person.fingerprint);
  if (person.blocked) return joined(l10n.t("blocked"), key);
  if (person.impostor) return joined(impostorText(person), key, addressOf(person));
  return joined(
    person.friend ? l10n.t("friend") : undefined,
    person.online ? l10n.t("online") : l10n.t("offline"),
    key,
    addressOf(person),
  );
}

export function unreadText(count: number): string | undefined {
  if (count === 0) return undefined;
  return count === 1 ? l10n.t("1 unread") : l10n.t("{0} unread", count);
}

function waitingText(count: number): string | undefined {
  if (count === 0) return undefined;
  return count === 1 ? l10n.t("1 message waits") : l10n.t("{0} messages wait", count);
}

function presenceText({ online, seen }: FriendRow): string {
  if (online) return l10n.t("online");
  return seen ? agoText(seen) : l10n.t("not seen yet");
}

function agoText({ unit, count }: Ago): string {
  switch (unit) {
    case "moment":
      return l10n.t("last seen just now");
    case "minute":
      return l10n.t("last seen {0} min ago", count);
    case "hour":
      return l10n.t("last seen {0} h ago", count);
    case "day":
      return l10n.t("last seen {0} days ago", count);
  }
}

function addressOf({ host, port }: { host?: string; port?: number }): string | undefined {
  return host && port ? addressText({ host, port }) : undefined;
}

/** A point in time stays true for as long as a tooltip is kept. */
function timeText(time: number): string {
  return new Date(time).toLocaleString(env.language, { dateStyle: "medium", timeStyle: "short" });
}
