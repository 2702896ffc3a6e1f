/** The settings that each profile keeps for itself (product.md, "settings remembered"), by the names of the native settings. */
import { DISPLAY_FORMATS, THEMES } from "./page";

type Guard<T> = (value: unknown) => value is T;

const isNumber: Guard<number> = (value): value is number => Number.isFinite(value);

function isOneOf<T extends string>(values: readonly T[]): Guard<T> {
  return (value): value is T => values.includes(value as T);
}

/** Each of them, and what a stored value must be to be one of it. */
const GUARDS = {
  /** kB/s, 0 = unlimited */
  "streamlet.limits.upload": isNumber,
  "streamlet.limits.download": isNumber,
  "streamlet.limits.connections": isNumber,
  "streamlet.limits.uploadSlots": isNumber,
  /** GB, 0 = unlimited */
  "streamlet.limits.diskQuota": isNumber,
  "streamlet.appearance.theme": isOneOf(THEMES),
  "streamlet.appearance.format": isOneOf(DISPLAY_FORMATS),
} satisfies Record<string, Guard<unknown>>;

export type ProfileSetting = keyof typeof GUARDS;
export type ProfileSettings = {
  [K in ProfileSetting]: (typeof GUARDS)[K] extends Guard<infer T> ? T : never;
};

export const PROFILE_SETTINGS = Object.keys(GUARDS) as readonly ProfileSetting[];

/** The settings in what was stored for a profile, as far as they are such: the rest is left out, and taken from the present ones. */
export function storedSettings(raw: unknown): Partial<ProfileSettings> {
  if (typeof raw !== "object" || raw === null) return {};
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(raw)) {
    if (Object.hasOwn(GUARDS, key) && GUARDS[key as ProfileSetting](value)) kept[key] = value;
  }
  return kept as Partial<ProfileSettings>;
}
