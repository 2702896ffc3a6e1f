/** The settings that each profile keeps for itself (product.md, "settings remembered"), by the names of the native settings. */
import { DISPLAY_FORMATS, type DisplayFormat, THEMES, type Theme } from "./page";

export interface ProfileSettings {
  /** kB/s, 0 = unlimited */
  "streamlet.limits.upload": number;
  "streamlet.limits.download": number;
  "streamlet.limits.connections": number;
  "streamlet.limits.uploadSlots": number;
  /** GB, 0 = unlimited */
  "streamlet.limits.diskQuota": number;
  "streamlet.appearance.theme": Theme;
  "streamlet.appearance.format": DisplayFormat;
}

export type ProfileSetting = keyof ProfileSettings;

export const PROFILE_SETTINGS = [
  "streamlet.limits.upload",
  "streamlet.limits.download",
  "streamlet.limits.connections",
  "streamlet.limits.uploadSlots",
  "streamlet.limits.diskQuota",
  "streamlet.appearance.theme",
  "streamlet.appearance.format",
] as const satisfies readonly ProfileSetting[];

/** The settings in what was stored for a profile, as far as they are such: the rest is left out, and taken from the present ones. */
export function storedSettings(raw: unknown): Partial<ProfileSettings> {
  if (typeof raw !== "object" || raw === null) return {};
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(raw)) {
    if (isSetting(key, value)) kept[key] = value;
  }
  return kept as Partial<ProfileSettings>;
}

function isSetting(key: string, value: unknown): boolean {
  if (key === "streamlet.appearance.theme") return THEMES.includes(value as Theme);
  if (key === "streamlet.appearance.format") return DISPLAY_FORMATS.includes(value as DisplayFormat);
  return PROFILE_SETTINGS.includes(key as ProfileSetting) && Number.isFinite(value);
}
