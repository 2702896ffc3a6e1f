import assert from "node:assert/strict";
import { join } from "node:path";
import { befriend, contactOf, fingerprintOf, networkWhere } from "../helpers/friends";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { portOf, shareFile, startPeer, stopSessions } from "../helpers/sessions";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";

const MIB = 1024 * 1024;

describe("a video for friends", function () {
  this.timeout(40_000);
  let file: string;
  let sha256: string;

  before(async () => {
    file = await randomFile(join(tempDir(), "secret.mp4"), 6 * MIB, 77);
    sha256 = await sha256OfFile(file);
  });
  afterEach(stopSessions);

  it("is listed at a friend and fetched by id, from the owner and from a friend who has it, also without the owner", async () => {
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const carol = await startPeer("carol");
    await befriend(alice, bob);
    await befriend(alice, carol);
    await befriend(bob, carol);
    const { id } = await shareFile(alice, file, "friends");
    const [listed] = await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    assert.deepEqual(
      [listed!.id, listed!.audience, listed!.owner, listed!.ownerFingerprint, listed!.friend, listed!.mine],
      [id, "friends", "alice", await fingerprintOf(alice), true, false],
    );
    await networkWhere(carol, "carol sees it", (videos) => videos.length === 1);
    const { key } = await bob.session.download({ source: id });
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), sha256);

    await alice.session.stop();
    const again = await carol.session.download({ source: id });
    const copy = await carol.session.downloadResult(again.key);
    assert.equal(await sha256OfFile(copy.path), sha256);
    assert.deepEqual(
      (await carol.session.snapshot()).videos.map((v) => [v.audience, v.ownerFingerprint, v.shared]),
      [["friends", listed!.ownerFingerprint, true]],
    );
  });

  it("comes from an owner who cannot be reached: a friend asks over the connection that the owner has made", async function () {
    if (process.platform === "darwin") skip(this, "macOS has one loopback address only");
    // Listens on one address of the machine, and is seen to come from another.
    const alice = await startPeer("alice", { host: "127.0.0.2" });
    const bob = await startPeer("bob");
    await alice.session.addFriend(await contactOf(bob));
    const { id } = await shareFile(alice, file, "friends");
    await networkWhere(bob, "bob sees it", (videos) => videos.length === 1);
    await assert.rejects(bob.session.connect(`127.0.0.1:${await portOf(alice)}`), { code: "connection-refused" });
    const { key } = await bob.session.download({ source: id });
    const { path } = await bob.session.downloadResult(key);
    assert.equal(await sha256OfFile(path), sha256);
  });

  it("is fetched by its link by a friend who is not connected to its owner; without the owner that is said", async () => {
    const alice = await startPeer("alice");
    const bob = await startPeer("bob");
    const { link } = await shareFile(alice, file, "friends");
    await assert.rejects(bob.session.download({ source: link }), { code: "unknown-video" });
    await alice.session.addFriend(await fingerprintOf(bob));
    await alice.session.stop();
    await assert.rejects(bob.session.download({ source: link }), { code: "no-sources" });
    const port = Number(new URL(link).searchParams.get("h")!.split(":")[1]);
    const again = startPeer("alice", { ...alice.config, port });
    // An owner who has just started says nothing of what is shared before it is known.
    let key: string | undefined;
    await until("the owner answers", async () => {
      const asked = bob.session.download({ source: link }).catch((error) => {
        if (error.code !== "no-sources") throw error;
        return undefined;
      });
      key = (await asked)?.key;
      return key !== undefined;
    });
    const { path } = await bob.session.downloadResult(key!);
    assert.equal(await sha256OfFile(path), sha256);
    await again;
  });
});
