import assert from "node:assert/strict";
import { rm, stat, utimes, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { basename, join } from "node:path";
import type { Worker } from "node:worker_threads";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { linkVia, portOf, restartPeer, shareFile, startPeer, stopSessions, videoWhere } from "../helpers/sessions";
import { startRelay } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";

const KIB = 1024;
const MIB = 1024 * KIB;

async function download(peer: Awaited<ReturnType<typeof startPeer>>, link: string) {
  const { key } = await peer.session.download({ source: link });
  return { key, result: await peer.session.downloadResult(key) };
}

describe("a transfer between two peers", function () {
  this.timeout(30_000);
  afterEach(stopSessions);

  for (const size of [64, 16 * KIB, 16 * KIB + 1, 100_000, 256 * KIB, 256 * KIB + 1, 3 * MIB + 12_345, 65 * MIB + 1]) {
    it(`is byte-identical for ${size} bytes`, async () => {
      const file = await randomFile(join(tempDir(), "clip.mp4"), size, size);
      const alice = await startPeer("alice");
      const bob = await startPeer("bob");
      const { link } = await shareFile(alice, file);
      const { result } = await download(bob, link);
      assert.equal(result.bytes, size);
      assert.equal(await sha256OfFile(result.path), await sha256OfFile(file));
      await assert.rejects(stat(`${result.path}.part`));
    });
  }

  it("has the video's name in the end, also where the name comes a round trip after the last block", async () => {
    const file = await randomFile(join(tempDir(), "holiday.mp4"), 20_000, 3);
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    const late = (chunk: Buffer, socket: Socket) => setTimeout(() => socket.write(chunk), 60);
    const relay = await startRelay(await portOf(alice), late, late);
    const { result } = await download(bob, linkVia(link, relay.port));
    const video = await videoWhere(bob, "the title is known", (v) => v.title === "holiday");
    assert.equal(basename(result.path), "holiday.mp4");
    assert.equal(video.path, result.path);
    assert.equal(await sha256OfFile(video.path), await sha256OfFile(file));
    relay.close();
  });

  it("survives the death of the thread that checks and writes", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 6 * MIB, 4);
    const alice = await startPeer("alice", { uploadLimit: 3 * MIB });
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    await videoWhere(bob, "some is there", (v) => v.bytesDone > 0);
    const { verifier } = (bob.session as unknown as { running: { verifier: { worker: Worker } } }).running;
    await verifier.worker.terminate();
    const over = await videoWhere(
      bob,
      "it goes on, or says that it failed",
      (v) => v.bytesDone > 3 * MIB || v.state === "failed",
    );
    if (over.state === "failed") await bob.session.resume(key);
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
  });

  it("keeps what one has when another asks: a leecher serves too", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 3 * MIB, 7);
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const carol = await startPeer("carol");
    const { link } = await shareFile(alice, file);
    await download(bob, link);
    await alice.session.stop();
    await carol.session.connect(`127.0.0.1:${await portOf(bob)}`);
    const { result } = await download(carol, linkVia(link));
    assert.equal(await sha256OfFile(result.path), await sha256OfFile(file));
  });

  it("serves the pieces that it has while it still downloads", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 6 * MIB, 8);
    const alice = await startPeer("alice", { uploadLimit: 1.5 * MIB });
    const bob = await startPeer("bob");
    const carol = await startPeer("carol");
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    await videoWhere(bob, "bob has some", (v) => v.bytesDone >= 512 * KIB);
    await carol.session.connect(`127.0.0.1:${await portOf(bob)}`);
    const got = await carol.session.download({ source: linkVia(link) });
    const some = await videoWhere(carol, "carol has some from bob", (v) => v.bytesDone > 0);
    assert.equal(some.state, "downloading");
    const [bobs, carols] = await Promise.all([bob.session.downloadResult(key), carol.session.downloadResult(got.key)]);
    const wanted = await sha256OfFile(file);
    assert.equal(await sha256OfFile(bobs.path), wanted);
    assert.equal(await sha256OfFile(carols.path), wanted);
  });

  it("takes blocks from several sources at once", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 8 * MIB, 9);
    const sources = await Promise.all(["a1", "a2", "a3"].map((name) => startPeer(name, { uploadLimit: 2 * MIB })));
    const links = await Promise.all(sources.map((peer) => shareFile(peer, file)));
    const bob = await startPeer("bob");
    for (const source of sources) await bob.session.connect(`127.0.0.1:${await portOf(source)}`);
    const got = bob.session.download({ source: linkVia(links[0]!.link) });
    const three = await videoWhere(bob, "three sources give", (v) => v.peers === 3);
    assert.equal(three.peers, 3);
    const { key } = await got;
    const result = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(result.path), await sha256OfFile(file));
    const sent = await Promise.all(sources.map(async (s) => (await s.session.snapshot()).videos[0]!));
    assert.equal(sent.length, 3);
  });

  it("goes on where it was after a restart, and fetches nothing twice", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 6 * MIB, 10);
    const alice = await startPeer("alice", { uploadLimit: 2 * MIB });
    let bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    await bob.session.download({ source: link });
    const before = await videoWhere(bob, "half is there", (v) => v.bytesDone >= 2 * MIB);
    bob = await restartPeer(bob);
    const after = (await bob.session.snapshot()).videos[0]!;
    assert.ok(after.bytesDone >= before.bytesDone, "what was reported as done is there");
    const result = await bob.session.downloadResult(after.key);
    assert.equal(await sha256OfFile(result.path), await sha256OfFile(file));
  });

  it("pauses, resumes, and cancels without a trace", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 4 * MIB, 11);
    const alice = await startPeer("alice", { uploadLimit: 1 * MIB });
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    const { path } = await videoWhere(bob, "some is there", (v) => v.bytesDone > 0);
    await bob.session.pause(key);
    const paused = (await bob.session.snapshot()).videos[0]!;
    assert.equal(paused.state, "paused");
    await bob.session.resume(key);
    const more = await videoWhere(bob, "it goes on", (v) => v.bytesDone > paused.bytesDone);
    assert.equal(more.state, "downloading");
    await bob.session.cancel(key);
    assert.deepEqual((await bob.session.snapshot()).videos, []);
    await assert.rejects(stat(path));
  });

  it("goes on when it is resumed in the moment of its pause", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 3 * MIB, 51);
    const alice = await startPeer("alice", { uploadLimit: 2 * MIB });
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file);
    const { key } = await bob.session.download({ source: link });
    await videoWhere(bob, "some is there", (v) => v.bytesDone > 0);
    await Promise.all([bob.session.pause(key), bob.session.resume(key)]);
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), await sha256OfFile(file));
  });

  it("stays whole when it is paused in the moment of its end", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), MIB, 52);
    const alice = await startPeer("alice");
    const { link } = await shareFile(alice, file);
    for (let wait = 0; wait < 12; wait++) {
      const bob = await startPeer("bob");
      const { key } = await bob.session.download({ source: link });
      await new Promise((resolve) => setTimeout(resolve, wait * 3));
      await bob.session.pause(key);
      await bob.session.resume(key);
      const { path } = await bob.session.downloadResult(key);
      assert.equal(await sha256OfFile(path), await sha256OfFile(file));
      await bob.session.stop();
    }
  });

  it("completes through connections that are cut at any byte", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 600 * KIB, 12);
    const alice = await startPeer("alice");
    const { link } = await shareFile(alice, file);
    const target = await portOf(alice);
    for (const cut of [1, 70, 700, 1500, 3000, 5000, 9000, 17_000, 40_000, 150_000, 400_000]) {
      let connections = 0;
      const seen = new WeakMap<object, number>();
      const relay = await startRelay(
        target,
        (chunk, server, client) => {
          if (!seen.has(client)) seen.set(client, connections++ === 0 ? cut : Number.POSITIVE_INFINITY);
          server.write(chunk);
        },
        (chunk, client) => {
          const left = seen.get(client) ?? Number.POSITIVE_INFINITY;
          client.write(chunk.subarray(0, left));
          seen.set(client, left - chunk.length);
          if (left <= chunk.length) client.destroy();
        },
      );
      const bob = await startPeer("bob");
      const { result } = await download(bob, linkVia(link, relay.port));
      assert.equal(await sha256OfFile(result.path), await sha256OfFile(file), `cut at ${cut}`);
      assert.ok(connections >= 2, `cut at ${cut}`);
      await bob.session.stop();
      relay.close();
    }
  });

  it("stops serving a file that has changed, and says so", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 2 * MIB, 13);
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const { link, key } = await shareFile(alice, file);
    await randomFile(file, 2 * MIB, 14);
    await bob.session.download({ source: link });
    const video = await videoWhere(alice, "the change is seen", (v) => v.state === "fileChanged");
    assert.equal(video.error?.code, "file-changed");
    assert.equal((await bob.session.snapshot()).videos[0]!.bytesDone, 0);
    await rm(file);
    await alice.session.resume(key);
    const gone = await videoWhere(alice, "it is gone", (v) => v.state === "fileMissing");
    assert.equal(gone.error?.code, "file-missing");
  });

  it("bans a source whose blocks are wrong, and gets the video from another", async () => {
    const dir = tempDir();
    const honest = await randomFile(join(dir, "a", "clip.mp4"), 4 * MIB, 15).catch(async () => {
      const { mkdir } = await import("node:fs/promises");
      await mkdir(join(dir, "a"));
      return randomFile(join(dir, "a", "clip.mp4"), 4 * MIB, 15);
    });
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(dir, "b"));
    const lying = await randomFile(join(dir, "b", "clip.mp4"), 4 * MIB, 15);
    const alice = await startPeer("alice", { uploadLimit: 4 * MIB });
    const mallory = await startPeer("mallory");
    const { link } = await shareFile(alice, honest);
    await shareFile(mallory, lying);
    // Other bytes under the same size and time: mallory serves lies with the right hashes.
    const { mtime, atime } = await stat(lying);
    const wrong = await randomFile(join(dir, "wrong.mp4"), 4 * MIB, 16);
    const { readFile } = await import("node:fs/promises");
    await writeFile(lying, await readFile(wrong), { flag: "r+" });
    await utimes(lying, atime, mtime);
    const bob = await startPeer("bob");
    await bob.session.connect(`127.0.0.1:${await portOf(mallory)}`);
    const { key } = await bob.session.download({ source: linkVia(link) });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const fooled = (await bob.session.snapshot()).videos[0]!;
    assert.equal(fooled.state, "downloading");
    assert.equal(fooled.bytesDone, 0, "no wrong block counts");
    await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
    const result = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(result.path), await sha256OfFile(honest));
  });

  it("gives nothing to anybody once it is not shared any more", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 4 * MIB, 17);
    const alice = await startPeer("alice", { uploadLimit: 1 * MIB });
    const bob = await startPeer("bob");
    const { link, key } = await shareFile(alice, file);
    await bob.session.download({ source: link });
    await videoWhere(bob, "some is there", (v) => v.bytesDone > 0);
    await alice.session.unshare(key);
    await videoWhere(alice, "nobody is connected", (v) => v.peers === 0);
    const before = await videoWhere(bob, "its source is gone", (v) => v.peers === 0);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const after = (await bob.session.snapshot()).videos[0]!;
    assert.equal(after.bytesDone, before.bytesDone);
  });

  it("never dials somebody else than the link names", async () => {
    const file = await randomFile(join(tempDir(), "clip.mp4"), 1 * MIB, 18);
    const alice = await startPeer("alice");
    const impostor = await startPeer("alice");
    const { link } = await shareFile(alice, file);
    await shareFile(impostor, file);
    const bob = await startPeer("bob");
    await bob.session.download({ source: linkVia(link, await portOf(impostor)) });
    await new Promise((resolve) => setTimeout(resolve, 800));
    assert.equal((await bob.session.snapshot()).videos[0]!.bytesDone, 0);
  });
});
