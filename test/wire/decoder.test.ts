import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_FRAME_BYTES, MAX_REQUEST_BYTES } from "../../src/wire/constants";
import { FrameDecoder } from "../../src/wire/decoder";
import { StreamletError } from "../../src/wire/errors";
import {
  decodeExtendedHandshake,
  decodeMetadataMessage,
  encodeExtendedHandshake,
  encodeMetadataMessage,
} from "../../src/wire/extensions";
import { encodeMessage, type Message } from "../../src/wire/messages";
import { BUSY_MACHINE_MS, chance, mutate } from "./support";

/** As MAX_FRAME_BYTES, but small, so that frames above it are common. */
const SMALL_CAP = 4096;

function collect(options: { maxFrameBytes?: number } = {}) {
  const messages: Message[] = [];
  const errors: StreamletError[] = [];
  const decoder = new FrameDecoder({
    ...options,
    onMessage: (message) => messages.push(message),
    onError: (error) => errors.push(error),
  });
  return { decoder, messages, errors };
}

const header = { piecesRoot: Buffer.alloc(32, 3), base: 0, index: 4, length: 2, proofLayers: 3 };
const SAMPLE: Message[] = [
  { type: "keepAlive" },
  { type: "haveNone" },
  {
    type: "extended",
    id: 0,
    payload: Buffer.from(
      encodeExtendedHandshake({
        m: { ut_metadata: 1 },
        metadata_size: 900,
        reqq: 250,
        v: "x",
        p: 5000,
        st_request: 131_072,
      }),
    ),
  },
  {
    type: "extended",
    id: 1,
    payload: Buffer.from(encodeMetadataMessage({ type: "data", piece: 0, totalSize: 30, data: Buffer.alloc(30, 9) })),
  },
  { type: "interested" },
  { type: "bitfield", bits: Buffer.from([0xf0, 0x01]) },
  { type: "have", piece: 70_000 },
  { type: "request", piece: 1, begin: 16_384, length: 16_384 },
  { type: "keepAlive" },
  { type: "piece", piece: 1, begin: 16_384, data: Buffer.alloc(200, 0x77) },
  { type: "hashRequest", ...header },
  { type: "hashes", ...header, hashes: Buffer.alloc(5 * 32, 4) },
  { type: "hashReject", ...header },
  { type: "reject", piece: 0, begin: 0, length: 16_384 },
  { type: "port", port: 6881 },
  { type: "choke" },
];
const STREAM = Buffer.concat(SAMPLE.map(encodeMessage));

describe("the frame decoder", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("reads the same messages wherever the stream is cut in two", () => {
    for (let cut = 0; cut <= STREAM.length; cut++) {
      const { decoder, messages, errors } = collect();
      decoder.push(STREAM.subarray(0, cut));
      decoder.push(STREAM.subarray(cut));
      assert.deepEqual(messages, SAMPLE);
      assert.deepEqual(errors, []);
      assert.equal(decoder.bufferedBytes, 0);
    }
  });

  it("reads the same messages byte by byte and in chunks of every size", () => {
    for (let size = 1; size <= 70; size++) {
      const { decoder, messages } = collect();
      for (let at = 0; at < STREAM.length; at += size) decoder.push(STREAM.subarray(at, at + size));
      assert.deepEqual(messages, SAMPLE);
    }
  });

  it("reads any cut of any stream alike", () => {
    const cuts = fc.array(fc.nat(STREAM.length), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (points) => {
        const { decoder, messages } = collect();
        let from = 0;
        for (const to of [...points.sort((a, b) => a - b), STREAM.length]) {
          decoder.push(STREAM.subarray(from, to));
          from = to;
        }
        assert.deepEqual(messages, SAMPLE);
      }),
    );
  });

  it("does not copy frames that lie whole in a chunk, and owns the others", () => {
    const frame = Buffer.from(encodeMessage({ type: "piece", piece: 0, begin: 0, data: Buffer.alloc(100, 1) }));
    const whole = collect();
    whole.decoder.push(frame);
    const parts = collect();
    const chunk = Buffer.from(frame);
    parts.decoder.push(chunk.subarray(0, 50));
    parts.decoder.push(chunk.subarray(50));
    chunk.fill(0);
    const [direct, copied] = [whole.messages[0], parts.messages[0]];
    assert.ok(direct?.type === "piece" && direct.data.buffer === frame.buffer);
    assert.ok(copied?.type === "piece" && copied.data.every((byte) => byte === 1));
  });

  it("refuses a length above the cap before anything of the frame is kept", () => {
    const { decoder, messages, errors } = collect();
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(MAX_FRAME_BYTES + 1);
    decoder.push(prefix);
    assert.equal(errors[0]?.code, "frame-too-large");
    assert.deepEqual(errors[0]?.data, { length: MAX_FRAME_BYTES + 1, limit: MAX_FRAME_BYTES });
    decoder.push(Buffer.alloc(100_000));
    assert.equal(decoder.bufferedBytes, 0);
    assert.equal(errors.length, 1);
    assert.equal(messages.length, 0);
    assert.ok(decoder.isClosed);
  });

  it("takes a frame of exactly the cap: a block of the largest request", () => {
    const { decoder, messages, errors } = collect();
    const frame = encodeMessage({ type: "piece", piece: 0, begin: 0, data: Buffer.alloc(MAX_REQUEST_BYTES) });
    decoder.push(frame.subarray(0, 500_000));
    decoder.push(frame.subarray(500_000));
    assert.deepEqual(errors, []);
    assert.equal(messages.length, 1);
  });

  it("spends memory on what has arrived, not on what was announced", () => {
    const decoders = Array.from({ length: 1000 }, () => collect().decoder);
    const start = Buffer.from(`00100009${"07".padEnd(20, "0")}`, "hex");
    for (const decoder of decoders) decoder.push(start);
    assert.ok(decoders.every((decoder) => decoder.bufferedBytes <= 4096));
  });

  it("stops for good at the first malformed message", () => {
    const { decoder, messages, errors } = collect();
    decoder.push(Buffer.from("0000000101" + "00000002" + "0100" + "0000000100", "hex"));
    assert.deepEqual(messages, [{ type: "unchoke" }]);
    assert.deepEqual(
      errors.map((error) => error.code),
      ["bad-message"],
    );
    decoder.push(Buffer.from("0000000100", "hex"));
    assert.equal(messages.length, 1);
  });

  it("delivers nothing more once it has been closed from within", () => {
    const messages: Message[] = [];
    const decoder = new FrameDecoder({
      onMessage: (message) => {
        messages.push(message);
        decoder.close();
      },
      onError: (error) => assert.fail(error),
    });
    decoder.push(STREAM);
    assert.equal(messages.length, 1);
  });

  it("outlives 100,000 mutated frames within its memory bound", () => {
    const next = chance(20_260_801);
    const frames = SAMPLE.map(encodeMessage);
    let delivered = 0;
    let refused = 0;
    let worst = 0;
    for (let round = 0; round < 100_000; round++) {
      const frame = mutate(frames[next(frames.length)] as Uint8Array, next);
      const { decoder, messages, errors } = collect({ maxFrameBytes: SMALL_CAP });
      for (let at = 0; at < frame.length; ) {
        const size = 1 + next(frame.length);
        decoder.push(frame.subarray(at, at + size));
        at += size;
        worst = Math.max(worst, decoder.bufferedBytes);
      }
      delivered += messages.length;
      refused += errors.length;
      for (const message of messages) if (message.type === "extended") readExtended(message.payload);
      for (const { code } of errors) assert.ok(code === "bad-message" || code === "frame-too-large", code);
    }
    assert.ok(worst <= SMALL_CAP, `${worst} bytes were held`);
    assert.ok(delivered > 20_000 && refused > 20_000, `${delivered} delivered, ${refused} refused`);
  });

  it("outlives one endless mutated stream as well", () => {
    const next = chance(99);
    const { decoder, messages } = collect({ maxFrameBytes: SMALL_CAP });
    let current = decoder;
    let restarts = 0;
    for (let round = 0; round < 2000; round++) {
      if (current.isClosed) {
        current = new FrameDecoder({
          maxFrameBytes: SMALL_CAP,
          onMessage: (m) => messages.push(m),
          onError: () => restarts++,
        });
      }
      current.push(mutate(STREAM, next).subarray(0, 1 + next(STREAM.length)));
      assert.ok(current.bufferedBytes <= SMALL_CAP);
    }
    assert.ok(restarts > 100 && messages.length > 2000);
  });
});

/** Whatever an extended message carries, it is read or refused with a code. */
function readExtended(payload: Uint8Array): void {
  for (const read of [decodeExtendedHandshake, decodeMetadataMessage]) {
    try {
      read(payload);
    } catch (error) {
      assert.ok(error instanceof StreamletError && error.code === "bad-message", String(error));
    }
  }
}
