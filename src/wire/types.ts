declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Id of a video: the v2 info-hash (SHA-256 of the info dictionary, BEP 52), 64 lower-case hex digits. */
export type VideoId = Brand<string, "VideoId">;
/** SHA-256 of a SubjectPublicKeyInfo (P-256, 91 bytes), 64 lower-case hex digits. That is who somebody is. */
export type Fingerprint = Brand<string, "Fingerprint">;
/** 0-based index of a piece within its video. */
export type PieceIndex = number;
/** Count of bytes; sizes stay below 2^53. */
export type Bytes = number;

const HEX64 = /^[0-9a-f]{64}$/;

export function isVideoId(text: string): text is VideoId {
  return HEX64.test(text);
}
export function isFingerprint(text: string): text is Fingerprint {
  return HEX64.test(text);
}
