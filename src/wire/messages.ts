/** Messages of a BitTorrent connection (BEP 3, 5, 6, 10, 52): bytes to values and back. Meaning is for the swarm to judge. */
import { asBuffer } from "./bytes";
import { HASH_BYTES, HASH_HEADER_BYTES, LENGTH_PREFIX_BYTES, MESSAGE_ID, PIECE_HEADER_BYTES } from "./constants";
import { StreamletError } from "./errors";
import { splitHashes } from "./merkle";

/** A stretch of a piece; `begin` and `length` in bytes. */
export interface BlockRange {
  piece: number;
  begin: number;
  length: number;
}

/** What `hash request`, `hashes` and `hash reject` begin with (BEP 52). */
export interface HashHeader {
  /** 32 bytes. */
  piecesRoot: Uint8Array;
  base: number;
  index: number;
  length: number;
  proofLayers: number;
}

export type Message =
  | { type: "keepAlive" | "choke" | "unchoke" | "interested" | "notInterested" | "haveAll" | "haveNone" }
  | { type: "have" | "suggest" | "allowedFast"; piece: number }
  | { type: "bitfield"; bits: Uint8Array }
  | ({ type: "request" | "cancel" | "reject" } & BlockRange)
  | { type: "piece"; piece: number; begin: number; data: Uint8Array }
  | { type: "port"; port: number }
  | { type: "extended"; id: number; payload: Uint8Array }
  | ({ type: "hashRequest" | "hashReject" } & HashHeader)
  | ({ type: "hashes"; hashes: Uint8Array } & HashHeader)
  | { type: "unknown"; id: number };

const BLOCK_RANGE_BYTES = 12;

/**
 * A whole frame with its length prefix. Data of a `piece` is copied: senders of blocks use `writePieceHeader` instead.
 * @throws StreamletError `invalid-argument` for a message of type `unknown`, or a number that does not fit its field
 */
export function encodeMessage(message: Message): Uint8Array {
  switch (message.type) {
    case "keepAlive":
      return new Uint8Array(LENGTH_PREFIX_BYTES);
    case "choke":
    case "unchoke":
    case "interested":
    case "notInterested":
    case "haveAll":
    case "haveNone":
      return frame(MESSAGE_ID[message.type], 0);
    case "have":
    case "suggest":
    case "allowedFast":
      return putNumbers(frame(MESSAGE_ID[message.type], 4), [message.piece]);
    case "bitfield":
      return putBytes(frame(MESSAGE_ID.bitfield, message.bits.length), 0, message.bits);
    case "request":
    case "cancel":
    case "reject":
      return putNumbers(frame(MESSAGE_ID[message.type], BLOCK_RANGE_BYTES), [
        message.piece,
        message.begin,
        message.length,
      ]);
    case "piece": {
      const out = Buffer.allocUnsafeSlow(PIECE_HEADER_BYTES + message.data.length);
      writePieceHeader(out, 0, message.piece, message.begin, message.data.length);
      out.set(message.data, PIECE_HEADER_BYTES);
      return out;
    }
    case "port": {
      const out = frame(MESSAGE_ID.port, 2);
      out.writeUInt16BE(message.port, LENGTH_PREFIX_BYTES + 1);
      return out;
    }
    case "extended": {
      const out = frame(MESSAGE_ID.extended, 1 + message.payload.length);
      out.writeUInt8(message.id, LENGTH_PREFIX_BYTES + 1);
      return putBytes(out, 1, message.payload);
    }
    case "hashRequest":
    case "hashReject":
      return putHashHeader(frame(MESSAGE_ID[message.type], HASH_HEADER_BYTES), message);
    case "hashes": {
      const out = frame(MESSAGE_ID.hashes, HASH_HEADER_BYTES + message.hashes.length);
      return putBytes(putHashHeader(out, message), HASH_HEADER_BYTES, message.hashes);
    }
    case "unknown":
      throw new StreamletError("invalid-argument", `A message with the unknown id ${message.id} cannot be written.`);
  }
}

/**
 * Writes what comes before the data of a `piece` message, so that data can be read from disk straight behind it.
 * @returns the offset behind the header (13 bytes)
 */
export function writePieceHeader(
  target: Uint8Array,
  offset: number,
  piece: number,
  begin: number,
  dataLength: number,
): number {
  const out = asBuffer(target);
  out.writeUInt32BE(PIECE_HEADER_BYTES - LENGTH_PREFIX_BYTES + dataLength, offset);
  out[offset + LENGTH_PREFIX_BYTES] = MESSAGE_ID.piece;
  out.writeUInt32BE(piece, offset + 5);
  return out.writeUInt32BE(begin, offset + 9);
}

function frame(id: number, payloadLength: number): Buffer {
  // Not `Slow`: small ones are cut from memory that is there already, and there are thousands of them a second.
  const out = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + 1 + payloadLength);
  out.writeUInt32BE(1 + payloadLength, 0);
  out[LENGTH_PREFIX_BYTES] = id;
  return out;
}

const PAYLOAD_AT = LENGTH_PREFIX_BYTES + 1;

function putNumbers(out: Buffer, numbers: readonly number[]): Buffer {
  let at = PAYLOAD_AT;
  for (const number of numbers) at = putUint32(out, number, at);
  return out;
}

function putUint32(out: Buffer, number: number, at: number): number {
  if (!Number.isInteger(number) || number < 0 || number > 0xffffffff) {
    throw new StreamletError("invalid-argument", `${number} does not fit 32 bits.`);
  }
  return out.writeUInt32BE(number, at);
}

function putBytes(out: Buffer, at: number, bytes: Uint8Array): Buffer {
  out.set(bytes, PAYLOAD_AT + at);
  return out;
}

function putHashHeader(out: Buffer, header: HashHeader): Buffer {
  if (header.piecesRoot.length !== HASH_BYTES) {
    throw new StreamletError("invalid-argument", "A pieces root has 32 bytes.");
  }
  out.set(header.piecesRoot, PAYLOAD_AT);
  let at = PAYLOAD_AT + HASH_BYTES;
  for (const number of [header.base, header.index, header.length, header.proofLayers]) at = putUint32(out, number, at);
  return out;
}

/**
 * Decodes a frame without its length prefix; an empty one is a keep-alive. Byte arrays in the result are views on it.
 * Sizes are checked exactly; indices and ranges are not (they depend on the video).
 * @throws StreamletError `bad-message`
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const body = asBuffer(bytes);
  const id = body[0];
  switch (id) {
    case undefined:
      return { type: "keepAlive" };
    case MESSAGE_ID.choke:
      return empty("choke", body);
    case MESSAGE_ID.unchoke:
      return empty("unchoke", body);
    case MESSAGE_ID.interested:
      return empty("interested", body);
    case MESSAGE_ID.notInterested:
      return empty("notInterested", body);
    case MESSAGE_ID.haveAll:
      return empty("haveAll", body);
    case MESSAGE_ID.haveNone:
      return empty("haveNone", body);
    case MESSAGE_ID.have:
      return pieceIndex("have", body);
    case MESSAGE_ID.suggest:
      return pieceIndex("suggest", body);
    case MESSAGE_ID.allowedFast:
      return pieceIndex("allowedFast", body);
    case MESSAGE_ID.bitfield:
      expect(body.length > 1, "bitfield", body);
      return { type: "bitfield", bits: body.subarray(1) };
    case MESSAGE_ID.request:
      return blockRange("request", body);
    case MESSAGE_ID.cancel:
      return blockRange("cancel", body);
    case MESSAGE_ID.reject:
      return blockRange("reject", body);
    case MESSAGE_ID.piece:
      expect(body.length > 9, "piece", body);
      return { type: "piece", piece: body.readUInt32BE(1), begin: body.readUInt32BE(5), data: body.subarray(9) };
    case MESSAGE_ID.port:
      expect(body.length === 3, "port", body);
      return { type: "port", port: body.readUInt16BE(1) };
    case MESSAGE_ID.extended:
      expect(body.length >= 2, "extended", body);
      return { type: "extended", id: body[1] as number, payload: body.subarray(2) };
    case MESSAGE_ID.hashRequest:
      expect(body.length === 1 + HASH_HEADER_BYTES, "hash request", body);
      return { type: "hashRequest", ...hashHeader(body) };
    case MESSAGE_ID.hashReject:
      expect(body.length === 1 + HASH_HEADER_BYTES, "hash reject", body);
      return { type: "hashReject", ...hashHeader(body) };
    case MESSAGE_ID.hashes: {
      expect(body.length >= 1 + HASH_HEADER_BYTES, "hashes", body);
      const header = hashHeader(body);
      const hashes = body.subarray(1 + HASH_HEADER_BYTES);
      expect(splitHashes(hashes, header.length, header.proofLayers) !== undefined, "hashes", body);
      return { type: "hashes", ...header, hashes };
    }
    default:
      return { type: "unknown", id };
  }
}

function expect(holds: boolean, name: string, body: Buffer): void {
  if (!holds) throw new StreamletError("bad-message", `A "${name}" message cannot have ${body.length} bytes.`);
}

function empty(type: "choke" | "unchoke" | "interested" | "notInterested" | "haveAll" | "haveNone", body: Buffer) {
  expect(body.length === 1, type, body);
  return { type } as const;
}

function pieceIndex(type: "have" | "suggest" | "allowedFast", body: Buffer) {
  expect(body.length === 5, type, body);
  return { type, piece: body.readUInt32BE(1) } as const;
}

function blockRange(type: "request" | "cancel" | "reject", body: Buffer) {
  expect(body.length === 1 + BLOCK_RANGE_BYTES, type, body);
  return {
    type,
    piece: body.readUInt32BE(1),
    begin: body.readUInt32BE(5),
    length: body.readUInt32BE(9),
  } as const;
}

function hashHeader(body: Buffer): HashHeader {
  return {
    piecesRoot: body.subarray(1, 1 + HASH_BYTES),
    base: body.readUInt32BE(33),
    index: body.readUInt32BE(37),
    length: body.readUInt32BE(41),
    proofLayers: body.readUInt32BE(45),
  };
}
