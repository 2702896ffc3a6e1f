import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { readThumbnail } from "../../src/wire/thumbnail";
import { CLIP_MP4, hasFfmpeg, makeClip } from "../helpers/makeClip";
import { JPEG } from "../helpers/pictures";
import { sha256OfFile } from "../helpers/randomFile";
import { linkVia, portOf, restartPeer, startPeer, stopSessions, type TestPeer, videoWhere } from "../helpers/sessions";
import { skip } from "../helpers/skip";
import { LOOPBACK } from "../helpers/sockets";
import { stubFfmpeg } from "../helpers/stubFfmpeg";
import { tempDir } from "../helpers/tempDir";

const NO_FFMPEG = "there is no ffmpeg here";

/** What is left of smaller copies in a peer's data folder. */
function copiesOf({ config }: TestPeer): string[] {
  const folder = join(config.dataDir, "optimised");
  return existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];
}

async function clipIn(folder: string): Promise<string> {
  const path = join(folder, "screen recording.mp4");
  await copyFile(CLIP_MP4, path);
  return path;
}

describe("an upload", function () {
  this.timeout(60_000);
  afterEach(stopSessions);

  it("says what the video is made of, to everybody", async () => {
    const alice = await startPeer("alice", { ffmpegPath: "/nowhere/ffmpeg" });
    const { key } = await alice.session.upload({ path: await clipIn(tempDir()), audience: "public", share: true });
    const own = await videoWhere(alice, "it is imported", (video) => video.state === "ready");
    const expected = { duration: 4, width: 320, height: 180, container: "mp4", codecs: "avc1.64000c, mp4a.40.2" };
    const pick = ({ duration, width, height, container, codecs }: Partial<typeof expected>) => ({
      duration,
      width,
      height,
      container,
      codecs,
    });
    assert.deepEqual(pick(own), expected);
    assert.equal(own.hasThumbnail, false, "without ffmpeg and form there is no picture");

    const bob = await startPeer("bob", { ffmpegPath: "/nowhere/ffmpeg" });
    await bob.session.connect(`${LOOPBACK}:${await portOf(alice)}`);
    const [listed] = (await bob.session.queryNetwork({ limit: 10 })).videos;
    assert.deepEqual(pick(listed!), expected);

    // From a magnet link nobody has said anything: it is read from the file.
    const carol = await startPeer("carol", { ffmpegPath: "/nowhere/ffmpeg" });
    const { magnet } = await alice.session.link(key);
    await carol.session.download({ source: magnet! });
    const got = await videoWhere(
      carol,
      "it is known",
      (video) => video.state === "ready" && video.codecs !== undefined,
    );
    assert.deepEqual(pick(got), expected);
  });

  it("gets a picture of ffmpeg where the form has none, and keeps the form's where it has", async function () {
    if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
    const alice = await startPeer("alice");
    const folder = tempDir();
    const { key } = await alice.session.upload({ path: await clipIn(folder), audience: "everyone", share: true });
    await videoWhere(alice, "it has a picture", (video) => video.state === "ready" && video.hasThumbnail);
    const picture = await alice.session.thumbnail({ key });
    assert.deepEqual(readThumbnail(Buffer.from(picture!.data, "base64")), {
      type: "image/jpeg",
      width: 320,
      height: 180,
    });

    const path = await makeClip(join(folder, "other.mp4"), { seconds: 1 });
    const thumbnail = JPEG.toString("base64");
    const other = await alice.session.upload({ path, audience: "everyone", share: true, thumbnail });
    await videoWhere(alice, "it is imported", (video) => video.key === other.key && video.state === "ready");
    assert.equal((await alice.session.thumbnail({ key: other.key }))?.data, thumbnail);
  });

  it("is imported although ffmpeg hangs", async () => {
    const { path: ffmpegPath } = stubFfmpeg("sleep 1000");
    const alice = await startPeer("alice", { ffmpegPath });
    await alice.session.upload({ path: await clipIn(tempDir()), audience: "everyone", share: true });
    await videoWhere(alice, "it is imported", (video) => video.state === "ready");
  });
});

describe("an edit", function () {
  this.timeout(60_000);
  afterEach(stopSessions);

  async function uploaded(): Promise<{ alice: TestPeer; key: string; id: string }> {
    const alice = await startPeer("alice", { ffmpegPath: "/nowhere/ffmpeg" });
    const { key } = await alice.session.upload({ path: await clipIn(tempDir()), audience: "everyone", share: true });
    const { id } = await videoWhere(alice, "it is imported", (video) => video.state === "ready");
    return { alice, key, id: id! };
  }

  it("of name, description and picture reaches another peer", async () => {
    const { alice, key, id } = await uploaded();
    const bob = await startPeer("bob");
    await bob.session.connect(`${LOOPBACK}:${await portOf(alice)}`);
    assert.equal(await bob.session.thumbnail({ id }), null);
    const thumbnail = JPEG.toString("base64");
    await alice.session.editInfo(key, { title: "New", description: "Told", thumbnail });
    const listed = async () => (await bob.session.queryNetwork({ limit: 10 })).videos[0];
    while ((await listed())?.title !== "New") await setImmediate();
    const video = await listed();
    assert.deepEqual([video?.description, video?.hasThumbnail], ["Told", true]);
    assert.equal((await bob.session.thumbnail({ id }))?.data, thumbnail);
  });

  it("is refused where somebody has changed the video meanwhile, and where the picture is none", async () => {
    const { alice, key } = await uploaded();
    const was = { title: "screen recording", description: "" };
    await alice.session.editInfo(key, { title: "Theirs", description: "" });
    const mine = { title: "Mine", description: "", was };
    await assert.rejects(alice.session.editInfo(key, mine), { code: "edit-conflict" });
    await alice.session.editInfo(key, { ...mine, was: { title: "Theirs", description: "" } });
    const svg = { title: "x", description: "", thumbnail: Buffer.from("<svg/>").toString("base64") };
    await assert.rejects(alice.session.editInfo(key, svg), { code: "invalid-argument" });
    const [video] = (await alice.session.snapshot()).videos;
    assert.equal(video?.title, "Mine");
  });
});

describe("a smaller copy", function () {
  this.timeout(90_000);
  afterEach(stopSessions);
  before(function () {
    if (process.platform === "win32") skip(this, "stand-ins of ffmpeg are shell scripts");
  });

  const request = (path: string) => ({ path, audience: "everyone", share: true, optimise: 720 }) as const;

  it("is shared in place of the file, which stays as it is, and goes with its entry", async function () {
    if (!hasFfmpeg()) return skip(this, NO_FFMPEG);
    const alice = await startPeer("alice");
    const original = await makeClip(join(tempDir(), "take 1.mkv"), { seconds: 3, width: 1920, height: 1080 });
    const before = await sha256OfFile(original);
    const { key } = await alice.session.upload(request(original));
    const made = await videoWhere(alice, "the copy is ready", (video) => video.state === "ready", 60_000);
    assert.deepEqual([made.width, made.height, made.fileName], [1280, 720, "take 1.mp4"]);
    assert.equal(made.size, statSync(made.path).size);
    assert.equal(made.title, "take 1");
    assert.equal(await sha256OfFile(original), before);

    const bob = await startPeer("bob");
    const { link } = await alice.session.link(key);
    const got = await bob.session.download({ source: linkVia(link, await portOf(alice)) });
    const whole = await videoWhere(bob, "it is downloaded", (v) => v.key === got.key && v.state === "ready");
    assert.equal(await sha256OfFile(whole.path), await sha256OfFile(made.path));

    const again = await restartPeer(alice);
    await videoWhere(again, "it is there after a restart", (video) => video.state === "ready");
    await again.session.remove(key, { deleteFile: false });
    assert.deepEqual(copiesOf(again), []);
    assert.equal(await sha256OfFile(original), before);
  });

  it("is refused at once without ffmpeg", async () => {
    const alice = await startPeer("alice", { ffmpegPath: "/nowhere/ffmpeg" });
    await assert.rejects(alice.session.upload(request(await clipIn(tempDir()))), { code: "ffmpeg-missing" });
    assert.deepEqual((await alice.session.snapshot()).videos, []);
  });

  it("shows its progress; cancelled, it leaves nothing but the original", async () => {
    // Half of the 4 s of the clip are done, and it goes on for ever.
    const stub = stubFfmpeg('echo begun > "$OUT"; echo out_time_us=2000000; sleep 1000');
    const alice = await startPeer("alice", { ffmpegPath: stub.path });
    const path = await clipIn(tempDir());
    const before = await sha256OfFile(path);
    const { key } = await alice.session.upload(request(path));
    const video = await videoWhere(alice, "it is half done", (v) => v.state === "optimising" && v.bytesDone > 0);
    assert.equal(video.bytesDone, Math.floor(video.size / 2));
    await alice.session.cancel(key);
    assert.deepEqual((await alice.session.snapshot()).videos, []);
    assert.deepEqual(copiesOf(alice), []);
    assert.equal(await sha256OfFile(path), before);
    for (const pid of readFileSync(stub.pids, "utf8").trim().split("\n")) {
      assert.throws(() => process.kill(Number(pid), 0), "ffmpeg has ended");
    }
  });

  it("of an ffmpeg that crashes has failed with a code and leaves nothing; Resume tries again", async () => {
    const stub = stubFfmpeg('echo half > "$OUT"; echo out_time_us=2000000; kill -SEGV $$');
    const alice = await startPeer("alice", { ffmpegPath: stub.path });
    const { key } = await alice.session.upload(request(await clipIn(tempDir())));
    const runs = () => readFileSync(stub.pids, "utf8").trim().split("\n").length;
    const failed = await videoWhere(alice, "it has failed", (video) => video.state === "failed");
    assert.equal(failed.error?.code, "ffmpeg-failed");
    assert.deepEqual(copiesOf(alice), []);
    assert.equal(runs(), 1);
    await alice.session.resume(key);
    await videoWhere(alice, "it has failed again", (video) => video.state === "failed" && runs() === 2);
    await alice.session.cancel(key);
    assert.deepEqual((await alice.session.snapshot()).videos, []);
  });

  it("that was interrupted by a restart is begun anew, and what was half done is removed first", async () => {
    const hanging = stubFfmpeg('echo half > "$OUT"; sleep 1000');
    const alice = await startPeer("alice", { ffmpegPath: hanging.path });
    await alice.session.upload(request(await clipIn(tempDir())));
    while (copiesOf(alice).length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    // As after a kill: the state is on disk, and so is the half copy.
    const again = await restartPeer({ ...alice, config: { ...alice.config, ffmpegPath: "/nowhere/ffmpeg" } });
    const video = await videoWhere(again, "it was begun anew", (v) => v.state === "failed");
    assert.equal(video.error?.code, "ffmpeg-missing");
    assert.deepEqual(copiesOf(again), []);
  });
});
