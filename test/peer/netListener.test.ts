import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import type { Identity } from "../../src/peer/identity";
import { Listener, type ListenerOptions, sniff } from "../../src/peer/net/listener";
import { ALPN_CONTROL, ALPN_WIRE, dialTls } from "../../src/peer/net/tlsTransport";
import type { StreamletError } from "../../src/wire/errors";
import { skip } from "../helpers/skip";
import {
  type Accepted,
  closed,
  LOOPBACK,
  makeIdentity,
  openSockets,
  receive,
  startListener,
  startRelay,
  stopListener,
  stranger,
} from "../helpers/sockets";
import { until } from "../helpers/until";

/** A whole plain BitTorrent handshake: header, reserved bytes, info-hash, peer id. */
const HANDSHAKE = Buffer.concat([
  Buffer.from("\x13BitTorrent protocol", "latin1"),
  Buffer.alloc(8),
  Buffer.alloc(40, 7),
]);

describe("listener", () => {
  let alice: Identity;
  let bob: Identity;
  let accepted: Accepted;
  let strangers: Socket[];

  before(async () => {
    [alice, bob] = await Promise.all([makeIdentity(), makeIdentity()]);
  });
  beforeEach(() => {
    strangers = [];
  });
  afterEach(async () => {
    for (const socket of strangers) socket.destroy();
    if (accepted !== undefined) {
      await stopListener(accepted);
      await until("nothing is counted any more", () => {
        const { pending, open } = accepted.listener.counts;
        return pending === 0 && open === 0;
      });
    }
    await until("every socket is closed", () => openSockets() === 0);
  });

  async function listen(options: Partial<ListenerOptions> = {}): Promise<void> {
    accepted = await startListener(alice, options);
  }
  function visit(): Socket {
    const socket = stranger(accepted.port);
    strangers.push(socket);
    return socket;
  }
  async function dial(alpn: typeof ALPN_WIRE | typeof ALPN_CONTROL = ALPN_WIRE) {
    const { socket } = await dialTls({
      host: LOOPBACK,
      port: accepted.port,
      identity: bob,
      alpn,
      expected: alice.fingerprint,
    });
    strangers.push(socket);
    return socket;
  }

  describe("tells protocols apart", () => {
    it("by `16 03` or all 20 bytes of the BitTorrent header, and nothing shorter", () => {
      assert.equal(sniff(Buffer.alloc(0)), "more");
      assert.equal(sniff(Buffer.from([0x16])), "more");
      assert.equal(sniff(Buffer.from([0x16, 0x03])), "tls");
      assert.equal(sniff(Buffer.from([0x16, 0x04])), "other");
      for (let n = 1; n < 20; n++) {
        assert.equal(sniff(HANDSHAKE.subarray(0, n)), "more");
        const wrong = Buffer.from(HANDSHAKE.subarray(0, n));
        wrong[n - 1]! ^= 0x80;
        assert.equal(sniff(wrong), "other", `byte ${n - 1}`);
      }
      assert.equal(sniff(HANDSHAKE.subarray(0, 20)), "bittorrent");
      assert.equal(sniff(HANDSHAKE), "bittorrent");
    });

    it("hands a TLS connection over by its ALPN, with the proven fingerprint", async () => {
      await listen();
      await dial(ALPN_WIRE);
      await dial(ALPN_CONTROL);
      await until("both are handed over", () => accepted.wire.length + accepted.control.length === 2);
      assert.equal(accepted.wire[0]?.remote.fingerprint, bob.fingerprint);
      assert.equal(accepted.control[0]?.remote.fingerprint, bob.fingerprint);
      assert.equal(accepted.wire[0]?.remote.host, LOOPBACK);
    });

    it("hands a plain BitTorrent connection over with its handshake and all that follows unread", async () => {
      await listen();
      visit().write(Buffer.concat([HANDSHAKE, Buffer.from("and more")]));
      await until("it is handed over", () => accepted.plain.length === 1);
      const { socket, remote } = accepted.plain[0]!;
      assert.equal(remote.host, LOOPBACK);
      assert.deepEqual(
        await receive(socket, HANDSHAKE.length + 8),
        Buffer.concat([HANDSHAKE, Buffer.from("and more")]),
      );
    });

    it("hands over a connection whose other side has already finished sending", async () => {
      await listen();
      visit().end(HANDSHAKE);
      await until("it is handed over", () => accepted.plain.length === 1);
      assert.deepEqual(await receive(accepted.plain[0]!.socket, HANDSHAKE.length), HANDSHAKE);
    });

    it("reads first bytes that come one at a time, plain", async () => {
      await listen();
      const socket = visit();
      for (const byte of HANDSHAKE) {
        await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until("it is handed over", () => accepted.plain.length === 1);
      assert.deepEqual(await receive(accepted.plain[0]!.socket, HANDSHAKE.length), HANDSHAKE);
    });

    it("reads a TLS handshake that comes one byte at a time", async () => {
      await listen();
      let bytes: number[] = [];
      let sending = false;
      const relay = await startRelay(
        accepted.port,
        async (chunk, server) => {
          bytes.push(...chunk);
          if (sending) return;
          sending = true;
          for (let byte = bytes.shift(); byte !== undefined; byte = bytes.shift()) {
            await new Promise((resolve) => server.write(Uint8Array.of(byte!), resolve));
          }
          sending = false;
          bytes = [];
        },
        (chunk, client) => client.write(chunk),
      );
      const { socket } = await dialTls({ host: LOOPBACK, port: relay.port, identity: bob, alpn: ALPN_WIRE });
      socket.write("hello");
      await until("it is handed over", () => accepted.wire.length === 1);
      assert.equal((await receive(accepted.wire[0]!.socket, 5)).toString(), "hello");
      socket.destroy();
      relay.close();
    });

    it("reads what comes in the same segment as the end of the TLS handshake", async () => {
      await listen();
      let flight: Buffer[] | undefined;
      const relay = await startRelay(
        accepted.port,
        (chunk, server) => {
          // The ClientHello goes through; the rest of the handshake and the first message are sent as one.
          if (flight === undefined) {
            flight = [];
            server.write(chunk);
            return;
          }
          flight.push(chunk);
          if (Buffer.concat(flight).length > 50_000) {
            server.write(Buffer.concat(flight));
            flight = [];
          }
        },
        (chunk, client) => client.write(chunk),
      );
      const { socket } = await dialTls({ host: LOOPBACK, port: relay.port, identity: bob, alpn: ALPN_WIRE });
      const message = Buffer.alloc(50_000, "x");
      socket.write(message);
      await until("it is handed over", () => accepted.wire.length === 1);
      assert.deepEqual(await receive(accepted.wire[0]!.socket, message.length), message);
      socket.destroy();
      relay.close();
    });

    it("closes anything else without a word, an encrypted (MSE) handshake too", async () => {
      await listen();
      const garbage = [
        Buffer.from("GET / HTTP/1.1\r\n\r\n"),
        Buffer.alloc(608, 0xa5),
        Buffer.from([0x16, 0x02, 0x01]),
        Buffer.from("\x13BitTorrent protocoX", "latin1"),
        Buffer.from([0]),
        Buffer.from("SSH-2.0-x\r\n"),
      ];
      for (const bytes of garbage) {
        const socket = visit();
        let answer = 0;
        socket.on("data", (chunk) => {
          answer += chunk.length;
        });
        socket.write(bytes);
        await closed(socket);
        assert.equal(answer, 0);
      }
      // No penalty: the same address is welcome at once.
      await dial();
    });

    it("closes `16 03` with nonsense behind it", async () => {
      await listen();
      const socket = visit();
      socket.resume();
      socket.write(Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x00, 0x50]), Buffer.alloc(80, 0xff)]));
      await closed(socket);
      assert.equal(accepted.listener.counts.pending, 0);
    });
  });

  describe("bounds", () => {
    it("closes a silent connection and one that drips, when the time for the first bytes is over", async () => {
      await listen({ sniffTimeoutMs: 150 });
      const silent = visit();
      const dripping = visit();
      let next = 0;
      const timer = setInterval(() => dripping.write(HANDSHAKE.subarray(next, ++next)), 30);
      const start = performance.now();
      await Promise.all([closed(silent), closed(dripping)]);
      clearInterval(timer);
      const ms = performance.now() - start;
      assert.ok(ms >= 140 && ms < 1500, `${ms} ms`);
      assert.ok(next < 20, "the header was not whole yet");
    });

    it("closes a TLS handshake that stops half way", async () => {
      await listen({ handshakeTimeoutMs: 150 });
      const relay = await startRelay(
        accepted.port,
        (chunk, server) => server.write(chunk),
        () => undefined,
      );
      const start = performance.now();
      await assert.rejects(dialTls({ host: LOOPBACK, port: relay.port, identity: bob, alpn: ALPN_WIRE }), {
        code: "connection-lost",
      });
      assert.ok(performance.now() - start < 1500);
      relay.close();
    });

    it("holds at most so many unknown connections per address, and still lets a peer in among 200 silent ones", async () => {
      await listen({ sniffTimeoutMs: 60_000 });
      for (let i = 0; i < 200; i++) visit().write(Uint8Array.of(i % 2 ? 0x16 : 0x13));
      await until("all have arrived", () => strangers.filter((s) => s.destroyed).length === 200 - 32);
      assert.equal(accepted.listener.counts.pending, 32);
      const socket = await dial();
      assert.ok(!socket.destroyed);
      await until("it is handed over", () => accepted.wire.length === 1);
    });

    it("lets a peer in among 200 TLS handshakes that stop half way", async () => {
      await listen({ handshakeTimeoutMs: 60_000 });
      const relay = await startRelay(
        accepted.port,
        (chunk, server) => server.write(chunk),
        () => undefined,
      );
      const failed: Promise<unknown>[] = [];
      for (let i = 0; i < 200; i++) {
        failed.push(
          assert.rejects(
            dialTls({ host: LOOPBACK, port: relay.port, identity: bob, alpn: ALPN_WIRE, timeoutMs: 60_000 }),
          ),
        );
      }
      await until("most are pushed out", () => accepted.listener.counts.pending === 32);
      await dial();
      await until("it is handed over", () => accepted.wire.length === 1);
      relay.close();
      await Promise.all(failed);
    });

    it("holds at most so many unknown connections in total: the oldest gives way", async () => {
      await listen({ limits: { pending: 5, pendingPerAddress: 100 } });
      for (let i = 0; i < 6; i++) {
        const socket = visit();
        await new Promise((resolve) => socket.once("connect", resolve));
      }
      await closed(strangers[0]!);
      assert.equal(accepted.listener.counts.pending, 5);
      assert.ok(strangers.slice(1).every((s) => !s.destroyed));
    });

    it("holds at most so many open connections per address and in total: the newcomer is closed", async () => {
      for (const limits of [{ openPerAddress: 3 }, { open: 3 }]) {
        await listen({ limits });
        const first = [await dial(), await dial(), await dial()];
        await until("three are open", () => accepted.listener.counts.open === 3);
        await assert.rejects(dial(), { code: "connection-lost" });
        const plain = visit();
        plain.write(HANDSHAKE);
        await closed(plain);
        first[0]!.destroy();
        await until("one has gone", () => accepted.listener.counts.open === 2);
        await dial();
        await stopListener(accepted);
      }
    });
  });

  describe("refuses", () => {
    const tls = (options: object) => ({
      host: LOOPBACK,
      port: accepted.port,
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_WIRE],
      key: bob.privateKeyPem,
      cert: bob.certificatePem,
      ...options,
    });
    async function refused(options: object): Promise<void> {
      await listen();
      const socket = connectTls(tls(options));
      strangers.push(socket);
      socket.on("error", () => socket.destroy());
      socket.resume();
      await closed(socket);
      assert.equal(accepted.wire.length + accepted.control.length, 0);
      await until("nothing is left", () => accepted.listener.counts.pending + accepted.listener.counts.open === 0);
    }

    it("a peer without a certificate", () => refused({ key: undefined, cert: undefined }));
    it("a peer without ALPN", () => refused({ ALPNProtocols: undefined }));
    it("a peer with another ALPN", () => refused({ ALPNProtocols: ["h2", "http/1.1"] }));
    it("TLS 1.2", () => refused({ maxVersion: "TLSv1.2" }));

    it("to resume a session: the certificate is shown every time", async () => {
      await listen();
      let session: Buffer | undefined;
      const first = connectTls(tls({}));
      strangers.push(first);
      first.on("session", (s) => {
        session = s;
      });
      first.resume();
      await until("the first is handed over", () => accepted.wire.length === 1);
      accepted.wire[0]!.socket.write("x");
      await new Promise((resolve) => first.once("data", resolve));
      const second = connectTls(tls({ session }));
      strangers.push(second);
      await new Promise((resolve) => second.once("secureConnect", resolve));
      assert.equal(second.isSessionReused(), false);
      await until("the second is handed over", () => accepted.wire.length === 2);
      assert.equal(accepted.wire[1]!.remote.fingerprint, bob.fingerprint);
    });
  });

  it("speaks TLS 1.3 with AES-128-GCM", async () => {
    await listen();
    const socket = await dial();
    assert.equal(socket.getProtocol(), "TLSv1.3");
    assert.equal(socket.getCipher().name, "TLS_AES_128_GCM_SHA256");
  });

  it("survives a connection that breaks at any byte of the handshake, and leaves nothing behind", async () => {
    await listen();
    const cut = async (limit: number, direction: "toServer" | "toClient"): Promise<boolean> => {
      let passed = 0;
      const part = (chunk: Buffer, to: Socket, from: Socket) => {
        const rest = chunk.subarray(0, limit - passed);
        passed += chunk.length;
        if (passed < limit) to.write(rest);
        else to.write(rest, () => from.resetAndDestroy());
      };
      const whole = (chunk: Buffer, to: Socket) => to.write(chunk);
      const relay = await startRelay(
        accepted.port,
        direction === "toServer" ? part : whole,
        direction === "toClient" ? part : whole,
      );
      let handshakeDone = false;
      try {
        const { socket } = await dialTls({ host: LOOPBACK, port: relay.port, identity: bob, alpn: ALPN_WIRE });
        handshakeDone = true;
        socket.resume();
        socket.write("after the handshake");
        await closed(socket);
      } catch (error) {
        assert.match((error as StreamletError).code, /^(connection-lost|bad-handshake)$/);
      }
      relay.close();
      return handshakeDone;
    };
    // ClientHello 244 bytes, the rest of the client's flight 480 to 500; the server's 740, and two tickets of 79 behind it.
    for (const [direction, last] of [
      ["toServer", 740],
      ["toClient", 880],
    ] as const) {
      const outcomes = new Set<boolean>();
      for (let limit = 1; limit < last; limit += limit < 20 ? 1 : 7) outcomes.add(await cut(limit, direction));
      assert.equal(outcomes.size, 2, `${direction}: some cuts fall before the end of the handshake, some behind`);
    }
    for (const { socket } of accepted.wire) socket.destroy();
    await until("all are forgotten", () => accepted.listener.counts.pending + accepted.listener.counts.open === 0);
    await until("every socket is closed", () => openSockets() === 0);
    await dial();
  }).timeout(30_000);

  it("closes both sides when a record is broken after the handshake", async () => {
    await listen();
    let corrupt = false;
    const relay = await startRelay(
      accepted.port,
      (chunk, server) => {
        if (corrupt) chunk[chunk.length - 1]! ^= 1;
        server.write(chunk);
      },
      (chunk, client) => client.write(chunk),
    );
    const { socket } = await dialTls({ host: LOOPBACK, port: relay.port, identity: bob, alpn: ALPN_WIRE });
    await until("it is handed over", () => accepted.wire.length === 1);
    corrupt = true;
    const server = accepted.wire[0]!.socket;
    let received = 0;
    server.on("data", (chunk) => {
      received += chunk.length;
    });
    socket.resume();
    socket.write("this is not what arrives");
    await Promise.all([closed(server), closed(socket)]);
    assert.equal(received, 0);
    relay.close();
  });

  it("closes a connection whose taker throws, reports it, and goes on", async () => {
    const errors: StreamletError[] = [];
    await listen({
      onPlain: () => {
        throw new Error("boom");
      },
      onError: (error) => errors.push(error),
    });
    const socket = visit();
    socket.write(HANDSHAKE);
    await closed(socket);
    assert.equal(errors[0]?.code, "internal");
    await dial();
  });

  describe("port", () => {
    it("that is taken gives port-in-use and the next one that is really free", async () => {
      // Two neighbours: the first free port after the first one must not be the second one.
      const [one, two] = await neighbours();
      const port = (one.address() as { port: number }).port;
      const listener = new Listener({
        identity: alice,
        host: LOOPBACK,
        port,
        onWire() {},
        onControl() {},
        onPlain() {},
      });
      const error = await listener.listen().then(
        () => assert.fail("must not listen"),
        (e: StreamletError) => e,
      );
      assert.equal(error.code, "port-in-use");
      assert.equal(error.data?.port, port);
      const nextFree = error.data?.nextFree as number;
      assert.ok(nextFree > port + 1, `${nextFree}`);
      const other = new Listener({
        identity: alice,
        host: LOOPBACK,
        port: nextFree,
        onWire() {},
        onControl() {},
        onPlain() {},
      });
      assert.equal(await other.listen(), nextFree);
      await other.close();
      await listener.close();
      one.close();
      two.close();
    });

    it("can be listened on again as soon as close resolves", async () => {
      await listen();
      const { port } = accepted;
      visit().write(HANDSHAKE);
      await until("it is handed over", () => accepted.plain.length === 1);
      await accepted.listener.close();
      await accepted.listener.close();
      const again = new Listener({ identity: alice, host: LOOPBACK, port, onWire() {}, onControl() {}, onPlain() {} });
      assert.equal(await again.listen(), port);
      await again.close();
      assert.ok(!accepted.plain[0]!.socket.destroyed, "what was handed over belongs to its taker");
    });

    it("is one for IPv6 and IPv4 where no address is asked for; an IPv4 peer is shown as such", async () => {
      await listen({ host: undefined as never });
      visit().write(HANDSHAKE);
      await until("it is handed over", () => accepted.plain.length === 1);
      assert.equal(accepted.plain[0]!.remote.host, LOOPBACK);
    });

    it("on an address that this machine does not have gives a clear error", async () => {
      const listener = new Listener({ identity: alice, host: "192.0.2.1", onWire() {}, onControl() {}, onPlain() {} });
      await assert.rejects(listener.listen(), { code: "invalid-argument", message: /192\.0\.2\.1/ });
    });

    it("that needs privileges gives port-forbidden", async function () {
      // Windows has no such ports; containers may be told to have none.
      if (process.platform === "win32" || lowestFreePort() <= 1) skip(this, "no port needs privileges here");
      const root = process.geteuid?.() === 0;
      if (root) process.seteuid?.(65_534);
      try {
        const listener = new Listener({
          identity: alice,
          host: LOOPBACK,
          port: 1,
          onWire() {},
          onControl() {},
          onPlain() {},
        });
        await assert.rejects(listener.listen(), { code: "port-forbidden" });
      } finally {
        if (root) process.seteuid?.(0);
      }
    });
  });
});

/** The lowest port that needs no privileges, where Linux says. */
function lowestFreePort(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  } catch {
    return 1024;
  }
}

/** Two servers on neighbouring ports. */
async function neighbours() {
  const on = (port: number) =>
    new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(port, LOOPBACK, () => resolve(server));
    });
  for (;;) {
    const one = await on(0);
    try {
      return [one, await on((one.address() as { port: number }).port + 1)] as const;
    } catch {
      one.close();
    }
  }
}
