/** The person's own ffmpeg: found once, run without a shell, bounded in time and output, ended with all that it started. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { StreamletError } from "../../wire/errors";
import type { MediaTools } from "../status";
import { killGroup, start } from "./processes";

/** What it says of itself comes in milliseconds; from a cold disk or through a virus scanner in seconds. */
const VERSION_TIMEOUT_MS = 10_000;
/** Of what it complains about, the last words say why it ended. */
const MAX_STDERR_CHARS = 8_192;
/** Of that, so much is worth a sentence. */
const MAX_REASON_CHARS = 300;
/** Pipes may be held open by a process that it has started: they are closed so long after its end. */
const CLOSE_GRACE_MS = 1_000;
/** Programs that are started from the Dock do not have them on their PATH. */
const MAC_FOLDERS = ["/opt/homebrew/bin", "/usr/local/bin"];

export interface RunOptions {
  /** It is killed when this time is over ... */
  timeoutMs?: number;
  /** ... or when it has written nothing to its standard output for so long. */
  stallMs?: number;
  /** More standard output than this is a failure; what it says is thrown away where `onOutput` takes it. */
  maxOutputBytes?: number;
  signal?: AbortSignal;
  onOutput?(text: string): void;
}

export interface RunResult {
  output: Buffer;
  /** The end of its standard error. */
  complaints: string;
  /** 0 unless `allowFailure`. */
  code: number;
}

export class Ffmpeg {
  private found: Promise<MediaTools> | undefined;
  private listed: Promise<ReadonlySet<string>> | undefined;

  /** @param configured absolute path; the first one on the PATH when absent */
  constructor(
    private readonly configured: string | undefined,
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {}

  /** Empty where there is none. One that is installed later is found when it is asked for again. */
  async tools(): Promise<MediaTools> {
    this.found ??= this.find();
    const tools = await this.found;
    if (!tools.ffmpeg) this.found = undefined;
    return tools;
  }

  /**
   * Runs it to its end. Its half-written files are the caller's to remove.
   * Errors: ffmpeg-missing, ffmpeg-failed (also: too slow, killed), cancelled.
   */
  async run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const result = await this.tryRun(args, options);
    if (result.code === 0) return result;
    throw failed(`It ended with ${result.code}: ${lastWords(result.complaints)}`);
  }

  /** As `run`, but an exit code is an answer: `ffmpeg -i FILE` alone tells what is in the file, and fails. */
  async tryRun(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    if (options.signal?.aborted) throw cancelled();
    const { ffmpeg } = await this.tools();
    if (!ffmpeg) throw new StreamletError("ffmpeg-missing", "ffmpeg was not found: install it, or name its path.");
    return runProgram(ffmpeg, ["-hide_banner", "-nostdin", ...args], options);
  }

  /** Names of the encoders that it was built with. Errors: ffmpeg-missing, ffmpeg-failed. */
  encoders(): Promise<ReadonlySet<string>> {
    this.listed ??= this.run(["-encoders"], { timeoutMs: VERSION_TIMEOUT_MS }).then(({ output }) => {
      return new Set([...output.toString().matchAll(/^ [A-Z.]{6} (\S+)/gm)].map(([, name]) => name as string));
    });
    this.listed.catch(() => {
      this.listed = undefined;
    });
    return this.listed;
  }

  private async find(): Promise<MediaTools> {
    for (const path of this.candidates()) {
      if (!(await isProgram(path))) continue;
      const version = await versionOf(path);
      if (version !== undefined) return { ffmpeg: path, version };
    }
    return {};
  }

  private candidates(): string[] {
    if (this.configured) return isAbsolute(this.configured) ? [this.configured] : [];
    const name = process.platform === "win32" ? "ffmpeg.exe" : "ffmpeg";
    const folders = (this.env.PATH ?? this.env.Path ?? "").split(delimiter);
    if (process.platform === "darwin") folders.push(...MAC_FOLDERS);
    // A relative folder on the PATH would be one of whatever folder is open.
    return folders.filter(isAbsolute).map((folder) => join(folder, name));
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Undefined for a program that is not ffmpeg, or does not run. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { output } = await runProgram(path, ["-version"], { timeoutMs: VERSION_TIMEOUT_MS });
    return /^ffmpeg version (\S{1,80})/.exec(output.toString())?.[1];
  } catch {
    return undefined;
  }
}

/** Enough for a thumbnail and for what it says of itself. */
const DEFAULT_OUTPUT_BYTES = 1024 * 1024;

function runProgram(path: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { timeoutMs, stallMs, maxOutputBytes = DEFAULT_OUTPUT_BYTES, signal, onOutput } = options;
  return new Promise((resolve, reject) => {
    const child = start(path, args);
    const chunks: Buffer[] = [];
    let bytes = 0;
    let complaints = "";
    let ended: { code: number | null; name: NodeJS.Signals | null } | undefined;
    let failure: StreamletError | undefined;
    const end = (error: StreamletError) => {
      failure ??= error;
      killGroup(child);
    };
    const tooSlow = () => end(failed("It did not come to an end in time."));
    const timer = timeoutMs === undefined ? undefined : setTimeout(tooSlow, timeoutMs);
    let stall = stallMs === undefined ? undefined : setTimeout(tooSlow, stallMs);
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => end(cancelled());
    signal?.addEventListener("abort", onAbort, { once: true });
    const release = () => {
      signal?.removeEventListener("abort", onAbort);
      for (const each of [timer, stall, grace]) clearTimeout(each);
    };

    child.stdout.on("data", (chunk: Buffer) => {
      if (stall) stall = stall.refresh();
      if (onOutput) return onOutput(chunk.toString());
      bytes += chunk.length;
      if (bytes > maxOutputBytes) end(failed("It wrote more than was asked for."));
      else chunks.push(chunk);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaints = (complaints + text).slice(-MAX_STDERR_CHARS);
    });
    child.once("error", (cause) => {
      release();
      reject(new StreamletError("ffmpeg-failed", `ffmpeg does not start: ${cause.message}`, { cause }));
    });
    child.once("exit", (code, name) => {
      ended = { code, name };
      killGroup(child); // what it may have started and left
      grace = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, CLOSE_GRACE_MS);
    });
    child.once("close", () => {
      release();
      if (failure) reject(failure);
      else if (!ended || ended.code === null) reject(failed(`It was ended by ${ended?.name ?? "a signal"}.`));
      else resolve({ output: Buffer.concat(chunks), complaints, code: ended.code });
    });
    if (signal?.aborted) onAbort();
  });
}

/** Why it ended, as far as it said so. */
export function lastWords(complaints: string): string {
  const lines = complaints.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return (lines.at(-1) ?? "it did not say why").trim().slice(-MAX_REASON_CHARS);
}

function failed(why: string): StreamletError {
  return new StreamletError("ffmpeg-failed", `ffmpeg could not do it. ${why}`);
}

function cancelled(): StreamletError {
  return new StreamletError("cancelled", "It was cancelled.");
}
