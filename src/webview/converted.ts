/** A video as ffmpeg converts it, from the gateway: `?convert=1&from=SECONDS` answers with fragmented MP4. */
import { PlayFailure, type SegmentSource } from "./segments";

/** What ffmpeg makes of the video itself (docs/protocol.md); everything else may be otherwise a moment later. */
const UNREADABLE = ["not-a-video", "unsupported-format", "ffmpeg-failed"];

/** Asks for it from `from` (seconds) on; its first segments wait to be taken. Errors: PlayFailure. */
export async function openConverted(url: string, from: number, signal: AbortSignal): Promise<SegmentSource> {
  let first: Response | undefined = await request(url, from, signal);
  const codecs = first.headers.get("X-Streamlet-Codecs");
  if (!codecs) throw new PlayFailure("unsupported", "It is not said what the video was converted to.");
  const duration = Number(first.headers.get("X-Streamlet-Duration"));
  signal.addEventListener("abort", () => void first?.body?.cancel().catch(() => undefined), { once: true });
  return {
    type: `video/mp4; codecs="${codecs}"`,
    duration: duration > 0 ? duration : Number.POSITIVE_INFINITY,
    async *segments(at, ofRun) {
      const both = AbortSignal.any([signal, ofRun]);
      const response = first && at === from ? first : await request(url, at, both);
      if (response !== first) void first?.body?.cancel().catch(() => undefined);
      first = undefined;
      yield* bytesOf(response, both);
    },
  };
}

async function request(url: string, from: number, signal: AbortSignal): Promise<Response> {
  const address = new URL(url);
  address.searchParams.set("convert", "1");
  address.searchParams.set("from", String(from));
  const response = await fetch(address, { signal }).catch((cause) => {
    throw new PlayFailure("interrupted", "The peer does not answer.", { cause });
  });
  if (response.ok) return response;
  const code = response.headers.get("X-Streamlet-Error") ?? String(response.status);
  if (response.status === 501) throw new PlayFailure("no-ffmpeg", code);
  throw new PlayFailure(UNREADABLE.includes(code) ? "unsupported" : "interrupted", code);
}

async function* bytesOf(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause) => {
        throw new PlayFailure("interrupted", "The conversion was cut off.", { cause });
      });
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}
