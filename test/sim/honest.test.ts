import assert from "node:assert/strict";
import type { Crowd } from "./crowd";
import type { SimPeer } from "./peer";
import { atMost, homeLink, KIB, MIB, printTable, simulate, startAll, TIMEOUT_MS } from "./scenario";

/** How long these took, the quickest first. */
function secondsOf(crowd: Crowd, matches: (peer: SimPeer) => boolean): number[] {
  const took = crowd.peers.filter(matches).map(({ startedAt, finishedAt }) => (finishedAt! - startedAt!) / 1000);
  return took.sort((a, b) => a - b);
}

describe("a simulated crowd of honest peers", function () {
  this.timeout(TIMEOUT_MS);
  after(printTable);

  it("goes the same way again with the same seed", async () => {
    const seconds: number[] = [];
    for (let i = 0; i < 2; i++) {
      await simulate("20 alike, 1 MiB", { seed: 10, size: MIB, pieceLength: 64 * KIB }, (crowd) => {
        crowd.add("seed", homeLink(crowd));
        for (let i = 0; i < 20; i++) crowd.add("leecher", homeLink(crowd, { loss: 0.01 }));
        startAll(crowd);
        return () => seconds.push(...secondsOf(crowd, ({ role }) => role === "leecher"));
      });
    }
    assert.deepEqual(seconds.slice(0, 20), seconds.slice(20));
  });

  it("of unlike links, far apart and with losses, has each done within 1.5 of what it gives, or 2.5 of what capacity allows", () =>
    simulate("60 unlike, 1 % lost, 4 MiB", { seed: 3, size: 4 * MIB, pieceLength: 64 * KIB }, (crowd) => {
      crowd.add("seed", homeLink(crowd));
      const links = [
        { up: 100_000, down: 500_000 },
        { up: 250_000, down: 1_000_000 },
        { up: 1_000_000, down: 4_000_000 },
      ];
      for (let i = 0; i < 60; i++) {
        const delay = crowd.random.between(20, 50);
        crowd.add("leecher", homeLink(crowd, { ...crowd.random.pick(links), loss: 0.01, delay }));
      }
      startAll(crowd);
      return ({ bound }) => {
        for (const { up } of links) {
          const took = secondsOf(crowd, (peer) => peer.role === "leecher" && peer.host.link.up === up);
          const most = Math.max(2.5 * bound, (1.5 * 4 * MIB) / up);
          assert.ok(took.at(-1)! <= most, `${up} bytes/s up took ${took.at(-1)} s, at most ${most}`);
        }
      };
    }));

  it("gives to contributors before free riders", () =>
    simulate("60 and 15 free riders, 4 MiB", { seed: 4, size: 4 * MIB, pieceLength: 64 * KIB }, (crowd) => {
      crowd.add("seed", homeLink(crowd, { up: 500_000 }));
      for (let i = 0; i < 75; i++) crowd.add(i % 5 === 0 ? "freeRider" : "leecher", homeLink(crowd));
      startAll(crowd);
      return (outcome) => {
        atMost(outcome, 2);
        const median = (role: string) => {
          const took = secondsOf(crowd, (peer) => peer.role === role);
          return took[took.length >> 1]!;
        };
        assert.ok(median("leecher") < median("freeRider"), `${median("leecher")} and ${median("freeRider")} s`);
      };
    }));
});
