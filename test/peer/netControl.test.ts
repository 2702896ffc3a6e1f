import assert from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import type { Identity } from "../../src/peer/identity";
import {
  type CatalogAnswer,
  CHANGE_INTERVAL_MS,
  ControlConnection,
  type ControlHost,
  HELLO_TIMEOUT_MS,
} from "../../src/peer/net/controlConnection";
import { PING_INTERVAL_MS, SILENCE_TIMEOUT_MS } from "../../src/peer/net/controlPulse";
import { REQUEST_TIMEOUT_MS } from "../../src/peer/net/controlRequests";
import { ALPN_CONTROL, dialTls } from "../../src/peer/net/tlsTransport";
import { MAX_GRANT_BYTES, MAX_RECORD_BYTES } from "../../src/wire/constants";
import { ControlDecoder, type ControlMessage, encodeControl, MAX_CONTROL_FRAME_BYTES } from "../../src/wire/control";
import { StreamletError } from "../../src/wire/errors";
import { FakeClock } from "../helpers/fakeClock";
import {
  type Accepted,
  closed,
  LOOPBACK,
  makeIdentity,
  openSockets,
  startListener,
  stopListener,
} from "../helpers/sockets";
import { until } from "../helpers/until";

/** A catalogue of numbered records of one size, with the offset as its cursor. */
function numbered(count: number, bytes: number): ControlHost["catalog"] {
  return ({ limit, cursor }) => {
    const from = Number(cursor ?? 0);
    const to = Math.min(count, from + limit);
    const records = [];
    for (let i = from; i < to; i++) {
      const record = new Uint8Array(bytes).fill(0xff);
      new DataView(record.buffer).setUint32(0, i);
      records.push(record);
    }
    return { records, total: count, ...(to < count ? { cursor: String(to) } : {}) };
  };
}
const numberOf = (record: Uint8Array) => new DataView(record.buffer, record.byteOffset).getUint32(0);

describe("control connection", () => {
  let alice: Identity;
  let bob: Identity;
  let clock: FakeClock;
  let listener: Accepted;
  let aliceHost: ControlHost;
  let bobHost: ControlHost;
  let incoming: ControlConnection[];
  let refusals: unknown[];
  let open: (ControlConnection | TLSSocket)[];

  before(async () => {
    [alice, bob] = await Promise.all([makeIdentity(), makeIdentity()]);
  });
  beforeEach(async () => {
    clock = new FakeClock();
    aliceHost = { hello: () => ({ peerId: "alice", port: 5001, version: "1.2" }), catalog: numbered(3, 100) };
    bobHost = { hello: () => ({ peerId: "bob", port: 5002 }), catalog: numbered(0, 0) };
    incoming = [];
    refusals = [];
    open = [];
    listener = await startListener(alice, {
      onControl: (socket, remote) => {
        ControlConnection.accept(socket, remote, { identity: alice, control: aliceHost, clock }).then(
          (connection) => {
            incoming.push(connection);
            open.push(connection);
          },
          (error) => refusals.push(error),
        );
      },
    });
  });
  afterEach(async () => {
    for (const one of open) {
      if (one instanceof ControlConnection) one.close();
      else one.destroy();
    }
    clock.advance(60_000);
    await stopListener(listener);
    await until("every socket is closed", () => openSockets() === 0);
    assert.equal(clock.pending, 0, "no timer is left");
  });

  async function dial(more: Partial<Parameters<typeof ControlConnection.dial>[0]> = {}): Promise<ControlConnection> {
    const connection = await ControlConnection.dial({
      host: LOOPBACK,
      port: listener.port,
      identity: bob,
      expected: alice.fingerprint,
      control: bobHost,
      clock,
      ...more,
    });
    open.push(connection);
    return connection;
  }
  async function pair() {
    const out = await dial();
    await until("it is accepted", () => incoming.length > 0);
    return { out, in: incoming[0]! };
  }
  /** A TLS client that says what it likes, and hears what alice says. */
  async function rude() {
    const { socket } = await dialTls({ host: LOOPBACK, port: listener.port, identity: bob, alpn: ALPN_CONTROL });
    open.push(socket);
    const heard: (ControlMessage | undefined)[] = [];
    const decoder = new ControlDecoder(
      () => MAX_CONTROL_FRAME_BYTES,
      (message) => heard.push(message),
    );
    socket.on("data", (chunk) => decoder.push(chunk));
    const say = (...messages: ControlMessage[]) => socket.write(Buffer.concat(messages.map(encodeControl)));
    return { socket, heard, say, bye: () => heard.find((m) => m?.type === "bye") as { reason: string } | undefined };
  }
  const HELLO: ControlMessage = { type: "hello", peerId: "mallory", version: "", port: 1 };

  describe("hello", () => {
    it("tells each side who the other is and where it listens", async () => {
      const { out, in: accepted } = await pair();
      assert.deepEqual(out.peer, {
        peerId: "alice",
        fingerprint: alice.fingerprint,
        host: LOOPBACK,
        port: listener.port,
      });
      assert.deepEqual(accepted.peer, { peerId: "bob", fingerprint: bob.fingerprint, host: LOOPBACK, port: 5002 });
      assert.ok(out.outgoing && !accepted.outgoing);
    });

    it("of oneself is refused on both sides", async () => {
      await assert.rejects(dial({ identity: alice, expected: alice.fingerprint }), {
        code: "invalid-argument",
        message: /this peer itself/,
      });
      await until("the other side refuses too", () => refusals.length === 1);
      assert.equal((refusals[0] as StreamletError).code, "invalid-argument");
    });

    it("must come first", async () => {
      const { socket, say, bye } = await rude();
      say({ type: "ping" });
      await closed(socket);
      assert.equal(bye()?.reason, "bad-message");
      assert.equal((refusals[0] as StreamletError).code, "bad-message");
    });

    it("must not come twice", async () => {
      const { socket, say, bye } = await rude();
      say(HELLO, HELLO);
      await closed(socket);
      assert.equal(bye()?.reason, "bad-message");
    });

    it("must come in time, however many bytes drip in", async () => {
      const { socket, bye } = await rude();
      await until("alice has taken it", () => listener.listener.counts.open === 1 && clock.pending > 0);
      for (let ms = 0; ms < HELLO_TIMEOUT_MS; ms += 1000) {
        socket.write(Uint8Array.of(0));
        clock.advance(1000);
        if (ms === 2000) socket.write(encodeControl(HELLO).subarray(4, 10));
      }
      await closed(socket);
      assert.equal(bye()?.reason, "connection-timeout");
      assert.equal((refusals[0] as StreamletError).code, "connection-timeout");
    });

    it("must be small", async () => {
      const { socket, bye } = await rude();
      socket.write(Uint8Array.of(0, 0, 0x20, 0));
      await closed(socket);
      assert.equal(bye()?.reason, "frame-too-large");
    });

    it("that never comes because the other side closes gives connection-lost", async () => {
      const { socket } = await rude();
      await until("alice has taken it", () => listener.listener.counts.open === 1);
      socket.destroy();
      await until("alice gives up", () => refusals.length === 1);
      assert.equal((refusals[0] as StreamletError).code, "connection-lost");
    });

    it("is given up when the signal is aborted", async () => {
      aliceHost.hello = () => ({ peerId: "alice", port: 1 });
      const silent = await startListener(alice);
      const abort = new AbortController();
      const dialling = dial({ port: silent.port, signal: abort.signal });
      await until("TLS is done", () => silent.control.length === 1);
      abort.abort();
      await assert.rejects(dialling, { code: "cancelled" });
      await stopListener(silent);
    });
  });

  describe("catalogue", () => {
    it("answers with records, the total, and who asked", async () => {
      const asked: unknown[] = [];
      aliceHost.catalog = (query, requester) => {
        asked.push(query, requester);
        return { records: [Uint8Array.of(1, 2, 3), new Uint8Array(0)], total: 7, cursor: "next" };
      };
      const { out } = await pair();
      const answer = await out.queryCatalog({ text: "straße 🎬", owner: alice.fingerprint, limit: 2, cursor: "here" });
      assert.deepEqual(answer, { records: [Uint8Array.of(1, 2, 3), new Uint8Array(0)], total: 7, cursor: "next" });
      assert.deepEqual(asked, [
        { text: "straße 🎬", owner: alice.fingerprint, limit: 2, cursor: "here" },
        bob.fingerprint,
      ]);
    });

    it("works both ways at once, on one connection", async () => {
      bobHost.catalog = numbered(2, 10);
      const { out, in: accepted } = await pair();
      const [fromAlice, fromBob] = await Promise.all([
        out.queryCatalog({ limit: 10 }),
        accepted.queryCatalog({ limit: 10 }),
      ]);
      assert.equal(fromAlice.total, 3);
      assert.equal(fromBob.total, 2);
    });

    it("comes in pages that fit into a frame, complete and in order, whatever the records weigh", async () => {
      aliceHost.catalog = numbered(100, MAX_RECORD_BYTES);
      const { out } = await pair();
      const seen: number[] = [];
      let pages = 0;
      let cursor: string | undefined;
      do {
        const page = await out.queryCatalog({ limit: 200, ...(cursor === undefined ? {} : { cursor }) });
        assert.equal(page.total, 100);
        seen.push(...page.records.map(numberOf));
        cursor = page.cursor;
        pages += 1;
      } while (cursor !== undefined);
      assert.deepEqual(seen, [...new Array(100).keys()]);
      assert.equal(pages, Math.ceil(100 / 18));
    });

    it("comes in pages that fit into a frame with a grant for each record, and brings every grant", async () => {
      const records = numbered(300, 4_000);
      aliceHost.catalog = (query, requester) => {
        const page = records(query, requester) as CatalogAnswer;
        return { ...page, grants: page.records.map((record) => grantOf(numberOf(record))) };
      };
      const grantOf = (n: number) => Uint8Array.from({ length: MAX_GRANT_BYTES }, () => n % 256);
      const { out } = await pair();
      const seen: number[] = [];
      let cursor: string | undefined;
      do {
        const page = await out.queryCatalog({ limit: 200, ...(cursor === undefined ? {} : { cursor }) });
        assert.deepEqual(page.grants, page.records.map(numberOf).map(grantOf));
        seen.push(...page.records.map(numberOf));
        cursor = page.cursor;
      } while (cursor !== undefined);
      assert.deepEqual(seen, [...new Array(300).keys()]);
    });

    it("answers many questions at once, in any number the other side may ask", async () => {
      const { out } = await pair();
      const answers = await Promise.all(Array.from({ length: 16 }, () => out.queryCatalog({ limit: 1 })));
      assert.equal(answers.length, 16);
      const more = Array.from({ length: 17 }, () => out.queryCatalog({ limit: 1 }));
      clock.advance(10_000);
      const outcomes = await Promise.allSettled(more);
      assert.ok(outcomes.filter((o) => o.status === "fulfilled").length >= 16);
    });

    it("that cannot be read gives a refusal, and the connection stays", async () => {
      aliceHost.catalog = () => {
        throw new StreamletError("access-denied", "No.");
      };
      const { out } = await pair();
      await assert.rejects(out.queryCatalog({ limit: 1 }), { code: "access-denied" });
      aliceHost.catalog = () => Promise.reject(new Error("boom"));
      await assert.rejects(out.queryCatalog({ limit: 1 }), { code: "bad-message", message: /internal/ });
      aliceHost.catalog = numbered(1, 100);
      assert.equal((await out.queryCatalog({ limit: 1 })).total, 1);
    });

    it("question that is not answered in time fails, and a late answer harms nothing", async () => {
      let answer: (() => void) | undefined;
      aliceHost.catalog = () =>
        new Promise((resolve) => {
          answer = () => resolve({ records: [], total: 0 });
        });
      const { out } = await pair();
      const question = out.queryCatalog({ limit: 1 });
      await until("alice has it", () => answer !== undefined);
      clock.advance(REQUEST_TIMEOUT_MS);
      await assert.rejects(question, { code: "connection-timeout" });
      answer!();
      aliceHost.catalog = numbered(1, 100);
      assert.equal((await out.queryCatalog({ limit: 1 })).total, 1);
    });

    it("question that waits when the connection closes fails with connection-lost, and so does every later one", async () => {
      aliceHost.catalog = () => new Promise(() => undefined);
      const { out, in: accepted } = await pair();
      const question = out.queryCatalog({ limit: 1 });
      accepted.close("stopped");
      await assert.rejects(question, { code: "connection-lost" });
      await assert.rejects(out.queryCatalog({ limit: 1 }), { code: "connection-lost" });
    });

    it("answer with more than was asked for closes the connection", async () => {
      const silent = await startListener(alice, {
        onControl: (socket) => {
          socket.on("error", () => undefined);
          socket.write(Buffer.concat([HELLO].map(encodeControl)));
          socket.on("data", (chunk: Buffer) => {
            if (chunk.includes('"query"')) {
              socket.write(encodeControl({ type: "answer", id: 1, records: ["AA==", "AA=="], total: 2 }));
            }
          });
        },
      });
      const out = await dial({ port: silent.port });
      await assert.rejects(out.queryCatalog({ limit: 1 }), { code: "connection-lost" });
      assert.ok(out.closed);
      await stopListener(silent);
    });
  });

  describe("change notices", () => {
    it("come at once, then at most once a second, and the last one is never lost", async () => {
      const { out, in: accepted } = await pair();
      let notices = 0;
      const dispose = out.onDidChangeCatalog(() => {
        notices += 1;
      });
      for (let i = 0; i < 50; i++) accepted.notifyCatalogChanged();
      await until("the first is there", () => notices === 1);
      clock.advance(CHANGE_INTERVAL_MS);
      await until("the last is there", () => notices === 2);
      clock.advance(10 * CHANGE_INTERVAL_MS);
      assert.equal((await out.queryCatalog({ limit: 1 })).total, 3);
      assert.equal(notices, 2);
      dispose();
      accepted.notifyCatalogChanged();
      assert.equal((await out.queryCatalog({ limit: 1 })).total, 3);
      assert.equal(notices, 2);
    });

    it("that come faster are passed on once a second all the same", async () => {
      const { say } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      let notices = 0;
      incoming[0]!.onDidChangeCatalog(() => {
        notices += 1;
      });
      say(...new Array<ControlMessage>(100).fill({ type: "changed" }));
      await until("the first is there", () => notices === 1);
      assert.equal(await pingPong(say, incoming[0]!), true);
      assert.equal(notices, 1);
      clock.advance(CHANGE_INTERVAL_MS);
      assert.equal(notices, 2);
    });
  });

  /** True when everything sent before has been read. */
  async function pingPong(say: (...m: ControlMessage[]) => void, accepted: ControlConnection): Promise<boolean> {
    let answered = 0;
    const catalog = aliceHost.catalog;
    aliceHost.catalog = (query, requester) => {
      answered += 1;
      return catalog(query, requester);
    };
    say({ type: "query", id: 99, limit: 1 });
    await until("all is read", () => answered === 1 || accepted.closed);
    return answered === 1;
  }

  describe("life", () => {
    it("is kept by pings over any time", async () => {
      const { out, in: accepted } = await pair();
      for (let ms = 0; ms < 5 * SILENCE_TIMEOUT_MS; ms += PING_INTERVAL_MS) {
        clock.advance(PING_INTERVAL_MS);
        // A round trip, so that pings and pongs have arrived.
        await out.queryCatalog({ limit: 1 });
        await accepted.queryCatalog({ limit: 1 });
      }
      assert.ok(!out.closed && !accepted.closed);
    });

    it("ends when the other side is silent for 45 s", async () => {
      const { socket, say, heard, bye } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      const reasons: string[] = [];
      incoming[0]!.onDidClose((reason) => reasons.push(reason));
      clock.advance(PING_INTERVAL_MS);
      await until("alice asks", () => heard.some((m) => m?.type === "ping"));
      clock.advance(SILENCE_TIMEOUT_MS - PING_INTERVAL_MS - 1);
      assert.ok(!incoming[0]!.closed);
      clock.advance(1);
      assert.deepEqual(reasons, ["connection-timeout"]);
      await closed(socket);
      assert.equal(bye()?.reason, "connection-timeout");
    });

    it("ends with a goodbye that says why, on both sides, once", async () => {
      const { out, in: accepted } = await pair();
      const reasons: string[] = [];
      out.onDidClose((reason) => reasons.push(`out: ${reason}`));
      accepted.onDidClose((reason) => reasons.push(`in: ${reason}`));
      out.close("profile-deleted");
      out.close("again");
      await until("both have closed", () => reasons.length === 2);
      assert.deepEqual(reasons.sort(), ["in: profile-deleted", "out: profile-deleted"]);
      out.onDidClose((reason) => reasons.push(`late: ${reason}`));
      assert.equal(reasons.at(-1), "late: profile-deleted");
      out.notifyCatalogChanged();
    });

    it("ends when the connection breaks", async () => {
      const { socket, say } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      const reasons: string[] = [];
      incoming[0]!.onDidClose((reason) => reasons.push(reason));
      socket.destroy();
      await until("alice notices", () => reasons.length === 1);
      assert.deepEqual(reasons, ["connection-lost"]);
    });

    it("does not wait for ever for a goodbye to be read", async () => {
      const { socket, say } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      socket.pause();
      incoming[0]!.close("stopped");
      clock.advance(1_000);
      await until("alice has let go", () => listener.listener.counts.open === 0);
    });
  });

  describe("hostile messages", () => {
    const closers: [string, Uint8Array, string][] = [
      ["nonsense instead of JSON", Buffer.concat([Uint8Array.of(0, 0, 0, 4), Buffer.from("nope")]), "bad-message"],
      ["bytes that are no UTF-8", Uint8Array.of(0, 0, 0, 2, 0xff, 0xfe), "bad-message"],
      [
        "a known type with bad fields",
        Buffer.concat([Uint8Array.of(0, 0, 0, 16), Buffer.from('{"type":"query"}')]),
        "bad-message",
      ],
      ["an empty frame", Uint8Array.of(0, 0, 0, 0), "bad-message"],
      ["a frame above the cap", Uint8Array.of(0, 0x10, 0, 1), "frame-too-large"],
      ["a large frame that nobody asked for", Uint8Array.of(0, 1, 0, 1), "frame-too-large"],
    ];
    for (const [name, bytes, reason] of closers) {
      it(`${name} closes the connection with a reason, and nothing else`, async () => {
        const { socket, say, bye } = await rude();
        say(HELLO);
        await until("it is accepted", () => incoming.length === 1);
        socket.write(bytes);
        await closed(socket);
        assert.equal(bye()?.reason, reason);
        assert.ok(incoming[0]!.closed);
        await dial();
      });
    }

    it("of an unknown type are skipped", async () => {
      const { socket, say } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      const body = Buffer.from('{"type":"wave","text":"from the future"}');
      socket.write(Buffer.concat([Uint8Array.of(0, 0, 0, body.length), body]));
      assert.ok(await pingPong(say, incoming[0]!));
      assert.ok(!incoming[0]!.closed);
    });

    it("answers to questions that were never asked are dropped", async () => {
      const { say } = await rude();
      say(HELLO, { type: "answer", id: 5, records: [], total: 0 }, { type: "refused", id: 6, code: "internal" });
      await until("it is accepted", () => incoming.length === 1);
      assert.ok(await pingPong(say, incoming[0]!));
    });

    it("in a flood close the connection", async () => {
      const { socket, say, bye } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      say(...new Array<ControlMessage>(300).fill({ type: "pong" }));
      await closed(socket);
      assert.equal(bye()?.reason, "rate-limited");
    });

    it("in a steady stream below the limit do not", async () => {
      const { say } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      for (let second = 0; second < 20; second++) {
        say(...new Array<ControlMessage>(90).fill({ type: "pong" }));
        assert.ok(await pingPong(say, incoming[0]!));
        clock.advance(1_000);
      }
      assert.ok(!incoming[0]!.closed);
    });

    it("questions beyond those that may wait are refused, not queued", async () => {
      aliceHost.catalog = () => new Promise(() => undefined);
      const { say, heard } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      for (let id = 1; id <= 20; id++) say({ type: "query", id, limit: 1 });
      await until("some are refused", () => heard.filter((m) => m?.type === "refused").length === 3);
      assert.ok(!incoming[0]!.closed);
    });

    it("questions whose answers nobody reads wait, and are all answered once they are read", async () => {
      let made = 0;
      const catalog = numbered(1000, MAX_RECORD_BYTES);
      aliceHost.catalog = (query, requester) => {
        made += 1;
        return catalog(query, requester);
      };
      const { socket, say, heard } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      socket.pause();
      // 16 answers of nearly a megabyte: more than the system's buffers on the loopback take.
      for (let id = 1; id <= 16; id++) say({ type: "query", id, limit: 18 });
      for (let turns = 0, before = -1; turns < 20 || made !== before; turns++) {
        before = made;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.ok(made < 16, `${made} answers were made for nobody`);
      assert.ok(!incoming[0]!.closed);
      socket.resume();
      await until("all are answered", () => heard.filter((m) => m?.type === "answer").length === 16);
      assert.ok(!incoming[0]!.closed);
    });

    it("that make answers which nobody reads at all end the connection before they fill the memory", async () => {
      const { socket, say } = await rude();
      say(HELLO);
      await until("it is accepted", () => incoming.length === 1);
      aliceHost.catalog = numbered(1000, MAX_RECORD_BYTES);
      socket.pause();
      for (let id = 1; id <= 16; id++) say({ type: "query", id, limit: 18 });
      // Refusals and pongs need no question to be worked on.
      const flood = setInterval(() => {
        say(...new Array<ControlMessage>(90).fill({ type: "ping" }));
        clock.advance(1_000);
      }, 1);
      await until("alice has given up", () => incoming[0]!.closed);
      clearInterval(flood);
      incoming[0]!.onDidClose((reason) => assert.match(reason, /^(connection-timeout|rate-limited)$/));
    });
  });
});
