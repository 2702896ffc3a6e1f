/** Typed access to the `streamlet.*` settings. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { ConfigurationTarget, extensions, workspace } from "vscode";
import type { Appearance } from "../rpc/page";
import { PROFILE_SETTINGS, type ProfileSetting, type ProfileSettings } from "../rpc/profileSettings";
import { type SettingSchema, sameValue, usableValue } from "../rpc/settingSchema";
import type { Profile } from "../rpc/window";
import type { Setting, Settings } from "./contributions";
import type { Preferences } from "./host/ownerHost";
import type { NativeSettings } from "./host/settingsSync";

const EXTENSION_ID = "streamlet.streamlet";

/** Settings count kB/s as people do: 1 kB = 1000 bytes. */
const BYTES_PER_KB = 1000;
const BYTES_PER_GB = 1e9;

/** An entry of package.json's list, with the texts in the editor's language. */
export interface SettingEntry extends SettingSchema {
  markdownDescription: string;
  order: number;
  enumItemLabels?: string[];
  enumDescriptions?: string[];
}

/** Every setting that package.json lists, in its order. */
export function settingEntries(): [Setting, SettingEntry][] {
  const manifest = extensions.getExtension(EXTENSION_ID)!.packageJSON as {
    contributes: { configuration: { properties: Record<Setting, SettingEntry> } };
  };
  const entries = Object.entries(manifest.contributes.configuration.properties) as [Setting, SettingEntry][];
  return entries.sort(([, a], [, b]) => a.order - b.order);
}

function entryOf(key: Setting): SettingEntry {
  return settingEntries().find(([name]) => name === key)![1];
}

/** Always a value that can be used: what settings.json holds may be anything. */
export function readSetting<K extends Setting>(key: K): Settings[K] {
  return usableValue(entryOf(key), workspace.getConfiguration().get(key)) as Settings[K];
}

/** For all windows, as if a person had written it into settings.json; a default leaves no trace there. */
export async function writeSetting<K extends Setting>(key: K, value: Settings[K]): Promise<void> {
  const written = sameValue(value, entryOf(key).default) ? undefined : value;
  await workspace.getConfiguration().update(key, written, ConfigurationTarget.Global);
}

export async function resetSetting(key: Setting): Promise<void> {
  await workspace.getConfiguration().update(key, undefined, ConfigurationTarget.Global);
}

/** As settings.json has it, which may be anything. */
export function writtenSetting(key: Setting): unknown {
  return workspace.getConfiguration().get(key);
}

export function defaultSetting<K extends Setting>(key: K): Settings[K] {
  return entryOf(key).default as Settings[K];
}

/** The native values of the settings that profiles keep. */
function readProfileSettings(): ProfileSettings {
  return Object.fromEntries(PROFILE_SETTINGS.map((key) => [key, readSetting(key)])) as unknown as ProfileSettings;
}

/** Values that were kept for a profile, within the bounds of this version. */
function usableSettings(kept: Partial<ProfileSettings>): Partial<ProfileSettings> {
  const entries = Object.entries(kept) as [ProfileSetting, unknown][];
  return Object.fromEntries(entries.map(([key, value]) => [key, usableValue(entryOf(key), value)]));
}

export const nativeSettings: NativeSettings = {
  read: readProfileSettings,
  usable: usableSettings,
  write: writeSetting,
};

/**
 * What counts: of what the active profile keeps its own value, which every window knows at once, else the native one. A window
 * may see a change of settings.json late, or only when it is reloaded (VS Code in a browser).
 */
export function effectiveSetting<K extends Setting>(key: K, profile: Profile | undefined): Settings[K] {
  const own: Record<string, unknown> = profile?.settings ?? {};
  return (key in own ? usableValue(entryOf(key), own[key]) : readSetting(key)) as Settings[K];
}

export function readAppearance(profile: Profile | undefined): Appearance {
  return {
    theme: effectiveSetting("streamlet.appearance.theme", profile),
    format: effectiveSetting("streamlet.appearance.format", profile),
  };
}

/** What the engine is started with besides the profile; `own` are the settings that the profile keeps. */
export function readPreferences(own: Partial<ProfileSettings>): Preferences {
  const folder = downloadsFolder();
  const ffmpegPath = fullPath(readSetting("streamlet.ffmpegPath"));
  const settings = { ...readProfileSettings(), ...usableSettings(own) };
  return {
    ...(folder ? { downloadsDir: folder } : {}),
    ...(ffmpegPath ? { ffmpegPath } : {}),
    uploadLimit: settings["streamlet.limits.upload"] * BYTES_PER_KB,
    downloadLimit: settings["streamlet.limits.download"] * BYTES_PER_KB,
    maxConnections: settings["streamlet.limits.connections"],
    uploadSlots: settings["streamlet.limits.uploadSlots"],
    diskQuota: settings["streamlet.limits.diskQuota"] * BYTES_PER_GB,
    copyOnUpload: readSetting("streamlet.library.copyOnUpload"),
  };
}

/** The folder of the setting, with ~ for the home folder; undefined for the profile's own, and for what is not absolute. */
export function downloadsFolder(): string | undefined {
  return fullPath(readSetting("streamlet.downloadsFolder"));
}

function fullPath(written: string): string | undefined {
  const path = written.trim();
  const full = path === "~" || /^~[\\/]/.test(path) ? join(homedir(), path.slice(1)) : path;
  return isAbsolute(full) ? full : undefined;
}
