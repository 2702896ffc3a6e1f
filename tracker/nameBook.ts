import { peerIdKey } from "../src/wire/trackerAddress";
import type { Fingerprint } from "../src/wire/types";
import { judgeName } from "./rules";
import type { NameEntry, NameOutcome } from "./store";

/** Where names outlive the process. */
export interface NamePersistence {
  load(): Promise<NameEntry[]>;
  /** Resolves when this, or something newer, is on disk. */
  save(entries: () => NameEntry[]): Promise<void>;
}

/** Nothing outlives the process. */
export const forgetfulNames: NamePersistence = { load: async () => [], save: async () => {} };

/** Who holds which name. A key holds one; names are compared without case. */
export class NameBook {
  readonly #byName = new Map<string, NameEntry>();
  readonly #byOwner = new Map<Fingerprint, string>();

  private constructor(
    private readonly persistence: NamePersistence,
    private readonly maxNames: number,
  ) {}

  static async open(persistence: NamePersistence, maxNames: number): Promise<NameBook> {
    const book = new NameBook(persistence, maxNames);
    for (const entry of await persistence.load()) {
      const held = book.#byName.get(peerIdKey(entry.name));
      // A damaged file may name one twice: whoever was first keeps it.
      if (!held || entry.firstSeen < held.firstSeen) book.#put(entry);
    }
    return book;
  }

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): NameEntry | undefined {
    return this.#byName.get(peerIdKey(name));
  }

  /** `isOnline`: the holder is connected now, so that its name cannot lapse. */
  async claim(name: string, owner: Fingerprint, now: number, isOnline: (owner: Fingerprint) => boolean) {
    const held = this.get(name);
    const outcome: NameOutcome = judgeName(held, owner, now, held !== undefined && isOnline(held.owner));
    if (outcome === "taken") return outcome;
    if (outcome === "granted" && held === undefined && this.#byName.size >= this.maxNames) {
      this.dropLapsed(now, isOnline);
      if (this.#byName.size >= this.maxNames) return "full";
    }
    const renamed = held?.name !== name;
    if (held) this.#remove(held);
    this.#put({ name, owner, firstSeen: outcome === "renewed" ? held!.firstSeen : now, lastSeen: now });
    // A renewal only moves `lastSeen`, which is written with the next change or sweep: it is days that count there.
    if (outcome === "granted" || renamed) await this.save();
    return outcome;
  }

  touch(owner: Fingerprint, now: number): void {
    const name = this.#byOwner.get(owner);
    const entry = name === undefined ? undefined : this.#byName.get(name);
    if (entry) entry.lastSeen = now;
  }

  async release(name: string, owner?: Fingerprint): Promise<NameEntry | undefined> {
    const held = this.get(name);
    if (!held || (owner !== undefined && held.owner !== owner)) return undefined;
    this.#remove(held);
    await this.save();
    return held;
  }

  dropLapsed(now: number, isOnline: (owner: Fingerprint) => boolean): void {
    for (const entry of [...this.#byName.values()]) {
      if (judgeName(entry, undefined, now, isOnline(entry.owner)) === "granted") this.#remove(entry);
    }
  }

  save(): Promise<void> {
    return this.persistence.save(() => [...this.#byName.values()]);
  }

  #put(entry: NameEntry): void {
    const before = this.#byOwner.get(entry.owner);
    if (before !== undefined) this.#byName.delete(before);
    this.#byName.set(peerIdKey(entry.name), entry);
    this.#byOwner.set(entry.owner, peerIdKey(entry.name));
  }

  #remove(entry: NameEntry): void {
    this.#byName.delete(peerIdKey(entry.name));
    if (this.#byOwner.get(entry.owner) === peerIdKey(entry.name)) this.#byOwner.delete(entry.owner);
  }
}
