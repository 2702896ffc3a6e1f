/**
 * Duration, dimensions and codecs of a file. The reader of containers is a library of others and the file may be anybody's: it
 * runs in a thread of its own that is ended after 3 s (a crafted file once kept it busy for 18), with a bounded heap.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Container } from "../storage/videoFile";
import type { Ffmpeg } from "./ffmpeg";
import { cleanInfo, type MediaInfo } from "./mediaInfo";
import { inputArguments } from "./thumbnails";

export interface ProbeJob {
  /** Absolute. */
  path: string;
  container: Container;
}

export interface ProbeOptions {
  /** For containers that the library does not read. It is started for one's own files only. */
  ffmpeg?: Ffmpeg;
  signal?: AbortSignal;
  /** Another thread than the probe worker: tests have some that misbehave. */
  workerFile?: string;
}

/** A sound file takes milliseconds. */
const TIMEOUT_MS = 3_000;
/** A sound file takes a few MiB; a mutated one asked for 1.2 GB. */
const HEAP_MIB = 128;

/** What the file says of itself; what is not known is absent. Never rejects. */
export async function probeVideo(job: ProbeJob, options: ProbeOptions = {}): Promise<MediaInfo> {
  try {
    const { size } = await stat(job.path);
    const byLibrary = job.container !== "avi" && job.container !== "flv";
    const raw = byLibrary ? await probeInWorker(job, options) : await probeWithFfmpeg(job, options);
    return { ...cleanInfo(raw, size), container: job.container };
  } catch {
    return { container: job.container };
  }
}

function probeInWorker(job: ProbeJob, { signal, workerFile }: ProbeOptions): Promise<unknown> {
  return new Promise((resolve) => {
    const worker = new Worker(workerFile ?? join(__dirname, "probeWorker.js"), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 32 },
      stdout: true,
      stderr: true,
    });
    let timer: NodeJS.Timeout | undefined;
    const end = (result: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      resolve(result);
      void worker.terminate();
    };
    const onAbort = () => end(undefined);
    signal?.addEventListener("abort", onAbort, { once: true });
    // From when it runs: a busy machine may take long to start it.
    worker.once("online", () => {
      timer = setTimeout(() => end(undefined), TIMEOUT_MS);
    });
    worker.once("message", end);
    worker.once("error", () => end(undefined)); // out of memory, too
    worker.once("exit", () => end(undefined));
    if (signal?.aborted) onAbort();
  });
}

/** As ffmpeg names them; others are not named at all. */
const CODECS: Readonly<Record<string, string>> = {
  h264: "avc1",
  hevc: "hvc1",
  mpeg4: "mp4v.20",
  vp8: "vp8",
  vp9: "vp09",
  av1: "av01",
  aac: "mp4a.40.2",
  mp3: "mp4a.6B",
  opus: "opus",
};

async function probeWithFfmpeg({ path, container }: ProbeJob, options: ProbeOptions): Promise<unknown> {
  const { ffmpeg, signal } = options;
  if (!ffmpeg) return undefined;
  const { complaints } = await ffmpeg.tryRun(inputArguments(path, container), {
    timeoutMs: TIMEOUT_MS,
    ...(signal ? { signal } : {}),
  });
  return readDescription(complaints);
}

/** What `ffmpeg -i` prints of a file: people have read it so for twenty years. */
export function readDescription(text: string): unknown {
  const time = /^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)/m.exec(text);
  const video = /^\s*Stream #\d+:\d+.*?: Video: (\w+).*?, (\d+)x(\d+)(?: \[SAR (\d+):(\d+))?/m.exec(text);
  const audio = /^\s*Stream #\d+:\d+.*?: Audio: (\w+)/m.exec(text);
  const named = [video?.[1], audio?.[1]].filter((name) => name !== undefined).map((name) => CODECS[name]);
  const [sarX, sarY] = [Number(video?.[4] ?? 1), Number(video?.[5] ?? 1)];
  const stretched = sarX > 0 && sarY > 0 ? sarX / sarY : 1;
  return {
    ...(time ? { duration: Number(time[1]) * 3600 + Number(time[2]) * 60 + Number(time[3]) } : {}),
    ...(video ? { width: Math.round(Number(video[2]) * stretched), height: Number(video[3]) } : {}),
    ...(named.length > 0 && named.every((codec) => codec !== undefined) ? { codecs: named.join(", ") } : {}),
  };
}
