/** A video of the library as players read it: what joins its runtime to readers and gateway. */
import { StreamletError } from "../../wire/errors";
import type { RunningPeer } from "../runningPeer";
import type { VideoRuntime } from "../videoRuntime";
import type { StreamSource } from "./gateway";
import type { StreamedVideo } from "./videoStream";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mkv: "video/x-matroska",
  avi: "video/x-msvideo",
  flv: "video/x-flv",
};

export function contentTypeOf(fileName: string): string {
  const extension = /\.([a-z0-9]+)$/i.exec(fileName)?.[1]?.toLowerCase() ?? "";
  return CONTENT_TYPES[extension] ?? "application/octet-stream";
}

/** `StreamedVideo` of a runtime; what the runtime holds is asked for each time, since it comes and goes. */
export function streamedVideo(runtime: VideoRuntime): StreamedVideo {
  return {
    content: () => runtime.data()?.content,
    have: () => runtime.data()?.have,
    async readDisk(position, length) {
      const bytes = Buffer.allocUnsafe(length);
      const store = runtime.data()?.store;
      if (!store) throw new StreamletError("cancelled", "The video was closed.");
      await store.read([bytes], position);
      return bytes;
    },
    readMemory: (piece, offset, maxBytes) => runtime.swarm?.download?.provenBytes(piece, offset, maxBytes),
    setWindows: (windows) => runtime.swarm?.download?.setWindows(windows),
    stoppedBecause: () => runtime.stoppedBecause(),
    duration: () => runtime.entry.duration,
    indexRanges: () => runtime.entry.indexRanges ?? [],
  };
}

/** What the gateway serves of it. The entry may be removed while it plays: then reading ends with an error. */
export function streamSource(peer: RunningPeer, key: string): StreamSource {
  const { entry } = peer.runtime(key);
  return {
    tag: entry.id ?? entry.v1 ?? key,
    fileName: entry.fileName,
    contentType: contentTypeOf(entry.fileName),
    async size(signal) {
      const { stream } = await opened(peer.runtime(key));
      for (;;) {
        const content = stream.video.content();
        if (content) return content.length;
        const stopped = stream.video.stoppedBecause();
        if (stopped) throw stopped;
        if (signal.aborted) throw new StreamletError("cancelled", "The player has gone.");
        await Promise.race([stream.progress(), aborted(signal)]);
      }
    },
    async open(position) {
      return (await opened(peer.runtime(key))).stream.open(position);
    },
  };
}

async function opened(runtime: VideoRuntime): Promise<VideoRuntime> {
  await runtime.wake();
  return runtime;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
