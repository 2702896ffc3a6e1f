/**
 * Who this profile is: an ECDSA P-256 key, and the self-signed certificate that carries its public half into TLS.
 * The fingerprint of the key is the identity; nothing else in the certificate means anything to anybody.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign as signWithKey,
  X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import { StreamletError } from "../wire/errors";
import { fingerprintOf } from "../wire/fingerprint";
import type { Fingerprint } from "../wire/types";

/** A SubjectPublicKeyInfo of an uncompressed P-256 point: 26 bytes that never change, 0x04, and two coordinates of 32 bytes (RFC 5480). */
export const SPKI_BYTES = 91;
const SPKI_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");

/** RFC 5758 3.2: ecdsa-with-SHA256, which has no parameters. */
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
/** RFC 5280 A.1: id-at-commonName. */
const COMMON_NAME = "2.5.4.3";
/** The same for everybody: a certificate must not carry the display name, nor tell profiles apart. */
const CERTIFICATE_NAME = "streamlet";
/** Long before anybody's clock, however wrong it is. */
const NOT_BEFORE = new Date("2020-01-01T00:00:00Z");
/** RFC 5280 4.1.2.5: "no well-defined expiration date". A key is given up by deleting the profile, not by a date. */
const NOT_AFTER = new Date("9999-12-31T23:59:59Z");
/** RFC 5280 4.1.2.2 allows 20; 16 random bytes never collide. */
const SERIAL_BYTES = 16;

const generateKeyPairAsync = promisify(generateKeyPair);

/** A loaded key with all that signing and TLS need of it. Never leaves the engine. */
export interface Identity {
  privateKey: KeyObject;
  /** PKCS#8. */
  privateKeyPem: string;
  /** Self-signed; made anew whenever the key is loaded. */
  certificatePem: string;
  /** SubjectPublicKeyInfo, exactly 91 bytes. */
  spki: Uint8Array;
  fingerprint: Fingerprint;
}

/** True for the one form of public key that Streamlet accepts: P-256, uncompressed, 91 bytes. */
export function isP256Spki(spki: Uint8Array): boolean {
  return spki.length === SPKI_BYTES && SPKI_PREFIX.equals(spki.subarray(0, SPKI_PREFIX.length));
}

/** A fresh key as PKCS#8 PEM. Nothing is stored. */
export async function createIdentityKey(): Promise<{ privateKey: string; fingerprint: Fingerprint }> {
  const { privateKey, publicKey } = await generateKeyPairAsync("ec", { namedCurve: "P-256" });
  return {
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    fingerprint: fingerprintOf(publicKey.export({ type: "spki", format: "der" })),
  };
}

/**
 * Reads the key that `createIdentityKey` made and certifies it.
 * @throws StreamletError identity-missing when it is no P-256 private key
 */
export async function loadIdentity(privateKeyPem: string): Promise<Identity> {
  const privateKey = readPrivateKey(privateKeyPem);
  const spki = new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" }));
  if (!isP256Spki(spki)) {
    throw new StreamletError(
      "identity-missing",
      "The profile's key is not an ECDSA P-256 key: restore its backup, or create the profile again.",
    );
  }
  return {
    privateKey,
    privateKeyPem,
    certificatePem: selfSignedCertificate(privateKey, spki),
    spki,
    fingerprint: fingerprintOf(spki),
  };
}

function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new StreamletError(
      "identity-missing",
      "The profile's key is missing or unreadable: restore its backup, or create the profile again.",
      { cause },
    );
  }
}

/**
 * A certificate as PEM: X.509 v3 without extensions. Built on the ASN.1 layer of @peculiar/x509: the whole of it is twice as
 * big and patches `Reflect`.
 * @param privateKey ECDSA
 * @param spki its public half, taken as it is
 */
export function selfSignedCertificate(privateKey: KeyObject, spki: Uint8Array): string {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const name = new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({
        type: COMMON_NAME,
        value: new AttributeValue({ utf8String: CERTIFICATE_NAME }),
      }),
    ]),
  ]);
  const serial = randomBytes(SERIAL_BYTES);
  // Positive, and of the shortest form: a leading zero or a set sign bit would not be DER.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: new OctetString(serial).buffer,
    signature: algorithm,
    issuer: name,
    validity: new Validity({ notBefore: NOT_BEFORE, notAfter: NOT_AFTER }),
    subject: name,
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
  });
  const signatureValue = signWithKey("sha256", Buffer.from(AsnConvert.serialize(tbsCertificate)), privateKey);
  const der = AsnConvert.serialize(
    new Certificate({
      tbsCertificate,
      signatureAlgorithm: algorithm,
      signatureValue: new Uint8Array(signatureValue).buffer,
    }),
  );
  return new X509Certificate(Buffer.from(der)).toString();
}
