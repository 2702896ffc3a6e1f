import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { encode } from "../../src/wire/bencode";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { portOf, startPeer, stopSessions, videoWhere } from "../helpers/sessions";
import { skip } from "../helpers/skip";
import { LOOPBACK } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";
import { aria2, finished, Libtorrent, stopClients, whyNo, whyNoLibtorrent } from "./clients";

const SIZE = 2 * 1024 * 1024 + 777;

/**
 * aria2 1.36 cannot open hybrid torrents (it drops the empty key of the file tree and computes another hash), so it gets one of
 * v1 only, which Streamlet has downloaded before. Such a video has no record, so a tracker of the test tells it where we are.
 */
describe("aria2", function () {
  this.timeout(60_000);
  let tracker: Server;
  let peer: Buffer;

  before(function () {
    const why = whyNo("aria2c", "aria2") ?? whyNoLibtorrent();
    if (why) skip(this, why);
  });
  beforeEach(async () => {
    tracker = createServer((_, response) => {
      response.end(
        encode(
          new Map<string, number | Uint8Array>([
            ["interval", 5],
            ["peers", peer],
          ]),
        ),
      );
    });
    await new Promise<void>((done) => tracker.listen(0, LOOPBACK, done));
  });
  afterEach(async () => {
    await stopClients();
    await stopSessions();
    tracker.closeAllConnections();
    await new Promise((done) => tracker.close(done));
  });

  for (const encryption of ["of its own choice", "none"] as const) {
    it(`downloads a v1 torrent that Streamlet has downloaded before, encryption ${encryption}`, async () => {
      const folder = tempDir("aria2");
      const original = await randomFile(join(folder, "clip.mp4"), SIZE, 3);
      const seeder = await Libtorrent.run({ save: folder, create: { file: original, version: "v1" } });
      const torrent = join(folder, "clip.torrent");
      await writeFile(torrent, seeder.torrent);
      const bob = await startPeer("Bob");
      const { key } = await bob.session.download({ source: torrent, peers: [`${LOOPBACK}:${seeder.port}`] });
      await bob.session.downloadResult(key);
      await videoWhere(bob, "it is shared", (v) => v.key === key && v.state === "ready" && v.shared);
      await stopClients();
      await rename(original, `${original}.away`);

      peer = Buffer.alloc(6);
      peer.set([127, 0, 0, 1]);
      peer.writeUInt16BE(await portOf(bob), 4);
      const { port } = tracker.address() as AddressInfo;
      const save = join(folder, "out");
      await mkdir(save);
      const extra = encryption === "none" ? ["--bt-min-crypto-level=plain", "--bt-require-crypto=false"] : [];
      await finished(aria2(torrent, save, [`--bt-tracker=http://${LOOPBACK}:${port}/announce`, ...extra]), "aria2");
      assert.equal(await sha256OfFile(join(save, "clip.mp4")), await sha256OfFile(`${original}.away`));
    });
  }
});
