/** What Reset Data does to the folder of a profile: nothing is deleted, and what is the user's own stays where it is. */
import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { DROPPED_FOLDER } from "./places";

/** The user's videos, and whom they know. */
const KEPT: readonly string[] = ["downloads", DROPPED_FOLDER, "contacts.json", "chats"];

/** @returns the new folder that the rest is in */
export async function setDataAside(folder: string): Promise<string> {
  const aside = join(folder, `set-aside-${new Date().toISOString().replaceAll(":", "-")}`);
  await mkdir(aside, { recursive: true });
  for (const name of await readdir(folder)) {
    if (!KEPT.includes(name) && !name.startsWith("set-aside-")) await rename(join(folder, name), join(aside, name));
  }
  return aside;
}
