export interface CopyOptions {
  /** Replace an existing file. */
  force?: boolean;
  signal?: AbortSignal;
  /** Bytes copied so far and in all. */
  onProgress?(done: number, total: number): void;
}
/**
 * Copies a file; `destination` appears only when whole. Errors: file-missing, file-unreadable, file-exists, file-changed, disk-full, write-failed, cancelled.
 */
export async function copyFile(_source: string, _destination: string, _options: CopyOptions = {}): Promise<void> {
  throw new Error("in progress");
}
