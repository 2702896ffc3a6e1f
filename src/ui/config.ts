/** Typed access to the `streamlet.*` settings. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { workspace } from "vscode";
import type { Setting, Settings } from "./contributions";
import type { Preferences } from "./host/ownerHost";

/** Settings count kB/s as people do: 1 kB = 1000 bytes. */
const BYTES_PER_KB = 1000;

export function readSetting<K extends Setting>(key: K): Settings[K] {
  // package.json declares a default for each, so that `get` always finds one of the declared type.
  return workspace.getConfiguration().get<Settings[K]>(key)!;
}

/** What the engine is started with besides the profile. */
export function readPreferences(): Preferences {
  const folder = downloadsFolder();
  return {
    ...(folder ? { downloadsDir: folder } : {}),
    uploadLimit: Math.max(0, readSetting("streamlet.limits.upload")) * BYTES_PER_KB,
    downloadLimit: Math.max(0, readSetting("streamlet.limits.download")) * BYTES_PER_KB,
    copyOnUpload: readSetting("streamlet.library.copyOnUpload"),
  };
}

/** The folder of the setting, with ~ for the home folder; undefined for the profile's own, and for what is not absolute. */
export function downloadsFolder(): string | undefined {
  const folder = readSetting("streamlet.downloadsFolder").trim();
  const full = folder === "~" || /^~[\\/]/.test(folder) ? join(homedir(), folder.slice(1)) : folder;
  return isAbsolute(full) ? full : undefined;
}
