/**
 * Every failure of the engine carries a stable code. `src/ui` and `src/cli` turn codes into sentences a person can act on;
 * the message here is already one plain English sentence for logs and for the command line.
 */
export const ERROR_CODES = [
  // bytes from others
  "bad-bencode",
  "bad-metainfo",
  "bad-message",
  "bad-handshake",
  "bad-record",
  "bad-signature",
  "bad-link",
  "frame-too-large",
  // identity and connections
  "port-in-use",
  "port-forbidden",
  "wrong-identity",
  "connection-refused",
  "connection-timeout",
  "connection-lost",
  "unreachable",
  // tracker
  "tracker-unreachable",
  "tracker-protocol",
  "tracker-refused",
  "name-taken",
  "name-invalid",
  "access-denied",
  "clock-skew",
  "rate-limited",
  "too-many",
  // videos and files
  "unknown-video",
  "not-a-video",
  "unsupported-format",
  "multi-file-torrent",
  "refused-video",
  "empty-file",
  "file-missing",
  "file-changed",
  "file-exists",
  "file-unreadable",
  "disk-full",
  "quota-exceeded",
  "ffmpeg-missing",
  "ffmpeg-failed",
  "edit-conflict",
  "write-failed",
  "no-sources",
  "bad-block",
  "metadata-unavailable",
  // data folder and profile
  "data-folder-in-use",
  "profile-damaged",
  "profile-missing",
  "identity-missing",
  "library-damaged",
  // general
  "invalid-argument",
  "not-running",
  "cancelled",
  "internal",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** What a tracker says of a peer that waiting does not mend: a person has to edit the profile or the clock. */
export const LASTING_TRACKER_CODES: ReadonlySet<ErrorCode> = new Set([
  "name-taken",
  "name-invalid",
  "access-denied",
  "clock-skew",
  "tracker-protocol",
  "tracker-refused",
]);

/** Facts that a sentence about the error may want (port, path, address ...). JSON values only: it crosses process borders. */
export type ErrorData = Record<string, string | number | boolean>;

export interface ErrorInfo {
  code: ErrorCode;
  message: string;
  data?: ErrorData;
}

export class StreamletError extends Error {
  override readonly name = "StreamletError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { cause?: unknown; data?: ErrorData } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.data = options.data;
  }
  readonly data: ErrorData | undefined;

  toInfo(): ErrorInfo {
    return { code: this.code, message: this.message, ...(this.data ? { data: this.data } : {}) };
  }
}

/** What may be shown or sent of any thrown value; unknown ones become `internal` with their message. */
export function toErrorInfo(error: unknown): ErrorInfo {
  if (error instanceof StreamletError) return error.toInfo();
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}
