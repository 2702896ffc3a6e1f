import assert from "node:assert/strict";
import { join } from "node:path";
import { Catalog } from "../../src/peer/tracker/catalog";
import { toHex } from "../../src/wire/bytes";
import { parseRecord, type RecordFields, signRecord } from "../../src/wire/records";
import type { VideoId } from "../../src/wire/types";
import { JPEG, WEBP } from "../helpers/pictures";
import { randomFile } from "../helpers/randomFile";
import { portOf, startPeer, stopSessions, type TestPeer, videoWhere } from "../helpers/sessions";
import { LOOPBACK, makeIdentity } from "../helpers/sockets";
import { tempDir } from "../helpers/tempDir";

const NOW = 1_800_000_000_000;

/** A catalogue that a stranger, connected to it, has told of one video with this picture. */
async function catalogWith(thumbnail: Uint8Array) {
  const identity = await makeIdentity();
  const fields: RecordFields = {
    id: "ab".repeat(32) as VideoId,
    v1: "cd".repeat(20),
    piecesRoot: "ef".repeat(32),
    pieceLength: 262_144,
    length: 1000,
    fileName: "clip.mp4",
    audience: "everyone",
    title: "Clip",
    description: "",
    ownerName: "mallory",
    thumbnail,
    sequence: 1,
    expires: NOW + 3_600_000,
    withdrawn: false,
  };
  const record = signRecord(fields, identity.privateKey, identity.spki);
  parseRecord(record, { now: NOW });
  const self = { peerId: "bob", fingerprint: (await makeIdentity()).fingerprint, host: () => LOOPBACK, port: () => 1 };
  const catalog = new Catalog({ self, now: () => NOW });
  catalog.addPeer({
    peer: { peerId: "mallory", fingerprint: identity.fingerprint, host: LOOPBACK, port: 2 },
    queryCatalog: async () => ({ records: [record], total: 1 }),
    onDidChangeCatalog: () => () => undefined,
  });
  return { catalog, id: fields.id };
}

describe("thumbnails", function () {
  this.timeout(30_000);
  afterEach(stopSessions);

  async function shareWithPicture(peer: TestPeer, picture: Buffer): Promise<{ key: string; id: string }> {
    const path = await randomFile(join(tempDir(), "clip.mp4"), 20_000, 1);
    const thumbnail = picture.toString("base64");
    const { key } = await peer.session.upload({ path, audience: "everyone", share: true, thumbnail });
    const { id } = await videoWhere(peer, "it is hashed", (video) => video.state === "ready");
    return { key, id: id! };
  }

  it("that a form has made reach another peer with the record, and stay with a download", async () => {
    const alice = await startPeer("alice");
    const { key, id } = await shareWithPicture(alice, WEBP);
    const picture = { type: "image/webp", data: WEBP.toString("base64") };
    assert.deepEqual(await alice.session.thumbnail({ key }), picture);
    assert.deepEqual(await alice.session.thumbnail({ id }), picture);

    const bob = await startPeer("bob");
    await bob.session.connect(`${LOOPBACK}:${await portOf(alice)}`);
    const [listed] = (await bob.session.queryNetwork({ limit: 10 })).videos;
    assert.equal(listed?.hasThumbnail, true);
    assert.deepEqual(await bob.session.thumbnail({ id }), picture);

    const got = await bob.session.download({ source: id });
    await videoWhere(bob, "it is downloaded, with its picture", (v) => v.state === "ready" && v.hasThumbnail);
    await alice.session.stop();
    assert.deepEqual(await bob.session.thumbnail({ key: got.key }), picture);
  });

  it("that are none are not taken from a form", async () => {
    const alice = await startPeer("alice", { ffmpegPath: "/nowhere/ffmpeg" });
    const { key } = await shareWithPicture(alice, Buffer.from("<svg/>"));
    assert.equal(await alice.session.thumbnail({ key }), null);
  });

  it("of videos that nobody knows are null", async () => {
    const { session } = await startPeer("alice");
    for (const of of [{ key: "unknown" }, { id: "ab".repeat(32) }, { id: "../../etc/passwd" }, {}]) {
      assert.equal(await session.thumbnail(of), null);
    }
  });

  it("of strangers are shown", async () => {
    const { catalog, id } = await catalogWith(JPEG);
    const [video] = (await catalog.query({ limit: 1 })).videos;
    assert.equal(video?.hasThumbnail, true);
    assert.equal(toHex((await catalog.thumbnailOf(id))!), toHex(JPEG));
    catalog.dispose();
  });

  const svg = Buffer.from('<svg onload="alert(1)"/>');
  const huge = Buffer.from(JPEG);
  huge.writeUInt16BE(65_535, huge.indexOf(Buffer.from([0xff, 0xc0])) + 5);
  for (const [what, picture] of Object.entries({
    "an SVG behind the first bytes of a JPEG": Buffer.concat([JPEG.subarray(0, 3), svg]),
    "a page behind the first bytes of a WebP": Buffer.concat([Buffer.from("RIFF\0\0\0\0WEBP"), svg]),
    "65535 pixels high": huge,
    "cut off": JPEG.subarray(0, 200),
  })) {
    it(`of strangers that are ${what} are not shown, nor announced`, async () => {
      const { catalog, id } = await catalogWith(picture);
      const [video] = (await catalog.query({ limit: 1 })).videos;
      assert.equal(video?.hasThumbnail, false);
      assert.equal(await catalog.thumbnailOf(id), undefined);
      catalog.dispose();
    });
  }
});
