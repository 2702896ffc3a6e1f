import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { afterEach, before, describe, it } from "mocha";
import { type Identity, selfSignedCertificate } from "../../src/peer/identity";
import { ALPN_CONTROL, ALPN_WIRE, dialPlain, dialTls, type TlsDialOptions } from "../../src/peer/net/tlsTransport";
import type { StreamletError } from "../../src/wire/errors";
import {
  type Accepted,
  closed,
  LOOPBACK,
  makeIdentity,
  openSockets,
  receive,
  startListener,
  stopListener,
} from "../helpers/sockets";
import { until } from "../helpers/until";

describe("dialling", () => {
  let alice: Identity;
  let bob: Identity;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    [alice, bob] = await Promise.all([makeIdentity(), makeIdentity()]);
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    await until("every socket is closed", () => openSockets() === 0);
  });

  async function listen(options: Parameters<typeof startListener>[1] = {}): Promise<Accepted> {
    const accepted = await startListener(alice, options);
    cleanups.push(() => stopListener(accepted));
    return accepted;
  }
  /** A TLS server that is not ours. */
  async function foreignServer(options: TlsOptions): Promise<number> {
    const server = createTlsServer({
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN_WIRE],
      ...options,
    });
    const sockets = new Set<Socket>();
    server.on("connection", (socket) => sockets.add(socket));
    server.on("secureConnection", (socket) => {
      socket.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
    cleanups.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return (server.address() as AddressInfo).port;
  }
  const to = (port: number, more: Partial<TlsDialOptions> = {}): TlsDialOptions => ({
    host: LOOPBACK,
    port,
    identity: bob,
    alpn: ALPN_WIRE,
    ...more,
  });
  async function dial(options: TlsDialOptions) {
    const result = await dialTls(options);
    cleanups.push(() => result.socket.destroy());
    return result;
  }

  it("gives the fingerprint of the other side, and each side its own ALPN", async () => {
    const { port, wire, control } = await listen();
    assert.equal((await dial(to(port))).fingerprint, alice.fingerprint);
    assert.equal(
      (await dial(to(port, { alpn: ALPN_CONTROL, expected: alice.fingerprint }))).fingerprint,
      alice.fingerprint,
    );
    await until("both have arrived", () => wire.length === 1 && control.length === 1);
  });

  it("carries bytes both ways", async () => {
    const { port, wire } = await listen();
    const { socket } = await dial(to(port));
    await until("it has arrived", () => wire.length === 1);
    const up = randomBytes(3_000_000);
    const down = randomBytes(3_000_000);
    socket.write(up);
    wire[0]!.socket.write(down);
    const [gotUp, gotDown] = await Promise.all([receive(wire[0]!.socket, up.length), receive(socket, down.length)]);
    assert.ok(gotUp.equals(up) && gotDown.equals(down));
  });

  it("finds a host by its name", async () => {
    const { port } = await listen();
    assert.equal((await dial(to(port, { host: "localhost" }))).fingerprint, alice.fingerprint);
  });

  describe("checks who answers", () => {
    it("and sends nothing to, and takes nothing from, anybody else than expected", async () => {
      let heard = 0;
      const { port } = await listen({
        onWire: (socket) => {
          socket.on("data", (chunk) => {
            heard += chunk.length;
          });
          socket.write("speaks first");
          cleanups.push(() => socket.destroy());
        },
      });
      let taken = 0;
      const onread = {
        buffer: Buffer.alloc(1024),
        callback: (n: number) => {
          taken += n;
          return true;
        },
      };
      const error = await dialTls(to(port, { expected: bob.fingerprint, onread })).then(
        () => assert.fail("must not connect"),
        (e: StreamletError) => e,
      );
      assert.equal(error.code, "wrong-identity");
      assert.equal(error.data?.fingerprint, alice.fingerprint);
      await until("the socket is gone", () => openSockets() === 0);
      assert.equal(heard, 0);
      assert.equal(taken, 0);
    });

    const certificateOf = (privateKey: KeyObject, spki?: Buffer) => ({
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      cert: selfSignedCertificate(
        privateKey,
        spki ?? createPublicKey(privateKey).export({ type: "spki", format: "der" }),
      ),
    });

    it("and refuses a P-384 key", async () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
      const port = await foreignServer(certificateOf(privateKey));
      await assert.rejects(dialTls(to(port)), { code: "wrong-identity" });
    });

    it("and refuses an RSA key", async () => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const port = await foreignServer(certificateOf(privateKey));
      await assert.rejects(dialTls(to(port)), { code: "wrong-identity" });
    });

    it("and refuses a P-256 key in another form than the 91 bytes", async () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
      // RFC 5480 2.2: the compressed point is 2 or 3 (the parity of y), and x.
      const compressed = Buffer.concat([
        Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
        Buffer.of(2 + (spki[90]! & 1)),
        spki.subarray(27, 59),
      ]);
      const port = await foreignServer(certificateOf(privateKey, compressed));
      await assert.rejects(dialTls(to(port)), { code: "wrong-identity" });
    });

    for (const [name, make] of [
      ["an RSA", () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
      ["a P-384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey],
    ] as const) {
      it(`and the listener refuses ${name} key too`, async () => {
        const { port, listener, wire } = await listen();
        const { key, cert } = certificateOf(make());
        const stranger = { ...bob, privateKeyPem: key.toString(), certificatePem: cert };
        const { socket } = await dial(to(port, { identity: stranger }));
        socket.resume();
        await closed(socket);
        assert.equal(wire.length, 0);
        assert.deepEqual(listener.counts, { pending: 0, open: 0 });
      });
    }
  });

  describe("with onread", () => {
    /** Collects everything through buffers of the given size, a new one each time. */
    function collector(size: number) {
      const chunks: Buffer[] = [];
      let buffers = 0;
      const state = {
        bytes: 0,
        all: () => Buffer.concat(chunks),
        buffers: () => buffers,
        onread: {
          buffer: () => {
            buffers += 1;
            return Buffer.alloc(size);
          },
          callback: (n: number, buffer: Uint8Array) => {
            chunks.push(Buffer.from(buffer.subarray(0, n)));
            state.bytes += n;
            return true;
          },
        },
      };
      return state;
    }

    it("puts all bytes into the given buffers and emits none as data, TLS", async () => {
      const sent = randomBytes(2_000_000);
      const { port } = await listen({
        onWire: (socket) => {
          cleanups.push(() => socket.destroy());
          socket.end(sent);
        },
      });
      const got = collector(10_000);
      const { socket } = await dial(to(port, { onread: got.onread }));
      let data = 0;
      socket.on("data", () => {
        data += 1;
      });
      await closed(socket);
      assert.ok(got.all().equals(sent));
      assert.ok(got.buffers() >= 200, `${got.buffers()} buffers`);
      assert.equal(data, 0);
    });

    it("puts all bytes into the given buffers, plain", async () => {
      const sent = randomBytes(2_000_000);
      const server = createTcpServer((socket) => socket.end(sent));
      await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
      cleanups.push(() => server.close());
      const got = collector(10_000);
      const socket = await dialPlain({
        host: LOOPBACK,
        port: (server.address() as AddressInfo).port,
        onread: got.onread,
      });
      await closed(socket);
      assert.ok(got.all().equals(sent));
    });

    it("loses nothing that arrives before the caller goes on, however late that is", async () => {
      const sent = randomBytes(300_000);
      const { port } = await listen({
        onWire: (socket) => {
          cleanups.push(() => socket.destroy());
          socket.write(sent);
        },
      });
      const got = collector(64_000);
      const dialled = dial(to(port, { onread: got.onread }));
      await until("all has arrived", () => got.bytes === sent.length);
      await dialled;
      assert.ok(got.all().equals(sent));
    });

    it("loses nothing without onread either: it waits for the first listener", async () => {
      const sent = randomBytes(300_000);
      const { port } = await listen({
        onWire: (socket) => {
          cleanups.push(() => socket.destroy());
          socket.write(sent);
        },
      });
      const { socket } = await dial(to(port));
      await until("some of it waits", () => socket.readableLength > 0);
      assert.ok((await receive(socket, sent.length)).equals(sent));
    });

    it("can be held and goes on: a callback that returns false, pause and resume", async () => {
      const sent = randomBytes(8_000_000);
      const { port, wire } = await listen();
      const got = collector(64_000);
      let hold = true;
      const { socket } = await dial(
        to(port, {
          onread: {
            buffer: got.onread.buffer,
            callback: (n, buffer) => {
              got.onread.callback(n, buffer);
              return !hold;
            },
          },
        }),
      );
      await until("it has arrived", () => wire.length === 1);
      wire[0]!.socket.write(sent);
      await until("the first bytes are there", () => got.bytes > 0);
      await until("the sender is held up", () => wire[0]!.socket.writableLength > 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(got.bytes < sent.length, "held");
      hold = false;
      socket.resume();
      await until("all has arrived", () => got.bytes === sent.length);
      assert.ok(got.all().equals(sent));
    });

    it("closes the connection, not the process, when the callback throws", async () => {
      const { port } = await listen({
        onWire: (socket) => {
          cleanups.push(() => socket.destroy());
          socket.write("x");
        },
      });
      const { socket } = await dial(
        to(port, {
          onread: {
            buffer: Buffer.alloc(10),
            callback: () => {
              throw new Error("boom");
            },
          },
        }),
      );
      await closed(socket);
    });
  });

  describe("fails with a code", () => {
    async function silentServer(onConnection: (socket: Socket) => void = () => undefined): Promise<number> {
      const sockets: Socket[] = [];
      const server = createTcpServer((socket) => {
        socket.on("error", () => socket.destroy());
        sockets.push(socket);
        onConnection(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
      cleanups.push(() => {
        server.close();
        for (const socket of sockets) socket.destroy();
      });
      return (server.address() as AddressInfo).port;
    }

    it("connection-refused where nothing listens", async () => {
      const { port, listener } = await listen();
      await listener.close();
      await assert.rejects(dialTls(to(port)), { code: "connection-refused" });
      await assert.rejects(dialPlain({ host: LOOPBACK, port }), { code: "connection-refused" });
    });

    it("connection-timeout where nobody answers", async () => {
      const port = await silentServer();
      const start = performance.now();
      await assert.rejects(dialTls(to(port, { timeoutMs: 100 })), { code: "connection-timeout" });
      assert.ok(performance.now() - start < 1500);
    });

    it("connection-lost where it is closed at once", async () => {
      await assert.rejects(dialTls(to(await silentServer((socket) => socket.destroy()))), { code: "connection-lost" });
      await assert.rejects(dialTls(to(await silentServer((socket) => socket.resetAndDestroy()))), {
        code: "connection-lost",
      });
    });

    it("bad-handshake where something else speaks", async () => {
      const port = await silentServer((socket) => socket.write("SSH-2.0-OpenSSH_9.2p1\r\n"));
      await assert.rejects(dialTls(to(port)), { code: "bad-handshake" });
    });

    it("bad-handshake where TLS offers no such protocol", async () => {
      const keys = { key: alice.privateKeyPem, cert: alice.certificatePem };
      await assert.rejects(dialTls(to(await foreignServer({ ...keys, ALPNProtocols: ["h2"] }))), {
        code: "bad-handshake",
      });
      await assert.rejects(dialTls(to(await foreignServer({ ...keys, ALPNProtocols: [] }))), { code: "bad-handshake" });
    });

    it("bad-handshake where TLS is older than 1.3", async () => {
      const keys = { key: alice.privateKeyPem, cert: alice.certificatePem };
      await assert.rejects(dialTls(to(await foreignServer({ ...keys, maxVersion: "TLSv1.2" }))), {
        code: "bad-handshake",
      });
    });

    it("unreachable where there is no such host", async () => {
      await assert.rejects(dialTls(to(5000, { host: "no-such-host.invalid" })), { code: "unreachable" });
    });

    it("cancelled when the signal is aborted, before and during", async () => {
      const port = await silentServer();
      await assert.rejects(dialTls(to(port, { signal: AbortSignal.abort() })), { code: "cancelled" });
      const abort = new AbortController();
      const dialling = dialTls(to(port, { signal: abort.signal }));
      setTimeout(() => abort.abort(), 20);
      await assert.rejects(dialling, { code: "cancelled" });
    });

    it("and nothing happens when the signal is aborted after it has connected", async () => {
      const { port } = await listen();
      const abort = new AbortController();
      const { socket } = await dial(to(port, { signal: abort.signal }));
      abort.abort();
      assert.ok(!socket.destroyed);
    });
  });
});
