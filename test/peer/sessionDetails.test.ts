import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VideoDetails, VideoSource } from "../../src/peer/status";
import { parseTorrent } from "../../src/wire/metainfo";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { linkVia, NO_LIMITS, portOf, shareFile, startPeer, type TestPeer, videoWhere } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { answerWhere } from "../helpers/until";
import { withTracker } from "../helpers/withTracker";

const MIB = 1024 * 1024;
const SIZE = 4 * MIB;
const PIECES = 16;

const share = (base64: string) => [...Buffer.from(base64, "base64")];

function detailsWhere(
  { session }: TestPeer,
  video: string,
  what: string,
  fits: (details: VideoDetails) => boolean,
): Promise<VideoDetails> {
  return answerWhere(what, () => session.details(video), fits);
}

describe("Details of a video", function () {
  this.timeout(40_000);
  const net = withTracker();
  let file: string;

  before(async () => {
    file = await randomFile(join(tempDir(), "demo.mp4"), SIZE, 77);
  });

  it("of one's own: all pieces are here, and oneself is a source", async () => {
    const alice = await startPeer("alice");
    const { id, key } = await shareFile(alice, file);
    const details = await alice.session.details(id);
    assert.deepEqual(await alice.session.details(key), details, "by id or by key");
    const { pieces, sources, pieceCount, pieceLength } = details;
    assert.deepEqual([details.id, pieceCount, pieceLength], [id, PIECES, SIZE / PIECES]);
    assert.ok(pieces && share(pieces.here).every((cell) => cell === 255));
    assert.deepEqual([pieces.hereCount, pieces.missingCount, pieces.leastSources], [PIECES, 0, 0]);
    const expected: Partial<VideoSource> = { peerId: "alice", self: true, connected: true, have: 1 };
    assert.equal(sources.length, 1);
    assert.deepEqual({ ...sources[0], ...expected }, sources[0]);
    assert.equal(sources[0]?.address, `127.0.0.1:${await portOf(alice)}`);
  });

  it("of what is only offered: its sources by name, and nobody is connected to", async () => {
    const alice = await startPeer("alice", { trackers: [net.address] });
    const { id } = await shareFile(alice, file);
    await videoWhere(alice, "published", (video) => video.publishedOn === 1);
    const bob = await startPeer("bob", { trackers: [net.address] });
    const details = await detailsWhere(bob, id, "alice is known", ({ sources }) => sources.length === 1);
    assert.deepEqual([details.pieceCount, details.pieces], [PIECES, undefined]);
    const [source] = details.sources;
    assert.deepEqual(
      [source?.peerId, source?.self, source?.connected, source?.have, source?.address],
      ["alice", false, false, undefined, `127.0.0.1:${await portOf(alice)}`],
    );
    assert.equal((await bob.session.snapshot()).peer.connections, 0);
    await assert.rejects(bob.session.details("ab".repeat(32)), { code: "unknown-video" });
    await assert.rejects(bob.session.details("no key"), { code: "unknown-video" });
  });

  it("of what a connected peer offers, with no tracker at all", async () => {
    const alice = await startPeer("alice");
    const { id } = await shareFile(alice, file);
    const bob = await startPeer("bob");
    await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
    const { sources } = await bob.session.details(id);
    assert.deepEqual(
      sources.map(({ peerId, connected }) => [peerId, connected]),
      [["alice", false]],
    );
    const { link, magnet } = await bob.session.link(id);
    const { searchParams, pathname } = new URL(link);
    assert.deepEqual([pathname, searchParams.get("h"), magnet], [`/v/${id}`, `127.0.0.1:${await portOf(alice)}`, null]);
    await assert.rejects(bob.session.link("ab".repeat(32)), { code: "unknown-video" });
  });

  it("of a download: pieces come in, are under way, and each source says how much it has", async () => {
    const alice = await startPeer("alice", { trackers: [net.address], uploadLimit: 1.5 * MIB });
    const { id } = await shareFile(alice, file);
    await videoWhere(alice, "published", (video) => video.publishedOn === 1);
    const bob = await startPeer("bob", { trackers: [net.address] });
    await videoOffered(bob, id);
    const { key } = await bob.session.download({ source: id });
    const half = await detailsWhere(bob, key, "some pieces are here", ({ pieces }) => (pieces?.hereCount ?? 0) > 2);
    const { pieces, sources } = half;
    assert.ok(pieces && pieces.hereCount < PIECES);
    assert.equal(share(pieces.here).filter((cell) => cell === 255).length, pieces.hereCount);
    assert.ok(share(pieces.fetching).some((count) => count > 0));
    assert.deepEqual([pieces.leastSources, pieces.missingCount], [1, 0]);
    const [self, other] = sources;
    assert.deepEqual([self?.self, self?.peerId], [true, "bob"]);
    assert.ok(self?.have && self.have > 0 && self.have < 1);
    assert.deepEqual(
      [other?.peerId, other?.connected, other?.have, other?.transport, other?.address],
      ["alice", true, 1, "tls", `127.0.0.1:${await portOf(alice)}`],
    );
    assert.match(other?.client ?? "", /^Streamlet/);
    assert.ok((other?.downRate ?? 0) > 0);
    assert.equal(sources.length, 2, "each once, though the tracker names them too");

    await bob.session.pause(key);
    const paused = await bob.session.details(key);
    assert.ok((paused.pieces?.hereCount ?? 0) >= pieces.hereCount, "a pause forgets nothing");
    assert.deepEqual(
      paused.sources.map(({ connected, self }) => [connected, self]),
      [
        [true, true],
        [false, false],
      ],
    );
    const theirs = await detailsWhere(alice, id, "bob is gone", ({ sources: at }) =>
      at.every((s) => s.peerId !== "bob" || !s.connected),
    );
    assert.equal(theirs.sources[0]?.self, true);
    await alice.session.setLimits(NO_LIMITS);
    await bob.session.resume(key);
    await bob.session.downloadResult(key);
    assert.equal((await bob.session.details(key)).pieces?.hereCount, PIECES);
    await bob.session.remove(key, { deleteFile: true });
    const removed = await bob.session.details(id);
    assert.equal(removed.pieces, undefined);
    assert.ok(removed.sources.every((source) => !source.self));
    await assert.rejects(bob.session.details(key), { code: "unknown-video" });
  });

  async function videoOffered(peer: TestPeer, id: string): Promise<void> {
    const ask = async () => {
      await peer.session.refresh();
      return (await peer.session.queryNetwork({ id: id as never, limit: 5 })).videos;
    };
    const videos = await answerWhere("it is offered", ask, ({ length }) => length === 1);
    assert.equal(videos[0]?.id, id);
  }
});

describe("The torrent file of a video", function () {
  this.timeout(40_000);
  let file: string;

  before(async () => {
    file = await randomFile(join(tempDir(), "demo.mp4"), SIZE, 78);
  });
  const net = withTracker();

  it("holds the info dictionary byte for byte and the piece hashes, and our own reader takes it", async () => {
    const trackers = [net.address, `${net.address}?token=secret`];
    const alice = await startPeer("alice", { trackers });
    const { key, id } = await shareFile(alice, file, "public");
    const { fileName, data } = await alice.session.torrentFile(key);
    assert.equal(fileName, "demo.mp4.torrent");
    const torrent = parseTorrent(Buffer.from(data, "base64"));
    assert.equal(torrent.info.id, id);
    assert.equal(torrent.pieceLayer?.length, PIECES * 32);
    assert.deepEqual(torrent.announce, [`http://${net.address}/announce`], "no token gets into it");

    const bob = await startPeer("bob");
    const path = join(tempDir(), fileName);
    writeFileSync(path, Buffer.from(data, "base64"));
    await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
    const download = await bob.session.download({ source: path });
    const done = await bob.session.downloadResult(download.key);
    assert.equal(await sha256OfFile(done.path), await sha256OfFile(file));
    const again = await bob.session.torrentFile(download.key);
    assert.deepEqual(parseTorrent(Buffer.from(again.data, "base64")).infoBytes, torrent.infoBytes);
  });

  it("of a video of one piece has no layers, and is read all the same", async () => {
    const alice = await startPeer("alice");
    const small = await randomFile(join(tempDir(), "small.mp4"), 100_000, 5);
    const { key, id } = await shareFile(alice, small, "public");
    const torrent = parseTorrent(Buffer.from((await alice.session.torrentFile(key)).data, "base64"));
    assert.deepEqual([torrent.info.id, torrent.pieceLayer, torrent.announce], [id, undefined, []]);
  });

  it("exists for public videos only, and once all hashes are here", async () => {
    const alice = await startPeer("alice", { uploadLimit: 200_000 });
    const { key } = await shareFile(alice, file);
    await assert.rejects(alice.session.torrentFile(key), { code: "invalid-argument", message: /Public/ });
    await assert.rejects(alice.session.torrentFile("no such key"), { code: "unknown-video" });
    await alice.session.share(key, "public");
    const { link, magnet } = await alice.session.link(key);
    assert.ok((await alice.session.torrentFile(key)).data);
    const bob = await startPeer("bob");
    await alice.session.stop();
    const { key: waiting } = await bob.session.download({ source: linkVia(magnet ? link : "", 1) });
    await assert.rejects(bob.session.torrentFile(waiting), { code: "invalid-argument" });
  });

  it("has a name that no file system takes for anything else", async () => {
    const folder = tempDir();
    mkdirSync(folder, { recursive: true });
    const odd = await randomFile(join(folder, "con:\u202egnp.exe?.mp4"), 50_000, 6);
    const alice = await startPeer("alice");
    const { key } = await shareFile(alice, odd, "public");
    const { fileName } = await alice.session.torrentFile(key);
    assert.match(fileName, /^[\w.-]+\.mp4\.torrent$/);
  });
});
