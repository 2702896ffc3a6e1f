/**
 * Pictures of others: JPEG and still WebP are looked through, without decoding them, before anybody is shown one. Nothing else
 * passes (an SVG could carry script, an animation flickers), and no picture that would take more memory than a small one.
 */
import { MAX_THUMBNAIL_BYTES } from "./constants";

/** Ours are 320 x 180; twice that is for dense screens. Decoded, such a picture takes 1.6 MB. */
export const MAX_THUMBNAIL_PIXELS = 640;

export interface ImageHeader {
  type: "image/jpeg" | "image/webp";
  width: number;
  height: number;
}

/** Type and dimensions of a picture that may be shown: whole, still, at most 16 KiB and 640 x 640; undefined for anything else. */
export function readThumbnail(bytes: Uint8Array): ImageHeader | undefined {
  if (bytes.length > MAX_THUMBNAIL_BYTES) return undefined;
  const header = readJpeg(bytes) ?? readWebp(bytes);
  if (!header || header.width < 1 || header.height < 1) return undefined;
  return Math.max(header.width, header.height) <= MAX_THUMBNAIL_PIXELS ? header : undefined;
}

// ---- JPEG: ITU-T T.81, annex B ----

const MARKER = 0xff;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
/** Frames that every decoder reads: baseline, extended sequential, progressive (Huffman). */
const FRAMES: readonly number[] = [0xc0, 0xc1, 0xc2];
/** The other frame types (lossless, hierarchical, arithmetic): DHT (c4), JPG (c8) and DAC (cc) lie among them and are none. */
const isOtherFrame = (marker: number) => marker >= 0xc3 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function readJpeg(bytes: Uint8Array): ImageHeader | undefined {
  if (bytes[0] !== MARKER || bytes[1] !== SOI) return undefined;
  let header: ImageHeader | undefined;
  let scanned = false;
  for (let at = 2; at + 1 < bytes.length; ) {
    if (bytes[at] !== MARKER) return undefined;
    const marker = bytes[at + 1] as number;
    if (marker === MARKER) {
      at += 1; // a fill byte
      continue;
    }
    if (marker === EOI) return scanned && at + 2 === bytes.length ? header : undefined;
    if (marker < 0xc0 || marker === SOI || (marker >= 0xd0 && marker <= 0xd7)) return undefined; // none of them stands here
    const size = uint16(bytes, at + 2);
    if (size === undefined || size < 2 || at + 2 + size > bytes.length) return undefined;
    if (isOtherFrame(marker)) return undefined;
    if (FRAMES.includes(marker)) {
      const height = uint16(bytes, at + 5);
      const width = uint16(bytes, at + 7);
      if (header || size < 8 || height === undefined || width === undefined) return undefined;
      header = { type: "image/jpeg", width, height };
    }
    at += 2 + size;
    if (marker !== SOS) continue;
    if (!header) return undefined;
    scanned = true;
    at = endOfScan(bytes, at);
  }
  return undefined;
}

/** Position of the marker that ends the entropy-coded data: in it, ff is followed by 00 or a restart marker. */
function endOfScan(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at + 1 < bytes.length) {
    const next = bytes[at + 1] as number;
    if (bytes[at] === MARKER && next !== 0 && !(next >= 0xd0 && next <= 0xd7)) return at;
    at += 1;
  }
  return bytes.length;
}

// ---- WebP: RFC 9649 ----

const CHUNK_HEADER_BYTES = 8;
const VP8_START_CODE = 0x2a019d;
const VP8L_SIGNATURE = 0x2f;

function readWebp(bytes: Uint8Array): ImageHeader | undefined {
  if (tag(bytes, 0) !== "RIFF" || tag(bytes, 8) !== "WEBP" || uint32(bytes, 4) !== bytes.length - 8) return undefined;
  let canvas: ImageHeader | undefined;
  let image: ImageHeader | undefined;
  for (let at = 12; at < bytes.length; ) {
    const kind = tag(bytes, at);
    const size = uint32(bytes, at + 4);
    if (size === undefined) return undefined;
    const data = bytes.subarray(at + CHUNK_HEADER_BYTES, at + CHUNK_HEADER_BYTES + size);
    if (data.length < size || kind === "ANIM" || kind === "ANMF") return undefined;
    if (kind === "VP8X") {
      if (at !== 12) return undefined;
      canvas = readCanvas(data);
      if (!canvas) return undefined;
    } else if (kind === "VP8 " || kind === "VP8L") {
      if (image) return undefined;
      image = kind === "VP8 " ? readLossy(data) : readLossless(data);
      if (!image) return undefined;
    }
    at += CHUNK_HEADER_BYTES + size + (size % 2); // chunks are padded to an even size
    if (at > bytes.length) return undefined;
  }
  if (canvas && (canvas.width !== image?.width || canvas.height !== image.height)) return undefined;
  return image;
}

function readCanvas(data: Uint8Array): ImageHeader | undefined {
  const animated = 0x02;
  if (data.length < 10 || (data[0] as number) & animated) return undefined;
  return webp(1 + (uint24(data, 4) as number), 1 + (uint24(data, 7) as number));
}

/** RFC 6386, 9.1: a key frame, its start code, 14 bits each (and 2 of scaling). */
function readLossy(data: Uint8Array): ImageHeader | undefined {
  const frameTag = uint24(data, 0);
  if (data.length < 10 || frameTag === undefined || uint24(data, 3) !== VP8_START_CODE) return undefined;
  const isKeyFrame = (frameTag & 1) === 0;
  const firstPartition = frameTag >> 5;
  if (!isKeyFrame || 10 + firstPartition > data.length) return undefined;
  return webp(
    (((data[7] as number) << 8) | (data[6] as number)) & 0x3fff,
    (((data[9] as number) << 8) | (data[8] as number)) & 0x3fff,
  );
}

/** RFC 9649, 3.4: signature, then 14 bits each of width - 1 and height - 1, alpha, and version 0. */
function readLossless(data: Uint8Array): ImageHeader | undefined {
  const bits = uint32(data, 1);
  if (data[0] !== VP8L_SIGNATURE || bits === undefined || bits >>> 29 !== 0) return undefined;
  return webp(1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff));
}

function webp(width: number, height: number): ImageHeader {
  return { type: "image/webp", width, height };
}

// ---- bytes ----

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/** Big-endian, as JPEG has it; undefined beyond the end. */
function uint16(bytes: Uint8Array, at: number): number | undefined {
  return at + 2 > bytes.length ? undefined : ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Little-endian, as RIFF has them. */
function uint24(bytes: Uint8Array, at: number): number | undefined {
  if (at + 3 > bytes.length) return undefined;
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
}

function uint32(bytes: Uint8Array, at: number): number | undefined {
  const low = uint24(bytes, at);
  const high = bytes[at + 3];
  return low === undefined || high === undefined ? undefined : low + high * 2 ** 24;
}
