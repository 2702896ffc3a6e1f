// Writes src/webview/audioSamples.ts: a tenth of a second of sound in each format that the player tries to decode.
// Needs ffmpeg with libmp3lame and libopus; run again only to change the formats: `node tools/makeAudioSamples.mjs`.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./install.mjs";

/** Each sample goes into the page: a few hundred bytes say as much as many. */
const MAX_SAMPLE_BYTES = 2_000;

/** By the names of src/webview/codecs.ts: arguments of ffmpeg, and the name of the format in which the sample is packed. */
const FORMATS = {
  aac: ["-c:a", "aac", "-b:a", "32k", "-f", "adts"],
  mp3: ["-c:a", "libmp3lame", "-b:a", "32k", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"],
  opus: ["-c:a", "libopus", "-b:a", "16k", "-f", "ogg"],
  flac: ["-ar", "8000", "-c:a", "flac", "-f", "flac"],
};

const SOURCE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=0.1", "-ac", "1"];
const REPEATABLE = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"];

function encode(format, args) {
  const all = ["-hide_banner", "-loglevel", "error", ...SOURCE, ...REPEATABLE, ...args, "-"];
  const { status, stdout, stderr, error } = spawnSync("ffmpeg", all);
  if (status !== 0) throw new Error(`ffmpeg makes no ${format}: ${error ?? stderr}`);
  const sample = format === "flac" ? withoutPadding(stdout) : stdout;
  if (sample.length > MAX_SAMPLE_BYTES) throw new Error(`${format} takes ${sample.length} bytes`);
  return sample.toString("base64");
}

/** FLAC without the 8 kB that ffmpeg leaves free for tags: `fLaC`, then blocks of one byte of type, three of length, content. */
function withoutPadding(file) {
  const LAST = 0x80;
  const PADDING = 1;
  const blocks = [];
  let at = 4;
  for (let last = false; !last; ) {
    const end = at + 4 + file.readUIntBE(at + 1, 3);
    last = (file[at] & LAST) !== 0;
    if ((file[at] & ~LAST) !== PADDING) blocks.push(Buffer.from(file.subarray(at, end)));
    at = end;
  }
  for (const block of blocks) block[0] &= ~LAST;
  blocks.at(-1)[0] |= LAST;
  return Buffer.concat([file.subarray(0, 4), ...blocks, file.subarray(at)]);
}

const lines = Object.entries(FORMATS).map(([format, args]) => `  ${format}:\n    "${encode(format, args)}",\n`);
writeFileSync(
  join(ROOT, "src", "webview", "audioSamples.ts"),
  `/** Made by tools/makeAudioSamples.mjs: a tenth of a second of a tone in each format, base64. */
export const AUDIO_SAMPLES = {
${lines.join("")}} as const;
`,
);
