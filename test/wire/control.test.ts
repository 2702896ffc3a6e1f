import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { MAX_RECORD_BYTES } from "../../src/wire/constants";
import {
  ControlDecoder,
  type ControlMessage,
  decodeControl,
  encodeControl,
  MAX_ANSWER_RECORDS,
  MAX_CHAT_CHARS,
  MAX_CONTROL_FRAME_BYTES,
  MAX_UNASKED_FRAME_BYTES,
} from "../../src/wire/control";
import { BUSY_MACHINE_MS } from "./support";

const OWNER = "ab".repeat(32);
const EXAMPLES: ControlMessage[] = [
  { type: "hello", peerId: "alice", version: "0.1.0", port: 5000 },
  { type: "query", id: 1, limit: 50 },
  { type: "query", id: 0x7fff_ffff, limit: 1, text: "Straße 🎬", owner: OWNER as never, cursor: "x" },
  { type: "answer", id: 1, records: ["", "AAAA", "AA==", "AAA="], total: 4, cursor: "4" },
  { type: "refused", id: 1, code: "too-many" },
  { type: "changed" },
  { type: "chat", id: "V1StGXR8_Z5jdHi6B-myT", text: 'line one\n<b>"two"</b> 🎬', sentAt: 1_760_000_000_000 },
  { type: "chatTaken", id: "V1StGXR8_Z5jdHi6B-myT" },
  { type: "ping" },
  { type: "pong" },
  { type: "bye", reason: "stopped" },
];

const text = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
function framed(value: unknown): Uint8Array {
  const body = text(value);
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, 4);
  return frame;
}
function decoder(max = MAX_CONTROL_FRAME_BYTES) {
  const messages: (ControlMessage | undefined)[] = [];
  return {
    messages,
    decoder: new ControlDecoder(
      () => max,
      (message) => messages.push(message),
    ),
  };
}

describe("control messages", function () {
  this.timeout(BUSY_MACHINE_MS);

  it("are a length of four bytes, big-endian, and JSON", () => {
    assert.equal(Buffer.from(encodeControl({ type: "ping" })).toString("latin1"), '\0\0\0\x0f{"type":"ping"}');
  });

  it("come back as they went, whole and cut at every byte", () => {
    const stream = Buffer.concat(EXAMPLES.map(encodeControl));
    for (let cut = 0; cut <= stream.length; cut++) {
      const { decoder: d, messages } = decoder();
      d.push(stream.subarray(0, cut));
      d.push(stream.subarray(cut));
      assert.deepEqual(messages, EXAMPLES, `cut at ${cut}`);
    }
    const { decoder: d, messages } = decoder();
    for (const byte of stream) d.push(Uint8Array.of(byte));
    assert.deepEqual(messages, EXAMPLES);
  });

  it("of unknown types are skipped, and so are unknown fields", () => {
    assert.equal(decodeControl(text({ type: "later", text: "later" })), undefined);
    assert.deepEqual(decodeControl(text({ type: "ping", later: [1, 2] })), { type: "ping" });
    assert.deepEqual(decodeControl(text('{"type":"ping","__proto__":{"type":"bye"}}')), { type: "ping" });
  });

  it("that are nonsense are bad-message", () => {
    const nonsense: unknown[] = [
      "",
      "{",
      "null",
      "[]",
      '"ping"',
      "17",
      "{}",
      '{"type":1}',
      '{"type":["ping"]}',
      '{"type":"ping"} x',
      { type: "hello", peerId: "", version: "", port: 1 },
      { type: "hello", peerId: "a b", version: "", port: 1 },
      { type: "hello", peerId: "..", version: "", port: 1 },
      { type: "hello", peerId: "a".repeat(33), version: "", port: 1 },
      { type: "hello", peerId: "al\u202eice", version: "", port: 1 },
      { type: "hello", peerId: "alice", version: "x".repeat(33), port: 1 },
      { type: "hello", peerId: "alice", version: "", port: 65_536 },
      { type: "hello", peerId: "alice", version: "", port: 1.5 },
      { type: "query", id: 0, limit: 1 },
      { type: "query", id: 1, limit: 0 },
      { type: "query", id: 1, limit: MAX_ANSWER_RECORDS + 1 },
      { type: "query", id: 1, limit: 1, text: "x".repeat(201) },
      { type: "query", id: 1, limit: 1, owner: "ab" },
      { type: "query", id: 1, limit: 1, cursor: "x".repeat(2049) },
      { type: "answer", id: 1, records: ["not base64!"], total: 1 },
      { type: "answer", id: 1, records: [1], total: 1 },
      { type: "answer", id: 1, records: "AAAA", total: 1 },
      { type: "answer", id: 1, records: new Array(MAX_ANSWER_RECORDS + 1).fill(""), total: 1 },
      { type: "answer", id: 1, records: ["A".repeat(Math.ceil(MAX_RECORD_BYTES / 3) * 4 + 4)], total: 1 },
      { type: "answer", id: 1, records: [], total: -1 },
      { type: "answer", id: 1, records: [], total: 1e300 },
      { type: "refused", id: 1, code: "Shout!" },
      { type: "chat", id: "a", text: "", sentAt: 1 },
      { type: "chat", id: "", text: "x", sentAt: 1 },
      { type: "chat", id: "../a", text: "x", sentAt: 1 },
      { type: "chat", id: "a".repeat(33), text: "x", sentAt: 1 },
      { type: "chat", id: "a", text: "x".repeat(MAX_CHAT_CHARS + 1), sentAt: 1 },
      { type: "chat", id: "a", text: "🎬".repeat(MAX_CHAT_CHARS + 1), sentAt: 1 },
      { type: "chat", id: "a", text: ["x"], sentAt: 1 },
      { type: "chat", id: "a", text: "x", sentAt: -1 },
      { type: "chat", id: "a", text: "x", sentAt: 1e300 },
      { type: "chatTaken", id: "a b" },
      { type: "bye", reason: "x".repeat(201) },
    ];
    for (const value of nonsense) {
      assert.throws(() => decodeControl(text(value)), { code: "bad-message" }, JSON.stringify(value).slice(0, 80));
    }
    assert.throws(() => decodeControl(Uint8Array.of(0x22, 0xff, 0x22)), { code: "bad-message" });
    assert.throws(() => decodeControl(text("[".repeat(100_000))), { code: "bad-message" });
  });

  it("that are announced as too large or as empty are refused before their bytes come", () => {
    const limit = decoder(100);
    assert.throws(() => limit.decoder.push(Uint8Array.of(0, 0, 0, 101)), { code: "frame-too-large" });
    assert.throws(() => decoder().decoder.push(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), { code: "frame-too-large" });
    assert.throws(() => decoder().decoder.push(Uint8Array.of(0, 0, 0, 0)), { code: "bad-message" });
  });

  it("take no memory for what is only announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 500 }, () => decoder().decoder);
    for (const d of decoders) d.push(Uint8Array.of(0, 0x10, 0, 0, 0x20));
    assert.ok(process.memoryUsage().arrayBuffers - before < 5_000_000);
    assert.equal(decoders.length, 500);
  });

  it("that are too large to send are refused", () => {
    const records = new Array(30).fill("A".repeat(50_000));
    assert.throws(() => encodeControl({ type: "answer", id: 1, records, total: 30 }), { code: "frame-too-large" });
  });

  it("never do more than throw bad-message or frame-too-large, whatever is mutated", () => {
    const stream = Buffer.concat(EXAMPLES.map(encodeControl));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(stream.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.nat(stream.length),
        (changes, cut) => {
          const bytes = Buffer.from(stream);
          for (const [index, value] of changes) bytes[index] = value;
          const { decoder: d } = decoder(4096);
          try {
            d.push(bytes.subarray(0, cut));
            d.push(bytes.subarray(cut));
          } catch (error) {
            assert.match((error as { code: string }).code, /^(bad-message|frame-too-large)$/);
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it("of the longest chat fit into a frame that nobody asked for, whatever its characters", () => {
    for (const character of ["x", '"', "\n", "é", "永", "🎬"]) {
      const chat: ControlMessage = { type: "chat", id: "a", text: character.repeat(MAX_CHAT_CHARS), sentAt: 1 };
      const frame = encodeControl(chat);
      assert.ok(frame.length <= MAX_UNASKED_FRAME_BYTES, `${character}: ${frame.length}`);
      assert.deepEqual(decodeControl(frame.subarray(4)), chat);
    }
  });

  it("survive any JSON with a known type", () => {
    const type = fc.constantFrom("hello", "query", "answer", "refused", "changed", "chat", "chatTaken", "bye");
    fc.assert(
      fc.property(type, fc.dictionary(fc.string(), fc.jsonValue()), (type, rest) => {
        const { decoder: d } = decoder();
        try {
          d.push(framed({ ...rest, type }));
        } catch (error) {
          assert.equal((error as { code: string }).code, "bad-message");
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
