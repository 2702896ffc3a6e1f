import assert from "node:assert/strict";
import fc from "fast-check";
import { type BDict, type BValue, decode, encode } from "../../src/wire/bencode";
import { toHex } from "../../src/wire/bytes";
import { GRANT_CONTEXT, MAX_RECORD_BYTES, RECORD_CONTEXT } from "../../src/wire/constants";
import { StreamletError } from "../../src/wire/errors";
import { fingerprintOf } from "../../src/wire/fingerprint";
import {
  isNewer,
  parseGrant,
  parseRecord,
  type RecordFields,
  recordKey,
  signGrant,
  signRecord,
  type VideoRecord,
} from "../../src/wire/records";
import { signBytes } from "../../src/wire/signature";
import type { Fingerprint, VideoId } from "../../src/wire/types";
import { BUSY_MACHINE_MS, chance, makeKey, mutate, throwsCode, UNSAFE_CHARACTERS } from "./support";

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const alice = makeKey();
const mallory = makeKey();
const JPEG = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(200, 1)]);
const WEBP = Buffer.concat([Buffer.from("RIFF\x10\0\0\0WEBPVP8 "), Buffer.alloc(200, 1)]);

const MINIMAL: RecordFields = {
  id: "ab".repeat(32) as VideoId,
  v1: "cd".repeat(20),
  piecesRoot: "ef".repeat(32),
  pieceLength: 262_144,
  length: 5_000_000,
  fileName: "demo.mp4",
  audience: "everyone",
  title: "A demo",
  description: "",
  ownerName: "alice",
  sequence: 1,
  expires: NOW + 24 * HOUR,
  withdrawn: false,
};
const FULL: RecordFields = {
  ...MINIMAL,
  audience: "public",
  description: "Two lines\nof text, with 👩‍👩‍👧 and עברית",
  duration: 83.25,
  container: "mp4",
  codecs: "avc1.64001f, mp4a.40.2",
  width: 1920,
  height: 1080,
  indexRanges: [
    [0, 4096],
    [4_900_000, 5_000_000],
  ],
  thumbnail: JPEG,
  sequence: Number.MAX_SAFE_INTEGER,
  withdrawn: true,
};

const sign = (fields: RecordFields) => signRecord(fields, alice.privateKey, alice.spki);
const parse = (bytes: Uint8Array, now = NOW) => parseRecord(bytes, { now });

/** A record with a body that its owner signed as it is, however wrong: what a hostile owner can send. */
function forged(change: (body: BDict) => void, fields = FULL): Uint8Array {
  const envelope = decode(sign(fields)) as BDict;
  const body = decode(envelope.get("record") as Uint8Array) as BDict;
  change(body);
  return sealed(encode(body));
}
function sealed(body: Uint8Array, key = alice, context = RECORD_CONTEXT): Uint8Array {
  return encode(
    new Map<string, BValue>([
      ["record", body],
      ["signature", signBytes(key.privateKey, context, body)],
    ]),
  );
}
const withField = (name: string, value: BValue) => forged((body) => body.set(name, value));
const refused = (bytes: Uint8Array) => throwsCode("bad-record", () => parse(bytes));
const text = (value: string) => Buffer.from(value, "utf8");

describe("a video record", function () {
  this.timeout(BUSY_MACHINE_MS);
  for (const [name, fields] of Object.entries({ MINIMAL, FULL, WEBP: { ...FULL, thumbnail: WEBP } })) {
    it(`is read back as it was signed, with its owner: ${name}`, () => {
      const record = parse(sign(fields));
      const { owner, ownerKey, ...rest } = record;
      assert.deepEqual(
        { ...rest, thumbnail: rest.thumbnail && Buffer.from(rest.thumbnail) },
        { ...fields, thumbnail: fields.thumbnail },
      );
      assert.equal(owner, fingerprintOf(alice.spki));
      assert.equal(toHex(ownerKey), toHex(alice.spki));
    });
  }

  it("is read back whatever its fields are, within their bounds", () => {
    const line = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 200 }).map((t) => t.trim() || "x");
    const fields = fc.record({
      title: line,
      description: fc.string({ unit: "grapheme-ascii", maxLength: 4000 }).map((t) => t.trim()),
      fileName: fc.constantFrom("a.mp4", "日本.webm", "x".repeat(255)),
      audience: fc.constantFrom("everyone" as const, "friends" as const, "public" as const),
      sequence: fc.maxSafeNat(),
      length: fc.integer({ min: 1, max: 2 ** 36 }),
      duration: fc.nat(864_000_000).map((ms) => ms / 1000),
      width: fc.integer({ min: 1, max: 65_535 }),
      height: fc.integer({ min: 1, max: 65_535 }),
      withdrawn: fc.boolean(),
    });
    fc.assert(
      fc.property(fields, (some) => {
        const { owner: _, ownerKey: __, ...record } = parse(sign({ ...MINIMAL, ...some }));
        assert.deepEqual(record, { ...MINIMAL, ...some });
      }),
    );
  });

  it("is canonical: the same fields are the same body", () => {
    const body = (bytes: Uint8Array) => toHex((decode(bytes) as BDict).get("record") as Uint8Array);
    assert.equal(body(sign(FULL)), body(sign({ ...FULL })));
  });

  it("fits its cap with everything at its longest", () => {
    const bytes = sign({
      ...FULL,
      title: "👍".repeat(200),
      description: "👍".repeat(4000),
      fileName: "語".repeat(341),
      codecs: "x".repeat(200),
      container: "y".repeat(40),
      ownerName: "z".repeat(32),
      thumbnail: Buffer.concat([JPEG, Buffer.alloc(16_384 - JPEG.length)]),
      indexRanges: Array.from({ length: 8 }, () => [4_000_000, 4_999_999]),
    });
    assert.ok(bytes.length <= MAX_RECORD_BYTES, `${bytes.length} bytes`);
    parse(bytes);
  });

  it("frees what a person typed of characters that may not be shown", () => {
    const record = parse(
      sign({ ...FULL, title: " ev\u202eil\x07 ", description: " a\r\nb\u200b ", fileName: "../x\\y\u202e.mp4" }),
    );
    assert.equal(record.title, "evil");
    assert.equal(record.description, "a\nb");
    assert.equal(record.fileName, ".._x_y.mp4");
    assert.equal(parse(sign({ ...FULL, fileName: "\u202e" })).fileName, "video");
  });

  it("is not signed where no reader would accept it", () => {
    const wrong: Partial<RecordFields>[] = [
      { title: "" },
      { title: " \u202e " },
      { title: "x".repeat(201) },
      { description: "x".repeat(4001) },
      { ownerName: "no spaces" },
      { ownerName: "" },
      { length: 0 },
      { length: 0.5 },
      { pieceLength: 1000 },
      { id: "ab" as VideoId },
      { v1: "" },
      { piecesRoot: "zz" },
      { audience: "nobody" as "public" },
      { duration: -1 },
      { duration: Number.NaN },
      { width: 0 },
      { codecs: "\x07" },
      { codecs: "" },
      { thumbnail: Buffer.alloc(10) },
      { thumbnail: Buffer.concat([JPEG, Buffer.alloc(16_384)]) },
      { indexRanges: [[5, 5]] },
      { indexRanges: [[0, 5_000_001]] },
      { indexRanges: Array.from({ length: 9 }, () => [0, 1]) },
      { sequence: -1 },
      { sequence: 2 ** 53 },
    ];
    for (const change of wrong) throwsCode("invalid-argument", () => sign({ ...FULL, ...change }));
    throwsCode("invalid-argument", () => signRecord(FULL, alice.privateKey, alice.spki.subarray(1)));
  });

  it("is refused when it was signed with another key, for another purpose, or changed", () => {
    const envelope = decode(sign(FULL)) as BDict;
    const body = envelope.get("record") as Uint8Array;
    throwsCode("bad-signature", () => parse(sealed(body, mallory)));
    throwsCode("bad-signature", () => parse(sealed(body, alice, GRANT_CONTEXT)));
    const changed = decode(body) as BDict;
    changed.set("title", text("Another title"));
    envelope.set("record", encode(changed));
    throwsCode("bad-signature", () => parse(encode(envelope)));
    const stolen = decode(body) as BDict;
    stolen.set("key", mallory.spki);
    envelope.set("record", encode(stolen));
    throwsCode("bad-signature", () => parse(encode(envelope)));
  });

  it("is refused once it has expired, and says so", () => {
    assert.deepEqual(throwsCode("bad-record", () => parse(sign(FULL), FULL.expires)).data, { expired: true });
    parse(sign(FULL), FULL.expires - 1);
  });

  it("may expire a day ahead, and ten minutes more for clocks that differ", () => {
    parse(sign(FULL), FULL.expires - 24 * HOUR - 600_000);
    throwsCode("bad-record", () => parse(sign(FULL), FULL.expires - 24 * HOUR - 600_001));
  });

  it("skips keys of later versions", () => {
    assert.equal(parse(withField("zzz", [1, new Map()])).title, FULL.title);
  });

  it("keeps nothing of the bytes that it was read from", () => {
    const bytes = sign(FULL);
    const record = parse(bytes);
    assert.notEqual(record.thumbnail?.buffer, bytes.buffer);
    assert.notEqual(record.ownerKey.buffer, bytes.buffer);
  });

  it("is replaced by a higher sequence number of the same owner and video only", () => {
    const base = parse(sign(MINIMAL));
    const next: VideoRecord = { ...base, sequence: 2 };
    assert.equal(recordKey(base), `${base.owner}:${base.id}`);
    assert.ok(isNewer(next, base) && !isNewer(base, next) && !isNewer(base, base));
    assert.ok(!isNewer({ ...next, owner: "0".repeat(64) as Fingerprint }, base));
    assert.ok(!isNewer({ ...next, id: "0".repeat(64) as VideoId }, base));
  });
});

describe("a hostile record, signed by its owner,", function () {
  this.timeout(BUSY_MACHINE_MS);
  for (const name of ["title", "description", "file name", "codecs", "container"]) {
    it(`is refused with characters that could mislead in its ${name}`, () => {
      for (const char of UNSAFE_CHARACTERS) refused(withField(name, text(`a${char}b`)));
    });
  }

  it("is refused with strings of 1 MB, before they are looked at", () => {
    const long = text("x".repeat(1_000_000));
    for (const name of ["title", "description", "file name", "codecs", "container", "owner name", "thumbnail", "zzz"]) {
      const bytes = withField(name, long);
      const before = process.cpuUsage();
      refused(bytes);
      assert.ok(process.cpuUsage(before).user < 100_000, "microseconds of computing");
    }
  });

  it("is refused with text too long for its field, though short enough for a record", () => {
    refused(withField("title", text("x".repeat(201))));
    refused(withField("description", text("x".repeat(4001))));
    refused(withField("codecs", text("x".repeat(201))));
    refused(withField("file name", text("x".repeat(1025))));
  });

  it("is refused with text that is no UTF-8 or no text at all", () => {
    for (const name of ["title", "description", "file name", "owner name", "codecs", "audience"]) {
      refused(withField(name, Buffer.from([0x61, 0xff])));
      refused(withField(name, Buffer.from("eda080", "hex")));
      refused(withField(name, 5));
      refused(withField(name, [text("a")]));
    }
  });

  it("is refused with a file name that is a path", () => {
    for (const name of ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", "C:\\x"])
      refused(withField("file name", text(name)));
  });

  it("is refused with markup as it stands only where it is no text: markup is for the views to show as text", () => {
    assert.equal(
      parse(withField("title", text("<img src=x onerror=alert(1)> [x](y)"))).title,
      "<img src=x onerror=alert(1)> [x](y)",
    );
  });

  it("is refused with numbers out of range", () => {
    const wrong: [string, BValue][] = [
      ["length", 0],
      ["length", -1],
      ["length", 2n ** 63n],
      ["length", 2 ** 52],
      ["piece length", 0],
      ["piece length", 300_000],
      ["piece length", 2 ** 30],
      ["sequence", -1],
      ["sequence", 2n ** 60n],
      ["expires", -1],
      ["expires", 2n ** 60n],
      ["duration", -1],
      ["duration", 2 ** 50],
      ["width", 0],
      ["width", 65_536],
      ["height", -1],
      ["withdrawn", 2],
      ["withdrawn", text("1")],
    ];
    for (const [name, value] of wrong) refused(withField(name, value));
    refused(forged((body) => body.delete("width")));
  });

  it("is refused with malformed hashes, keys, ranges or thumbnails", () => {
    const wrong: [string, BValue][] = [
      ["id", new Uint8Array(20)],
      ["v1", new Uint8Array(32)],
      ["pieces root", new Uint8Array(31)],
      ["key", new Uint8Array(91)],
      ["key", alice.spki.subarray(1)],
      ["key", 1],
      ["index ranges", 1],
      ["index ranges", [[1]]],
      ["index ranges", [[2, 1]]],
      ["index ranges", [[-1, 1]]],
      ["index ranges", [[0, 2n ** 60n]]],
      ["index ranges", [text("ab")]],
      ["thumbnail", text("<svg/>")],
      ["thumbnail", text("RIFF0000WAVE")],
      ["thumbnail", 1],
      ["audience", text("all")],
    ];
    for (const [name, value] of wrong) refused(withField(name, value));
  });

  it("is refused without one of the keys that it must have", () => {
    const optional = ["codecs", "container", "duration", "index ranges", "thumbnail", "width", "height", "withdrawn"];
    const body = decode((decode(sign(FULL)) as BDict).get("record") as Uint8Array) as BDict;
    for (const name of body.keys()) {
      if (!optional.includes(name)) refused(forged((changed) => changed.delete(name)));
    }
  });

  it("is refused in any envelope but its own", () => {
    const envelope = decode(sign(FULL)) as BDict;
    for (const change of [
      (e: BDict) => e.set("extra", 1),
      (e: BDict) => e.delete("signature"),
      (e: BDict) => e.set("record", 1),
      (e: BDict) => e.set("signature", []),
      (e: BDict) => e.set("record", text("le")),
      (e: BDict) => e.set("record", text("")),
    ]) {
      const changed = new Map(envelope);
      change(changed);
      refused(encode(changed));
    }
    for (const bytes of ["", "le", "i1e", "de", "x"]) refused(text(bytes));
    refused(
      signGrant(
        { id: FULL.id, grantee: "0".repeat(64) as Fingerprint, expires: NOW + HOUR },
        alice.privateKey,
        alice.spki,
      ),
    );
  });

  it("is refused where it is crowded with values", () => {
    refused(
      withField(
        "zzz",
        Array.from({ length: 10_000 }, () => []),
      ),
    );
    refused(withField("zzz", [[[[[]]]]]));
  });

  it("is refused at every cut and after every mutation, always with a code", () => {
    const bytes = sign({ ...FULL, thumbnail: JPEG });
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length));
    const next = chance(11);
    for (let i = 0; i < 5000; i++) {
      const changed = mutate(bytes, next);
      if (Buffer.compare(changed, bytes) === 0) continue;
      assert.throws(
        () => parse(changed),
        (error) => error instanceof StreamletError && ["bad-record", "bad-signature"].includes(error.code),
      );
    }
  });
});

describe("a grant", function () {
  this.timeout(BUSY_MACHINE_MS);
  const grantee = fingerprintOf(mallory.spki);
  const fields = { id: FULL.id, grantee, expires: NOW + 7 * 24 * HOUR };
  const grant = signGrant(fields, alice.privateKey, alice.spki);

  it("is read back with the owner who gave it", () => {
    const { ownerKey, ...rest } = parseGrant(grant, { now: NOW });
    assert.deepEqual(rest, { ...fields, owner: fingerprintOf(alice.spki) });
    assert.equal(toHex(ownerKey), toHex(alice.spki));
    assert.ok(grant.length < 400);
  });

  it("cannot be widened, borrowed, or made of a record", () => {
    const envelope = decode(grant) as BDict;
    for (const [name, value] of [
      ["grantee", new Uint8Array(32)],
      ["id", new Uint8Array(32)],
      ["expires", NOW + HOUR],
      ["key", mallory.spki],
    ] as const) {
      const body = decode(envelope.get("grant") as Uint8Array) as BDict;
      body.set(name, value);
      const changed = new Map(envelope).set("grant", encode(body));
      throwsCode("bad-signature", () => parseGrant(encode(changed), { now: NOW }));
    }
    throwsCode("bad-record", () => parseGrant(sign(MINIMAL), { now: NOW }));
  });

  it("ends when it says, at most a week ahead", () => {
    throwsCode("bad-record", () => parseGrant(grant, { now: fields.expires }));
    throwsCode("bad-record", () => parseGrant(grant, { now: NOW - 600_001 }));
    parseGrant(grant, { now: NOW - 600_000 });
  });

  it("is refused cut, mutated or too large, always with a code", () => {
    for (let length = 0; length < grant.length; length++) {
      throwsCode("bad-record", () => parseGrant(grant.subarray(0, length), { now: NOW }));
    }
    throwsCode("bad-record", () => parseGrant(new Uint8Array(1025), { now: NOW }));
    const next = chance(5);
    for (let i = 0; i < 2000; i++) {
      const changed = mutate(grant, next);
      if (Buffer.compare(changed, grant) === 0) continue;
      assert.throws(
        () => parseGrant(changed, { now: NOW }),
        (error) => error instanceof StreamletError && ["bad-record", "bad-signature"].includes(error.code),
      );
    }
  });

  it("is made only of an id and a fingerprint", () => {
    throwsCode("invalid-argument", () => signGrant({ ...fields, id: "x" as VideoId }, alice.privateKey, alice.spki));
    throwsCode("invalid-argument", () =>
      signGrant({ ...fields, grantee: "" as Fingerprint }, alice.privateKey, alice.spki),
    );
  });
});
