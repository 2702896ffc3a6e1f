import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseTorrent } from "../../src/wire/metainfo";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { NO_LIMITS, portOf, shareFile, startPeer, stopSessions, videoWhere } from "../helpers/sessions";
import { skip } from "../helpers/skip";
import { LOOPBACK } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";
import { startTracker, stopAll } from "../tracker/support";
import { Libtorrent, stopClients, whyNoLibtorrent } from "./clients";

/** Several hundred blocks, several pieces, and a last piece and a last block that are short. */
const SIZE = 3 * 1024 * 1024 + 12_345;

describe("libtorrent 2", function () {
  this.timeout(60_000);
  let folder: string;
  let original: string;
  let hash: string;

  before(async function () {
    const why = whyNoLibtorrent();
    if (why) skip(this, why);
    folder = tempDir("interop");
    original = await randomFile(join(folder, "demo of the day.mp4"), SIZE, 7);
    hash = await sha256OfFile(original);
  });
  afterEach(async () => {
    await stopClients();
    await stopSessions();
    await stopAll();
  });

  const fresh = async (name: string): Promise<string> => {
    const path = join(tempDir(name), "out");
    await mkdir(path);
    return path;
  };
  const alice = async (trackers: string[] = []) => {
    const peer = await startPeer("Alice", { trackers });
    const { id, key, magnet } = await shareFile(peer, original, "public");
    const torrent = join(await fresh("torrent"), "video.torrent");
    const file = await peer.session.torrentFile(key);
    await writeFile(torrent, Buffer.from(file.data, "base64"));
    return { peer, id, key, magnet: magnet!, torrent, at: [LOOPBACK, await portOf(peer)] as [string, number] };
  };
  const isWhole = async (save: string) => {
    assert.equal(await sha256OfFile(join(save, "demo of the day.mp4")), hash);
  };

  describe("downloads a public video from Streamlet", () => {
    for (const encryption of ["off", "default"] as const) {
      it(`by its .torrent file, encryption ${encryption}`, async () => {
        const { torrent, at } = await alice();
        const save = await fresh("leech");
        const client = await Libtorrent.run({ save, torrent, connect: [at], encryption });
        await client.done();
        await isWhole(save);
      });
    }

    for (const [what, keep] of [
      ["both hashes", /./],
      ["the v2 hash alone", /^(?!xt=urn:btih)/],
      ["the v1 hash alone", /^(?!xt=urn:btmh)/],
    ] as const) {
      it(`by a magnet link with ${what}`, async () => {
        const { magnet, at } = await alice();
        const [scheme, query = ""] = magnet.split("?");
        const parts = query.split("&").filter((part) => keep.test(part) && !part.startsWith("x.pe"));
        const save = await fresh("leech");
        const client = await Libtorrent.run({ save, magnet: `${scheme}?${parts.join("&")}`, connect: [at] });
        await client.done();
        await isWhole(save);
      });
    }

    it("whose tracker tells it where: nothing but the magnet link", async () => {
      const tracker = await startTracker();
      const { peer, key, magnet } = await alice([`${LOOPBACK}:${tracker.port}`]);
      await videoWhere(peer, "the tracker knows the video", (v) => v.key === key && v.publishedOn === 1);
      const save = await fresh("leech");
      const client = await Libtorrent.run({ save, magnet: magnet.replace(/&x\.pe=[^&]*/g, ""), encryption: "default" });
      await client.done();
      await isWhole(save);
    });
  });

  describe("is downloaded from by Streamlet", () => {
    for (const version of ["v1", "v2", "hybrid"] as const) {
      it(`a ${version} torrent, by .torrent file and by magnet link`, async () => {
        const seeder = await Libtorrent.run({ save: folder, create: { file: original, version } });
        const torrent = join(await fresh("torrent"), "video.torrent");
        await writeFile(torrent, seeder.torrent);
        const { info } = parseTorrent(seeder.torrent);
        for (const how of ["file", "magnet"] as const) {
          const at = `${LOOPBACK}:${seeder.port}`;
          const bob = await startPeer("Bob");
          const source = how === "file" ? torrent : `${seeder.magnet}&x.pe=${at}`;
          const { key } = await bob.session.download({ source, peers: how === "file" ? [at] : [] });
          const { path, bytes } = await bob.session.downloadResult(key);
          assert.equal(bytes, SIZE);
          assert.equal(await sha256OfFile(path), hash);
          const video = await videoWhere(bob, "it is whole", (v) => v.key === key && v.state === "ready");
          assert.equal(video.id, info.id);
          await bob.session.stop();
        }
      });
    }
  });

  it("and Streamlet make one swarm: each gets from the other what it has not", async () => {
    const tracker = await startTracker();
    const trackers = [`${LOOPBACK}:${tracker.port}`];
    const { peer, key, id, magnet } = await alice(trackers);
    await videoWhere(peer, "the tracker knows the video", (v) => v.key === key && v.publishedOn === 1);
    // Slow enough that all of them are there before any has it all.
    await peer.session.setLimits({ ...NO_LIMITS, uploadLimit: 1_500_000 });
    const bob = await startPeer("Bob", { trackers });
    const saves = [await fresh("one"), await fresh("two")];
    const clients = await Promise.all(saves.map((save) => Libtorrent.run({ save, magnet, encryption: "default" })));
    const got = await bob.session.download({ source: id });
    const [{ path }] = await Promise.all([
      bob.session.downloadResult(got.key),
      ...clients.map((client) => client.done()),
    ]);
    assert.equal(await sha256OfFile(path), hash);
    for (const save of saves) await isWhole(save);
  });

  it("keeps a video going when its owner is gone: Streamlet finds it through the tracker", async () => {
    const tracker = await startTracker();
    const trackers = [`${LOOPBACK}:${tracker.port}`];
    const { peer, key, magnet, torrent } = await alice(trackers);
    await videoWhere(peer, "the tracker knows the video", (v) => v.key === key && v.publishedOn === 1);
    const save = await fresh("leech");
    const client = await Libtorrent.run({ save, magnet });
    await client.done();
    await peer.session.stop();
    const bob = await startPeer("Bob", { trackers });
    const got = await bob.session.download({ source: torrent });
    const { path } = await bob.session.downloadResult(got.key);
    assert.equal(await sha256OfFile(path), hash);
  });
});
