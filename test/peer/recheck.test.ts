import assert from "node:assert/strict";
import { copyFile, open, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import {
  linkVia,
  NO_LIMITS,
  portOf,
  restartPeer,
  runtimeOf,
  shareFile,
  startPeer,
  stopSessions,
  type TestPeer,
  videoWhere,
} from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const PIECE = 256 * 1024;

/** Turns bytes over as a bad disk does: size and time stay. */
async function rot(path: string, ...positions: number[]): Promise<void> {
  const { atime, mtime } = await stat(path);
  const file = await open(path, "r+");
  for (const position of positions) {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
    await file.write(Buffer.of(buffer[0]! ^ 1), 0, 1, position);
  }
  await file.close();
  await utimes(path, atime, mtime);
}

describe("A recheck", function () {
  this.timeout(30_000);
  let file: string;
  let sum: string;
  let alice: TestPeer;
  let link: string;

  before(async () => {
    file = await randomFile(join(tempDir("recheck"), "clip.mp4"), SIZE, 61);
    sum = await sha256OfFile(file);
  });
  beforeEach(async () => {
    alice = await startPeer("alice");
    ({ link } = await shareFile(alice, file));
  });
  afterEach(stopSessions);

  const obtained = async () => {
    const bob = await startPeer("bob");
    const { key } = await bob.session.download({ source: link });
    const { path } = await bob.session.downloadResult(key);
    return { bob, key, path };
  };
  const is = (peer: TestPeer, key: string, state: string) =>
    videoWhere(peer, `it is ${state}`, (v) => v.key === key && v.state === state);

  it("finds a byte that has turned over in a finished video, fetches that piece alone again, and gives nothing wrong on", async () => {
    const { bob, key, path } = await obtained();
    await rot(path, 5 * PIECE + 100);
    // The piece takes some seconds: carol comes while it is mended.
    await alice.session.setLimits({ ...NO_LIMITS, uploadLimit: 100_000 });
    const down = () => runtimeOf(bob, key).swarm?.down.total ?? 0;
    const checked = bob.session.recheck(key);
    const checking = (await bob.session.snapshot()).videos[0]!;
    assert.equal(checking.state, "checking");
    assert.equal(checking.shared, false, "nobody is offered it meanwhile");
    const carol = await startPeer("carol");
    await carol.session.connect(`127.0.0.1:${await portOf(bob)}`);
    const got = await carol.session.download({ source: linkVia(link) });
    const mending = await is(bob, key, "downloading");
    assert.equal(mending.bytesDone, SIZE - PIECE);
    await is(bob, key, "ready");
    assert.deepEqual(await checked, { wrongBytes: PIECE });
    assert.ok(down() <= PIECE, `${down()} bytes came`);
    assert.equal((await bob.session.snapshot()).videos[0]!.path, path);
    assert.equal(await sha256OfFile(path), sum);
    assert.equal(await sha256OfFile((await carol.session.downloadResult(got.key)).path), sum);
  });

  it("finds nothing wrong with a whole video, whatever time its file has", async () => {
    const { bob, key, path } = await obtained();
    assert.deepEqual(await bob.session.recheck(key), { wrongBytes: 0 });
    await is(bob, key, "ready");
    await utimes(path, new Date(), new Date(0));
    await assert.rejects(bob.session.openStream(key), { code: "file-changed" });
    await is(bob, key, "fileChanged");
    await bob.session.resume(key);
    await is(bob, key, "ready");
    assert.equal(await sha256OfFile(path), sum);
  });

  it("says so where a file of the person's own has changed, never writes to it, and does not forget it", async () => {
    const mine = join(tempDir("mine"), "mine.mp4");
    await copyFile(file, mine);
    let dave = await startPeer("dave");
    const { key } = await shareFile(dave, mine);
    await rot(mine, 3 * PIECE);
    const changed = await readFile(mine);
    await assert.rejects(dave.session.recheck(key), { code: "file-changed" });
    const { error } = await is(dave, key, "fileChanged");
    assert.equal(error?.code, "file-changed");
    dave = await restartPeer(dave);
    await is(dave, key, "fileChanged");
    assert.ok((await readFile(mine)).equals(changed));
    await rot(mine, 3 * PIECE);
    await dave.session.recheck(key);
    await is(dave, key, "ready");
  });

  it("mends a video of a single piece, too", async () => {
    const small = await randomFile(join(tempDir("small"), "small.mp4"), 100_000, 63);
    const shared = await shareFile(alice, small);
    const bob = await startPeer("bob");
    const { key } = await bob.session.download({ source: shared.link });
    const { path } = await bob.session.downloadResult(key);
    await rot(path, 50_000);
    await bob.session.recheck(key);
    await is(bob, key, "ready");
    assert.equal(await sha256OfFile(path), await sha256OfFile(small));
  });

  it("leaves a file alone that is quite another one", async () => {
    const { bob, key, path } = await obtained();
    await randomFile(path, SIZE, 62);
    await assert.rejects(bob.session.recheck(key), { code: "file-changed" });
    await is(bob, key, "fileChanged");
    assert.notEqual(await sha256OfFile(path), sum);
    assert.equal((await stat(path)).size, SIZE);
  });

  it("ends when it is cancelled, and the video is still there", async () => {
    const { bob, key } = await obtained();
    for (const end of ["cancel", "pause"] as const) {
      const checked = assert.rejects(bob.session.recheck(key), { code: "cancelled" });
      await bob.session[end](key);
      await checked;
      await is(bob, key, "ready");
    }
    await assert.rejects(bob.session.recheck("nothing"), { code: "unknown-video" });
  });

  it("goes on after a restart", async () => {
    const { bob, key, path } = await obtained();
    await rot(path, 7 * PIECE);
    const cut = assert.rejects(bob.session.recheck(key), { code: "cancelled" });
    const again = await restartPeer(bob);
    await cut;
    await is(again, key, "ready");
    assert.equal(await sha256OfFile(path), sum);
  });

  it("of an unfinished download counts only what is right, and leaves it paused", async () => {
    await alice.session.setLimits({ ...NO_LIMITS, uploadLimit: 2 * MIB });
    const bob = await startPeer("bob");
    const { key } = await bob.session.download({ source: link });
    await videoWhere(bob, "half is there", (v) => v.bytesDone >= SIZE / 4);
    await bob.session.pause(key);
    const { path, bytesDone } = await is(bob, key, "paused");
    // Pieces come in no order: one byte in each of them.
    await rot(path, ...Array.from({ length: SIZE / PIECE }, (_, piece) => piece * PIECE + 7));
    await alice.session.setLimits({
      uploadLimit: 0,
      downloadLimit: 0,
      maxConnections: 0,
      uploadSlots: 0,
      diskQuota: 0,
    });
    await alice.session.stop();
    await bob.session.recheck(key);
    await videoWhere(bob, "it is checked", (v) => v.state === "paused" && v.bytesDone === 0);
    assert.ok(bytesDone > 0);
    alice = await startPeer("alice", alice.config);
    await bob.session.resume(key);
    await bob.session.connect(`127.0.0.1:${await portOf(alice)}`);
    assert.equal(await sha256OfFile((await bob.session.downloadResult(key)).path), sum);
  });
});
