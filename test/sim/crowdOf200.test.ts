import { atMost, homeLink, KIB, MIB, printTable, simulate, startAll, TIMEOUT_MS } from "./scenario";

describe("a simulated crowd of 200 alike", function () {
  this.timeout(TIMEOUT_MS);
  after(printTable);

  it("is done within 1.3 of what capacity allows (seed 1)", () =>
    simulate("200 alike, 16 MiB", { seed: 1, size: 16 * MIB, pieceLength: 64 * KIB }, (crowd) => {
      crowd.add("seed", homeLink(crowd));
      for (let i = 0; i < 200; i++) crowd.add("leecher", homeLink(crowd));
      startAll(crowd);
      return (outcome) => atMost(outcome, 1.3);
    }));
});
