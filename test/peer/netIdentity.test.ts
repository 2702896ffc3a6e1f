import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, it } from "mocha";
import { createIdentityKey, isP256Spki, loadIdentity, SPKI_BYTES } from "../../src/peer/identity";

describe("identity", () => {
  it("is the SHA-256 of the 91-byte public key, and stays the same when the key is loaded again", async () => {
    const { privateKey, fingerprint } = await createIdentityKey();
    const first = await loadIdentity(privateKey);
    const second = await loadIdentity(privateKey);
    assert.equal(first.spki.length, SPKI_BYTES);
    assert.equal(first.fingerprint, createHash("sha256").update(first.spki).digest("hex"));
    assert.equal(first.fingerprint, fingerprint);
    assert.equal(second.fingerprint, fingerprint);
  });

  it("makes another key each time", async () => {
    const [a, b] = await Promise.all([createIdentityKey(), createIdentityKey()]);
    assert.notEqual(a.fingerprint, b.fingerprint);
  });

  it("certifies the key in a way that says nothing else about its owner", async () => {
    const identity = await loadIdentity((await createIdentityKey()).privateKey);
    const certificate = new X509Certificate(identity.certificatePem);
    assert.equal(certificate.subject, "CN=streamlet");
    assert.equal(certificate.issuer, "CN=streamlet");
    assert.equal(certificate.subjectAltName, undefined);
    assert.ok(certificate.verify(createPublicKey(identity.privateKey)), "signed by its own key");
    assert.deepEqual(certificate.publicKey.export({ type: "spki", format: "der" }), Buffer.from(identity.spki));
  });

  it("has a certificate that is valid whatever the clock says", async () => {
    const certificate = new X509Certificate(
      (await loadIdentity((await createIdentityKey()).privateKey)).certificatePem,
    );
    assert.equal(new Date(certificate.validFrom).getUTCFullYear(), 2020);
    assert.equal(new Date(certificate.validTo).getUTCFullYear(), 9999);
  });

  it("has a random, positive serial number of 16 bytes", async () => {
    const { privateKey } = await createIdentityKey();
    const serials = new Set<string>();
    for (let i = 0; i < 20; i++)
      serials.add(new X509Certificate((await loadIdentity(privateKey)).certificatePem).serialNumber);
    assert.equal(serials.size, 20);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
  });

  it("refuses nonsense and keys of other kinds with identity-missing", async () => {
    const pem = { type: "pkcs8", format: "pem" } as const;
    const others = [
      "",
      "nonsense",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
      generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export(pem).toString(),
      generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export(pem).toString(),
      generateKeyPairSync("ed25519").privateKey.export(pem).toString(),
    ];
    for (const key of others) await assert.rejects(loadIdentity(key), { code: "identity-missing" });
  });

  it("takes only uncompressed P-256 for a public key", () => {
    const spkiOf = (curve: string) =>
      generateKeyPairSync("ec", { namedCurve: curve }).publicKey.export({ type: "spki", format: "der" });
    const good = spkiOf("P-256");
    assert.ok(isP256Spki(good));
    assert.ok(!isP256Spki(spkiOf("P-384")));
    assert.ok(!isP256Spki(spkiOf("secp256k1")));
    assert.ok(!isP256Spki(good.subarray(0, 90)));
    assert.ok(!isP256Spki(Buffer.concat([good, Buffer.alloc(1)])));
  });
});
