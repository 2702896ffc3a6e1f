import assert from "node:assert/strict";
import { PlainSwarms } from "../../tracker/plainSwarms";
import { videoId } from "./support";

const EXPIRES = 1_000;
const peerAt = (host: string, port: number) => ({ host, port, peerId: Buffer.alloc(20), complete: true });

describe("What the tracker keeps of ordinary clients", () => {
  it("is not crowded out by one address that names ever more ports", () => {
    const swarms = new PlainSwarms();
    swarms.set(videoId(1), peerAt("192.0.2.1", 6881), EXPIRES, false);
    for (let port = 1; port <= 6_000; port++) {
      swarms.set(videoId(1), peerAt("192.0.2.2", port), EXPIRES, false);
      swarms.set(videoId(1), peerAt(`2001:db8::${port.toString(16)}`, port), EXPIRES, false);
    }
    const found = swarms.find(videoId(1), 10_000, 0, () => 0);
    assert.deepEqual(found.filter(({ host }) => host === "192.0.2.1").length, 1);
    assert.equal(found.length, 1 + 64 + 64);
    assert.ok(
      found.some(({ host, port }) => host === "192.0.2.2" && port === 6_000),
      "the newest stay",
    );
  });

  it("has room for newcomers when it is full: the longest silent one goes, whatever its video", () => {
    const swarms = new PlainSwarms(1_000);
    for (let n = 0; n < 1_000; n++) {
      swarms.set(videoId(n % 50), peerAt(`10.0.${n >> 8}.${n & 255}`, 1), EXPIRES, false);
    }
    swarms.set(videoId(0), peerAt("10.0.0.0", 1), EXPIRES, false); // heard of again
    swarms.set(videoId(99), peerAt("192.0.2.1", 1), EXPIRES, false);
    const hosts = (id: number) => swarms.find(videoId(id), 10_000, 0, () => 0).map(({ host }) => host);
    assert.deepEqual(hosts(99), ["192.0.2.1"]);
    assert.ok(hosts(0).includes("10.0.0.0"));
    assert.ok(!hosts(1).includes("10.0.0.1"));
  });

  it("holds nothing of those that have gone", () => {
    const swarms = new PlainSwarms();
    for (let port = 1; port <= 100; port++) swarms.set(videoId(1), peerAt("192.0.2.1", port), port, true);
    swarms.delete(videoId(1), { host: "192.0.2.1", port: 100 });
    assert.deepEqual(swarms.count(videoId(1), 0), { complete: 63, incomplete: 0, downloaded: 100 });
    swarms.sweep(EXPIRES, () => false);
    assert.deepEqual(swarms.count(videoId(1), 0), { complete: 0, incomplete: 0, downloaded: 0 });
  });
});
