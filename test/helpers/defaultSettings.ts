import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROFILE_SETTINGS, type ProfileSettings } from "../../src/rpc/profileSettings";

interface Manifest {
  contributes: { configuration: { properties: Record<string, { default: unknown }> } };
}

/** What a settings.json that says nothing stands for, as the manifest has it. Tests run in the folder of the project. */
export function defaultSettings(): ProfileSettings {
  const manifest = JSON.parse(readFileSync(join(process.cwd(), "package.json"), "utf8")) as Manifest;
  const { properties } = manifest.contributes.configuration;
  return Object.fromEntries(
    PROFILE_SETTINGS.map((key) => [key, properties[key]!.default]),
  ) as unknown as ProfileSettings;
}
