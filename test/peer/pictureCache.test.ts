import assert from "node:assert/strict";
import { PictureCache } from "../../src/peer/tracker/pictureCache";
import { RecordCache } from "../../src/peer/tracker/recordCache";
import type { VideoRecord } from "../../src/wire/records";
import { type RecordKey, recordKeyOf } from "../../src/wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../src/wire/types";
import { JPEG } from "../helpers/pictures";

/** A JPEG of about 16 KiB. */
const LARGE = Buffer.concat([JPEG.subarray(0, -2), Buffer.alloc(16_000, 1), JPEG.subarray(-2)]);
const OWNER = "0a".repeat(32) as Fingerprint;
const idOf = (n: number) => n.toString(16).padStart(64, "0") as VideoId;
const keyOf = (n: number): RecordKey => recordKeyOf(OWNER, idOf(n));

function recordOf(n: number, sequence = 1): VideoRecord {
  const names = { fileName: "a.mp4", title: "A", description: "", ownerName: "alice" };
  const shape = { v1: "", piecesRoot: "", pieceLength: 16_384, length: 1, ownerKey: Buffer.alloc(91) };
  const rest = { audience: "everyone", sequence, expires: Number.MAX_SAFE_INTEGER, withdrawn: false } as const;
  return { id: idOf(n), owner: OWNER, thumbnail: LARGE, ...names, ...shape, ...rest };
}

describe("pictures of records", () => {
  it("are forgotten beyond 24 MiB, the least used first", () => {
    const cache = new PictureCache();
    assert.equal(cache.set(keyOf(0), LARGE), true);
    for (let n = 1; n < 2_000; n++) {
      cache.set(keyOf(n), LARGE);
      assert.ok(cache.get(keyOf(0)), "it is looked at all the time");
    }
    const kept = Array.from({ length: 2_000 }, (_, n) => n).filter((n) => cache.get(keyOf(n)));
    assert.ok(kept.length * LARGE.length <= 24 * 2 ** 20, `${kept.length} pictures`);
    assert.ok(kept.length > 1_000);
    assert.deepEqual(kept.slice(0, 2), [0, 2_000 - kept.length + 1]);
  });

  it("that may not be shown replace one that could", () => {
    const cache = new PictureCache();
    cache.set(keyOf(1), LARGE);
    assert.equal(cache.set(keyOf(1), Buffer.from("<svg/>")), false);
    assert.equal(cache.get(keyOf(1)), undefined);
  });

  it("that were forgotten make their record count as unknown until it comes again", () => {
    const records = new RecordCache(() => 0);
    for (let n = 0; n < 2_000; n++) records.add(recordOf(n));
    assert.equal(records.get(keyOf(0))?.hasThumbnail, true);
    assert.equal(records.knows(keyOf(0), 1), true);
    assert.equal(records.pictureOf(keyOf(0)), undefined);
    assert.equal(records.knows(keyOf(0), 1), false);
    assert.ok(records.get(keyOf(0)), "lists go on showing it");
    records.add(recordOf(0));
    assert.equal(records.pictureOf(keyOf(0))?.length, LARGE.length);
    assert.equal(records.knows(keyOf(0), 1), true);
  });
});
