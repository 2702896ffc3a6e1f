import { copyFile, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { isPeerId } from "../src/wire/trackerAddress";
import { type Fingerprint, isFingerprint } from "../src/wire/types";
import type { NamePersistence } from "./nameBook";
import type { NameEntry } from "./store";

const FILE = "names.json";
/** The same again: what one of them lost the other has. */
const COPY = "names.copy.json";

const entrySchema = z.object({
  name: z.string().refine(isPeerId),
  owner: z.custom<Fingerprint>((v) => typeof v === "string" && isFingerprint(v)),
  firstSeen: z.number().nonnegative(),
  lastSeen: z.number().nonnegative(),
});
const fileSchema = z.object({ version: z.literal(1), names: z.array(entrySchema) });

/** One name a line, so that a file cut in half still tells all names before the cut. */
export function encodeNames(entries: readonly NameEntry[]): string {
  const lines = entries.map(({ name, owner, firstSeen, lastSeen }) =>
    JSON.stringify({ name, owner, firstSeen, lastSeen }),
  );
  return `{"version":1,"names":[\n${lines.join(",\n")}\n]}\n`;
}

/** `whole` is false when something was unreadable; then `entries` is what could be saved. */
export function decodeNames(text: string): { whole: boolean; entries: NameEntry[] } {
  try {
    const parsed = fileSchema.safeParse(JSON.parse(text));
    if (parsed.success) return { whole: true, entries: parsed.data.names };
  } catch {
    // not JSON as a whole: read line by line
  }
  const entries: NameEntry[] = [];
  for (const line of text.split("\n")) {
    try {
      const parsed = entrySchema.safeParse(JSON.parse(line.replace(/,\s*$/, "")));
      if (parsed.success) entries.push(parsed.data);
    } catch {
      // a line that is no entry: the frame of the file, or the place of the damage
    }
  }
  return { whole: false, entries };
}

/**
 * Names in a folder, as two files of the same content, each written aside and renamed. Whatever happens to one of them is
 * made good from the other; a damaged file is kept beside as `.damaged-<time>` and `warn` is told.
 */
export class NamesFile implements NamePersistence {
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #entries: () => NameEntry[] = () => [];
  #written = "";

  constructor(
    private readonly folder: string,
    private readonly warn: (message: string) => void,
    private readonly now: () => number = Date.now,
  ) {}

  /** Errors: those of the file system when the folder cannot be made or read. */
  async load(): Promise<NameEntry[]> {
    await mkdir(this.folder, { recursive: true });
    const main = await this.#read(FILE);
    const copy = await this.#read(COPY);
    if (main.whole) return main.entries;
    const merged = new Map<string, NameEntry>();
    for (const entry of [...main.entries, ...copy.entries]) {
      const key = `${entry.name.toLowerCase()} ${entry.owner}`;
      const known = merged.get(key);
      if (!known || known.lastSeen < entry.lastSeen) merged.set(key, entry);
    }
    return [...merged.values()];
  }

  save(entries: () => NameEntry[]): Promise<void> {
    this.#entries = entries;
    // One write runs, at most one waits: it will write what is true when it starts, so everyone who asks meanwhile shares it.
    this.#next ??= (async () => {
      await this.#running?.catch(() => {});
      this.#running = this.#next;
      this.#next = undefined;
      await this.#write();
    })();
    return this.#next;
  }

  async #write(): Promise<void> {
    const text = encodeNames(this.#entries());
    if (text === this.#written) return;
    try {
      await replaceFile(join(this.folder, FILE), text);
      await replaceFile(join(this.folder, COPY), text);
      this.#written = text;
    } catch (error) {
      // The names stay in memory and are written with the next change; peers are served meanwhile.
      this.warn(`Names could not be written to ${this.folder}: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #read(name: string): Promise<{ whole: boolean; entries: NameEntry[] }> {
    const path = join(this.folder, name);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { whole: false, entries: [] };
      throw error;
    }
    const read = decodeNames(text);
    if (!read.whole) {
      const aside = `${path}.damaged-${this.now()}`;
      await copyFile(path, aside);
      this.warn(
        `${path} is damaged; it is kept as ${aside}, and the names are taken from what is left and from its copy.`,
      );
    }
    return read;
  }
}

/** The new text or the old one, whatever happens; readable by its owner only. On a full disk the old one stays. */
async function replaceFile(path: string, text: string): Promise<void> {
  const half = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(half, "w", 0o600);
    try {
      await file.writeFile(text, "utf8");
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(half, path);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}
