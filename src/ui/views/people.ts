/** Who is in the Peers view, in which order and with which marks; decided from the engine's lists alone. Pure. */
import type { ChatSummary, Contact, ManualConnection, NetworkPeer } from "../../peer/status";
import { peerIdKey } from "../../wire/trackerAddress";
import type { Fingerprint } from "../../wire/types";

/** Somebody a command can be about, wherever they are listed. */
export interface Person {
  readonly fingerprint: Fingerprint;
  /** "" = not yet known. */
  readonly peerId: string;
  readonly self: boolean;
  readonly friend: boolean;
  readonly blocked: boolean;
  /** Bears the name of a friend under another key. */
  readonly impostor: boolean;
  readonly online: boolean;
  readonly connected: boolean;
  readonly host?: string;
  readonly port?: number;
}

/** How long ago, as coarse as it is shown, so that a row changes only when its text does. */
export interface Ago {
  readonly unit: "moment" | "minute" | "hour" | "day";
  readonly count: number;
}

/** The engine connects to friends by itself: only a connection made by hand can be ended by hand. */
interface Linked {
  readonly byHand: boolean;
}

export interface PeerRow extends NetworkPeer, Linked {}

export interface FriendRow extends Contact, Linked {
  /** Messages of theirs that were not read; messages of one's own that wait for them. */
  readonly unread: number;
  readonly waiting: number;
  /** While offline; absent = never seen. */
  readonly seen?: Ago;
}

export interface Circle {
  readonly contacts: readonly Contact[];
  readonly chats: readonly ChatSummary[];
  /** Connected by hand. */
  readonly manual: readonly Pick<ManualConnection, "fingerprint">[];
}

/** In the order of `friendsOf`: messages that come move nobody. */
export function friendRows({ contacts, chats, manual }: Circle, now: number): FriendRow[] {
  const conversations = new Map(chats.map((chat) => [chat.fingerprint, chat]));
  const byHand = handMade(manual);
  return friendsOf(contacts).map((contact) => {
    const { unread = 0, waiting = 0 } = conversations.get(contact.fingerprint) ?? {};
    const seen = !contact.online && contact.lastSeen !== undefined ? { seen: agoOf(now - contact.lastSeen) } : {};
    return { ...contact, unread, waiting, byHand: byHand(contact), ...seen };
  });
}

/** Those who are online first, then by name. */
export function friendsOf(contacts: readonly Contact[]): Contact[] {
  const friends = contacts.filter(({ kind }) => kind === "friend");
  return friends.sort((a, b) => Number(b.online) - Number(a.online) || byName(a, b));
}

export function blockedRows(contacts: readonly Contact[]): Contact[] {
  return contacts.filter(({ kind }) => kind === "blocked").sort(byName);
}

/** Oneself first, then by name. Who is blocked is not shown. */
export function peerRows(peers: readonly NetworkPeer[], manual: Circle["manual"]): PeerRow[] {
  const byHand = handMade(manual);
  return peers
    .filter(({ blocked }) => !blocked)
    .map((peer) => ({ ...peer, byHand: byHand(peer) }))
    .sort((a, b) => Number(b.self) - Number(a.self) || byName(a, b));
}

function handMade(manual: Circle["manual"]): (person: Pick<Person, "fingerprint">) => boolean {
  const keys = new Set(manual.map(({ fingerprint }) => fingerprint));
  return ({ fingerprint }) => keys.has(fingerprint);
}

export function personOfPeer(peer: NetworkPeer): Person {
  const { fingerprint, peerId, self, friend, blocked, impostor, connected, host, port } = peer;
  return { fingerprint, peerId, self, friend, blocked, impostor, connected, online: true, host, port };
}

export function personOfContact(contact: Contact): Person {
  const { fingerprint, peerId, kind, online, connected, host, port } = contact;
  return {
    fingerprint,
    peerId,
    self: false,
    friend: kind === "friend",
    blocked: kind === "blocked",
    impostor: false,
    online,
    connected,
    ...(host && port ? { host, port } : {}),
  };
}

/** Everybody who is known, each once: friends, then who is online, then who is blocked. Not oneself. */
export function allPeople(peers: readonly NetworkPeer[], contacts: readonly Contact[]): Person[] {
  const people = [
    ...friendsOf(contacts).map(personOfContact),
    ...peers.filter(({ self, blocked }) => !self && !blocked).map(personOfPeer),
    ...blockedRows(contacts).map(personOfContact),
  ];
  return [...new Map(people.reverse().map((person) => [person.fingerprint, person])).values()].reverse();
}

/** Words that the menus in package.json test, in this order. */
export function contextOfPeer(peer: PeerRow): string {
  const { self, friend, connected, impostor, byHand } = peer;
  if (self) return "peer self";
  return words("peer other", connected ? "linked" : "unlinked", friend ? "pinned" : "stranger", [
    impostor && "impostor",
    (byHand || (connected && !friend)) && "endable",
  ]);
}

/** As `contextOfPeer`. */
export function contextOfFriend({ online, connected, byHand, host, port }: FriendRow): string {
  return words("friend", online ? "online" : "offline", connected ? "linked" : "unlinked", [
    host !== undefined && port !== undefined && "addressed",
    byHand && "endable",
  ]);
}

function words(kind: string, first: string, second: string, more: readonly (string | false)[]): string {
  return [kind, first, second, ...more].filter(Boolean).join(" ");
}

/** What the pinned keys say of somebody who introduces themselves with that name and key. */
export function recognize(
  contacts: readonly Contact[],
  { fingerprint, peerId }: Pick<Person, "fingerprint" | "peerId">,
): "friend" | "blocked" | "impostor" | "stranger" {
  const pinned = contacts.find((contact) => contact.fingerprint === fingerprint);
  if (pinned) return pinned.kind;
  const named = contacts.some(({ kind, peerId: name }) => kind === "friend" && peerIdKey(name) === peerIdKey(peerId));
  return named ? "impostor" : "stranger";
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export function agoOf(milliseconds: number): Ago {
  if (milliseconds < MINUTE_MS) return { unit: "moment", count: 0 };
  if (milliseconds < HOUR_MS) return { unit: "minute", count: Math.floor(milliseconds / MINUTE_MS) };
  // Up to two days hours say more.
  if (milliseconds < 2 * DAY_MS) return { unit: "hour", count: Math.floor(milliseconds / HOUR_MS) };
  return { unit: "day", count: Math.floor(milliseconds / DAY_MS) };
}

type Named = Pick<Person, "fingerprint" | "peerId">;

/** As the engine orders its pages. */
function byName(a: Named, b: Named): number {
  return compare(peerIdKey(a.peerId), peerIdKey(b.peerId)) || compare(a.fingerprint, b.fingerprint);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
