/**
 * Keeps the native settings and those of the active profile in step: another profile brings its own along, and whatever is
 * changed while a profile is active is remembered for it, wherever it was changed. Only the owner of the peer runs this.
 *
 * What it keeps track of: `base`, the native values when the active profile and they were last known to agree, or when it became
 * active. Where a native value still is that of `base`, the profile's own goes in its place; where it is not, somebody has
 * changed it since, and the profile follows. So nothing is taken for a change that this very code, or the last profile, made.
 */
import { PROFILE_SETTINGS, type ProfileSetting, type ProfileSettings } from "../../rpc/profileSettings";
import type { ProfileStore } from "./profileStore";

/** The editor's settings, shared by all windows. */
export interface NativeSettings {
  /** Always values that can be used. */
  read(): ProfileSettings;
  /** The same for values that were kept by whatever version of this extension. */
  usable(settings: Partial<ProfileSettings>): Partial<ProfileSettings>;
  write<K extends ProfileSetting>(key: K, value: ProfileSettings[K]): Thenable<void>;
}

export interface SettingsDecision {
  /** Into the profile. */
  remember: Partial<ProfileSettings>;
  /** Into the native settings. */
  write: Partial<ProfileSettings>;
}

/** What has to go where, for `own` settings of a profile and `native` ones that were `base` before. */
export function decideSettings(
  own: Partial<ProfileSettings>,
  native: ProfileSettings,
  base: ProfileSettings,
): SettingsDecision {
  const remember: Record<string, unknown> = {};
  const write: Record<string, unknown> = {};
  for (const key of PROFILE_SETTINGS) {
    if (own[key] === native[key]) continue;
    if (own[key] === undefined || native[key] !== base[key]) remember[key] = native[key];
    else write[key] = own[key];
  }
  return { remember, write } as SettingsDecision;
}

export interface SettingsSyncOptions {
  native: NativeSettings;
  profiles: ProfileStore;
  /** A profile has other settings than before. */
  onDidRemember(): void;
  /** The native settings cannot be written; said once for each time that a profile becomes active. */
  onDidFail(error: unknown): void;
}

export class SettingsSync {
  private base: { id: string; values: ProfileSettings } | undefined;
  /**
   * Written and not yet what the profile has: once it is seen among the native values it was no person's change, and what never
   * is (a policy sets another one) is not written again and again.
   */
  private written = new Map<ProfileSetting, unknown>();
  private complained = false;
  private running = false;
  private again = false;
  private stopped = false;

  constructor(private readonly options: SettingsSyncOptions) {}

  /** Something may have changed: a native setting, or which profile is active. The profile's part is done on return. */
  look(): void {
    this.again = true;
    if (!this.running) void this.run();
  }

  /** A person has changed these, in whichever window: they count from now on, and the native settings follow. */
  change(id: string, settings: Partial<ProfileSettings>): Promise<void> {
    const { native, profiles } = this.options;
    const own = profiles.find(id).settings ?? {};
    const saved = profiles.remember(id, { ...own, ...native.usable(settings) }, false);
    this.options.onDidRemember();
    this.look();
    return saved;
  }

  stop(): void {
    this.stopped = true;
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      while (this.again && !this.stopped) {
        this.again = false;
        await this.step();
      }
    } catch (error) {
      this.options.onDidFail(error);
    } finally {
      this.running = false;
    }
  }

  private async step(): Promise<void> {
    const { native: port, profiles } = this.options;
    const profile = profiles.active;
    if (!profile) return;
    const native = port.read();
    const own = port.usable(profile.settings ?? {});
    if (this.base?.id !== profile.id) {
      // Settings that were the profile's when they were last seen have been changed since by a person, else by nobody.
      const known = profiles.settingsOf === profile.id;
      this.base = { id: profile.id, values: known ? { ...native, ...own } : native };
      this.written = new Map();
      this.complained = false;
    }
    for (const [key, value] of this.written) if (native[key] === value) this.setBase(key, native);
    const { remember, write } = decideSettings(own, native, this.base.values);
    const pending = (Object.keys(write) as ProfileSetting[]).filter((key) => this.written.get(key) !== write[key]);
    for (const key of PROFILE_SETTINGS) {
      if (key in write) continue;
      this.setBase(key, native);
      this.written.delete(key);
    }
    const settled = Object.keys(write).length === 0;
    if (Object.keys(remember).length > 0 || settled !== (profiles.settingsOf === profile.id)) {
      const saved = profiles.remember(profile.id, { ...own, ...remember }, settled);
      this.options.onDidRemember();
      await saved;
    }
    for (const key of pending) {
      if (profiles.active?.id !== profile.id || this.stopped) break;
      try {
        await this.write(key, write);
      } catch (error) {
        // The next change of whatever setting tries again: a settings.json with unsaved changes is saved at some time.
        if (!this.complained) this.options.onDidFail(error);
        this.complained = true;
        return;
      }
      this.again = true;
    }
    if (profiles.active?.id !== profile.id) this.again = true;
  }

  private setBase<K extends ProfileSetting>(key: K, native: ProfileSettings): void {
    this.base!.values = { ...this.base!.values, [key]: native[key] };
  }

  private async write<K extends ProfileSetting>(key: K, values: Partial<ProfileSettings>): Promise<void> {
    await this.options.native.write(key, values[key] as ProfileSettings[K]);
    this.written.set(key, values[key]);
  }
}
