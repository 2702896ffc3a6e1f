/**
 * The profiles of this installation in `globalState`. `globalState` is one value per extension and two windows writing at
 * once lose keys: only the owner of the peer writes. What cannot be read is kept as it is, counted and reported, never dropped.
 */
import { randomBytes } from "node:crypto";
import type { ProfileSettings } from "../../rpc/profileSettings";
import { PROFILE } from "../../rpc/schemas";
import type { Profile, ProfileFields } from "../../rpc/window";
import { StreamletError } from "../../wire/errors";

/** The part of `vscode.Memento` that is needed. */
export interface KeyValueStore {
  get<T>(key: string): T | undefined;
  update(key: string, value: unknown): Thenable<void>;
}

export interface StoredProfiles {
  version: number;
  activeId?: string;
  /** The profile whose settings the native ones are. */
  settingsOf?: string;
  profiles: Profile[];
  /** Entries that no version of this extension could have written, as they were found. */
  damaged: unknown[];
}

const STORE_KEY = "streamlet.profiles";

/** Reads whatever is there; never throws. */
export function readProfiles(store: KeyValueStore): StoredProfiles {
  const raw = store.get<unknown>(STORE_KEY);
  if (raw === undefined) return { version: 0, profiles: [], damaged: [] };
  const value = (typeof raw === "object" && raw !== null ? raw : {}) as Partial<Record<keyof StoredProfiles, unknown>>;
  const entries = Array.isArray(value.profiles) ? value.profiles : [];
  const known = Array.isArray(value.damaged) ? value.damaged : [];
  const profiles: Profile[] = [];
  const damaged: unknown[] = [...known];
  if (!Array.isArray(value.profiles)) damaged.push(raw);
  for (const entry of entries) {
    const parsed = PROFILE.safeParse(entry);
    if (parsed.success && !profiles.some((profile) => profile.id === parsed.data.id)) {
      const { settings, ...profile } = parsed.data;
      profiles.push({ ...profile, ...(settings ? { settings } : {}) });
    } else damaged.push(entry);
  }
  const activeId = profiles.find((profile) => profile.id === value.activeId)?.id;
  const version = typeof value.version === "number" && Number.isSafeInteger(value.version) ? value.version : 0;
  const settingsOf = value.settingsOf === activeId ? activeId : undefined;
  return { version, profiles, damaged, ...(activeId ? { activeId } : {}), ...(settingsOf ? { settingsOf } : {}) };
}

export class ProfileStore {
  private current: StoredProfiles;

  /** `inherited` is what the last owner told this window; it may be newer than what this window's `globalState` shows. */
  constructor(
    private readonly store: KeyValueStore,
    inherited?: Pick<StoredProfiles, "version" | "profiles" | "activeId" | "settingsOf">,
  ) {
    const stored = readProfiles(store);
    this.current = inherited && inherited.version > stored.version ? { ...inherited, damaged: stored.damaged } : stored;
  }

  get version(): number {
    return this.current.version;
  }
  get profiles(): readonly Profile[] {
    return this.current.profiles;
  }
  get activeId(): string | undefined {
    return this.current.activeId;
  }
  get active(): Profile | undefined {
    return this.current.profiles.find((profile) => profile.id === this.current.activeId);
  }
  get settingsOf(): string | undefined {
    return this.current.settingsOf;
  }
  get damaged(): readonly unknown[] {
    return this.current.damaged;
  }

  /** Errors: profile-missing. */
  find(id: string): Profile {
    const profile = this.current.profiles.find((candidate) => candidate.id === id);
    if (!profile) throw new StreamletError("profile-missing", "That profile does not exist any more.");
    return profile;
  }

  async add(fields: ProfileFields, fingerprint: string, now: number): Promise<Profile> {
    this.requireFreeName(fields.peerId);
    const profile: Profile = {
      ...fields,
      id: randomBytes(8).toString("hex"),
      fingerprint,
      createdAt: now,
      lastUsedAt: now,
    };
    await this.write({ profiles: [...this.current.profiles, profile], activeId: profile.id });
    return profile;
  }

  async edit(id: string, changes: Partial<Omit<Profile, "id">>): Promise<Profile> {
    const changed = { ...this.find(id), ...changes };
    if (changes.peerId !== undefined) this.requireFreeName(changes.peerId, id);
    await this.write({
      profiles: this.current.profiles.map((profile) => (profile.id === id ? changed : profile)),
      activeId: this.current.activeId,
    });
    return changed;
  }

  /** The next active profile is the one that was used last. */
  async remove(id: string): Promise<void> {
    const profiles = this.current.profiles.filter((profile) => profile.id !== id);
    const activeId = this.current.activeId === id ? lastUsedFirst(profiles)[0]?.id : this.current.activeId;
    await this.write({ profiles, activeId });
  }

  async activate(id: string, now: number): Promise<Profile> {
    const changed = { ...this.find(id), lastUsedAt: now };
    await this.write({
      profiles: this.current.profiles.map((profile) => (profile.id === id ? changed : profile)),
      activeId: id,
    });
    return changed;
  }

  /** @param settled the native settings are these now; not for a profile that is not active */
  async remember(id: string, settings: Partial<ProfileSettings>, settled: boolean): Promise<void> {
    const changed = { ...this.find(id), settings };
    await this.write({
      profiles: this.current.profiles.map((profile) => (profile.id === id ? changed : profile)),
      activeId: this.current.activeId,
      settingsOf: settled ? id : undefined,
    });
  }

  private requireFreeName(peerId: string, exceptId?: string): void {
    const taken = this.current.profiles.some(
      (profile) => profile.id !== exceptId && profile.peerId.toLowerCase() === peerId.toLowerCase(),
    );
    if (taken) {
      throw new StreamletError(
        "invalid-argument",
        `There is a profile called ${peerId} already: choose another Peer ID.`,
      );
    }
  }

  /** The native settings are no longer those of a profile that is not active any more, even if it comes back at once. */
  private async write(next: {
    profiles: Profile[];
    activeId: string | undefined;
    settingsOf?: string | undefined;
  }): Promise<void> {
    const { activeId, profiles } = next;
    const settingsOf = "settingsOf" in next ? next.settingsOf : this.current.settingsOf;
    this.current = {
      version: this.current.version + 1,
      profiles,
      damaged: this.current.damaged,
      ...(activeId ? { activeId } : {}),
      ...(settingsOf && settingsOf === activeId ? { settingsOf } : {}),
    };
    await this.store.update(STORE_KEY, this.current);
  }
}

export function lastUsedFirst(profiles: readonly Profile[]): Profile[] {
  return [...profiles].sort((a, b) => b.lastUsedAt - a.lastUsedAt);
}
