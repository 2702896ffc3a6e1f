import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_THUMBNAIL_PIXELS, readThumbnail } from "../../src/wire/thumbnail";
import { JPEG, WEBP, WEBP_LOSSLESS } from "../helpers/pictures";
import { BUSY_MACHINE_MS } from "./support";

const SIZE = { width: 16, height: 8 };

/** A WebP file of these chunks (RFC 9649). */
function webpOf(...chunks: [kind: string, data: Uint8Array][]): Buffer {
  const body = chunks.flatMap(([kind, data]) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return [Buffer.from(kind, "latin1"), size, data, Buffer.alloc(data.length % 2)];
  });
  const content = Buffer.concat([Buffer.from("WEBP"), ...body]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(content.length);
  return Buffer.concat([Buffer.from("RIFF"), size, content]);
}

function canvas(width: number, height: number, flags = 0): [string, Buffer] {
  const data = Buffer.alloc(10);
  data[0] = flags;
  data.writeUIntLE(width - 1, 4, 3);
  data.writeUIntLE(height - 1, 7, 3);
  return ["VP8X", data];
}

const frame: [string, Buffer] = ["VP8 ", WEBP.subarray(20)];

/** Overwrites bytes at an offset. */
function patched(picture: Buffer, at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(picture);
  copy.set(bytes, at);
  return copy;
}

/** Where the frame header of JPEG has its height and width. */
const jpegSize = JPEG.indexOf(Buffer.from([0xff, 0xc0])) + 5;

describe("a picture of others", function () {
  this.timeout(BUSY_MACHINE_MS);

  it("is read where it is a whole JPEG or a still WebP", () => {
    assert.deepEqual(readThumbnail(JPEG), { type: "image/jpeg", ...SIZE });
    assert.deepEqual(readThumbnail(WEBP), { type: "image/webp", ...SIZE });
    assert.deepEqual(readThumbnail(WEBP_LOSSLESS), { type: "image/webp", ...SIZE });
    assert.deepEqual(readThumbnail(webpOf(canvas(16, 8), frame)), { type: "image/webp", ...SIZE });
  });

  for (const [what, picture] of Object.entries({
    "an SVG": Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    "a page": Buffer.from("<!DOCTYPE html><script>alert(1)</script>"),
    "a PNG": Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    ),
    "a GIF": Buffer.from("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!"),
    nothing: Buffer.alloc(0),
    "an SVG behind the first bytes of a JPEG": Buffer.concat([JPEG.subarray(0, 4), Buffer.from("<svg/>")]),
    "a page behind a whole JPEG": Buffer.concat([JPEG, Buffer.from("<script>")]),
    "a page behind a whole WebP": Buffer.concat([WEBP, Buffer.from("<script>")]),
    "a JPEG without a frame": Buffer.from([0xff, 0xd8, 0xff, 0xd9]),
    "a JPEG of an arithmetic frame": patched(JPEG, jpegSize - 5, 0xff, 0xc9),
    "an animation": webpOf(canvas(16, 8, 0x02), ["ANIM", Buffer.alloc(6)], ["ANMF", Buffer.alloc(24)]),
    "an animation that does not say so": webpOf(canvas(16, 8), ["ANMF", Buffer.alloc(24)], frame),
    "a WebP without a picture": webpOf(canvas(16, 8)),
    "a WebP whose canvas is larger than its picture": webpOf(canvas(600, 600), frame),
    "a WebP that does not begin with a key frame": patched(WEBP, 20, WEBP[20]! | 1),
    "a picture above 16 KiB": Buffer.concat([JPEG.subarray(0, -2), Buffer.alloc(16_384, 1), JPEG.subarray(-2)]),
  })) {
    it(`is refused where it is ${what}`, () => assert.equal(readThumbnail(picture), undefined));
  }

  it("is refused where it would be large once decoded, or empty", () => {
    const most = MAX_THUMBNAIL_PIXELS;
    const bytes = (n: number) => [n >> 8, n & 255];
    assert.ok(readThumbnail(patched(JPEG, jpegSize, ...bytes(most), ...bytes(most))));
    for (const [height, width] of [
      [most + 1, 1],
      [1, most + 1],
      [65_535, 65_535],
      [0, 1],
      [1, 0],
    ] as const) {
      assert.equal(readThumbnail(patched(JPEG, jpegSize, ...bytes(height), ...bytes(width))), undefined);
    }
    assert.equal(readThumbnail(patched(WEBP, 26, 0xff, 0x3f)), undefined, "16383 wide");
    assert.equal(readThumbnail(patched(WEBP_LOSSLESS, 21, 0xff, 0xff, 0xff, 0x0f)), undefined, "16384 x 16384");
    assert.equal(readThumbnail(webpOf(canvas(16_777_216, 8), frame)), undefined);
  });

  for (const [name, picture] of Object.entries({ JPEG, WEBP, WEBP_LOSSLESS })) {
    it(`is refused wherever a ${name} is cut off`, () => {
      for (let length = 0; length < picture.length; length++) {
        assert.equal(readThumbnail(picture.subarray(0, length)), undefined, `${length} of ${picture.length} bytes`);
      }
    });

    it(`never does worse than being refused after any change of a ${name}`, () => {
      const change = fc.array(fc.tuple(fc.nat(picture.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
      fc.assert(
        fc.property(change, (changes) => {
          const changed = Buffer.from(picture);
          for (const [at, value] of changes) changed[at] = value;
          const header = readThumbnail(changed);
          if (header) assert.ok(Math.max(header.width, header.height) <= MAX_THUMBNAIL_PIXELS);
        }),
        { numRuns: 5_000 },
      );
    });
  }
});
