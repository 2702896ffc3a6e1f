/**
 * What package.json says of a setting, and what follows for a value: the same rules for the settings page and for the values
 * that are read, since settings.json may hold anything.
 */

export type SettingValue = boolean | number | string | string[];

/** An entry of `contributes.configuration.properties`, as far as it is used. */
export interface SettingSchema {
  type: "boolean" | "integer" | "number" | "string" | "array";
  default: SettingValue;
  minimum?: number;
  maximum?: number;
  enum?: string[];
}

/** Longer than any path; what is longer would not pass the engine's border. */
const MAX_TEXT_CHARS = 4096;
/** Entries of a list; more trackers than that are a mistake. */
const MAX_ENTRIES = 64;

export type SettingProblem = "notANumber" | "notWhole" | "tooSmall" | "tooLarge" | "notUsable";

/** Why `value` cannot be used as it is; undefined where it can. */
export function settingProblem(schema: SettingSchema, value: unknown): SettingProblem | undefined {
  switch (schema.type) {
    case "boolean":
      return typeof value === "boolean" ? undefined : "notUsable";
    case "integer":
    case "number":
      return numberProblem(schema, value);
    case "string":
      if (typeof value !== "string" || value.length > MAX_TEXT_CHARS) return "notUsable";
      return !schema.enum || schema.enum.includes(value) ? undefined : "notUsable";
    case "array": {
      const usable = Array.isArray(value) && value.length <= MAX_ENTRIES;
      return usable && value.every((entry) => typeof entry === "string" && entry.length <= MAX_TEXT_CHARS)
        ? undefined
        : "notUsable";
    }
  }
}

/** The value that `raw` stands for: itself, the nearest one that is allowed, or the default where it makes no sense. */
export function usableValue(schema: SettingSchema, raw: unknown): SettingValue {
  if (settingProblem(schema, raw) === undefined) return raw as SettingValue;
  if (schema.type === "array" && Array.isArray(raw)) {
    return raw.filter((entry) => typeof entry === "string" && entry.length <= MAX_TEXT_CHARS).slice(0, MAX_ENTRIES);
  }
  if (typeof raw !== "number" || Number.isNaN(raw) || (schema.type !== "integer" && schema.type !== "number")) {
    return schema.default;
  }
  const whole = schema.type === "integer" ? Math.round(raw) : raw;
  return Math.min(Math.max(whole, schema.minimum ?? whole), schema.maximum ?? whole);
}

export function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function numberProblem(schema: SettingSchema, value: unknown): SettingProblem | undefined {
  if (typeof value !== "number" || Number.isNaN(value)) return "notANumber";
  if (schema.type === "integer" && Number.isFinite(value) && !Number.isInteger(value)) return "notWhole";
  if (value < (schema.minimum ?? value)) return "tooSmall";
  return value > (schema.maximum ?? value) ? "tooLarge" : undefined;
}
