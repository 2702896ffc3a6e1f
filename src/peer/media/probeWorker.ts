/** Probe worker: reads what one file says of its content. Whoever started it ends it when it takes too long. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { CustomSource, Input, type InputTrack, MATROSKA, MP4, QTFF, WEBM } from "mediabunny";
import { indexRangesOf } from "./indexRanges";
import type { ProbeJob } from "./probe";

/** The indexes of the longest files are below 30 MB. Memory for what is read is no part of the heap, which has a limit of its own. */
const MAX_BYTES_READ = 96 * 1024 * 1024;

const { path, container } = workerData as ProbeJob;
const file = openSync(path, "r");
const { size } = fstatSync(file);
let bytesRead = 0;

function readAt(position: number, length: number): Buffer {
  const wanted = Math.max(0, Math.min(length, size - position));
  bytesRead += wanted;
  if (bytesRead > MAX_BYTES_READ) throw new Error("the file makes its reader read too much");
  const buffer = Buffer.alloc(wanted);
  const read = wanted === 0 ? 0 : readSync(file, buffer, 0, wanted, position);
  return buffer.subarray(0, read);
}

async function look(): Promise<unknown> {
  const source = new CustomSource({ getSize: () => size, read: (start, end) => readAt(start, end - start) });
  const input = new Input({ source, formats: [MP4, QTFF, MATROSKA, WEBM] });
  const video = await input.getPrimaryVideoTrack();
  const audio = await input.getPrimaryAudioTrack();
  const tracks: InputTrack[] = [video, audio].filter((track) => track !== null);
  const codecs = await Promise.all(tracks.map((track) => track.getCodecParameterString()));
  return {
    duration: (await input.getDurationFromMetadata(tracks)) ?? (await input.computeDuration(tracks)),
    width: await video?.getDisplayWidth(),
    height: await video?.getDisplayHeight(),
    // Half of the truth would be taken for the whole: a player decides by it.
    codecs: codecs.length > 0 && codecs.every((codec) => codec !== null) ? codecs.join(", ") : undefined,
  };
}

function ranges() {
  try {
    return indexRangesOf(container, size, readAt);
  } catch {
    return undefined;
  }
}

look()
  .catch(() => ({}))
  .then((info) => {
    parentPort?.postMessage({ ...(info as object), indexRanges: ranges() });
    closeSync(file);
  });
