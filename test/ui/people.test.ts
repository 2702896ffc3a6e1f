import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { ChatSummary, Contact, NetworkPeer } from "../../src/peer/status";
import {
  agoOf,
  allPeople,
  blockedRows,
  contextOfFriend,
  contextOfPeer,
  friendRows,
  peerRows,
  personOfContact,
  personOfPeer,
  recognize,
} from "../../src/ui/views/people";
import type { Fingerprint } from "../../src/wire/types";

const key = (digit: string) => digit.repeat(64) as Fingerprint;

function contact(peerId: string, fingerprint: Fingerprint, more: Partial<Contact> = {}): Contact {
  return { fingerprint, kind: "friend", peerId, addedAt: 1, online: false, connected: false, ...more };
}
function peer(peerId: string, fingerprint: Fingerprint, more: Partial<NetworkPeer> = {}): NetworkPeer {
  const flags = { self: false, connected: false, friend: false, blocked: false, impostor: false, sameName: false };
  return { peerId, fingerprint, host: "192.0.2.1", port: 5000, onlineSince: 1, ...flags, ...more };
}
const names = (rows: readonly { peerId: string }[]) => rows.map((row) => row.peerId);

describe("friends in the Peers view", () => {
  it("stand in the order of their names, those who are online first", () => {
    const contacts = [
      contact("zoe", key("1"), { online: true }),
      contact("bob", key("2")),
      contact("Adam", key("3")),
      contact("Carol", key("4"), { online: true }),
    ];
    assert.deepEqual(names(friendRows({ contacts, chats: [], manual: [] }, 0)), ["Carol", "zoe", "Adam", "bob"]);
  });

  it("keep their order when messages come", () => {
    const contacts = [contact("bob", key("2")), contact("adam", key("3"))];
    const chat: ChatSummary = { fingerprint: key("2"), peerId: "bob", unread: 3, lastAt: 1, waiting: 1 };
    const rows = friendRows({ contacts, chats: [chat], manual: [] }, 0);
    assert.deepEqual(names(rows), ["adam", "bob"]);
    assert.deepEqual(
      rows.map(({ unread, waiting }) => [unread, waiting]),
      [
        [0, 0],
        [3, 1],
      ],
    );
  });

  it("say when they were last seen only while they are offline, and nothing when they never were", () => {
    const now = 10 * 3_600_000;
    const contacts = [
      contact("adam", key("1"), { online: true, lastSeen: now }),
      contact("bob", key("2"), { lastSeen: now - 3 * 3_600_000 }),
      contact("carol", key("3")),
    ];
    const rows = friendRows({ contacts, chats: [], manual: [] }, now);
    assert.deepEqual(
      rows.map(({ seen }) => seen),
      [undefined, { unit: "hour", count: 3 }, undefined],
    );
  });

  it("do not hold those who are blocked, who have a list of their own", () => {
    const contacts = [contact("bob", key("2")), contact("mallory", key("3"), { kind: "blocked" })];
    assert.deepEqual(names(friendRows({ contacts, chats: [], manual: [] }, 0)), ["bob"]);
    assert.deepEqual(names(blockedRows(contacts)), ["mallory"]);
  });
});

describe("connected users", () => {
  it("are listed with oneself first, then by name without case, then by key", () => {
    const peers = [
      peer("bob", key("9")),
      peer("Bob", key("3")),
      peer("alice", key("5")),
      peer("zoe", key("1"), { self: true }),
    ];
    const rows = peerRows(peers, [{ fingerprint: key("3") }]);
    assert.deepEqual(
      rows.map((row) => [row.peerId, row.fingerprint[0]]),
      [
        ["zoe", "1"],
        ["alice", "5"],
        ["Bob", "3"],
        ["bob", "9"],
      ],
    );
    assert.deepEqual(names(rows.filter(({ byHand }) => byHand)), ["Bob"]);
  });

  it("do not hold anybody who is blocked", () => {
    assert.deepEqual(peerRows([peer("mallory", key("3"), { blocked: true })], []), []);
  });
});

describe("whom a command can be about", () => {
  it("is everybody but oneself, each once, friends first", () => {
    const people = allPeople(
      [peer("me", key("1"), { self: true }), peer("bob", key("2"), { friend: true }), peer("dave", key("4"))],
      [contact("bob", key("2"), { online: true }), contact("mallory", key("3"), { kind: "blocked" })],
    );
    assert.deepEqual(names(people), ["bob", "dave", "mallory"]);
    assert.deepEqual(
      people.map(({ friend, blocked }) => [friend, blocked]),
      [
        [true, false],
        [false, false],
        [false, true],
      ],
    );
  });

  it("a contact without a whole address has none", () => {
    assert.equal("host" in personOfContact(contact("bob", key("2"), { host: "192.0.2.1" })), false);
    assert.equal(personOfContact(contact("bob", key("2"), { host: "192.0.2.1", port: 1 })).port, 1);
    assert.equal(personOfPeer(peer("bob", key("2"), { impostor: true })).impostor, true);
  });
});

describe("somebody who introduces themselves", () => {
  const contacts = [contact("Bob", key("2")), contact("mallory", key("3"), { kind: "blocked" })];

  it("is recognized by the key, whatever the name", () => {
    assert.equal(recognize(contacts, { fingerprint: key("2"), peerId: "robert" }), "friend");
    assert.equal(recognize(contacts, { fingerprint: key("3"), peerId: "Bob" }), "blocked");
  });

  it("with a friend's name in any case and another key is an impostor", () => {
    assert.equal(recognize(contacts, { fingerprint: key("4"), peerId: "bOB" }), "impostor");
  });

  it("with the name of somebody who is blocked is a stranger", () => {
    assert.equal(recognize(contacts, { fingerprint: key("4"), peerId: "mallory" }), "stranger");
  });
});

describe("how long ago", () => {
  it("changes only when what is shown changes", () => {
    const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
    assert.deepEqual(agoOf(59_999), { unit: "moment", count: 0 });
    assert.deepEqual(agoOf(minute), agoOf(2 * minute - 1));
    assert.deepEqual(agoOf(hour - 1), { unit: "minute", count: 59 });
    assert.deepEqual(agoOf(2 * day - 1), { unit: "hour", count: 47 });
    assert.deepEqual(agoOf(2 * day), { unit: "day", count: 2 });
    assert.deepEqual(agoOf(-5 * hour), { unit: "moment", count: 0 });
  });
});

describe("what the menu of somebody's row offers", () => {
  const manifest = JSON.parse(readFileSync(resolve("package.json"), "utf8")) as {
    contributes: { menus: { "view/item/context": { command: string; when: string; group: string }[] } };
  };
  const entries = manifest.contributes.menus["view/item/context"].filter(({ when }) =>
    when.startsWith("view == streamlet.peers "),
  );
  /** Each command once, as the inline buttons repeat some. */
  function offered(context: string): string[] {
    const fits = entries.filter(({ when }) => new RegExp(/=~ \/(.+)\//.exec(when)?.[1] ?? "").test(context));
    return [...new Set(fits.map(({ command }) => command.replace("streamlet.", "")))].sort();
  }
  const peerMenu = (more: Partial<NetworkPeer> & { byHand?: boolean }) =>
    offered(contextOfPeer({ ...peer("bob", key("2"), more), byHand: more.byHand ?? false }));
  const friendMenu = (more: Partial<Contact> & { byHand?: boolean }) =>
    offered(
      contextOfFriend({ ...contact("bob", key("2"), more), unread: 0, waiting: 0, byHand: more.byHand ?? false }),
    );
  const ALWAYS = ["blockPeer", "browseVideos", "copyContact", "copyFingerprint", "openChat"];
  const menu = (...more: string[]) => [...ALWAYS, ...more].sort();

  it("of oneself copies only", () => {
    assert.deepEqual(peerMenu({ self: true }), ["copyContact", "copyFingerprint"]);
  });

  it("of a stranger connects or disconnects, and makes a friend", () => {
    assert.deepEqual(peerMenu({}), menu("addFriend", "connectPeer"));
    assert.deepEqual(peerMenu({ connected: true }), menu("addFriend", "disconnect"));
    assert.deepEqual(peerMenu({ connected: true, byHand: true, impostor: true }), menu("addFriend", "disconnect"));
  });

  it("of a friend ends only a connection that was made by hand: the other comes back by itself", () => {
    assert.deepEqual(peerMenu({ friend: true, connected: true }), menu("removeFriend"));
    assert.deepEqual(peerMenu({ friend: true, connected: true, byHand: true }), menu("disconnect", "removeFriend"));
    const linked = { online: true, connected: true };
    assert.deepEqual(friendMenu(linked), menu("removeFriend"));
    assert.deepEqual(friendMenu({ ...linked, byHand: true }), menu("disconnect", "removeFriend"));
  });

  it("of a friend who is away connects where there is an address", () => {
    assert.deepEqual(friendMenu({}), menu("removeFriend"));
    assert.deepEqual(friendMenu({ host: "192.0.2.1", port: 5000 }), menu("connectPeer", "removeFriend"));
  });

  it("of somebody who is blocked ends that", () => {
    assert.deepEqual(offered("blocked"), ["copyContact", "copyFingerprint", "unblockPeer"]);
  });
});
