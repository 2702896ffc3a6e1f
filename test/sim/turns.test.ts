import assert from "node:assert/strict";
import { Crowd } from "./crowd";
import { homeLink, KIB, MIB, TIMEOUT_MS } from "./scenario";

/** Of a seed with one slot: whoever has it has begun its third piece when the turn ends. */
const UP = 60_000;
const PIECE = 256 * KIB;
const SECOND = 1000;

describe("a turn that ends in the middle of a piece", function () {
  this.timeout(TIMEOUT_MS);
  let crowd: Crowd;
  beforeEach(() => {
    crowd = new Crowd({ seed: 11, size: 4 * MIB, pieceLength: PIECE, uploadSlots: 1 });
  });
  afterEach(() => crowd.close());

  it("leaves the peer that piece, which nobody else could use, and everything else to the next one", async () => {
    const seed = crowd.add("seed", homeLink(crowd, { up: UP }));
    // They cannot give to each other: what they have is from the seed.
    const takers = [0, 1].map(() => crowd.add("freeRider", homeLink(crowd)));
    for (const peer of crowd.peers) peer.start();
    const chokedBySeed = () =>
      [...seed.swarm!.connections()].filter(({ amChoking }) => amChoking).map(({ peer }) => peer.host);
    await crowd.clock.run(() => chokedBySeed().length === 1, 2 * SECOND);
    const [second] = takers.filter(({ host }) => chokedBySeed().includes(host.name));
    const first = takers.find((peer) => peer !== second)!;
    await crowd.clock.run(() => chokedBySeed().includes(first.host.name), 12 * SECOND);
    const before = first.disk.have.count;
    const begun = first.host.receivedBytes - before * PIECE;
    assert.ok(begun > 0, `${begun} bytes of the next piece are there`);
    // Both share the uplink until it is done; the turn of the other one is not over by then.
    await crowd.clock.run(() => first.disk.have.count > before, crowd.clock.now() + 9 * SECOND);
    assert.equal(first.disk.have.count, before + 1);
    assert.ok(chokedBySeed().includes(first.host.name));
    const received = first.host.receivedBytes;
    await crowd.clock.run(() => !chokedBySeed().includes(first.host.name), crowd.clock.now() + 9 * SECOND);
    assert.ok(first.host.receivedBytes - received < PIECE / 4, "nothing but what it had begun");
    const both = [...first.disk.have].filter((piece) => second!.disk.have.get(piece));
    assert.deepEqual(both, [], "the seed gives each piece once before any twice");
  });
});
