import type { Writable } from "node:stream";
import type { Audience } from "../peer/status";
import type { ErrorInfo } from "../wire/errors";
import { cleanText } from "../wire/text";
import { jsonLine } from "./text";

/** Everything that `--json` can print. Sizes are bytes, `rate` bytes per second, `duration` and `seconds` seconds. */
export type CliEvent =
  | { event: "ready"; port: number; fingerprint: string }
  | { event: "shared"; id: string; link: string; magnet: string | null; name: string; size: number }
  | {
      event: "video";
      id: string;
      name: string;
      owner: string;
      ownerFingerprint: string;
      size: number;
      /** null: not known. */
      duration: number | null;
      sources: number;
      audience: Audience;
    }
  | { event: "peer"; peerId: string; fingerprint: string; host: string; port: number; self: boolean }
  | { event: "progress"; bytes: number; total: number; rate: number; peers: number }
  | { event: "done"; path: string; bytes: number; seconds: number; sha256: string }
  | { event: "stream"; url: string }
  | {
      event: "friend";
      fingerprint: string;
      /** "" until they have introduced themselves. */
      peerId: string;
      /** null: not known. */
      host: string | null;
      port: number | null;
      /** Milliseconds since the epoch. */
      addedAt: number;
    }
  | { event: "error"; code: string; message: string };

/** Some terminals do not say how wide they are. */
const DEFAULT_COLUMNS = 80;

interface TextStream extends Writable {
  isTTY?: boolean;
  columns?: number;
}

/**
 * The two streams of the program. stdout: JSON lines with `--json`, else text for a person. stderr: notes, the one error
 * line and, on a terminal, the progress line. A reader that goes away (EPIPE) is reported once and never thrown.
 */
export class Output {
  private progressShown = false;
  private closed = false;

  constructor(
    readonly json: boolean,
    private readonly stdout: TextStream,
    private readonly stderr: TextStream,
    onDidClose: () => void,
  ) {
    stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      this.closed = true;
      onDidClose();
    });
    stderr.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }

  /** One JSON line; nothing without `--json`. */
  event(event: CliEvent): void {
    if (this.json) this.write(jsonLine(event));
  }

  /** One line for a person on stdout; nothing with `--json`. The caller passes foreign text through `cleanText`. */
  line(text: string): void {
    if (!this.json) this.write(text);
  }

  /** One line on stderr, with and without `--json`. */
  note(text: string): void {
    this.clearProgress();
    this.stderr.write(`${cleanText(text)}\n`);
  }

  /** A line that replaces itself, where a person looks at a terminal; nothing elsewhere. */
  progress(text: string): void {
    if (this.json || !this.stderr.isTTY) return;
    this.stderr.write(`\r${cleanText(text).slice(0, (this.stderr.columns || DEFAULT_COLUMNS) - 1)}\x1b[K`);
    this.progressShown = true;
  }

  error({ code, message }: ErrorInfo): void {
    this.event({ event: "error", code, message });
    this.note(`streamlet: ${message}`);
  }

  /** Resolves when everything written so far has left the process (a pipe is asynchronous on some platforms). */
  async flush(): Promise<void> {
    this.clearProgress();
    await Promise.all(
      [this.stdout, this.stderr].map(
        (stream) => new Promise<void>((resolve) => (stream.destroyed ? resolve() : stream.write("", () => resolve()))),
      ),
    );
  }

  private write(text: string): void {
    this.clearProgress();
    if (!this.closed) this.stdout.write(`${text}\n`);
  }

  private clearProgress(): void {
    if (!this.progressShown) return;
    this.stderr.write("\r\x1b[K");
    this.progressShown = false;
  }
}
