/** Opens the friends and blocked people of a data folder without starting a peer. */
import { loadIdentity } from "../peer/identity";
import { Contacts } from "../peer/social/contacts";
import { FolderLock } from "../peer/storage/folderLock";
import type { CommonOptions } from "./options";
import type { Output } from "./output";
import { openProfile } from "./profile";
import type { Shutdown } from "./shutdown";

/** What a command about friends works with. */
export interface ContactsContext {
  contacts: Contacts;
  output: Output;
}

/** Errors: data-folder-in-use (a running peer has its own way to its friends), those of the profile and of contacts.json. */
export async function withContacts(
  options: CommonOptions,
  { output, shutdown }: { output: Output; shutdown: Shutdown },
  work: (context: ContactsContext) => Promise<void>,
): Promise<void> {
  const { dataDir, privateKey } = await shutdown.race(openProfile(options));
  const { fingerprint } = await loadIdentity(privateKey);
  const lock = await FolderLock.acquire(dataDir);
  try {
    const contacts = await Contacts.open(dataDir, fingerprint);
    if (contacts.damaged) output.note(contacts.damaged.message);
    await work({ contacts, output });
    await contacts.close();
  } finally {
    await lock.release();
  }
}
