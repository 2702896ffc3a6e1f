/** Messages between hasher and hashWorker. */
export interface HashWorkerData {
  /** Open file descriptors of the process: the video, and the hash tree file (-1 = leaves are not kept). */
  fd: number;
  treeFd: number;
  /** Bytes. */
  size: number;
  pieceLength: number;
}

/** main -> worker: hash pieces `first` to `first + count - 1`. */
export interface HashJob {
  first: number;
  count: number;
}

/** worker -> main, one per job. The memory of the views is transferred. */
export type HashReply =
  | { type: "done"; first: number; bytes: number; pieceRoots: Uint8Array; v1Pieces: Uint8Array }
  /** The file ended before its size. */
  | { type: "short" }
  | { type: "failed"; action: "read" | "write"; code: string; message: string };

/** The whole job fits a few reads, and a worker that was told to stop never has much left to do. */
export const JOB_BYTES = 8 * 1024 * 1024;
