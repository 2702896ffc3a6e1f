/** Exclusive use of a data folder by one running engine. */
export class FolderLock {
  /** Creates the folder if need be. Errors: data-folder-in-use (`data.path`, `data.pid` when known), write-failed. */
  static async acquire(_folder: string): Promise<FolderLock> {
    throw new Error("in progress");
  }
  async release(): Promise<void> {}
}
