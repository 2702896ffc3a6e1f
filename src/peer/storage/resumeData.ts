import {
  type BigIntStats,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { uptime } from "node:os";
import { dirname } from "node:path";
import * as z from "zod";
import { Bitfield } from "../../wire/bitfield";
import { fileError } from "./fileErrors";

/**
 * Layout of a resume file: the header (one line of JSON, "\n"), the state byte, the bitfield. State and bits change in
 * place, one byte by one write: a kill between any two instructions leaves the old byte or the new one.
 */
const VERSION = 1;
const STATE_RECHECK = 0x30; // "0"
const STATE_TRUSTED = 0x31; // "1"
/** A few hundred bytes in fact: more is not ours. */
const MAX_HEADER_BYTES = 4096;
/** The boot time is computed from the clock, which is corrected by seconds now and then; no restart is as quick. */
const BOOT_TOLERANCE_MS = 10_000;

const HEADER = z.object({
  version: z.literal(VERSION),
  id: z.string(),
  size: z.number().int().positive(),
  pieceLength: z.number().int().positive(),
  /** Which file the part file was: device and inode (on Windows volume and file id). */
  partFile: z.string(),
  /** What tells this run of the machine from others. */
  boot: z.string(),
});
type Header = z.infer<typeof HEADER>;

/** What the resume file is about; another part file, size or piece length makes it foreign. */
export interface ResumeTarget {
  /** VideoId or v1 info-hash, hex. */
  id: string;
  /** Absolute path of the .part file. */
  partPath: string;
  /** Bytes. */
  size: number;
  pieceLength: number;
}

export interface OpenedResume {
  resume: ResumeData;
  /**
   * - fresh: there is no data yet
   * - trusted: every marked piece is in the part file
   * - recheck: there is data, but nothing vouches for it (`reason` is a sentence that says why). No piece is marked: verify
   *   all that is in the part file, `mark` the good pieces, then call `finishRecheck`
   */
  state: "fresh" | "trusted" | "recheck";
  reason?: string;
}

/**
 * Which pieces of a download are verified and written. A piece is marked after the write of its data has returned, so
 * after a kill at any instruction whatever is marked is in the file (or in the system's cache of it). After a restart of the
 * machine, which may have been a power failure, nothing is believed: everything is rechecked.
 */
export class ResumeData {
  #bits: Bitfield;
  #fd: number | undefined;
  readonly #path: string;
  readonly #stateAt: number;

  private constructor(path: string, fd: number, stateAt: number, bits: Bitfield) {
    this.#path = path;
    this.#fd = fd;
    this.#stateAt = stateAt;
    this.#bits = bits;
  }

  /**
   * Opens or creates the resume file, and creates the part file (empty) where there is none. To be called before anything
   * else touches the part file, at the start of a download and after each restart. Errors: disk-full, write-failed.
   */
  static open(path: string, target: ResumeTarget): OpenedResume {
    const part = ensurePart(target.partPath);
    const pieces = Math.ceil(target.size / target.pieceLength);
    const stored = readStored(path, pieces);
    const reason = distrust(stored, target, part);
    if (stored && !reason && isThisBoot(stored.boot)) {
      const fd = guarded(path, () => openSync(path, "r+"));
      return { resume: new ResumeData(path, fd, stored.stateAt, stored.bits), state: "trusted" };
    }
    const fresh = part.size === 0n;
    const recheck = reason !== undefined && !fresh;
    const resume = ResumeData.#create(path, target, part, recheck ? STATE_RECHECK : STATE_TRUSTED);
    if (recheck) return { resume, state: "recheck", reason };
    return { resume, state: fresh ? "fresh" : "trusted" };
  }

  /**
   * Whether `file` is the part file of the resume file at `path`, whatever its name is now: a kill between the last rename and the
   * library's saying so leaves the whole file under its final name.
   */
  static describes(path: string, file: string, { size, pieceLength }: ResumeTarget): boolean {
    const stored = readStored(path, Math.ceil(size / pieceLength));
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stored !== undefined && found !== undefined && stored.partFile === fileIdentity(found);
  }

  static #create(path: string, target: ResumeTarget, part: BigIntStats, state: number): ResumeData {
    const { id, size, pieceLength } = target;
    const partFile = fileIdentity(part);
    const header: Header = { version: VERSION, id, size, pieceLength, partFile, boot: bootIdentity() };
    const line = Buffer.from(`${JSON.stringify(header)}\n`);
    const bits = new Bitfield(Math.ceil(size / pieceLength));
    const content = Buffer.concat([line, Buffer.of(state), bits.toBytes()]);
    return guarded(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, content);
      renameSync(`${path}.new`, path);
      return new ResumeData(path, openSync(path, "r+"), line.length, bits);
    });
  }

  /** Call it only after the write of the piece's data has returned. Errors: disk-full, write-failed. */
  mark(piece: number): void {
    if (this.#bits.set(piece)) this.#writeByteOf(piece);
  }

  /** For a piece whose data turned out bad. Errors: disk-full, write-failed. */
  clear(piece: number): void {
    if (this.#bits.clear(piece)) this.#writeByteOf(piece);
  }

  has(piece: number): boolean {
    return this.#bits.get(piece);
  }

  /** A copy, as a `bitfield` message carries it. */
  bits(): Uint8Array {
    return this.#bits.toBytes();
  }

  count(): number {
    return this.#bits.count;
  }

  /** All that is in the part file has been verified; until then each `open` calls for a recheck again. */
  finishRecheck(): void {
    this.#write(STATE_TRUSTED, this.#stateAt);
  }

  /** Idempotent; later marks are ignored on disk. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #writeByteOf(piece: number): void {
    const at = piece >>> 3;
    let byte = 0;
    for (let i = at * 8; i < at * 8 + 8; i++) byte = byte * 2 + (this.#bits.get(i) ? 1 : 0);
    this.#write(byte, this.#stateAt + 1 + at);
  }

  #write(byte: number, position: number): void {
    const fd = this.#fd;
    if (fd !== undefined) guarded(this.#path, () => writeSync(fd, Buffer.of(byte), 0, 1, position));
  }
}

interface Stored extends Header {
  stateAt: number;
  rechecking: boolean;
  bits: Bitfield;
}

/** Undefined where there is none, or where it is not one of `pieces` pieces. */
function readStored(path: string, pieces: number): Stored | undefined {
  try {
    if (statSync(path).size > MAX_HEADER_BYTES + 1 + Math.ceil(pieces / 8)) return undefined;
    const content = readFileSync(path);
    const stateAt = content.indexOf("\n") + 1;
    const header = HEADER.parse(JSON.parse(content.toString("utf8", 0, stateAt)));
    const state = content[stateAt];
    if (state !== STATE_RECHECK && state !== STATE_TRUSTED) return undefined;
    const bits = Bitfield.fromBytes(content.subarray(stateAt + 1), pieces);
    return { ...header, stateAt, rechecking: state === STATE_RECHECK, bits };
  } catch {
    return undefined; // missing or damaged are the same here: what is in the part file is rechecked
  }
}

/** Why what is stored cannot be believed; undefined where it can. */
function distrust(stored: Stored | undefined, target: ResumeTarget, part: BigIntStats): string | undefined {
  if (!stored) return "The notes on what has been downloaded are missing or damaged.";
  if (stored.id !== target.id || stored.size !== target.size || stored.pieceLength !== target.pieceLength) {
    return "The notes on what has been downloaded belong to another video.";
  }
  if (stored.rechecking) return "The last check was not finished.";
  if (stored.partFile !== fileIdentity(part)) return "The unfinished file has been replaced by another one.";
  if (stored.bits.isEmpty) return undefined;
  if (part.size !== BigInt(target.size)) return "The unfinished file has another size than before.";
  if (!isThisBoot(stored.boot)) return "The computer has been restarted.";
  return undefined;
}

function ensurePart(path: string): BigIntStats {
  return guarded(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, "a+"); // never truncates
    try {
      return fstatSync(fd, { bigint: true });
    } finally {
      closeSync(fd);
    }
  });
}

function fileIdentity(file: BigIntStats): string {
  return `${file.dev}:${file.ino}`;
}

/** Linux names each run of the machine; elsewhere the time of its start tells runs apart. */
function bootIdentity(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return String(Math.round(Date.now() - uptime() * 1000));
  }
}

function isThisBoot(stored: string): boolean {
  const now = bootIdentity();
  return stored === now || Math.abs(Number(stored) - Number(now)) < BOOT_TOLERANCE_MS;
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw fileError(error, "write", path);
  }
}
