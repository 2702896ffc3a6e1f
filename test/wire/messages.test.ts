import assert from "node:assert/strict";
import fc from "fast-check";
import { toHex } from "../../src/wire/bytes";
import { uncleCount } from "../../src/wire/merkle";
import { decodeMessage, encodeMessage, type Message, writePieceHeader } from "../../src/wire/messages";
import { BUSY_MACHINE_MS, throwsCode } from "./support";

const root = Buffer.alloc(32, 0xcd);
const ROOT = "cd".repeat(32);
const hashHeader = { piecesRoot: root, base: 3, index: 512, length: 2, proofLayers: 2 };
const HASH_HEADER = `${ROOT}00000003000002000000000200000002`;

/** Frames as BEP 3, 5, 6, 10 and 52 lay them out. */
const VECTORS: [Message, string][] = [
  [{ type: "keepAlive" }, "00000000"],
  [{ type: "choke" }, "0000000100"],
  [{ type: "unchoke" }, "0000000101"],
  [{ type: "interested" }, "0000000102"],
  [{ type: "notInterested" }, "0000000103"],
  [{ type: "have", piece: 0xdeadbe }, "000000050400deadbe"],
  [{ type: "bitfield", bits: Buffer.from("8140", "hex") }, "00000003058140"],
  [{ type: "request", piece: 1, begin: 0x4000, length: 0x4000 }, "0000000d06000000010000400000004000"],
  [{ type: "piece", piece: 2, begin: 0x8000, data: Buffer.from("abc") }, "0000000c070000000200008000616263"],
  [{ type: "cancel", piece: 1, begin: 0x4000, length: 0x4000 }, "0000000d08000000010000400000004000"],
  [{ type: "port", port: 6881 }, "00000003091ae1"],
  [{ type: "suggest", piece: 7 }, "000000050d00000007"],
  [{ type: "haveAll" }, "000000010e"],
  [{ type: "haveNone" }, "000000010f"],
  [{ type: "reject", piece: 1, begin: 0, length: 0x100000 }, "0000000d10000000010000000000100000"],
  [{ type: "allowedFast", piece: 0xffffffff }, "0000000511ffffffff"],
  [{ type: "extended", id: 3, payload: Buffer.from("de") }, "0000000414036465"],
  [{ type: "hashRequest", ...hashHeader }, `0000003115${HASH_HEADER}`],
  [{ type: "hashes", ...hashHeader, hashes: Buffer.alloc(4 * 32, 1) }, `000000b116${HASH_HEADER}${"01".repeat(128)}`],
  [{ type: "hashReject", ...hashHeader }, `0000003117${HASH_HEADER}`],
];

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { noNullPrototype: true });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const anyBytes = (minLength: number) => fc.uint8Array({ minLength, maxLength: 300 }).map((b) => Buffer.from(b));
const range = { piece: uint32, begin: uint32, length: uint32 };
const hashFields = {
  piecesRoot: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b)),
  base: uint32,
  index: uint32,
};

const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc
    .constantFrom("keepAlive", "choke", "unchoke", "interested", "notInterested", "haveAll", "haveNone")
    .map((type) => ({ type }) as Message),
  record({ type: fc.constantFrom("have" as const, "suggest" as const, "allowedFast" as const), piece: uint32 }),
  record({ type: fc.constant("bitfield" as const), bits: anyBytes(1) }),
  record({ type: fc.constantFrom("request" as const, "cancel" as const, "reject" as const), ...range }),
  record({ type: fc.constant("piece" as const), piece: uint32, begin: uint32, data: anyBytes(1) }),
  record({ type: fc.constant("port" as const), port: fc.integer({ min: 0, max: 65_535 }) }),
  record({ type: fc.constant("extended" as const), id: fc.nat(255), payload: anyBytes(0) }),
  record({
    type: fc.constantFrom("hashRequest" as const, "hashReject" as const),
    ...hashFields,
    length: uint32,
    proofLayers: uint32,
  }),
  record({ ...hashFields, length: fc.integer({ min: 1, max: 16 }), proofLayers: fc.nat(9) }).map((header) => ({
    type: "hashes" as const,
    ...header,
    hashes: Buffer.alloc(32 * (header.length + uncleCount(header.length, header.proofLayers)), 5),
  })),
);

describe("messages", function () {
  this.timeout(BUSY_MACHINE_MS);
  for (const [message, hex] of VECTORS) {
    it(`are laid out as the BEPs say: ${message.type}`, () => {
      assert.equal(toHex(encodeMessage(message)), hex);
      assert.deepEqual(decodeMessage(Buffer.from(hex, "hex").subarray(4)), message);
    });
  }

  it("are read back as they were written", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const frame = Buffer.from(encodeMessage(message));
        assert.equal(frame.readUInt32BE(0), frame.length - 4);
        assert.deepEqual(decodeMessage(frame.subarray(4)), message);
      }),
    );
  });

  it("of fixed size are refused one byte shorter or longer", () => {
    for (const [message, hex] of VECTORS) {
      const body = Buffer.from(hex, "hex").subarray(4);
      if (message.type === "keepAlive") continue;
      const variable = ["bitfield", "piece", "extended"].includes(message.type);
      if (!variable) {
        throwsCode("bad-message", () => decodeMessage(Buffer.concat([body, Buffer.alloc(1)])));
        if (body.length > 1) throwsCode("bad-message", () => decodeMessage(body.subarray(0, -1)));
      }
    }
  });

  it("without the payload that they cannot do without are refused", () => {
    for (const hex of ["05", "07", "070000000100000000", "14", `16${ROOT}`]) {
      throwsCode("bad-message", () => decodeMessage(Buffer.from(hex, "hex")));
    }
  });

  it("of type hashes are refused with another count of hashes than they announce", () => {
    for (const [length, proofLayers, count] of [
      [2, 2, 3],
      [2, 2, 5],
      [4, 0, 3],
      [0xffffffff, 0xffffffff, 2],
      [0, 0, 0],
    ] as const) {
      const body = Buffer.alloc(49 + 32 * count);
      body[0] = 22;
      body.writeUInt32BE(length, 41);
      body.writeUInt32BE(proofLayers, 45);
      throwsCode("bad-message", () => decodeMessage(body));
    }
  });

  it("with an unknown id are named unknown, whatever they carry", () => {
    for (const id of [10, 11, 12, 18, 19, 24, 99, 255]) {
      assert.deepEqual(decodeMessage(Buffer.from([id, 1, 2, 3])), { type: "unknown", id });
    }
    throwsCode("invalid-argument", () => encodeMessage({ type: "unknown", id: 99 }));
  });

  it("carry their data without a copy", () => {
    const body = Buffer.from("0700000001000000006162", "hex");
    const message = decodeMessage(body);
    assert.ok(message.type === "piece" && message.data.buffer === body.buffer);
  });

  it("have numbers of 32 bits, and are not written with others", () => {
    for (const piece of [-1, 2 ** 32, 0.5, Number.NaN])
      throwsCode("invalid-argument", () => encodeMessage({ type: "have", piece }));
    throwsCode("invalid-argument", () =>
      encodeMessage({ type: "hashRequest", ...hashHeader, piecesRoot: Buffer.alloc(20) }),
    );
  });

  it("of type piece can be written header first, the data behind it", () => {
    const data = Buffer.from("some data");
    const target = Buffer.alloc(3 + 13 + data.length);
    const behind = writePieceHeader(target, 3, 9, 16_384, data.length);
    assert.equal(behind, 16);
    data.copy(target, behind);
    assert.equal(toHex(target.subarray(3)), toHex(encodeMessage({ type: "piece", piece: 9, begin: 16_384, data })));
  });
});
