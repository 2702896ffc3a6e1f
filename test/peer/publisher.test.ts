import assert from "node:assert/strict";
import type { Engine } from "../../src/peer/engine";
import { Publisher } from "../../src/peer/publisher";
import { Library } from "../../src/peer/storage/library";
import type { Catalog } from "../../src/peer/tracker/catalog";
import type { VideoRuntime } from "../../src/peer/videoRuntime";
import { Withdrawals } from "../../src/peer/withdrawals";
import { FakeClock } from "../helpers/fakeClock";
import { newEntry } from "../helpers/libraryEntry";
import { tempDir } from "../helpers/tempDir";
import { makeIdentity, v1Hash, videoId } from "../tracker/support";

const VIDEOS = 5;
const WALL_CLOCK = Date.parse("2026-01-01");

/** Each look at it finds 10 ms gone, so that a slice of the publisher's has time for one record; a slice comes with each `advance(1)`. */
class SlowClock extends FakeClock {
  private looks = 0;

  override now(): number {
    this.looks++;
    return super.now() + 10 * this.looks;
  }
  override after(ms: number, run: () => void): () => void {
    return super.after(ms + 1, run);
  }
}

describe("What is shared, as a peer that has just started tells it", () => {
  const told: number[] = [];
  let clock: SlowClock;
  let library: Library;
  let publisher: Publisher;

  beforeEach(async () => {
    told.length = 0;
    const dir = tempDir("publisher");
    const identity = makeIdentity();
    clock = new SlowClock();
    library = await Library.open(dir);
    for (let n = 0; n < VIDEOS; n++) {
      const ids = { id: videoId(n), v1: v1Hash(n), piecesRoot: videoId(n), pieceLength: 256 * 1024 };
      library.add(newEntry({ ...ids, state: "ready", shared: true, ownerFingerprint: identity.fingerprint }));
    }
    const runtimes = library.entries().map(({ key }) => ({
      get entry() {
        return library.get(key);
      },
      isSeeding: true,
    }));
    publisher = new Publisher(
      { clock, wallClock: () => WALL_CLOCK, library, identity, peerId: "Alice" } as unknown as Engine,
      { setOwn: (own: readonly unknown[]) => told.push(own.length) } as unknown as Catalog,
      [],
      await Withdrawals.open(`${dir}/withdrawals.json`, identity.fingerprint),
      () => runtimes as unknown as VideoRuntime[],
      () => publisher.update(),
    );
  });
  afterEach(() => library.flush());

  /** Whether `ready` has resolved, once all that follows from what was done has happened. */
  async function isReady(): Promise<boolean> {
    let ready = false;
    void publisher.ready.then(() => {
      ready = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    return ready;
  }

  it("is not known before all of it is signed, and then all at once", async () => {
    assert.equal(await isReady(), false);
    publisher.update();
    for (let signed = 1; signed < VIDEOS; signed++) {
      assert.equal(publisher.shared().length, signed);
      assert.equal(await isReady(), false, `${signed} of ${VIDEOS}`);
      assert.deepEqual(told, []);
      clock.advance(1);
    }
    assert.equal(publisher.shared().length, VIDEOS);
    assert.equal(await isReady(), true);
    assert.deepEqual(told, [VIDEOS]);
  });

  it("keeps nobody waiting for a peer that stops before", async () => {
    publisher.update();
    publisher.stop();
    assert.equal(await isReady(), true);
  });
});
