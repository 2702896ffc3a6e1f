/** Videos that the gateway converts, as a page reads them. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { promisify } from "node:util";
import { BufferSource, EncodedPacketSink, Input, MP4 } from "mediabunny";

const run = promisify(execFile);

/** Runs ffmpeg as a maker of test videos. */
export async function ffmpeg(...args: string[]): Promise<void> {
  await run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-nostdin", "-y", ...args]);
}

export function conversionUrl(url: string, from?: number | string): string {
  return `${url}?convert=1${from === undefined ? "" : `&from=${from}`}`;
}

export interface Converted {
  status: number;
  /** Of the answer where it was refused. */
  error: string | undefined;
  codecs: string | undefined;
  duration: number | undefined;
  body: Buffer;
}

/** Reads it to its end; rejects where it is cut off. */
export async function fetchConverted(url: string, from?: number | string): Promise<Converted> {
  const response = await fetch(conversionUrl(url, from));
  const body = Buffer.from(await response.arrayBuffer());
  const { headers, status } = response;
  const duration = headers.get("x-streamlet-duration");
  return {
    status,
    error: headers.get("x-streamlet-error") ?? undefined,
    codecs: headers.get("x-streamlet-codecs") ?? undefined,
    duration: duration === null ? undefined : Number(duration),
    body,
  };
}

export interface ReadTrack {
  codec: string | null;
  /** Seconds. */
  first: number;
  end: number;
  beginsWithKey: boolean;
}

/** What a player makes of it. */
export async function readConverted(body: Buffer): Promise<Record<string, ReadTrack>> {
  const input = new Input({ source: new BufferSource(body), formats: [MP4] });
  const tracks: Record<string, ReadTrack> = {};
  for (const track of await input.getTracks()) {
    const first = await new EncodedPacketSink(track).getFirstPacket();
    tracks[track.type] = {
      codec: await track.getCodecParameterString(),
      first: first?.timestamp ?? Number.NaN,
      end: await track.computeDuration(),
      beginsWithKey: first?.type === "key",
    };
  }
  return tracks;
}

/** Ids of the programs that read from this address's server right now. Linux only. */
export function readersOf(url: string): number[] {
  const { host } = new URL(url);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`http://${host}/`);
      } catch {
        return false; // it has ended
      }
    })
    .map(Number);
}

export interface HeldConversion {
  /** Bytes that have come so far. */
  received(): number;
  /** Goes on taking what comes. */
  resume(): void;
  abort(): void;
}

/** Begins it and takes nothing, as a page whose buffer is full. Resolves with its first bytes at hand. */
export function holdConversion(url: string, from?: number): Promise<HeldConversion> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const outgoing = request(conversionUrl(url, from), { agent: false }, (response) => {
      response.on("error", () => {});
      response.pause();
      if (response.statusCode !== 200) reject(new Error(`${response.statusCode}`));
      resolve({
        received: () => bytes,
        resume: () => response.on("data", (chunk: Buffer) => (bytes += chunk.length)).resume(),
        abort: () => outgoing.destroy(),
      });
    });
    outgoing.on("error", reject).end();
  });
}
