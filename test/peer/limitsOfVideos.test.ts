import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NestedLimiter } from "../../src/peer/net/nestedLimiter";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { FakeClock } from "../helpers/fakeClock";
import { randomFile } from "../helpers/randomFile";
import {
  restartPeer,
  runtimeOf,
  shareFile,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { until } from "../vscode/support/until";

const MB = 1_000_000;
const NONE = { uploadLimit: 0, downloadLimit: 0 };

describe("The limit of one video", function () {
  this.timeout(30_000);
  afterEach(stopSessions);

  const came = (peer: TestPeer, key: string) => runtimeOf(peer, key).swarm?.down.total ?? 0;
  const rates = async (ms: number, ...of: [TestPeer, string][]) => {
    const before = of.map(([peer, key]) => came(peer, key));
    const at = performance.now();
    await sleep(ms);
    return of.map(([peer, key], i) => ((came(peer, key) - before[i]!) * 1000) / (performance.now() - at));
  };

  it("holds for it alone, both ways, under that of the profile, and is kept with it", async () => {
    const folder = tempDir("video-limits");
    const [one, other] = await Promise.all(
      [71, 72].map((seed) => randomFile(join(folder, `${seed}.mp4`), 60 * MB, seed)),
    );
    const alice = await startPeer("alice", { uploadLimit: 6 * MB });
    const [slow, fast] = [await shareFile(alice, one!), await shareFile(alice, other!)];
    await alice.session.setVideoLimits(slow.key, { ...NONE, uploadLimit: MB });
    const bob = await startPeer("bob");
    const [a, b] = [
      await bob.session.download({ source: slow.link }),
      await bob.session.download({ source: fast.link }),
    ];
    await until(() => came(bob, a.key) > 0 && came(bob, b.key) > 0, "both come");
    const [limited, free] = await rates(4_000, [bob, a.key], [bob, b.key]);
    assert.ok(limited! > 0.85 * MB && limited! < 1.15 * MB, `${limited} of ${MB}`);
    assert.ok(free! > 3.5 * MB && free! < 5.8 * MB, `the rest is for the others: ${free}`);
    await bob.session.setVideoLimits(b.key, { ...NONE, downloadLimit: 2 * MB });
    await sleep(1_500); // what was under way
    const [, down] = await rates(3_000, [bob, a.key], [bob, b.key]);
    assert.ok(down! > 1.6 * MB && down! < 2.3 * MB, `${down} of ${2 * MB}`);
    assert.equal((await videoWhere(bob, "it says so", (v) => v.key === b.key)).downloadLimit, 2 * MB);
    const again = await restartPeer(bob);
    assert.equal((await videoWhere(again, "it is kept", (v) => v.key === b.key)).downloadLimit, 2 * MB);
    await again.session.setVideoLimits(b.key, NONE);
    assert.equal((await videoWhere(again, "it is gone", (v) => v.key === b.key)).downloadLimit, undefined);
    await until(() => came(again, b.key) > 0, "it goes on");
    const [lifted] = await rates(2_000, [again, b.key]);
    assert.ok(lifted! > 2.5 * MB, `${lifted}`);
  });

  it("takes nothing of the shared one while it waits for its own, and gives back what was cancelled", async () => {
    const clock = new FakeClock();
    const shared = new RateLimiter(1_000_000, { clock });
    const own = new RateLimiter(100_000, { clock });
    const nested = new NestedLimiter(own, shared);
    assert.equal(nested.rate, 100_000);
    assert.equal(nested.partBytes, 16_384);
    assert.equal(nested.take(25_000), true, "the burst of a quarter of a second");
    const abort = new AbortController();
    const waiting = nested.take(100_000, abort.signal);
    assert.ok(waiting !== true);
    assert.equal(shared.tryTake(225_000), true, "all of the shared burst but 25,000");
    abort.abort();
    await assert.rejects(waiting, { code: "cancelled" });
    clock.advance(250);
    assert.equal(own.tryTake(25_000), true);
    own.setRate(0);
    assert.equal(nested.rate, 1_000_000);
  });
});
