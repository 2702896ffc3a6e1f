/**
 * Friends and blocked people, in `<dataDir>/contacts.json`. A change counts at once in memory; what a person has decided is on disk
 * before it is reported as done, what is only noticed (last seen, address, name) soon after.
 */
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { ContactAddress } from "../../wire/contact";
import { type ErrorInfo, StreamletError } from "../../wire/errors";
import { isPeerId, peerIdKey } from "../../wire/trackerAddress";
import { type Fingerprint, isFingerprint } from "../../wire/types";
import { fileError, systemCode } from "../storage/fileErrors";
import { damagedName, writeAtomic } from "../storage/jsonFile";
import { withoutUndefined } from "../storage/libraryEntry";
import { Emitter } from "../tracker/emitter";

/** Friends and blocked people together: every friend may cost a connection of the 512 that the port holds, and every snapshot carries all. */
export const MAX_CONTACTS = 400;
/** What is only noticed is written at most so often. */
const WRITE_DELAY_MS = 5_000;
/** RFC 1035. */
const MAX_HOST_CHARS = 253;
const VERSION = 1;
const FILE_NAME = "contacts.json";

/** One person as kept on disk; `Contact` of status.ts adds what holds only now. */
export interface StoredContact {
  fingerprint: Fingerprint;
  kind: "friend" | "blocked";
  /** "" = not yet known. */
  peerId: string;
  addedAt: number;
  lastSeen?: number;
  host?: string;
  port?: number;
}

/** What others in the engine need to know of people. */
export interface People {
  friends(): Iterable<Fingerprint>;
  /** As `peerIdKey` has them; those that are known. */
  friendNames(): Iterable<string>;
  isFriend(fingerprint: Fingerprint): boolean;
  isBlocked(fingerprint: Fingerprint): boolean;
  /** Bears the name of a friend (compared without case) under another key. */
  isImpostor(fingerprint: Fingerprint, peerId: string): boolean;
}

/** Errors: invalid-argument, where one has blocked them. */
export function refuseBlocked(people: People, fingerprint: Fingerprint): void {
  if (!people.isBlocked(fingerprint)) return;
  throw new StreamletError("invalid-argument", "You have blocked whoever is there: end the block first.");
}

/** For whoever has no contacts. */
export const NOBODY_KNOWN: People = {
  friends: () => [],
  friendNames: () => [],
  isFriend: () => false,
  isBlocked: () => false,
  isImpostor: () => false,
};

/** What merely describes a person must not cost the entry when it is not as expected. */
const lenient = <T extends z.ZodType>(type: T) => type.optional().catch(undefined);

const CONTACT: z.ZodType<StoredContact> = z.object({
  fingerprint: z.custom<Fingerprint>((v) => typeof v === "string" && isFingerprint(v), "not a fingerprint"),
  kind: z.enum(["friend", "blocked"]),
  peerId: z.string().refine(isPeerId).catch(""),
  addedAt: z.number().nonnegative(),
  lastSeen: lenient(z.number().nonnegative()),
  host: lenient(z.string().min(1).max(MAX_HOST_CHARS)),
  port: lenient(z.number().int().min(1).max(65_535)),
});

export class Contacts implements People {
  /** Why the file was not whole, and what was kept where; undefined for a sound one. */
  damaged: ErrorInfo | undefined;
  readonly #path: string;
  readonly #contacts = new Map<Fingerprint, StoredContact>();
  readonly #friendNames = new Set<string>();
  readonly #didChange = new Emitter<void>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;
  #closed = false;

  /** Called after every change. */
  readonly onDidChange = this.#didChange.on;

  private constructor(
    dataDir: string,
    /** One's own key: nobody is one's own friend. */
    private readonly self: Fingerprint,
  ) {
    this.#path = join(dataDir, FILE_NAME);
  }

  /**
   * A damaged file is kept aside and what can be had of it is taken over: see `damaged`.
   * Errors: file-unreadable, disk-full, write-failed; library-damaged only for a file of a later version (it is not touched).
   */
  static async open(dataDir: string, self: Fingerprint): Promise<Contacts> {
    const contacts = new Contacts(dataDir, self);
    await contacts.#load();
    return contacts;
  }

  /** By name, then by fingerprint. */
  list(): StoredContact[] {
    return [...this.#contacts.values()].sort((a, b) => {
      const [left, right] = [peerIdKey(a.peerId), peerIdKey(b.peerId)];
      return left < right ? -1 : left > right ? 1 : a.fingerprint < b.fingerprint ? -1 : 1;
    });
  }

  friends(): Fingerprint[] {
    return [...this.#contacts.values()].flatMap(({ kind, fingerprint }) => (kind === "friend" ? [fingerprint] : []));
  }

  friendNames(): ReadonlySet<string> {
    return this.#friendNames;
  }

  get(fingerprint: Fingerprint): StoredContact | undefined {
    return this.#contacts.get(fingerprint);
  }

  isFriend(fingerprint: Fingerprint): boolean {
    return this.#contacts.get(fingerprint)?.kind === "friend";
  }

  isBlocked(fingerprint: Fingerprint): boolean {
    return this.#contacts.get(fingerprint)?.kind === "blocked";
  }

  isImpostor(fingerprint: Fingerprint, peerId: string): boolean {
    if (fingerprint === this.self || this.isFriend(fingerprint)) return false;
    return this.#friendNames.has(peerIdKey(peerId));
  }

  /** On disk when it resolves. Errors: invalid-argument (oneself, a name that is none), too-many, disk-full, write-failed. */
  async addFriend({ fingerprint, host, port }: ContactAddress, peerId?: string): Promise<StoredContact> {
    const known = this.#contacts.get(fingerprint);
    const named = this.#checkedName(fingerprint, peerId);
    return this.#decide({
      fingerprint,
      kind: "friend",
      peerId: named ?? known?.peerId ?? "",
      addedAt: known?.kind === "friend" ? known.addedAt : Date.now(),
      lastSeen: known?.lastSeen,
      host: host ?? known?.host,
      port: host === undefined ? known?.port : port,
    });
  }

  /** As `addFriend`. */
  async block(fingerprint: Fingerprint, peerId?: string): Promise<StoredContact> {
    const known = this.#contacts.get(fingerprint);
    const named = this.#checkedName(fingerprint, peerId);
    if (known?.kind === "blocked" && named === undefined) return known;
    return this.#decide({
      fingerprint,
      kind: "blocked",
      peerId: named ?? known?.peerId ?? "",
      addedAt: known?.kind === "blocked" ? known.addedAt : Date.now(),
      lastSeen: known?.lastSeen,
      host: known?.host,
      port: known?.port,
    });
  }

  /** Forgets a friend, or ends a block. On disk when it resolves; nothing happens to somebody who is not of this kind. */
  async remove(fingerprint: Fingerprint, kind: StoredContact["kind"]): Promise<void> {
    if (this.#contacts.get(fingerprint)?.kind !== kind) return;
    this.#contacts.delete(fingerprint);
    this.#changed();
    await this.flush();
  }

  /** Notes what is seen of somebody who is pinned; others are not kept. Written soon, not at once. */
  noteSeen(fingerprint: Fingerprint, seen: { peerId?: string; host?: string; port?: number; at: number }): void {
    const known = this.#contacts.get(fingerprint);
    if (!known) return;
    const { peerId, host, port, at } = seen;
    const reachable = host !== undefined && port !== undefined && port > 0;
    this.#contacts.set(fingerprint, {
      ...known,
      ...(peerId !== undefined && isPeerId(peerId) ? { peerId } : {}),
      ...(reachable ? { host, port } : {}),
      lastSeen: Math.max(at, known.lastSeen ?? 0),
    });
    this.#changed();
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), WRITE_DELAY_MS).unref();
  }

  /** Resolves when everything so far is on disk. Errors: disk-full, write-failed (it stays to be written). */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#write());
    await this.#writing;
  }

  /** flush, then no more writes of what is noticed. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  async #write(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await writeAtomic(this.#path, format([...this.#contacts.values()]));
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  async #decide(contact: { [K in keyof StoredContact]: StoredContact[K] | undefined }): Promise<StoredContact> {
    const decided = withoutUndefined(contact) as StoredContact;
    const { fingerprint } = decided;
    if (!this.#contacts.has(fingerprint) && this.#contacts.size >= MAX_CONTACTS) {
      throw new StreamletError(
        "too-many",
        `You have ${MAX_CONTACTS} friends and blocked people, which is as many as are kept: remove somebody first.`,
      );
    }
    this.#contacts.set(fingerprint, decided);
    this.#changed();
    await this.flush();
    return decided;
  }

  #checkedName(fingerprint: Fingerprint, peerId: string | undefined): string | undefined {
    if (fingerprint === this.self) {
      throw new StreamletError("invalid-argument", "That is your own fingerprint: enter somebody else's.");
    }
    if (peerId === undefined || peerId === "") return undefined;
    if (!isPeerId(peerId)) throw new StreamletError("invalid-argument", "That is not a Peer ID.");
    return peerId;
  }

  #changed(): void {
    this.#dirty = true;
    this.#countNames();
    this.#didChange.fire();
  }

  #countNames(): void {
    this.#friendNames.clear();
    for (const { kind, peerId } of this.#contacts.values()) {
      if (kind === "friend" && peerId) this.#friendNames.add(peerIdKey(peerId));
    }
  }

  async #load(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      throw fileError(error, "read", this.#path);
    }
    const { contacts, damage, newer } = parse(text);
    if (newer) {
      throw new StreamletError(
        "library-damaged",
        `${this.#path} was written by a newer version of Streamlet. Update Streamlet to use it.`,
        { data: { path: this.#path } },
      );
    }
    for (const contact of contacts.slice(0, MAX_CONTACTS)) {
      if (contact.fingerprint !== this.self) this.#contacts.set(contact.fingerprint, contact);
    }
    this.#countNames();
    if (damage !== undefined) await this.#repair(damage);
  }

  /** A copy is kept aside before the repaired file replaces it: a kill in between changes nothing. */
  async #repair(damage: string): Promise<void> {
    const keptAt = damagedName(this.#path);
    try {
      await copyFile(this.#path, keptAt);
    } catch (error) {
      throw fileError(error, "write", keptAt);
    }
    this.#dirty = true;
    await this.flush();
    this.damaged = {
      code: "library-damaged",
      message: `The list of friends and blocked people ${this.#path} was damaged (${damage}): ${this.#contacts.size} of them were read from it. The damaged file is kept as ${keptAt}. Check your friends and blocks, and add whoever is missing.`,
      data: { path: this.#path, keptAt, recovered: this.#contacts.size },
    };
  }
}

/** One person a line, so that a text cut anywhere loses one person only. */
function format(contacts: readonly StoredContact[]): string {
  const lines = contacts.map((contact) => JSON.stringify(contact));
  return `{"version":${VERSION},"contacts":[\n${lines.join(",\n")}\n]}\n`;
}

/** Never throws: what is not valid is left out, and named in `damage`. */
function parse(text: string): { contacts: StoredContact[]; damage?: string; newer?: boolean } {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return { contacts: salvage(text), damage: error instanceof Error ? error.message : String(error) };
  }
  if (z.looseObject({ version: z.number().gt(VERSION) }).safeParse(raw).success) return { contacts: [], newer: true };
  const head = z.looseObject({ version: z.literal(VERSION), contacts: z.array(z.unknown()) }).safeParse(raw);
  if (!head.success) return { contacts: [], damage: "it is no list of contacts" };
  const parsed = head.data.contacts.map((contact) => CONTACT.safeParse(contact));
  const contacts = parsed.flatMap((result) => (result.success ? [withoutUndefined(result.data)] : []));
  const bad = parsed.length - contacts.length;
  return bad === 0 ? { contacts } : { contacts, damage: `${bad} of ${parsed.length} entries are not valid` };
}

/** The people that are whole lines of a text that is no JSON any more. */
function salvage(text: string): StoredContact[] {
  return text.split("\n").flatMap((line) => {
    try {
      const parsed = CONTACT.safeParse(JSON.parse(line.replace(/,\s*$/, "")));
      return parsed.success ? [withoutUndefined(parsed.data)] : [];
    } catch {
      return [];
    }
  });
}
