import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { Content } from "../../src/peer/swarm/content";
import type { PeerConnection } from "../../src/peer/swarm/peerConnection";
import { givesWay, type Place } from "../../src/peer/swarm/places";
import { Swarm } from "../../src/peer/swarm/swarm";
import { SwarmGroup } from "../../src/peer/swarm/swarmGroup";
import { Bitfield } from "../../src/wire/bitfield";
import { fromHex } from "../../src/wire/bytes";
import { BLOCK_BYTES } from "../../src/wire/constants";
import { decodeHandshake, encodeHandshake } from "../../src/wire/handshake";
import { encodeMessage } from "../../src/wire/messages";
import type { VideoId } from "../../src/wire/types";
import { FakeClock } from "../helpers/fakeClock";
import { closed, LOOPBACK } from "../helpers/sockets";
import { until } from "../helpers/until";

const ID = "ab".repeat(32) as VideoId;
const PIECES = 64;
const PIECE_BYTES = 1024 * 1024;
const PLACES = 5;
const OTHER_PARTY = "192.0.2.1";
const INTERESTED = encodeMessage({ type: "interested" });

describe("who gives way to a newcomer", () => {
  const place = (party: string, what: Partial<Place> = {}): Place => ({
    party,
    gives: false,
    takes: true,
    openedAt: 0,
    usefulAt: 0,
    rate: 0,
    ...what,
  });
  const idle = { takes: false };

  it("is whoever has been of no use for longest", () => {
    const places = [
      place("a", { gives: true }),
      place("b", { ...idle, usefulAt: 9 }),
      place("c", { ...idle, usefulAt: 3 }),
    ];
    assert.equal(givesWay(places, "d", 100_000), places[2]);
  });

  it("is nobody who has only just come", () => {
    assert.equal(givesWay([place("a", { ...idle, openedAt: 99_000 }), place("b")], "c", 100_000), undefined);
  });

  it("is the slowest of an address that has many more places, but nobody who gives", () => {
    const places = [place("a", { rate: 5 }), place("a", { rate: 2 }), place("a", { gives: true }), place("b")];
    assert.equal(givesWay(places, "c", 100_000), places[1]);
    assert.equal(givesWay(places, "a", 100_000), undefined);
    const givers = places.map((p) => ({ ...p, gives: true }));
    assert.equal(givesWay(givers, "c", 100_000), undefined);
  });
});

describe("a swarm whose places are all taken", function () {
  this.timeout(30_000);
  let clock: FakeClock;
  let swarm: Swarm;
  let server: Server;
  let host = LOOPBACK;

  beforeEach(async () => {
    host = LOOPBACK;
    clock = new FakeClock();
    swarm = new Swarm({
      id: ID,
      v1: undefined,
      infoBytes: undefined,
      clock,
      peerId20: Buffer.alloc(20),
      uploadLimiter: new RateLimiter(0, { clock }),
      maxConnections: PLACES,
      group: new SwarmGroup(clock, Math.random),
      admission: {
        isRestricted: false,
        allows: () => true,
        mayDial: () => true,
        ownGrant: () => undefined,
        readGrant: () => undefined,
      },
      dialledWins: () => true,
      listenPort: () => 0,
      dial: () => new Promise(() => {}),
      onInfo: () => {},
      onChange: () => {},
      onSourceError: () => {},
      onUnreachable: () => {},
      onTurnedAway: () => {},
    });
    const content = new Content(PIECES * PIECE_BYTES, PIECE_BYTES, Buffer.alloc(32));
    swarm.setContent(content, Bitfield.full(PIECES), undefined, {
      content,
      hasPiece: () => true,
      read: async () => undefined,
    });
    const infoHash20 = fromHex(ID).subarray(0, 20);
    const reserved = { extended: true, fast: true, v2: true };
    const handshake = decodeHandshake(encodeHandshake({ infoHash20, peerId20: Buffer.alloc(20, 1), reserved }));
    server = createServer((socket) => {
      const remote = { fingerprint: undefined, host, port: 0, transport: "plain", incoming: true } as const;
      swarm.accept(socket, remote, handshake);
    });
    server.listen(0, LOOPBACK);
    await once(server, "listening");
  });

  afterEach(() => {
    swarm.close();
    server.close();
  });

  function dial(): Socket {
    const socket = connect((server.address() as AddressInfo).port, LOOPBACK);
    socket.on("error", () => undefined);
    return socket;
  }

  /** Comes, says what it has to say, and reads everything. */
  async function come(...said: Uint8Array[]): Promise<{ socket: Socket; connection: PeerConnection | undefined }> {
    const before = new Set(swarm.connections());
    const socket = dial();
    socket.resume();
    let ended = false;
    socket.on("close", () => {
      ended = true;
    });
    for (const bytes of said) socket.write(bytes);
    const find = () => [...swarm.connections()].find((candidate) => !before.has(candidate));
    await until("it is let in or not", () => ended || find() !== undefined);
    const connection = find();
    if (connection && said.includes(INTERESTED)) await until("it is interested", () => connection.peerInterested);
    return { socket, connection };
  }

  it("lets a newcomer in for somebody who is of no use", async () => {
    const first = await come();
    for (let i = 1; i < PLACES; i++) await come(INTERESTED);
    clock.advance(6_000);
    const newcomer = await come(INTERESTED);
    assert.ok(newcomer.connection);
    await closed(first.socket);
    assert.equal(swarm.connectionCount, PLACES);
  });

  it("is not filled by one address: another gets a place, one more of the same does not", async () => {
    for (let i = 0; i < PLACES; i++) await come(INTERESTED);
    clock.advance(6_000);
    assert.equal((await come(INTERESTED)).connection, undefined);
    host = OTHER_PARTY;
    assert.ok((await come(INTERESTED)).connection);
    assert.equal(swarm.connectionCount, PLACES);
  });

  it("keeps places for those whom it dials while it wants something", async () => {
    swarm.wantPeers();
    for (let i = 0; i < PLACES - 1; i++) assert.ok((await come(INTERESTED)).connection);
    assert.equal((await come(INTERESTED)).connection, undefined);
  });

  /** Asks for all of the video and reads nothing until told to. */
  async function comeHungry(): Promise<{ socket: Socket; connection: PeerConnection }> {
    const socket = dial();
    socket.pause();
    socket.write(INTERESTED);
    await until("it is unchoked", () => [...swarm.connections()].some(({ amChoking }) => !amChoking));
    for (let piece = 0; piece < PIECES; piece++) {
      for (let begin = 0; begin < PIECE_BYTES; begin += BLOCK_BYTES) {
        socket.write(encodeMessage({ type: "request", piece, begin, length: BLOCK_BYTES }));
      }
    }
    const [connection] = [...swarm.connections()];
    return { socket, connection: connection! };
  }

  /** Nothing moves any more: all buffers between the two are full. */
  async function stuck(connection: PeerConnection): Promise<void> {
    for (let last = -1; last !== connection.up.total || connection.unreadSince === undefined; ) {
      last = connection.up.total;
      await sleep(100);
    }
  }

  it("closes a connection that asks and does not read, after a minute", async () => {
    const { connection } = await comeHungry();
    await stuck(connection);
    clock.advance(55_000);
    assert.equal(connection.closed, false);
    clock.advance(10_000);
    assert.equal(connection.closed, true);
  });

  it("keeps one that reads slowly", async () => {
    const { socket, connection } = await comeHungry();
    for (let round = 0; round < 6; round++) {
      await stuck(connection);
      clock.advance(40_000);
      assert.equal(connection.closed, false);
      const before = connection.up.total;
      // One chunk at a time: who reads on while the machine is busy has soon read everything.
      while (connection.up.total === before) {
        socket.once("data", () => socket.pause());
        socket.resume();
        await sleep(10);
      }
      socket.write(encodeMessage({ type: "keepAlive" }));
      const at = clock.now();
      await until("its keep-alive is there", () => connection.lastReceivedAt === at);
    }
  });
});
