/** Video for Media Source Extensions: what its sources (another container, converted) have in common. */

export interface SegmentSource {
  /** For `addSourceBuffer`. */
  readonly type: string;
  /** Seconds; infinite where it is not known. */
  readonly duration: number;
  /**
   * From the key frame at or before `from` (seconds) to the end, on the video's own timeline; read no faster than they are
   * taken. Errors: PlayFailure.
   */
  segments(from: number, signal: AbortSignal): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** unsupported: this way leads nowhere; interrupted: the bytes do not come; no-ffmpeg: there is none. */
export type FailureReason = "unsupported" | "interrupted" | "no-ffmpeg";

export class PlayFailure extends Error {
  constructor(
    readonly reason: FailureReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export function asPlayFailure(error: unknown): PlayFailure {
  return error instanceof PlayFailure ? error : new PlayFailure("unsupported", String(error), { cause: error });
}
