/** Contract of the Settings page, and what its fields make of what is typed, the same on both sides. */
import { type TrackerProblem, validateTracker } from "./profilePanel";
import { type SettingProblem, type SettingSchema, type SettingValue, settingProblem } from "./settingSchema";

/** How a setting is shown. */
export type SettingControl =
  | { kind: "switch" }
  | { kind: "choice"; options: { value: string; label: string; hint: string }[] }
  | { kind: "number"; unit: string }
  | { kind: "path"; picks: "folder" | "file" }
  | { kind: "trackers" };

export interface SettingItem {
  /** Name of the native setting. */
  key: string;
  label: string;
  hint: string;
  control: SettingControl;
  schema: SettingSchema;
  /** What counts now; always one that can be used. */
  value: SettingValue;
  /** It has not its default. */
  changed: boolean;
  /** What to know about the value as it is, in place of the hint. */
  advice?: string;
}

export interface SettingsSection {
  title: string;
  items: SettingItem[];
}

/** Settings of the same scope: of all profiles, or of one. */
export interface SettingsGroup {
  /** Whose settings these are. */
  scope: string;
  sections: SettingsSection[];
}

export type PathProblem = "notAbsolute";

/** Texts of the page, in the language of the editor. `{0}` is filled in the page. */
export type SettingsStrings = Record<
  | "heading"
  | "intro"
  | "openNative"
  | "choose"
  | "reset"
  | "saved"
  | "tracker"
  | "addTracker"
  | "removeTracker"
  | "trackerAdded"
  | "trackerRemoved"
  | PathProblem
  | SettingProblem
  | TrackerProblem,
  string
>;

/** Everything that the page shows; the answer to `ready`, and sent again whenever something of it has changed. */
export interface ShowSettingsMessage {
  type: "show";
  groups: SettingsGroup[];
  /** `process.platform` of the machine whose paths are meant. */
  platform: string;
  strings: SettingsStrings;
}

/** A `set` or `reset` has been done, or could not be. */
export interface AppliedSettingMessage {
  type: "applied";
  key: string;
  /** Why it was not, as a sentence. */
  problem?: string;
}

export type ToSettingsPage = ShowSettingsMessage | AppliedSettingMessage;

/** The page runs (again) and has nothing to show yet. */
export interface SettingsReadyMessage {
  type: "ready";
}

export interface SetSettingMessage {
  type: "set";
  key: string;
  value: SettingValue;
}

/** Back to the default. */
export interface ResetSettingMessage {
  type: "reset";
  key: string;
}

/** Opens a dialog for a path. */
export interface ChoosePathMessage {
  type: "choose";
  key: string;
}

export interface OpenNativeMessage {
  type: "openNative";
}

export type FromSettingsPage =
  | SettingsReadyMessage
  | SetSettingMessage
  | ResetSettingMessage
  | ChoosePathMessage
  | OpenNativeMessage;

/** What was typed, as a value or as the reason why it is none. */
export type TypedSetting = { value: SettingValue } | { problem: SettingProblem | PathProblem };

export function typedNumber(text: string, schema: SettingSchema): TypedSetting {
  // Half of Europe writes decimals with a comma; thousands are not separated in so short numbers.
  const typed = text.trim().replace(",", ".");
  const value = typed === "" ? Number.NaN : Number(typed);
  const problem = settingProblem(schema, value);
  return problem ? { problem } : { value };
}

/** Empty stands for the default place; `~` for the home folder. */
export function typedPath(text: string, platform: string): TypedSetting {
  const value = text.trim();
  const absolute = platform === "win32" ? /^([a-z]:[\\/]|[\\/]{2}|~([\\/]|$))/i : /^(\/|~(\/|$))/;
  return value === "" || absolute.test(value) ? { value } : { problem: "notAbsolute" };
}

/** One entry per tracker; undefined for one that can be used. */
export function trackerProblems(trackers: readonly string[]): (TrackerProblem | undefined)[] {
  return trackers.map((tracker, index) => validateTracker(tracker.trim(), trackers.slice(0, index)));
}
