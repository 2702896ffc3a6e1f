/**
 * ffmpeg on files of somebody else. Whatever such a file makes of it, it can write no file, has bounded memory, and knows of
 * this computer no more than a few variables: what it may read is for its arguments to say.
 */
import type { Readable } from "node:stream";
import { StreamletError } from "../../wire/errors";
import type { Ffmpeg } from "./ffmpeg";
import { killGroup, start } from "./processes";

/** Address space, in KiB. Making 1080p of 5K takes half of it. */
const MEMORY_KIB = 2 * 1024 * 1024;
/** Its libraries, pipes and two connections. */
const OPEN_FILES = 64;
/** What the shell does before it becomes ffmpeg; a system that does not know one of the limits does without. */
const LIMITS = ["-c 0", "-f 0", `-n ${OPEN_FILES}`, `-v ${MEMORY_KIB}`]
  .map((limit) => `ulimit ${limit} 2>&- || :`)
  .join("; ");
/** What programs need to start. A proxy, a report file or a token of the person's is none of its business. */
const VARIABLES = ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot", "TEMP", "TMP"];
/** What it says of a file with a thousand streams is longer; nobody needs the rest. */
const MAX_COMPLAINTS_CHARS = 64 * 1024;

export interface ConfinedRun {
  readonly output: Readable;
  /** Once all of `output` was read, or it was killed. Never rejects; `code` is null where it was killed. */
  readonly ended: Promise<{ code: number | null; complaints: string }>;
  /** Idempotent. */
  kill(): void;
}

/** Errors: ffmpeg-missing. */
export async function startConfined(ffmpeg: Ffmpeg, args: readonly string[]): Promise<ConfinedRun> {
  const { ffmpeg: path } = await ffmpeg.tools();
  if (!path) throw new StreamletError("ffmpeg-missing", "ffmpeg was not found: install it, or name its path.");
  const child = start(path, ["-hide_banner", "-nostdin", ...args], {
    preparation: LIMITS,
    env: Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]])),
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text.slice(0, MAX_COMPLAINTS_CHARS - complaints.length);
  });
  child.stdout.on("error", () => {}); // its end says more
  const ended = new Promise<{ code: number | null; complaints: string }>((resolve) => {
    child.once("error", ({ message }) => resolve({ code: null, complaints: message }));
    child.once("exit", () => killGroup(child)); // what it may have started and left
    child.once("close", (code) => resolve({ code, complaints }));
  });
  const kill = () => {
    killGroup(child);
    child.stdout.destroy();
  };
  return { output: child.stdout, ended, kill };
}
