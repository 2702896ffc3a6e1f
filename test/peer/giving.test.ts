import assert from "node:assert/strict";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { Content } from "../../src/peer/swarm/content";
import { Giving, type GivingLink } from "../../src/peer/swarm/giving";
import type { BlockSource } from "../../src/peer/swarm/uploader";
import { BLOCK_BYTES, MAX_QUEUED_REQUESTS, MAX_REQUEST_BYTES, PIECE_HEADER_BYTES } from "../../src/wire/constants";
import type { Message } from "../../src/wire/messages";
import { FakeClock } from "../helpers/fakeClock";

const PIECE = 4 * BLOCK_BYTES;
const MISSING = 5;
const CONTENT = new Content(8 * PIECE, PIECE, undefined);

/** A connection without a socket: what is said and given is noted in order. Reads end when `read` is called. */
function connection(remote: Partial<GivingLink["hello"]> & { withheld?: boolean } = {}) {
  const said: string[] = [];
  const given: number[] = [];
  const reads: (() => void)[] = [];
  const clock = new FakeClock();
  const source: BlockSource = {
    content: CONTENT,
    hasPiece: (piece) => piece !== MISSING,
    read: () => new Promise((resolve) => reads.push(resolve)),
  };
  const link: GivingLink = {
    hello: { supportsFast: true, isStreamlet: true, ...remote },
    withheld: remote.withheld ?? false,
    send: (message: Message) => said.push("piece" in message ? `${message.type} ${message.piece}` : message.type),
    flush: () => undefined,
    write: (bytes, onPassed) => {
      given.push(bytes.length);
      onPassed();
    },
    takenRate: () => 100_000_000,
    onGives: () => undefined,
    onSent: () => undefined,
    close: () => said.push("closed"),
  };
  const uploadLimiter = new RateLimiter(0, { clock });
  const host = { clock, content: () => CONTENT, source: () => source, uploadLimiter, onSourceError: () => undefined };
  const giving = new Giving(link, host, new AbortController().signal);
  const read = async () => {
    for (const done of reads.splice(0)) done();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { giving, said, given, reads, read };
}

describe("what a connection gives", () => {
  it("is nothing before its turn: each request is refused at once, where that is understood", () => {
    const { giving, said, reads } = connection();
    giving.onRequest(0, 0, BLOCK_BYTES);
    assert.deepEqual(said, ["reject 0"]);
    assert.equal(reads.length, 0);
    const old = connection({ supportsFast: false });
    old.giving.onRequest(0, 0, BLOCK_BYTES);
    assert.deepEqual(old.said, []);
  });

  it("is what is asked for in its turn, neighbours in one write", async () => {
    const { giving, said, given, read } = connection();
    giving.setChoking(false);
    giving.setChoking(false);
    assert.deepEqual(said, ["unchoke"]);
    giving.onRequest(0, 0, BLOCK_BYTES);
    for (let block = 1; block < 4; block++) giving.onRequest(1, block * BLOCK_BYTES, BLOCK_BYTES);
    giving.onRequest(3, 0, BLOCK_BYTES);
    await read();
    await read();
    const block = PIECE_HEADER_BYTES + BLOCK_BYTES;
    assert.deepEqual(
      given,
      [block, block, 2 * block, block],
      "two are read at once; those that wait for that go together",
    );
  });

  it("is never what is not here, beyond the end, too long for the remote, or withheld", () => {
    for (const [remote, piece, begin, length] of [
      [{}, MISSING, 0, BLOCK_BYTES],
      [{}, 8, 0, BLOCK_BYTES],
      [{}, 7, 3 * BLOCK_BYTES, 2 * BLOCK_BYTES],
      [{}, 0, 0, MAX_REQUEST_BYTES + BLOCK_BYTES],
      [{ isStreamlet: false }, 0, 0, 2 * BLOCK_BYTES],
      [{ withheld: true }, 0, 0, BLOCK_BYTES],
    ] as const) {
      const { giving, said, reads } = connection(remote);
      giving.setChoking(false);
      giving.onRequest(piece, begin, length);
      assert.deepEqual(said, ["unchoke", `reject ${piece}`], JSON.stringify([remote, piece, begin, length]));
      assert.equal(reads.length, 0);
    }
  });

  it("waits in a queue with an end", () => {
    const { giving, said } = connection();
    giving.setChoking(false);
    // Two batches are being read; not one request of these continues another.
    for (let i = 0; i < MAX_QUEUED_REQUESTS + 3; i++) giving.onRequest(i % 2 === 0 ? 0 : 2, 0, BLOCK_BYTES);
    assert.deepEqual(said, ["unchoke", "reject 0"]);
  });

  it("is not what was cancelled in time, which is said", () => {
    const { giving, said } = connection();
    giving.setChoking(false);
    for (const piece of [0, 2, 4]) giving.onRequest(piece, 0, BLOCK_BYTES);
    giving.onCancel(0, 0, BLOCK_BYTES); // is being read
    giving.onCancel(4, 0, BLOCK_BYTES);
    giving.onCancel(4, 0, BLOCK_BYTES);
    assert.deepEqual(said, ["unchoke", "reject 4"]);
  });

  it("after its turn is the rest of the first two pieces that it has begun; what else waits is refused after the choke", () => {
    const { giving, said } = connection();
    giving.setChoking(false);
    for (const piece of [0, 2, 4, 6]) giving.onRequest(piece, 0, BLOCK_BYTES);
    said.length = 0;
    giving.setChoking(true);
    assert.deepEqual(said, ["allowedFast 0", "allowedFast 2", "choke", "reject 4", "reject 6"]);
    said.length = 0;
    giving.onRequest(2, BLOCK_BYTES, BLOCK_BYTES);
    giving.onRequest(4, BLOCK_BYTES, BLOCK_BYTES);
    assert.deepEqual(said, ["reject 4"]);
    giving.onHave(2);
    giving.onRequest(2, BLOCK_BYTES, BLOCK_BYTES);
    assert.deepEqual(said, ["reject 4", "reject 2"], "it has that piece");
  });
});
