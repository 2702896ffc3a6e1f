import assert from "node:assert/strict";
import { WireReader } from "../../src/peer/swarm/wireReader";
import { BLOCK_BYTES } from "../../src/wire/constants";
import { decodeMessage, encodeMessage } from "../../src/wire/messages";

/** What a reader says of a stream that comes in these parts. */
function read(parts: Iterable<Uint8Array>): unknown[] {
  const said: unknown[] = [];
  const target = Buffer.alloc(BLOCK_BYTES);
  const reader = new WireReader(
    {
      onHandshake: () => assert.fail("there is none"),
      onFrame: (frame) => void said.push(Buffer.from(frame)),
      onBlockStart: () => target,
      onBlockBytes: () => undefined,
      onBlockEnd: (piece, begin, length) =>
        void said.push({ piece, begin, data: Buffer.from(target.subarray(0, length)) }),
      onViolation: (error) => void said.push((error as { code: string }).code),
    },
    false,
  );
  for (const part of parts) reader.push(part);
  return said;
}

function* inPartsOf(size: number, bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("what a connection reads", () => {
  const data = Buffer.alloc(500, "video");
  const stream = Buffer.concat([
    encodeMessage({ type: "have", piece: 7 }),
    encodeMessage({ type: "unchoke" }),
    encodeMessage({ type: "keepAlive" }),
    encodeMessage({ type: "piece", piece: 7, begin: BLOCK_BYTES, data }),
    encodeMessage({ type: "request", piece: 1, begin: 0, length: BLOCK_BYTES }),
    encodeMessage({ type: "bitfield", bits: Buffer.alloc(300, 0xaa) }),
    encodeMessage({ type: "have", piece: 8 }),
  ]);

  it("is the same however the network has cut it", () => {
    const whole = read([stream]);
    assert.equal(whole.length, 7);
    assert.deepEqual(decodeMessage(whole[0] as Buffer), { type: "have", piece: 7 });
    assert.deepEqual(whole[3], { piece: 7, begin: BLOCK_BYTES, data });
    for (let size = 1; size < stream.length; size++) assert.deepEqual(read(inPartsOf(size, stream)), whole, `${size}`);
  });

  it("ends with the first message that is too long", () => {
    const endless = Buffer.from([0xff, 0xff, 0xff, 0xff, 5, 0, 0]);
    for (const size of [1, 3, stream.length + endless.length]) {
      const said = read(inPartsOf(size, Buffer.concat([stream, endless, stream])));
      assert.deepEqual(said.slice(7), ["frame-too-large"]);
    }
  });
});
