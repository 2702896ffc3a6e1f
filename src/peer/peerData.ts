/** What a peer keeps in its data folder: opened together under the folder's lock, and closed before it is given up. */
import { join } from "node:path";
import type { Fingerprint } from "../wire/types";
import { ChatStore } from "./social/chatStore";
import { Contacts } from "./social/contacts";
import { FolderLock } from "./storage/folderLock";
import { Library } from "./storage/library";
import { PlaybackStore } from "./stream/playback";
import { Withdrawals } from "./withdrawals";

export class PeerData {
  private constructor(
    private readonly lock: FolderLock,
    readonly library: Library,
    readonly contacts: Contacts,
    readonly chats: ChatStore,
    readonly playback: PlaybackStore,
    readonly withdrawals: Withdrawals,
  ) {}

  /**
   * @param self whose peer it is; nobody is their own friend
   * @param onChange something in it has changed by itself: it could not be written. Errors: data-folder-in-use, library-damaged.
   */
  static async open(dataDir: string, self: Fingerprint, onChange: () => void): Promise<PeerData> {
    const lock = await FolderLock.acquire(dataDir);
    try {
      const library = await Library.open(dataDir, { onError: () => onChange() });
      const contacts = await Contacts.open(dataDir, self);
      const chats = await ChatStore.open(dataDir, () => onChange());
      const playback = await PlaybackStore.open(join(dataDir, "playback.json"));
      const withdrawals = await Withdrawals.open(join(dataDir, "withdrawals.json"), self);
      return new PeerData(lock, library, contacts, chats, playback, withdrawals);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Resolves when what was decided about the library is on disk. Errors: disk-full, write-failed. */
  async flush(): Promise<void> {
    // First: a library that no longer shares a video would not take it back again.
    await this.withdrawals.flush();
    await this.library.flush();
  }

  async close(): Promise<void> {
    await this.withdrawals.flush();
    await Promise.all([this.library.close(), this.contacts.close(), this.chats.close(), this.playback.close()]);
    await this.lock.release();
  }
}
