import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { randomFile } from "../helpers/randomFile";
import {
  NO_LIMITS,
  portOf,
  restartPeer,
  runtimesOf,
  shareFile,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { until } from "../vscode/support/until";

const MB = 1_000_000;
/** So slow that nothing ends while a test looks. */
const SLOW = 100_000;

describe("limits over all videos", function () {
  this.timeout(60_000);

  let folder: string;
  before(() => {
    folder = tempDir("limits");
  });
  afterEach(stopSessions);

  const file = (seed: number, size = 5 * MB) => randomFile(join(folder, `video ${seed} ${size}.mp4`), size, seed);
  const connections = async (peer: TestPeer) => (await peer.session.snapshot()).peer.connections;
  /** Swarms of a running peer, and whom each unchokes. */
  const unchoked = (peer: TestPeer) =>
    [...runtimesOf(peer).values()].map(({ swarm }) =>
      [...(swarm?.connections() ?? [])].filter((connection) => !connection.amChoking),
    );
  const leechers = (link: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, async () => {
        const peer = await startPeer("leecher");
        await peer.session.download({ source: link });
        return peer;
      }),
    );

  it("connections: no more are open than allowed, and a lower number closes what is too much", async () => {
    const seeder = await startPeer("seeder", { maxConnections: 3, uploadLimit: SLOW });
    const first = await shareFile(seeder, await file(1));
    const second = await shareFile(seeder, await file(2));
    await leechers(first.link, 3);
    await until(async () => (await connections(seeder)) === 3, "all three are in");
    await leechers(second.link, 2);
    await until(async () => (await connections(seeder)) === 3, "no fourth is in");
    await seeder.session.setLimits({ ...NO_LIMITS, uploadLimit: SLOW, maxConnections: 1 });
    assert.equal(await connections(seeder), 1);
    await seeder.session.setLimits({ ...NO_LIMITS, uploadLimit: SLOW, maxConnections: 5 });
    await until(async () => (await connections(seeder)) === 5, "everybody comes back");
  });

  it("connections: a download gets one of those that another video holds", async () => {
    const wanted = await startPeer("wanted");
    const peer = await startPeer("full", { maxConnections: 2, uploadLimit: SLOW });
    const own = await shareFile(peer, await file(3));
    await leechers(own.link, 2);
    await until(async () => (await connections(peer)) === 2, "it is full");
    const { link } = await shareFile(wanted, await file(4));
    const { key } = await peer.session.download({ source: link });
    await videoWhere(peer, "the download is done all the same", (v) => v.key === key && v.state === "ready");
    assert.ok((await connections(peer)) <= 2);
  });

  it("upload slots: so many are served at a time, each video its share, and the others in turn", async () => {
    const seeder = await startPeer("seeder", { uploadSlots: 2, uploadLimit: SLOW });
    const crowded = await shareFile(seeder, await file(5));
    const lonely = await shareFile(seeder, await file(6));
    await leechers(crowded.link, 3);
    await until(() => unchoked(seeder).flat().length === 2, "both slots are taken");
    await leechers(lonely.link, 1);
    await until(() => unchoked(seeder).every((served) => served.length === 1), "each video has a slot", 25_000);
    await seeder.session.setLimits({ ...NO_LIMITS, uploadLimit: SLOW, uploadSlots: 4 });
    assert.equal(unchoked(seeder).flat().length, 4);
    await seeder.session.setLimits({ ...NO_LIMITS, uploadLimit: SLOW, uploadSlots: 1 });
    assert.equal(unchoked(seeder).flat().length, 1);
  });

  describe("disk quota", () => {
    it("refuses a download that does not fit, tells what is needed, and leaves nothing behind", async () => {
      const seeder = await startPeer("seeder");
      const { link } = await shareFile(seeder, await file(7));
      const peer = await startPeer("full", { diskQuota: 4 * MB });
      await assert.rejects(peer.session.download({ source: link }), {
        code: "quota-exceeded",
        data: { quota: 4 * MB, needed: 5 * MB, used: 0 },
      });
      assert.deepEqual((await peer.session.snapshot()).videos, []);
      await peer.session.setLimits({ ...NO_LIMITS, diskQuota: 5 * MB });
      const { key } = await peer.session.download({ source: link });
      await videoWhere(peer, "it fits now", (v) => v.key === key && v.state === "ready");
    });

    it("counts running downloads at full size, and of stopped ones what is there; what a person uploads is theirs", async () => {
      const seeder = await startPeer("seeder", { uploadLimit: SLOW });
      const [first, second] = [await shareFile(seeder, await file(8)), await shareFile(seeder, await file(9))];
      const peer = await startPeer("busy", { diskQuota: 8 * MB });
      await shareFile(peer, await file(10, 20 * MB));
      const { key } = await peer.session.download({ source: first.link });
      assert.equal((await peer.session.snapshot()).peer.obtainedBytes, 5 * MB);
      await assert.rejects(peer.session.download({ source: second.link }), { code: "quota-exceeded" });
      await peer.session.pause(key);
      const other = await peer.session.download({ source: second.link });
      await assert.rejects(peer.session.resume(key), { code: "quota-exceeded" });
      assert.equal((await videoWhere(peer, "it waits", (v) => v.key === key)).state, "paused");
      await peer.session.cancel(other.key);
      await peer.session.resume(key);
    });

    it("lowered below what is used, stops and deletes nothing, nor does a restart", async () => {
      const seeder = await startPeer("seeder", { uploadLimit: 2 * MB });
      const done = await shareFile(seeder, await file(11, 1 * MB));
      const long = await shareFile(seeder, await file(12));
      const peer = await startPeer("over", { diskQuota: 10 * MB });
      const { key } = await peer.session.download({ source: done.link });
      const { path } = await videoWhere(peer, "the first is done", (v) => v.key === key && v.state === "ready");
      const running = await peer.session.download({ source: long.link });
      await peer.session.setLimits({ ...NO_LIMITS, diskQuota: 1 * MB });
      const again = await restartPeer({ ...peer, config: { ...peer.config, diskQuota: 1 * MB } });
      await videoWhere(again, "the second goes on to its end", (v) => v.key === running.key && v.state === "ready");
      assert.ok(existsSync(path));
    });

    it("is looked at when the size of a magnet link's video becomes known", async () => {
      const seeder = await startPeer("seeder");
      const { magnet } = await shareFile(seeder, await file(13), "public");
      const peer = await startPeer("magnet", { diskQuota: 1 * MB });
      const source = `${magnet}&x.pe=127.0.0.1:${await portOf(seeder)}`;
      const { key } = await peer.session.download({ source });
      const { error } = await videoWhere(peer, "it fails", (v) => v.key === key && v.state === "failed");
      assert.equal(error?.code, "quota-exceeded");
      assert.deepEqual(error?.data, { quota: 1 * MB, needed: 5 * MB, used: 0 });
    });
  });
});
