/** Whom a conversation is with, in words: their name, whether they are there, and what to know before one writes. */
import { l10n } from "vscode";
import type { NetworkPeer } from "../peer/status";
import type { ChatPerson } from "../rpc/chatPanel";
import type { HostState } from "../rpc/window";
import { formatFingerprint, shortFingerprint } from "../wire/fingerprint";
import { peerIdKey } from "../wire/trackerAddress";
import type { Fingerprint } from "../wire/types";
import { phaseOf } from "./host/snapshots";

/** Somebody with whom one may chat, from wherever they are known. */
export interface KnownPerson {
  fingerprint: Fingerprint;
  /** "" = not known. */
  peerId: string;
  friend: boolean;
  blocked: boolean;
  online: boolean;
  unread: number;
  /** When they or oneself wrote last; 0 = never. */
  lastAt: number;
}

/** Everybody, each once: conversations with the latest first, then friends, then those who are online. Not oneself. */
export function knownPeople(state: HostState | undefined, online: readonly NetworkPeer[]): KnownPerson[] {
  const { chats = [], contacts = [], peer } = state?.snapshot ?? {};
  const people = new Map<Fingerprint, KnownPerson>();
  const add = (fingerprint: Fingerprint, peerId: string, more: Partial<KnownPerson>) => {
    const before = people.get(fingerprint) ?? {
      fingerprint,
      peerId: "",
      friend: false,
      blocked: false,
      online: false,
      unread: 0,
      lastAt: 0,
    };
    people.set(fingerprint, { ...before, ...more, peerId: before.peerId || peerId });
  };
  for (const { fingerprint, peerId, unread, lastAt } of chats) add(fingerprint, peerId, { unread, lastAt });
  for (const { fingerprint, peerId, kind, online: isOnline } of contacts) {
    add(fingerprint, peerId, { friend: kind === "friend", blocked: kind === "blocked", online: isOnline });
  }
  for (const { fingerprint, peerId, self } of online) if (!self) add(fingerprint, peerId, { online: true });
  if (peer?.fingerprint) people.delete(peer.fingerprint);
  return [...people.values()];
}

/** With the beginning of the fingerprint, unless it is a friend whose name nobody else bears. */
export function nameInChats(
  state: HostState | undefined,
  online: readonly NetworkPeer[],
  fingerprint: Fingerprint,
): string {
  const people = knownPeople(state, online);
  const person = people.find((one) => one.fingerprint === fingerprint);
  const short = shortFingerprint(fingerprint);
  if (!person?.peerId) return short;
  const clashes = people.some(
    (other) => other.fingerprint !== fingerprint && peerIdKey(other.peerId) === peerIdKey(person.peerId),
  );
  return clashes || !person.friend ? `${person.peerId} (${short})` : person.peerId;
}

export function describeChatPerson(
  state: HostState | undefined,
  online: readonly NetworkPeer[],
  fingerprint: Fingerprint,
): ChatPerson {
  const people = knownPeople(state, online);
  const person = people.find((one) => one.fingerprint === fingerprint);
  const running = state !== undefined && phaseOf(state) === "running";
  const isOnline = running && person?.online === true;
  const blocked = person?.blocked === true;
  const friend = person?.friend === true;
  const impostor =
    !friend &&
    !!person?.peerId &&
    people.some((other) => other.friend && peerIdKey(other.peerId) === peerIdKey(person.peerId));
  const notice = noticeOf({
    running,
    blocked,
    impostor,
    isOnline,
    name: person?.peerId || shortFingerprint(fingerprint),
  });
  return {
    name: nameInChats(state, online, fingerprint),
    online: isOnline,
    presence: isOnline ? l10n.t("online") : l10n.t("offline"),
    fingerprint: formatFingerprint(fingerprint),
    shortFingerprint: shortFingerprint(fingerprint),
    ...(notice ? { notice } : {}),
    warning: running && (blocked || impostor),
    canWrite: running && !blocked,
    canAddFriend: running && !friend && !blocked,
    canBlock: running && !blocked && !friend,
  };
}

interface Condition {
  running: boolean;
  blocked: boolean;
  impostor: boolean;
  isOnline: boolean;
  name: string;
}

function noticeOf({ running, blocked, impostor, isOnline, name }: Condition): string | undefined {
  if (!running) return l10n.t("Your profile does not run: start it to chat.");
  if (blocked) return l10n.t("You have blocked {0}. Unblock them in Peers to write to them.", name);
  if (impostor) return l10n.t("This is not your friend {0}: it is another key. Compare the fingerprint first.", name);
  if (!isOnline) return l10n.t("{0} is offline: your message waits and is delivered when both are online.", name);
  return undefined;
}
