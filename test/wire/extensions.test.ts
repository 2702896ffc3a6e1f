import assert from "node:assert/strict";
import fc from "fast-check";
import { type BDict, type BValue, encode } from "../../src/wire/bencode";
import { MAX_METADATA_BYTES } from "../../src/wire/constants";
import {
  decodeExtendedHandshake,
  decodeMetadataMessage,
  type ExtendedHandshake,
  encodeExtendedHandshake,
  encodeMetadataMessage,
  type MetadataMessage,
  metadataPieceLength,
} from "../../src/wire/extensions";
import { BUSY_MACHINE_MS, throwsCode } from "./support";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const dict = (entries: Record<string, BValue>): Uint8Array => encode(new Map(Object.entries(entries)) as BDict);
const hello = (entries: Record<string, BValue>) => decodeExtendedHandshake(dict({ m: new Map(), ...entries }));

describe("the extended handshake", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("is the dictionary of BEP 10, with our two keys", () => {
    const bytes = encodeExtendedHandshake({
      m: { ut_metadata: 1 },
      metadata_size: 31_235,
      reqq: 250,
      v: "Streamlet 0.1",
      p: 5000,
      st_request: 1_048_576,
      st_grant: Buffer.from("xyz"),
    });
    assert.equal(
      text(bytes),
      "d1:md11:ut_metadatai1ee13:metadata_sizei31235e1:pi5000e4:reqqi250e8:st_grant3:xyz10:st_requesti1048576e1:v13:Streamlet 0.1e",
    );
  });

  it("is read from the example of BEP 10, keys in any order and unknown ones skipped", () => {
    const example = "d1:md11:LT_metadatai1e6:uT_PEXi2ee1:pi6881e1:v12:uTorrent 1.2e";
    assert.deepEqual(decodeExtendedHandshake(Buffer.from(example)), { m: {}, p: 6881, v: "uTorrent 1.2" });
    const unsorted = "d1:v3:abc1:md11:ut_metadatai3ee6:yourip4:\x7f\x00\x00\x01e";
    assert.deepEqual(decodeExtendedHandshake(Buffer.from(unsorted, "latin1")), { m: { ut_metadata: 3 }, v: "abc" });
    assert.deepEqual(decodeExtendedHandshake(Buffer.from("de")), { m: {} });
  });

  it("is read back as it was written", () => {
    const optional = fc.record(
      {
        metadata_size: fc.integer({ min: 1, max: MAX_METADATA_BYTES }),
        reqq: fc.integer({ min: 1, max: 2000 }),
        v: fc.constantFrom("Streamlet 0.1", "libtorrent/2.0.8.0", "ü"),
        p: fc.integer({ min: 1, max: 65_535 }),
        st_request: fc.integer({ min: 1, max: 64 }).map((n) => n * 16_384),
        st_grant: fc.uint8Array({ maxLength: 1024 }),
      },
      { requiredKeys: [], noNullPrototype: true },
    );
    fc.assert(
      fc.property(optional, fc.option(fc.nat(255), { nil: undefined }), (rest, id) => {
        const value: ExtendedHandshake = { m: id === undefined ? {} : { ut_metadata: id }, ...rest };
        assert.deepEqual(decodeExtendedHandshake(encodeExtendedHandshake(value)), value);
      }),
    );
  });

  it("leaves out what makes no sense, and cuts what is too much", () => {
    assert.deepEqual(
      hello({
        m: new Map<string, BValue>([["ut_metadata", 256]]),
        metadata_size: MAX_METADATA_BYTES + 1,
        reqq: 0,
        p: 65_536,
        v: 7,
      }),
      { m: {} },
    );
    assert.deepEqual(hello({ m: 5, metadata_size: -1, reqq: 1e15, p: Buffer.from("x") }), { m: {}, reqq: 2000 });
    assert.deepEqual(hello({ metadata_size: 2n ** 60n, reqq: -5 }), { m: {} });
  });

  it("names a client in one short line that can be shown", () => {
    assert.equal(hello({ v: Buffer.from("evil\u202e\x1b[31m\nname\xff") }).v, "evil[31m nameÿ");
    assert.equal(hello({ v: Buffer.from("x".repeat(10_000)) }).v?.length, 64);
    assert.equal(hello({ v: Buffer.from([0xff, 0xfe]) }).v, "");
  });

  it("is refused where a key of our own is malformed", () => {
    for (const st_request of [0, -16_384, 16_383, 24_576, 2_097_152, Buffer.from("x")]) {
      throwsCode("bad-message", () => hello({ st_request }));
    }
    throwsCode("bad-message", () => hello({ st_grant: 5 }));
    throwsCode("bad-message", () => hello({ st_grant: new Uint8Array(1025) }));
  });

  it("is refused where it is no dictionary, cut, too large, too deep or too crowded", () => {
    for (const payload of ["", "le", "i5e", "d1:m", "de5:extra"]) {
      throwsCode("bad-message", () => decodeExtendedHandshake(Buffer.from(payload)));
    }
    throwsCode("bad-message", () => hello({ v: new Uint8Array(17_000) }));
    throwsCode("bad-message", () => decodeExtendedHandshake(Buffer.from(`d1:x${"l".repeat(50)}${"e".repeat(50)}e`)));
    throwsCode("bad-message", () => hello({ x: Array.from({ length: 2000 }, () => new Map()) }));
  });

  it("does not keep the payload in memory through a grant", () => {
    const payload = encodeExtendedHandshake({ m: {}, st_grant: Buffer.from("abc") });
    assert.notEqual(decodeExtendedHandshake(payload).st_grant?.buffer, payload.buffer);
  });
});

describe("ut_metadata", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("has the messages of BEP 9", () => {
    const data = Buffer.from("xxxxxxxx");
    const vectors: [MetadataMessage, string][] = [
      [{ type: "request", piece: 0 }, "d8:msg_typei0e5:piecei0ee"],
      [{ type: "data", piece: 0, totalSize: 8, data }, "d8:msg_typei1e5:piecei0e10:total_sizei8eexxxxxxxx"],
      [{ type: "reject", piece: 0 }, "d8:msg_typei2e5:piecei0ee"],
    ];
    for (const [message, wire] of vectors) {
      assert.equal(text(encodeMetadataMessage(message)), wire);
      assert.deepEqual(decodeMetadataMessage(Buffer.from(wire)), message);
    }
  });

  it("carries pieces of 16 KiB, and a last one that fits the size", () => {
    assert.deepEqual(
      [0, 1, 2].map((piece) => metadataPieceLength(piece, 20_000)),
      [16_384, 3616, -12_768],
    );
    for (const [piece, length] of [
      [0, 16_384],
      [1, 3616],
    ] as const) {
      const message: MetadataMessage = { type: "data", piece, totalSize: 20_000, data: Buffer.alloc(length, piece) };
      assert.deepEqual(decodeMetadataMessage(encodeMetadataMessage(message)), message);
    }
    for (const [piece, length] of [
      [0, 16_383],
      [0, 16_385],
      [1, 3615],
      [1, 16_384],
      [2, 0],
      [2, 16_384],
    ] as const) {
      const message: MetadataMessage = { type: "data", piece, totalSize: 20_000, data: Buffer.alloc(length) };
      throwsCode("bad-message", () => decodeMetadataMessage(encodeMetadataMessage(message)));
    }
  });

  it("ignores message types of later versions", () => {
    assert.equal(decodeMetadataMessage(dict({ msg_type: 3, piece: 0 })), undefined);
    assert.equal(decodeMetadataMessage(dict({ msg_type: 2 ** 40 })), undefined);
  });

  it("refuses what is malformed, out of range, or above the cap on metadata", () => {
    const wrong: Record<string, BValue>[] = [
      {},
      { msg_type: -1, piece: 0 },
      { msg_type: 0 },
      { msg_type: 0, piece: -1 },
      { msg_type: 0, piece: 1024 },
      { msg_type: 0, piece: 2n ** 63n },
      { msg_type: Buffer.from("0"), piece: 0 },
      { msg_type: 1, piece: 0 },
      { msg_type: 1, piece: 0, total_size: 0 },
      { msg_type: 1, piece: 0, total_size: MAX_METADATA_BYTES + 1 },
    ];
    for (const entries of wrong) throwsCode("bad-message", () => decodeMetadataMessage(dict(entries)));
    for (const payload of ["", "i1e", "d8:msg_type"]) {
      throwsCode("bad-message", () => decodeMetadataMessage(Buffer.from(payload)));
    }
    throwsCode("bad-message", () => decodeMetadataMessage(new Uint8Array(20_000)));
  });
});
