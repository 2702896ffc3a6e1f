/** Where things of a profile are kept. */
import { join } from "node:path";

/** Subfolder of a profile's folder for files that were dropped as content, without a path. */
export const DROPPED_FOLDER = "dropped";

/** Everything on disk of one profile. */
export function profileFolder(storagePath: string, profileId: string): string {
  return join(storagePath, "profiles", profileId);
}

/** Name of a profile's private key in SecretStorage. */
export function secretName(profileId: string): string {
  return `streamlet.key.${profileId}`;
}
