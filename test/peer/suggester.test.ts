import assert from "node:assert/strict";
import type { PeerConnection } from "../../src/peer/swarm/peerConnection";
import { Suggester } from "../../src/peer/swarm/suggester";
import { Bitfield } from "../../src/wire/bitfield";
import type { Message } from "../../src/wire/messages";

const PIECES = 8;

/** As much of a leecher's connection as a seed looks at. */
class Leecher {
  readonly remote = new Bitfield(PIECES);
  readonly hello: { supportsFast: boolean };
  readonly suggested: number[] = [];

  constructor(supportsFast = true) {
    this.hello = { supportsFast };
  }
  send(message: Message): void {
    if (message.type === "suggest") this.suggested.push(message.piece);
  }
  get connection(): PeerConnection {
    return this as unknown as PeerConnection;
  }
  has(suggester: Suggester, piece: number): void {
    this.remote.set(piece);
    suggester.onHave(this.connection, piece);
  }
}

describe("what a seed suggests", () => {
  const [a, b, c] = [0, 1, 2] as const;
  let peers: Leecher[];
  let suggester: Suggester;
  beforeEach(() => {
    peers = [new Leecher(), new Leecher(), new Leecher()];
    suggester = new Suggester(PIECES, () => peers.length);
    for (const { connection } of peers) suggester.onAvailability(connection);
  });
  const unchoke = (...indices: number[]) => {
    for (const i of indices) suggester.onUnchoke(peers[i]!.connection);
  };

  it("is to each another piece: one to begin with, and one to go on with", () => {
    unchoke(a, b, c);
    assert.deepEqual(
      peers.map(({ suggested }) => suggested),
      [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
    );
  });

  it("is the next one when a suggested one is taken, and none that is there or on its way", () => {
    peers[c]!.has(suggester, 4);
    suggester.onRequest(peers[b]!.connection, 5);
    unchoke(a);
    suggester.onRequest(peers[a]!.connection, 2);
    suggester.onRequest(peers[a]!.connection, 2); // another block of it
    suggester.onRequest(peers[a]!.connection, 3);
    assert.deepEqual(peers[b]!.suggested, [0, 1]);
    assert.deepEqual(peers[a]!.suggested, [2, 3, 6, 7], "4 is there, 5 is coming");
  });

  it("is for somebody else what a peer has not begun when its turn ends, but not what it has begun", () => {
    unchoke(a);
    suggester.onRequest(peers[a]!.connection, 0);
    suggester.onChoke(peers[a]!.connection);
    unchoke(b);
    assert.deepEqual(peers[b]!.suggested, [1, 2]);
  });

  it("is again what somebody took with them who is gone", () => {
    peers[a]!.has(suggester, 0);
    suggester.onRequest(peers[a]!.connection, 1);
    suggester.onClosed(peers[a]!.connection);
    unchoke(b);
    assert.deepEqual(peers[b]!.suggested, [0, 1]);
  });

  it("is nothing where nobody else wants anything, nor to who does not understand it", () => {
    peers.length = 1;
    unchoke(a);
    assert.deepEqual(peers[a]!.suggested, []);
    peers.push(new Leecher(false));
    unchoke(1);
    assert.deepEqual(peers[1]!.suggested, []);
  });

  it("is what fewest have, once all of it has been given", () => {
    for (let piece = 0; piece < PIECES; piece++) peers[b]!.has(suggester, piece);
    for (const piece of [0, 1, 2, 4, 5, 6]) peers[c]!.has(suggester, piece);
    unchoke(a);
    assert.deepEqual(peers[a]!.suggested, [3, 7]);
  });
});
