import assert from "node:assert/strict";
import { BAD_PEERS } from "./badPeers";
import type { Crowd } from "./crowd";
import type { SimPeer } from "./peer";
import { atMost, homeLink, KIB, MIB, printTable, simulate, startAll, TIMEOUT_MS } from "./scenario";

const LEAVE_EVERY_MS = 500;
const AWAY_MS = 4_000;

/** Somebody goes every half second, each once, and comes back with what they had; the seed goes for good once one copy is out. */
function churn(crowd: Crowd, seed: SimPeer): void {
  const left = new Set([seed]);
  const leave = () => {
    const there = crowd.honest.filter((peer) => !left.has(peer) && peer.isOnline && !peer.isWhole);
    if (there.length === 0) return;
    const peer = crowd.random.pick(there);
    left.add(peer);
    peer.stop();
    crowd.clock.after(AWAY_MS, () => peer.start());
  };
  crowd.clock.every(LEAVE_EVERY_MS, leave);
  const { pieceCount } = crowd.video.content;
  crowd.onPieceAnywhere = () => {
    if (!seed.isOnline) return;
    for (let piece = 0; piece < pieceCount; piece++) {
      if (!crowd.honest.some((peer) => peer !== seed && peer.disk.have.get(piece))) return;
    }
    crowd.clock.after(0, () => seed.isOnline && seed.stop());
  };
}

describe("a simulated crowd in adversity", function () {
  this.timeout(TIMEOUT_MS);
  after(printTable);

  it("of which peers come and go, and the seed for good, is done within 2 (seed 5)", () =>
    simulate("200 of whom many come and go, 4 MiB", { seed: 5, size: 4 * MIB, pieceLength: 64 * KIB }, (crowd) => {
      const first = crowd.add("seed", homeLink(crowd));
      for (let i = 0; i < 200; i++) crowd.add("leecher", homeLink(crowd));
      first.start();
      crowd.peers.slice(1).forEach((peer, i) => {
        crowd.clock.after(i < 150 ? crowd.random.between(0, 1_000) : crowd.random.between(5_000, 15_000), () =>
          peer.start(),
        );
      });
      churn(crowd, first);
      return (outcome) => {
        assert.ok(!first.isOnline, "the seed has gone");
        atMost(outcome, 2);
      };
    }));

  it("with a fifth of liars and stallers is done within 2, without a wrong byte (seed 7)", () =>
    simulate("160 and 40 liars and stallers, 4 MiB", { seed: 7, size: 4 * MIB, pieceLength: 64 * KIB }, (crowd) => {
      crowd.add("seed", homeLink(crowd));
      for (let i = 0; i < 160; i++) crowd.add("leecher", homeLink(crowd));
      const kinds = Object.values(BAD_PEERS);
      for (let i = 0; i < 40; i++) kinds[i % kinds.length]!(crowd, homeLink(crowd));
      startAll(crowd);
      return (outcome) => atMost(outcome, 2);
    }));
});
