import assert from "node:assert/strict";
import { type Identity, loadIdentity } from "../../src/peer/identity";
import { type ChatLink, ControlConnection } from "../../src/peer/net/controlConnection";
import { ALPN_CONTROL, dialTls } from "../../src/peer/net/tlsTransport";
import { MAX_STRANGER_MESSAGES, MAX_WAITING_MESSAGES } from "../../src/peer/social/chatStore";
import type { ChatMessage, Snapshot } from "../../src/peer/status";
import { TrackerClient } from "../../src/peer/tracker/trackerClient";
import type { PeerConfig } from "../../src/rpc/peerService";
import {
  type ControlChat,
  type ControlChatTaken,
  encodeControl,
  MAX_CHAT_CHARS,
  MAX_CONTROL_FRAME_BYTES,
} from "../../src/wire/control";
import type { RunningTracker } from "../../tracker/runTracker";
import { RecordingRelay } from "../helpers/relay";
import { portOf, restartPeer, snapshotWhere, startPeer, stopSessions, type TestPeer } from "../helpers/sessions";
import { closed, LOOPBACK, makeIdentity } from "../helpers/sockets";
import { until } from "../helpers/until";
import { startTracker, stopAll } from "../tracker/support";

const ALL = { limit: 200 };

const fingerprintOf = async ({ session }: TestPeer) => (await session.snapshot()).peer.fingerprint;
async function history(of: TestPeer, who: string): Promise<ChatMessage[]> {
  return (await of.session.chatHistory(who, ALL)).messages;
}
const texts = async (of: TestPeer, who: string) => (await history(of, who)).map(({ text }) => text);
const connect = async (from: TestPeer, to: TestPeer) => from.session.connect(`${LOOPBACK}:${await portOf(to)}`);
const chatWith = ({ chats }: Snapshot, who: string) => chats.find(({ fingerprint }) => fingerprint === who);
const untilWaiting = (of: TestPeer, who: string, count: number) =>
  snapshotWhere(of, `${count} wait`, (snapshot) => chatWith(snapshot, who)?.waiting === count);
const untilUnread = (of: TestPeer, who: string, count: number) =>
  snapshotWhere(of, `${count} unread`, (snapshot) => chatWith(snapshot, who)?.unread === count);

let open: ControlConnection[] = [];

/** Somebody with a program of their own: says what it likes, and takes what arrives only when told to. */
class Odd {
  readonly heard: (ControlChat | ControlChatTaken)[] = [];
  takes = true;
  private constructor(
    readonly identity: Identity,
    private control: ControlConnection | undefined,
  ) {}

  static async connect(to: TestPeer, identity?: Identity): Promise<Odd> {
    const odd = new Odd(identity ?? (await makeIdentity()), undefined);
    odd.control = await ControlConnection.dial({
      host: LOOPBACK,
      port: await portOf(to),
      identity: odd.identity,
      control: {
        hello: () => ({ peerId: "odd", port: 0 }),
        catalog: () => ({ records: [], total: 0 }),
        chat: (message, link) => odd.hear(message, link),
      },
    });
    open.push(odd.control);
    return odd;
  }
  get fingerprint() {
    return this.identity.fingerprint;
  }
  get gone(): boolean {
    return this.control!.closed;
  }
  say(id: string, text: string, sentAt = Date.now()): void {
    this.control!.sendChat({ type: "chat", id, text, sentAt });
  }
  close(): void {
    this.control!.close();
  }
  takenIds(): string[] {
    return this.heard.flatMap((message) => (message.type === "chatTaken" ? [message.id] : []));
  }
  private hear(message: ControlChat | ControlChatTaken, link: ChatLink): void {
    this.heard.push(message);
    if (message.type === "chat" && this.takes) link.sendChat({ type: "chatTaken", id: message.id });
  }
}

describe("chat", function () {
  this.timeout(40_000);
  let alice: TestPeer;
  let bob: TestPeer;
  let aliceId: string;
  let bobId: string;

  async function two(options: Partial<PeerConfig> = {}): Promise<void> {
    [alice, bob] = await Promise.all([startPeer("alice", options), startPeer("bob", options)]);
    [aliceId, bobId] = await Promise.all([fingerprintOf(alice), fingerprintOf(bob)]);
  }
  afterEach(async () => {
    for (const control of open) control.close();
    open = [];
    await stopSessions();
    await stopAll();
  });

  describe("between two people who are connected", () => {
    beforeEach(async () => {
      await two();
      await connect(alice, bob);
    });

    it("goes both ways, with the state of delivery, unread counts and names", async () => {
      const { id } = await alice.session.sendChat(bobId, "hello Bob");
      await untilUnread(bob, aliceId, 1);
      await untilWaiting(alice, bobId, 0);
      assert.deepEqual(
        (await history(alice, bobId)).map(({ sentAt: _, ...rest }) => rest),
        [{ id, from: "me", text: "hello Bob", state: "delivered" }],
      );
      const { chatRevision } = await bob.session.snapshot();
      await bob.session.markChatRead(aliceId);
      await bob.session.sendChat(aliceId, "hello Alice");
      const seen = await untilUnread(alice, bobId, 1);
      assert.equal(chatWith(seen, bobId)!.peerId, "bob");
      const there = await untilUnread(bob, aliceId, 0);
      assert.equal(chatWith(there, aliceId)!.peerId, "alice");
      assert.ok(there.chatRevision > chatRevision);
      assert.deepEqual(await texts(bob, aliceId), ["hello Bob", "hello Alice"]);
    });

    it("keeps the order of many messages, each once", async () => {
      const sent = Array.from({ length: 100 }, (_, n) => `message ${n}`);
      await Promise.all(sent.map((text) => alice.session.sendChat(bobId, text)));
      await untilUnread(bob, aliceId, sent.length);
      await untilWaiting(alice, bobId, 0);
      assert.deepEqual(await texts(bob, aliceId), sent);
    });

    it("carries the longest message, line breaks and every script, and refuses a longer one", async () => {
      const long = "🎬".repeat(MAX_CHAT_CHARS);
      const said = ["a\n\nb", "שלום 👩‍👩‍👧 नमस्ते مرحبا", "<b>&amp;</b> `x` [a](command:b) $(zap)", long];
      for (const text of said) await alice.session.sendChat(bobId, text);
      await untilUnread(bob, aliceId, said.length);
      assert.deepEqual(await texts(bob, aliceId), said);
      await assert.rejects(alice.session.sendChat(bobId, `${long}x`), { code: "invalid-argument" });
      await assert.rejects(alice.session.sendChat(bobId, " \n\u202e\0 "), { code: "invalid-argument" });
      await assert.rejects(alice.session.sendChat(aliceId, "me"), { code: "invalid-argument" });
      await assert.rejects(alice.session.sendChat("nobody", "x"), { code: "invalid-argument" });
      assert.equal((await history(alice, bobId)).length, said.length);
    });

    it("is gone on one side when it is deleted there, and can go on", async () => {
      await alice.session.sendChat(bobId, "first");
      await untilUnread(bob, aliceId, 1);
      await untilWaiting(alice, bobId, 0);
      await bob.session.deleteChat(aliceId);
      assert.deepEqual((await bob.session.snapshot()).chats, []);
      assert.deepEqual(await texts(bob, aliceId), []);
      await alice.session.sendChat(bobId, "second");
      await untilUnread(bob, aliceId, 1);
      assert.deepEqual(await texts(bob, aliceId), ["second"]);
      assert.deepEqual(await texts(alice, bobId), ["first", "second"]);
    });
  });

  describe("with somebody who is away", () => {
    it("waits on disk, over restarts, and is delivered in order and once when they are connected", async () => {
      await two();
      await bob.session.stop();
      for (const text of ["one", "two"]) await alice.session.sendChat(bobId, text);
      await untilWaiting(alice, bobId, 2);
      alice = await restartPeer(alice);
      await alice.session.sendChat(bobId, "three");
      await untilWaiting(alice, bobId, 3);
      bob = await restartPeer(bob);
      await connect(bob, alice);
      await untilUnread(bob, aliceId, 3);
      await untilWaiting(alice, bobId, 0);
      bob = await restartPeer(bob);
      assert.equal(chatWith(await bob.session.snapshot(), aliceId)!.unread, 3);
      assert.deepEqual(await texts(bob, aliceId), ["one", "two", "three"]);
    });

    it("lets only so much wait", async () => {
      await two();
      await bob.session.stop();
      const all = Array.from({ length: MAX_WAITING_MESSAGES }, (_, n) => alice.session.sendChat(bobId, `${n}`));
      await Promise.all(all);
      await assert.rejects(alice.session.sendChat(bobId, "more"), { code: "too-many" });
    });

    it("finds them by the tracker's directory, whoever comes last", async () => {
      const tracker: RunningTracker = await startTracker();
      await two({ trackers: [`${LOOPBACK}:${tracker.port}`] });
      const online = (peer: TestPeer) =>
        snapshotWhere(peer, "the tracker answers", (s) => s.peer.trackers[0]?.state === "online");
      await Promise.all([online(alice), online(bob)]);
      await alice.session.sendChat(bobId, "you are online");
      await untilUnread(bob, aliceId, 1);
      assert.equal(chatWith(await alice.session.snapshot(), bobId)!.peerId, "bob");
      await bob.session.stop();
      await alice.session.sendChat(bobId, "you are not");
      await untilWaiting(alice, bobId, 1);
      bob = await restartPeer(bob);
      await untilUnread(bob, aliceId, 2);
      await untilWaiting(alice, bobId, 0);
    });

    it("gives nothing to somebody else whom a tracker names for them", async () => {
      const tracker = await startTracker();
      const address = `${LOOPBACK}:${tracker.port}`;
      await two({ trackers: [address] });
      await bob.session.stop();
      const mallory = await startPeer("mallory");
      const relay = await RecordingRelay.start(await portOf(mallory));
      const { port } = relay;
      const identity = await loadIdentity(bob.config.privateKey);
      const listing = new TrackerClient({ address, identity, peerId: "bob", port: () => port });
      try {
        listing.start();
        assert.ok(await listing.waitOnline(10_000));
        const lists = async () => {
          await alice.session.refresh();
          const { peers } = await alice.session.queryPeers({ limit: 10 });
          return peers.some((peer) => peer.fingerprint === bobId && peer.port === port);
        };
        for (const deadline = Date.now() + 10_000; !(await lists()); ) assert.ok(Date.now() < deadline);
        await alice.session.sendChat(bobId, "for Bob only");
        await until("Alice dials and hangs up", () => relay.bytes().length > 0 && relay.open === 0);
        await untilWaiting(alice, bobId, 1);
        assert.deepEqual((await mallory.session.snapshot()).chats, []);
      } finally {
        await listing.stop();
        await relay.stop();
      }
    });
  });

  describe("with a program that misbehaves", () => {
    beforeEach(async () => {
      alice = await startPeer("alice");
    });

    it("takes a message once, however often it comes, and says each time that it has it", async () => {
      const odd = await Odd.connect(alice);
      for (let n = 0; n < 5; n++) odd.say("same", "hello");
      await until("each is answered", () => odd.takenIds().length === 5);
      odd.close();
      const again = await Odd.connect(alice, odd.identity);
      again.say("same", "hello");
      await until("it is answered", () => again.takenIds().length === 1);
      assert.deepEqual(await texts(alice, odd.fingerprint), ["hello"]);
    });

    it("sends again what nobody confirms, on the next connection too, with the same id", async function () {
      this.timeout(60_000);
      const odd = await Odd.connect(alice);
      odd.takes = false;
      await alice.session.sendChat(odd.fingerprint, "hello");
      await alice.session.sendChat(odd.fingerprint, "second");
      await until("it arrives", () => odd.heard.length === 1);
      odd.close();
      const again = await Odd.connect(alice, odd.identity);
      await untilWaiting(alice, odd.fingerprint, 0);
      assert.deepEqual(
        again.heard.map((message) => message.type === "chat" && message.text),
        ["hello", "second"],
      );
      assert.equal(again.heard[0]!.id, odd.heard[0]!.id);
    });

    it("counts nothing as delivered that was not sent, whatever ids are confirmed", async () => {
      const odd = await Odd.connect(alice);
      const other = await Odd.connect(alice);
      odd.takes = false;
      const { id } = await alice.session.sendChat(odd.fingerprint, "hello");
      await until("it arrives", () => odd.heard.length === 1);
      for (const one of [id, "guess"]) other.say(one, "noise");
      await until("the noise is taken", () => other.takenIds().length === 2);
      assert.equal(chatWith(await alice.session.snapshot(), odd.fingerprint)!.waiting, 1);
    });

    it("shows nothing that could mislead, and never a time in the future", async () => {
      const odd = await Odd.connect(alice);
      odd.say("1", "\u202eevil\u0000 \u001b[31mred\u2066\r\nline\u200b");
      odd.say("2", "<img src=x onerror=alert(1)><script>1</script>", Number.MAX_SAFE_INTEGER);
      odd.say("3", "\u202e\u0000\u200b");
      await until("all are taken", () => odd.takenIds().length === 3);
      const shown = await history(alice, odd.fingerprint);
      assert.deepEqual(
        shown.map(({ text }) => text),
        ["evil [31mred\nline", "<img src=x onerror=alert(1)><script>1</script>"],
      );
      assert.ok(shown.every(({ sentAt }) => sentAt <= Date.now()));
    });

    it("is not drowned: a flood is taken as far as one may, and the rest stays with who sent it", async () => {
      const odd = await Odd.connect(alice);
      for (let n = 0; n < 180; n++) odd.say(`${n}`, "x".repeat(100));
      await until("some are taken", () => odd.takenIds().length >= MAX_STRANGER_MESSAGES);
      await alice.session.sendChat(odd.fingerprint, "still here");
      await until("the connection is used", () => odd.heard.some(({ type }) => type === "chat"));
      assert.equal(odd.takenIds().length, MAX_STRANGER_MESSAGES);
      assert.equal((await history(alice, odd.fingerprint)).length, MAX_STRANGER_MESSAGES + 1);
    });

    it("ends the connection of who sends a megabyte, or what is no message", async () => {
      const identity = await makeIdentity();
      const hello = encodeControl({ type: "hello", peerId: "odd", version: "", port: 0 });
      const huge = { type: "chat", id: "a", text: "x".repeat(1_000_000), sentAt: 1 } as const;
      assert.ok(encodeControl(huge).length < MAX_CONTROL_FRAME_BYTES);
      const wrong = { type: "chat", id: "../../etc", text: "x", sentAt: 1 } as const;
      for (const message of [huge, wrong, { ...wrong, id: "a", text: "x".repeat(MAX_CHAT_CHARS + 1) }]) {
        const { socket } = await dialTls({ host: LOOPBACK, port: await portOf(alice), identity, alpn: ALPN_CONTROL });
        socket.resume();
        socket.write(hello);
        socket.write(encodeControl(message));
        await closed(socket);
      }
      assert.deepEqual((await alice.session.snapshot()).chats, []);
    });
  });

  it("with somebody who is blocked goes neither way, and is not shown, until the block ends", async () => {
    const tracker = await startTracker();
    await two({ trackers: [`${LOOPBACK}:${tracker.port}`] });
    await connect(bob, alice);
    await bob.session.sendChat(aliceId, "before");
    await untilUnread(alice, bobId, 1);
    await alice.session.block(bobId);
    assert.deepEqual((await alice.session.snapshot()).chats, []);
    await assert.rejects(alice.session.sendChat(bobId, "no"), { code: "invalid-argument" });
    await bob.session.sendChat(aliceId, "meanwhile");
    await untilWaiting(bob, aliceId, 1);
    await assert.rejects(connect(bob, alice));
    assert.deepEqual(await texts(alice, bobId), ["before"]);
    await alice.session.unblock(bobId);
    await connect(alice, bob);
    await untilUnread(alice, bobId, 2);
    assert.deepEqual(await texts(alice, bobId), ["before", "meanwhile"]);
  });

  it("is end to end: whoever passes the bytes on reads none of them", async () => {
    await two();
    const relay = await RecordingRelay.start(await portOf(bob));
    try {
      await alice.session.connect(`${LOOPBACK}:${relay.port}`);
      const secret = "the secret words of this conversation";
      await alice.session.sendChat(bobId, secret);
      await untilUnread(bob, aliceId, 1);
      const seen = relay.bytes();
      assert.ok(seen.length > 1_000);
      for (const hidden of [secret, "secret words", "alice", "bob", "chat"]) assert.ok(!seen.includes(hidden), hidden);
    } finally {
      await relay.stop();
    }
  });
});
