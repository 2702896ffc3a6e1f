import assert from "node:assert/strict";
import { connect } from "node:net";
import fc from "fast-check";
import { parsePeerMessage, parseTrackerMessage } from "../../src/wire/trackerMessages";
import { until } from "../helpers/until";
import { makeRecord, RawPeer, startTracker, stopAll, videoId } from "./support";

/** Values that look like parts of messages, so that mutations get past the first check. */
const value: fc.Arbitrary<unknown> = fc.oneof(
  { maxDepth: 3 },
  fc.constantFrom(null, true, -1, 0, 1.5, 1e308, 2 ** 53, "", "x", "newest", videoId(1), `${videoId(1)}:${videoId(2)}`),
  fc.constantFrom("__proto__", "constructor", "\u0000", "💥", "AAAA", "=".repeat(50)),
  fc.string(),
  fc.array(fc.constantFrom(videoId(1), videoId(2).slice(0, 40), "zz", 7), { maxLength: 4 }),
  fc.dictionary(
    fc.constantFrom("text", "owners", "ids", "sort", "limit", "cursor", "__proto__"),
    fc.anything({ maxDepth: 1 }),
  ),
);
const TYPES = [
  "hello",
  "publish",
  "withdraw",
  "announce",
  "query",
  "records",
  "peers",
  "directory",
  "subscribe",
  "callback",
  "release",
  "welcome",
  "x",
];
const FIELDS = [
  "request",
  "records",
  "have",
  "want",
  "gone",
  "complete",
  "query",
  "keys",
  "hash",
  "limit",
  "catalog",
  "directory",
  "to",
  "id",
  "key",
  "nonce",
  "port",
  "version",
  "address",
  "peerId",
  "signature",
];
const message = fc
  .record({ type: fc.constantFrom(...TYPES) })
  .chain((type) =>
    fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 8 }).map((rest) => ({ request: 1, ...rest, ...type })),
  );

describe("Hostile bytes", () => {
  afterEach(stopAll);

  it("are refused by both schemas with a code, never with a crash", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          message.map((each) => JSON.stringify(each)),
          fc.string(),
          fc.json(),
        ),
        (text) => {
          parsePeerMessage(text);
          try {
            parseTrackerMessage(text);
          } catch (error) {
            assert.equal((error as { code?: string }).code, "tracker-protocol");
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("do not stop a tracker from serving, and are each answered or end the connection", async () => {
    const warnings: string[] = [];
    const { port } = await startTracker({
      log: (text) => warnings.push(text),
      limits: { requestRate: { burst: 100_000, perSecond: 1 }, badMessages: 100_000 },
    });
    const good = await RawPeer.join({ port });
    await good.publish(makeRecord(good.identity, 1));
    let bad = await RawPeer.join({ port, peerId: "Bob" });
    const texts = fc.sample(message, { numRuns: 2_000, seed: 7 }).map((each) => JSON.stringify(each));
    for (const [index, text] of texts.entries()) {
      if (bad.isClosed || bad.socket.readyState !== bad.socket.OPEN) {
        await bad.closed;
        bad = await RawPeer.join({ port, peerId: "Bob", identity: bad.identity });
      }
      bad.send(text);
      if (index % 100 === 99) assert.equal((await good.list()).total, 1);
    }
    const last = await RawPeer.join({ port, peerId: "Carol" });
    assert.equal((await last.list()).total, 1);
    assert.deepEqual(warnings, [], "nothing was unforeseen");
  }).timeout(20_000);

  it("end a connection after a score of messages that are not understood", async () => {
    const { port } = await startTracker();
    const peer = await RawPeer.join({ port });
    for (let i = 0; i < 20; i++) peer.send("{");
    assert.equal((await peer.closed).code, 1008);
    assert.equal(peer.received.filter(({ type }) => type === "error").length, 20);
  });

  it("on the port instead of a WebSocket do no harm", async () => {
    const { port } = await startTracker();
    const openings = [
      "\u0016\u0003\u0001\u0002\u0000",
      "\u0013BitTorrent protocol",
      "GET / HTTP/1.1\r\n\r\n",
      "\r\n\r\n",
      "\u0000".repeat(5000),
    ];
    await Promise.all(
      openings.map(
        (opening) =>
          new Promise<void>((resolve) => {
            const socket = connect(port, "127.0.0.1", () => socket.end(Buffer.from(opening, "latin1")));
            socket.on("error", () => {});
            socket.on("close", () => resolve());
            socket.resume();
          }),
      ),
    );
    await RawPeer.join({ port });
  });

  it("cut off at any byte leave nothing behind", async () => {
    const { port } = await startTracker();
    const good = await RawPeer.join({ port });
    const frame = Buffer.concat([Buffer.from([0x81, 0xfe, 0x01, 0x00]), Buffer.alloc(4), Buffer.alloc(256, 0x7b)]);
    const upgrade = `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(upgrade), frame]);
    for (let cut = 1; cut < bytes.length; cut += 17) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => {
          socket.write(bytes.subarray(0, cut), () => socket.destroy());
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve());
      });
    }
    await until("only one is there", async () => (await good.directory()).length === 1);
  });
});
