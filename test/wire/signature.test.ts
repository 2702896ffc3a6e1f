import assert from "node:assert/strict";
import * as crypto from "node:crypto";
import { signBytes, verifyBytes } from "../../src/wire/signature";
import { BUSY_MACHINE_MS, makeKey, throwsCode } from "./support";

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const CONTEXT = "streamlet-record/1";
const body = Buffer.from("the body");
const { privateKey, spki } = makeKey();

const sOf = (signature: Uint8Array) => BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
/** The other valid s of the same signature. */
function flipped(signature: Uint8Array): Uint8Array {
  const other = (ORDER - sOf(signature)).toString(16).padStart(64, "0");
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(other, "hex")]);
}

describe("signatures", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("verify with the key, the context and the body that were signed, and with no other", () => {
    const signature = signBytes(privateKey, CONTEXT, body);
    assert.equal(signature.length, 64);
    assert.ok(verifyBytes(spki, CONTEXT, body, signature));
    assert.ok(!verifyBytes(makeKey().spki, CONTEXT, body, signature));
    assert.ok(!verifyBytes(spki, "streamlet-grant/1", body, signature));
    assert.ok(!verifyBytes(spki, CONTEXT, Buffer.from("the bodY"), signature));
    assert.ok(!verifyBytes(spki, "streamlet-record/1\0the", Buffer.from(" body"), signature));
  });

  it("are over the context, a zero byte and the body", () => {
    const signature = signBytes(privateKey, CONTEXT, body);
    const key = crypto.createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    const signed = Buffer.from("streamlet-record/1\0the body");
    assert.ok(crypto.verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature));
  });

  it("are always low-S, and refused with the high s that ECDSA would take as well", () => {
    for (let i = 0; i < 64; i++) {
      const text = Buffer.from(`body ${i}`);
      const signature = signBytes(privateKey, CONTEXT, text);
      assert.ok(sOf(signature) <= ORDER / 2n);
      const other = flipped(signature);
      const key = crypto.createPublicKey(privateKey);
      const signed = Buffer.concat([Buffer.from(`${CONTEXT}\0`), text]);
      assert.ok(crypto.verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, other), "it is valid ECDSA");
      assert.ok(!verifyBytes(spki, CONTEXT, text, other));
    }
  });

  it("are refused in any other form: DER, cut, lengthened, zero, of the order", () => {
    const signature = Buffer.from(signBytes(privateKey, CONTEXT, body));
    const der = crypto.sign("sha256", Buffer.from(`${CONTEXT}\0the body`), privateKey);
    for (const wrong of [
      der,
      signature.subarray(0, 63),
      Buffer.concat([signature, Buffer.alloc(1)]),
      new Uint8Array(),
      new Uint8Array(64),
      Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32)]),
      Buffer.concat([Buffer.alloc(32), signature.subarray(32)]),
      Buffer.from(ORDER.toString(16).repeat(2), "hex"),
      Buffer.alloc(64, 0xff),
    ]) {
      assert.equal(verifyBytes(spki, CONTEXT, body, wrong), false);
    }
  });

  it("are refused after a change of any single bit", () => {
    const signature = signBytes(privateKey, CONTEXT, body);
    for (let bit = 0; bit < 512; bit++) {
      const wrong = Buffer.from(signature);
      wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(verifyBytes(spki, CONTEXT, body, wrong), false);
    }
  });

  it("are refused with any key but an uncompressed P-256 key that is on the curve", () => {
    const signature = signBytes(privateKey, CONTEXT, body);
    const p384 = crypto.generateKeyPairSync("ec", { namedCurve: "secp384r1" }).publicKey;
    const ed25519 = crypto.generateKeyPairSync("ed25519").publicKey;
    const compressed = Buffer.concat([
      Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
      Buffer.from([2 + ((spki[90] as number) & 1)]),
      spki.subarray(27, 59),
    ]);
    const offCurve = Buffer.from(spki);
    offCurve[90] = (offCurve[90] as number) ^ 1;
    const k256 = Buffer.from(spki);
    k256[22] = 0x08;
    const der = (key: crypto.KeyObject) => key.export({ type: "spki", format: "der" });
    for (const key of [
      der(p384),
      der(ed25519),
      compressed,
      offCurve,
      k256,
      spki.subarray(1),
      Buffer.concat([spki, spki]),
    ]) {
      assert.equal(verifyBytes(key, CONTEXT, body, signature), false);
    }
    assert.equal(verifyBytes(new Uint8Array(91), CONTEXT, body, signature), false);
  });

  it("are made only with private P-256 keys", () => {
    const other = crypto.generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey;
    throwsCode("invalid-argument", () => signBytes(other, CONTEXT, body));
    throwsCode("invalid-argument", () => signBytes(crypto.createPublicKey(privateKey), CONTEXT, body));
  });
});
