/** Who this program is: the data folder, its `profile.json` and its key file. The library beside them belongs to the engine. */
import { chmod, readFile, stat } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { join, resolve } from "node:path";
import envPaths from "env-paths";
import * as z from "zod";
import { createIdentityKey, loadIdentity } from "../peer/identity";
import { FolderLock } from "../peer/storage/folderLock";
import { writeAtomic } from "../peer/storage/jsonFile";
import { StreamletError } from "../wire/errors";
import { isPeerId, MAX_PEER_ID_CHARS } from "../wire/trackerAddress";

const PROFILE_FILE = "profile.json";
const KEY_FILE = "identity.pem";
/** Only the user may read the key: whoever has it is that person. */
const KEY_MODE = 0o600;
/** Both files have a few hundred bytes; more is not ours and is not read. */
const MAX_FILE_BYTES = 64 * 1024;

const PROFILE = z.object({
  version: z.literal(1),
  peerId: z.string().refine(isPeerId),
  /** Of the key that this profile was made with: a key file swapped or lost is noticed. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
});

export interface Profile {
  /** Absolute path of the data folder. */
  dataDir: string;
  peerId: string;
  /** PKCS#8 PEM. */
  privateKey: string;
}

/** The user's name as a Peer ID: what a Peer ID may not hold becomes `-`. */
export function defaultPeerId(): string {
  let name: string;
  try {
    name = userInfo().username;
  } catch {
    // A container may run as a number that no passwd file knows.
    name = process.env.USER ?? process.env.USERNAME ?? hostname();
  }
  const peerId = name.replace(/[^A-Za-z0-9_.-]+/g, "-").slice(0, MAX_PEER_ID_CHARS);
  return isPeerId(peerId) ? peerId : "streamlet";
}

/** A Peer ID as the name of a folder. Windows refuses device names and a dot at the end; `%` is in no Peer ID, so no two fall together. */
function folderName(peerId: string): string {
  const open = peerId.replace(/\.$/, "%2E");
  return /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(open) ? `%${open}` : open;
}

export interface ProfileChoice {
  /** As given on the command line; undefined: the platform's data folder + streamlet/<peer id>. */
  data: string | undefined;
  /** As given on the command line; undefined: the profile's, else the user's name. */
  peerId: string | undefined;
}

/**
 * Opens the profile, or makes it on first use. A `peerId` that differs from the profile's renames the profile: a folder is
 * one person with one key and one name.
 * Errors: data-folder-in-use, profile-damaged, identity-missing, file-unreadable, write-failed.
 */
export async function openProfile({ data, peerId }: ProfileChoice): Promise<Profile> {
  const named = peerId ?? defaultPeerId();
  const dataDir = resolve(data ?? join(envPaths("streamlet", { suffix: "" }).data, folderName(named)));
  // Two programs that are started at once on a new folder must not both make a key. The engine takes the lock again.
  const lock = await FolderLock.acquire(dataDir);
  try {
    return await readOrMake(dataDir, peerId, named);
  } finally {
    await lock.release();
  }
}

async function readOrMake(dataDir: string, given: string | undefined, fallback: string): Promise<Profile> {
  const stored = await readProfile(dataDir, given !== undefined);
  const key = await readText(join(dataDir, KEY_FILE));
  if (key === undefined && stored !== undefined) {
    throw new StreamletError(
      "identity-missing",
      `The key of ${stored.peerId} is gone: put ${join(dataDir, KEY_FILE)} back from a backup, or use another folder with --data.`,
      { data: { path: join(dataDir, KEY_FILE) } },
    );
  }
  const peerId = given ?? stored?.peerId ?? fallback;
  if (key === undefined) {
    const made = await createIdentityKey();
    // The key goes first: a key without a profile is a profile to be named, a profile without its key would be a loss.
    await write(join(dataDir, KEY_FILE), made.privateKey, KEY_MODE);
    await writeProfile(dataDir, peerId, made.fingerprint);
    return { dataDir, peerId, privateKey: made.privateKey };
  }
  await restrict(join(dataDir, KEY_FILE));
  const { fingerprint } = await loadIdentity(key);
  if (stored !== undefined && stored.fingerprint !== fingerprint) {
    throw new StreamletError(
      "identity-missing",
      `${join(dataDir, KEY_FILE)} is not the key that ${stored.peerId} was made with: put that one back, or use another folder with --data.`,
      { data: { path: join(dataDir, KEY_FILE) } },
    );
  }
  if (stored?.peerId !== peerId) await writeProfile(dataDir, peerId, fingerprint);
  return { dataDir, peerId, privateKey: key };
}

/** undefined: there is none yet, or it is damaged and `mayReplace` says that the caller knows the name. */
async function readProfile(dataDir: string, mayReplace: boolean): Promise<z.infer<typeof PROFILE> | undefined> {
  const path = join(dataDir, PROFILE_FILE);
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return PROFILE.parse(JSON.parse(text));
  } catch (cause) {
    if (mayReplace) return undefined;
    throw new StreamletError(
      "profile-damaged",
      `${path} is damaged: give your name once with --peer-id NAME and it is written anew; key and library stay as they are.`,
      { cause, data: { path } },
    );
  }
}

async function writeProfile(dataDir: string, peerId: string, fingerprint: string): Promise<void> {
  const profile: z.infer<typeof PROFILE> = { version: 1, peerId, fingerprint };
  await write(join(dataDir, PROFILE_FILE), `${JSON.stringify(profile, null, 2)}\n`, KEY_MODE);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new StreamletError("file-unreadable", `${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
      data: { path },
    });
  }
}

async function write(path: string, text: string, mode: number): Promise<void> {
  await writeAtomic(path, text, { mode });
}

/** A key that came back from a backup may have lost its mode. Where the file system keeps none, there is nothing to do. */
async function restrict(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, KEY_MODE).catch(() => undefined);
}
