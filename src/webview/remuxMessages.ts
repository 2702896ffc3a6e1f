/** Between the player and the worker that reads a file for it: one worker reads one file once, from one place on. */
import type { RemuxType, Track } from "./codecs";

export interface FileTracks {
  /** Seconds. */
  duration: number;
  picture?: Track;
  sound?: Track;
}

export type ToRemuxWorker =
  | { type: "open"; url: string }
  /** Begins at the key frame at or before `from`, seconds. */
  | { type: "begin"; from: number; container: RemuxType["container"]; withSound: boolean }
  /** One more segment may be sent. */
  | { type: "more" };

export type FromRemuxWorker =
  | { type: "opened"; tracks: FileTracks }
  | { type: "segment"; bytes: Uint8Array<ArrayBuffer> }
  | { type: "end" }
  | { type: "failed"; reason: "unsupported" | "interrupted"; message: string }
  /** Once a second: it is not caught in a file that was made to catch it. */
  | { type: "alive" };
