/** What a peer keeps in its data folder: opened together under the folder's lock, and closed before it is given up. */
import { join } from "node:path";
import type { Fingerprint } from "../wire/types";
import { ChatStore } from "./social/chatStore";
import { Contacts } from "./social/contacts";
import { FolderLock } from "./storage/folderLock";
import { Library } from "./storage/library";
import { PlaybackStore } from "./stream/playback";

export class PeerData {
  private constructor(
    private readonly lock: FolderLock,
    readonly library: Library,
    readonly contacts: Contacts,
    readonly chats: ChatStore,
    readonly playback: PlaybackStore,
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
      return new PeerData(lock, library, contacts, chats, playback);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.library.close(), this.contacts.close(), this.chats.close(), this.playback.close()]);
    await this.lock.release();
  }
}
