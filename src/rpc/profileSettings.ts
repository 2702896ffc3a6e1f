/** The settings that each profile keeps for itself (product.md, "settings remembered"), by the names of the native settings. */
import type { DisplayFormat, Theme } from "./page";

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
