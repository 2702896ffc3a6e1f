import { StreamletError } from "../src/wire/errors";
import { ControlChannel, releaseAtRunningTracker } from "./control";
import { DEFAULT_LIMITS } from "./limits";
import { NameBook } from "./nameBook";
import { NamesFile } from "./namesFile";

/** Frees a name, by the tracker that runs in the folder, else in its file. Errors: invalid-argument when nobody holds it. */
export async function releaseName(folder: string, name: string, warn: (message: string) => void): Promise<void> {
  const released = (await releaseAtRunningTracker(folder, name)) ?? (await releaseInFile(folder, name, warn));
  if (!released) {
    throw new StreamletError("invalid-argument", `Nobody holds the Peer ID "${name}" at the tracker of ${folder}.`);
  }
}

/** Holds the folder meanwhile, so that no tracker starts on names that are just being changed. */
async function releaseInFile(folder: string, name: string, warn: (message: string) => void): Promise<boolean> {
  const channel = await ControlChannel.open(folder, async () => false);
  try {
    const names = await NameBook.open(new NamesFile(folder, warn), DEFAULT_LIMITS.names);
    return (await names.release(name)) !== undefined;
  } finally {
    await channel.close();
  }
}
