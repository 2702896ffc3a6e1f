import assert from "node:assert/strict";
import fc from "fast-check";
import { toHex } from "../../src/wire/bytes";
import { decodeHandshake, encodeHandshake, startsLikeHandshake } from "../../src/wire/handshake";
import { BUSY_MACHINE_MS, throwsCode } from "./support";

const infoHash20 = Buffer.alloc(20, 0xab);
const peerId20 = Buffer.from("-SL0001-abcdefghijkl");
const ALL = { extended: true, fast: true, v2: true };
const NONE = { extended: false, fast: false, v2: false };

describe("a handshake", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("has the 68 bytes of BEP 3 with the reserved bits of BEP 6, 10 and 52", () => {
    const head = "13426974546f7272656e742070726f746f636f6c";
    const tail = toHex(infoHash20) + toHex(peerId20);
    assert.equal(toHex(encodeHandshake({ infoHash20, peerId20, reserved: NONE })), `${head}0000000000000000${tail}`);
    assert.equal(toHex(encodeHandshake({ infoHash20, peerId20, reserved: ALL })), `${head}0000000000100014${tail}`);
    assert.equal(
      toHex(encodeHandshake({ infoHash20, peerId20, reserved: { ...NONE, v2: true } })),
      `${head}0000000000000010${tail}`,
    );
  });

  it("is read back, unknown reserved bits ignored", () => {
    const reserved = fc.record(
      { extended: fc.boolean(), fast: fc.boolean(), v2: fc.boolean() },
      { noNullPrototype: true },
    );
    const hash = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(reserved, hash, hash, (flags, info, peer) => {
        const bytes = encodeHandshake({ infoHash20: info, peerId20: peer, reserved: flags });
        bytes[20] = 0xff;
        bytes[27] = (bytes[27] as number) | 0xeb;
        assert.deepEqual(decodeHandshake(bytes), { infoHash20: info, peerId20: peer, reserved: flags });
      }),
    );
  });

  it("does not refer to the bytes that it was read from", () => {
    const bytes = encodeHandshake({ infoHash20, peerId20, reserved: ALL });
    const read = decodeHandshake(bytes);
    bytes.fill(0);
    assert.equal(toHex(read.infoHash20), toHex(infoHash20));
    assert.equal(toHex(read.peerId20), toHex(peerId20));
  });

  it("is refused cut, lengthened, or with another name", () => {
    const bytes = Buffer.from(encodeHandshake({ infoHash20, peerId20, reserved: ALL }));
    for (let length = 0; length < bytes.length; length++) {
      throwsCode("bad-handshake", () => decodeHandshake(bytes.subarray(0, length)));
    }
    throwsCode("bad-handshake", () => decodeHandshake(Buffer.concat([bytes, Buffer.alloc(1)])));
    for (let at = 0; at < 20; at++) {
      const wrong = Buffer.from(bytes);
      wrong[at] = (wrong[at] as number) ^ 0x20;
      throwsCode("bad-handshake", () => decodeHandshake(wrong));
    }
  });

  it("is written only with hashes and peer ids of 20 bytes", () => {
    throwsCode("invalid-argument", () => encodeHandshake({ infoHash20: Buffer.alloc(32), peerId20, reserved: ALL }));
    throwsCode("invalid-argument", () => encodeHandshake({ infoHash20, peerId20: Buffer.alloc(19), reserved: ALL }));
  });

  it("is told apart from the first byte on, for certain after 20", () => {
    const bytes = encodeHandshake({ infoHash20, peerId20, reserved: ALL });
    for (let length = 0; length <= bytes.length; length++) assert.ok(startsLikeHandshake(bytes.subarray(0, length)));
    assert.ok(!startsLikeHandshake(Buffer.from("1603010200", "hex")), "a TLS ClientHello");
    assert.ok(
      !startsLikeHandshake(Buffer.from("13aabbcc", "hex")),
      "an encrypted handshake that happens to begin with 0x13",
    );
    assert.ok(!startsLikeHandshake(Buffer.from("\x13BitTorrent protocoL")));
  });
});
