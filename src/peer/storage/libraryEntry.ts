import { isAbsolute } from "node:path";
import { setImmediate } from "node:timers/promises";
import * as z from "zod";
import { ERROR_CODES, type ErrorInfo } from "../../wire/errors";
import type { MediaFacts } from "../../wire/mediaFacts";
import { type Fingerprint, isFingerprint, isVideoId, type VideoId } from "../../wire/types";
import type { Audience, VideoState } from "../status";

/**
 * One video of the library as it is kept on disk. Rates, peers and progress are not kept: they come from the engine and from
 * the resume data. Entries are never changed in place: `Library.update` makes a new one.
 */
export interface LibraryEntry extends MediaFacts {
  /** Made by `Library.add`: 21 characters that are safe in a file name. */
  key: string;
  origin: "uploaded" | "obtained";
  /** Absent while hashing, and for v1-only torrents. */
  id?: VideoId;
  /** v1 info-hash, 40 hex digits, of hybrids and v1-only torrents. */
  v1?: string;
  /** Hex; absent while hashing and for v1-only torrents. */
  piecesRoot?: string;
  pieceLength?: number;
  title: string;
  description: string;
  /** Name in the info dictionary, fixed at upload. */
  fileName: string;
  /** Absolute path that the whole video has or will have. */
  path: string;
  /** Absolute path of the .part file while it is not whole. */
  partPath?: string;
  size: number;
  /** Modification time (ms) of the file when it was hashed or completed: a file with another one counts as changed. */
  mtimeMs?: number;
  /** Byte ranges [begin, end) that a player reads first. */
  indexRanges?: [number, number][];
  /** A smaller copy of this height is to be made of `path` before it is imported. */
  optimise?: 720 | 1080;
  /** Bytes per second that this video alone may take; absent = no limit of its own. */
  uploadLimit?: number;
  downloadLimit?: number;
  audience: Audience;
  /** The person wants it offered to others (whether it is depends on the profile running). */
  shared: boolean;
  state: VideoState;
  error?: ErrorInfo;
  addedAt: number;
  owner: string;
  ownerFingerprint: Fingerprint | "";
  /** Sequence number of the newest record signed (own) or received (obtained); 0 = none yet. */
  sequence: number;
  /** The owner's newest signed record and, for friends' videos, the grant: base64. */
  record?: string;
  grant?: string;
  /** JPEG or WebP, base64. */
  thumbnail?: string;
  /** Trackers (as in a link or .torrent) and peers to ask besides the profile's. */
  trackers?: string[];
  peers?: string[];
}

/** Fields that are large and can be had again: they are kept beside the library, one file per entry. */
export const EXTRAS = z.object({
  record: z.string().optional(),
  grant: z.string().optional(),
  thumbnail: z.string().optional(),
});
export type Extras = z.infer<typeof EXTRAS>;
export const EXTRA_FIELDS = ["record", "grant", "thumbnail"] as const satisfies (keyof Extras)[];

const STATES = [
  "optimising",
  "hashing",
  "ready",
  "downloading",
  "paused",
  "checking",
  "failed",
  "fileMissing",
  "fileChanged",
] as const;

/** What merely describes a video must not cost the entry when it is not as expected. */
const lenient = <T extends z.ZodType>(type: T) => type.optional().catch(undefined);
const count = z.number().int().nonnegative();

const ENTRY: z.ZodType<LibraryEntry> = z.object({
  key: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), // becomes the name of a file
  origin: z.enum(["uploaded", "obtained"]),
  id: z.string().refine(isVideoId).optional(),
  v1: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .optional(),
  piecesRoot: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  pieceLength: count.optional(),
  title: z.string(),
  description: z.string().catch(""),
  fileName: z.string(),
  path: z.string().refine(isAbsolute),
  partPath: z.string().refine(isAbsolute).optional(),
  size: count,
  mtimeMs: z.number().optional(),
  duration: lenient(z.number().nonnegative()),
  container: lenient(z.string()),
  codecs: lenient(z.string()),
  width: lenient(count),
  height: lenient(count),
  indexRanges: lenient(z.array(z.tuple([count, count]))),
  optimise: lenient(z.union([z.literal(720), z.literal(1080)])),
  uploadLimit: lenient(z.number().positive()),
  downloadLimit: lenient(z.number().positive()),
  audience: z.enum(["everyone", "friends", "public"]),
  shared: z.boolean(),
  state: z.enum(STATES),
  error: lenient(
    z.object({
      code: z.enum(ERROR_CODES),
      message: z.string(),
      data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    }),
  ),
  addedAt: z.number(),
  owner: z.string(),
  ownerFingerprint: z.union([z.literal(""), z.string().refine(isFingerprint)]),
  sequence: count,
  trackers: lenient(z.array(z.string())),
  peers: lenient(z.array(z.string())),
});

/** An absent field is absent in memory as well, so that entries compare equal before and after a restart. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

export const LIBRARY_VERSION = 1;
/** Brings the raw content of version `i` to version `i + 1`; an entry is added with every change of the format that old files lack. */
const MIGRATIONS: ((raw: Record<string, unknown>) => Record<string, unknown>)[] = [(raw) => raw];

/** Checking so many takes some milliseconds, after which others get a turn. */
const ENTRIES_PER_SLICE = 200;
const LINES_PER_SLICE = 1_000;

export interface ParsedLibrary {
  entries: LibraryEntry[];
  /** Why it is not whole; undefined for a sound file. */
  damage?: string;
  /** Written by a later version of Streamlet: not to be touched. */
  newer?: boolean;
}

/** One entry a line, so that a text cut anywhere loses one entry only. */
export async function formatLibrary(entries: readonly LibraryEntry[]): Promise<string> {
  const lines: string[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % LINES_PER_SLICE === LINES_PER_SLICE - 1) await setImmediate();
    lines.push(lineOf(entry));
  }
  return `{"version":${LIBRARY_VERSION},"entries":[\n${lines.join(",\n")}\n]}\n`;
}

/** Entries are never changed in place: a library of thousands is not made into text anew for each change of one. */
const lines = new WeakMap<LibraryEntry, string>();

function lineOf(entry: LibraryEntry): string {
  const known = lines.get(entry);
  if (known !== undefined) return known;
  const line = JSON.stringify({ ...entry, record: undefined, grant: undefined, thumbnail: undefined });
  lines.set(entry, line);
  return line;
}

/** Never throws: what is not valid is left out and named in `damage`. */
export async function parseLibrary(text: string): Promise<ParsedLibrary> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return { entries: salvage(text), damage: error instanceof Error ? error.message : String(error) };
  }
  const head = z.looseObject({ version: count, entries: z.array(z.unknown()) }).safeParse(raw);
  if (!head.success) return { entries: [], damage: "it is not a library" };
  if (head.data.version > LIBRARY_VERSION) return { entries: [], newer: true };
  const migrated = MIGRATIONS.slice(head.data.version).reduce<Record<string, unknown>>(
    (from, step) => step(from),
    head.data,
  );
  const list = migrated.entries as unknown[];
  const entries: LibraryEntry[] = [];
  let bad: z.core.$ZodIssue | undefined;
  for (const [index, entry] of list.entries()) {
    if (index % ENTRIES_PER_SLICE === ENTRIES_PER_SLICE - 1) await setImmediate();
    const parsed = ENTRY.safeParse(entry);
    if (parsed.success) entries.push(withoutUndefined(parsed.data));
    else bad ??= parsed.error.issues[0];
  }
  if (!bad) return { entries };
  const where = bad.path.join(".") || "entry";
  return {
    entries,
    damage: `${list.length - entries.length} of ${list.length} entries are not valid (${where}: ${bad.message})`,
  };
}

/** The entries that are whole lines of a text that is no JSON any more. */
function salvage(text: string): LibraryEntry[] {
  return text.split("\n").flatMap((line) => {
    try {
      const parsed = ENTRY.safeParse(JSON.parse(line.replace(/,\s*$/, "")));
      return parsed.success ? [withoutUndefined(parsed.data)] : [];
    } catch {
      return [];
    }
  });
}
