/** What the suites of src/wire share: fixtures made by libtorrent (test/fixtures/makeTorrents.py), seeded chance, checks of error codes. */
import assert from "node:assert/strict";
import * as crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BLOCK_BYTES, HASH_BYTES } from "../../src/wire/constants";
import type { ErrorCode } from "../../src/wire/errors";
import { StreamletError } from "../../src/wire/errors";
import { hashBlocksInto } from "../../src/wire/merkle";

/** Timeout of suites that count, on a machine that is busy with others, milliseconds. None of them waits for anything. */
export const BUSY_MACHINE_MS = 30_000;

const FOLDER = join(process.cwd(), "test", "fixtures", "torrents");

export interface TorrentFacts {
  fileName: string;
  length: number;
  pieceLength: number;
  v1: string | null;
  id: string | null;
  trackers: string[];
  magnet: string;
  /** "base index length proofLayers" and what libtorrent sent in reply, as hex. */
  answers: { request: string; hashes: string | null }[];
}

export function torrentFacts(): Record<string, TorrentFacts> {
  return (JSON.parse(readFileSync(join(FOLDER, "torrents.json"), "utf8")) as { torrents: Record<string, TorrentFacts> })
    .torrents;
}

export function torrentFile(name: string): Buffer {
  return readFileSync(join(FOLDER, `${name}.torrent`));
}

/** The bytes of the fixture's file, as makeTorrents.py makes them. */
export function contentOf(seed: string, size: number): Buffer {
  const out = Buffer.alloc(Math.ceil(size / HASH_BYTES) * HASH_BYTES);
  for (let at = 0; at < out.length; at += HASH_BYTES) {
    out.write(crypto.hash("sha256", `${seed}:${at / HASH_BYTES}`, "binary"), at, "latin1");
  }
  return out.subarray(0, size);
}

export function leavesOf(data: Uint8Array): Uint8Array {
  const leaves = new Uint8Array(Math.ceil(data.length / BLOCK_BYTES) * HASH_BYTES);
  hashBlocksInto(data, leaves, 0);
  return leaves;
}

export function sha1Pieces(data: Uint8Array, pieceLength: number): Uint8Array {
  const hashes: Buffer[] = [];
  for (let at = 0; at < data.length; at += pieceLength) {
    hashes.push(
      crypto
        .createHash("sha1")
        .update(data.subarray(at, at + pieceLength))
        .digest(),
    );
  }
  return Buffer.concat(hashes);
}

/** Asserts that it throws a StreamletError of this code, and gives it back. */
export function throwsCode(code: ErrorCode, run: () => unknown): StreamletError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StreamletError, `a StreamletError was expected, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  assert.fail(`nothing was thrown instead of ${code}`);
}

/** Integers from 0 up to `below`, the same for the same seed (mulberry32). */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A few random changes: flipped bits, other bytes, bytes cut out, doubled or put in. */
export function mutate(bytes: Uint8Array, next: (below: number) => number): Buffer {
  let out = Buffer.from(bytes);
  for (let changes = 1 + next(4); changes > 0; changes--) {
    const at = next(out.length + 1);
    switch (next(5)) {
      case 0:
        if (at < out.length) out[at] = (out[at] as number) ^ (1 << next(8));
        break;
      case 1:
        if (at < out.length) out[at] = next(256);
        break;
      case 2:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + next(8))]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(Math.max(0, at - 1 - next(8)))]);
        break;
      default:
        out = Buffer.concat([out.subarray(0, at), Buffer.from([next(256), next(256)]), out.subarray(at)]);
    }
  }
  return out;
}

export interface TestKey {
  privateKey: crypto.KeyObject;
  spki: Uint8Array;
}

export function makeKey(): TestKey {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return { privateKey, spki: publicKey.export({ type: "spki", format: "der" }) };
}

/** What could hide, reorder or fake what a person reads. */
export const UNSAFE_CHARACTERS = [
  "\0",
  "\x07",
  "\t",
  "\r",
  "\x1b",
  "\x7f",
  "\x85",
  "\x9b",
  "\u00ad",
  "\u061c",
  "\u200b",
  "\u200e",
  "\u200f",
  "\u2028",
  "\u2029",
  "\u202a",
  "\u202b",
  "\u202c",
  "\u202d",
  "\u202e",
  "\u2060",
  "\u2066",
  "\u2067",
  "\u2068",
  "\u2069",
  "\ufeff",
  "\ufff9",
  "\ufffd",
  "\uffff",
  "\ud800",
  "\udfff",
  "\u{e0041}",
  "\u{e007f}",
  "\u{1fffe}",
];
