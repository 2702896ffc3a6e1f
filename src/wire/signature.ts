/**
 * Signatures: ECDSA P-256 with SHA-256, IEEE P1363 (r, s), low-S, over context, a zero byte and the body. Low-S leaves one
 * valid form of a signature; all the same nothing is ever identified by a hash that covers one.
 */
import * as crypto from "node:crypto";
import { concatBytes, fromHex, utf8Encode } from "./bytes";
import { SIGNATURE_BYTES, SPKI_BYTES } from "./constants";
import { StreamletError } from "./errors";

/** Order of P-256 (SEC 2, 2.4.2). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const HALF_ORDER = ORDER >> 1n;
const SCALAR_BYTES = 32;
/** What precedes the 64 bytes of an uncompressed point in a P-256 SubjectPublicKeyInfo (RFC 5480). */
const SPKI_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");

/** Whether these bytes have the one form of a public key that is accepted. (That the point is on the curve shows when it is used.) */
export function isP256Spki(spki: Uint8Array): boolean {
  return spki.length === SPKI_BYTES && SPKI_PREFIX.equals(spki.subarray(0, SPKI_PREFIX.length));
}

/** @throws StreamletError `invalid-argument` unless the key is a private P-256 key */
export function signBytes(privateKey: crypto.KeyObject, context: string, body: Uint8Array): Uint8Array {
  if (privateKey.type !== "private" || privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new StreamletError("invalid-argument", "Signatures need a private P-256 key.");
  }
  const signature = crypto.sign("sha256", signedText(context, body), { key: privateKey, dsaEncoding: "ieee-p1363" });
  const s = scalarAt(signature, SCALAR_BYTES);
  if (s > HALF_ORDER) signature.set(fromHex((ORDER - s).toString(16).padStart(2 * SCALAR_BYTES, "0")), SCALAR_BYTES);
  return signature;
}

/** False for every malformed key or signature as well; never throws. */
export function verifyBytes(spki: Uint8Array, context: string, body: Uint8Array, signature: Uint8Array): boolean {
  if (!isP256Spki(spki) || signature.length !== SIGNATURE_BYTES) return false;
  if (scalarAt(signature, SCALAR_BYTES) > HALF_ORDER) return false;
  try {
    const key = crypto.createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    return crypto.verify("sha256", signedText(context, body), { key, dsaEncoding: "ieee-p1363" }, signature);
  } catch {
    return false; // the point is not on the curve
  }
}

function signedText(context: string, body: Uint8Array): Uint8Array {
  return concatBytes([utf8Encode(context), new Uint8Array(1), body]);
}

function scalarAt(signature: Uint8Array, at: number): bigint {
  return BigInt(`0x${Buffer.from(signature.subarray(at, at + SCALAR_BYTES)).toString("hex")}`);
}
