/** PURE: what codecs strings (RFC 6381) say of a video's sound, and in which container its tracks reach Media Source Extensions. */

/** Sound that may be met in the containers that Streamlet knows, and how people call it. */
export const SOUND_NAMES = {
  aac: "AAC",
  mp3: "MP3",
  opus: "Opus",
  vorbis: "Vorbis",
  flac: "FLAC",
  ac3: "AC-3, Dolby Digital",
  eac3: "E-AC-3, Dolby Digital Plus",
  dts: "DTS",
  alac: "ALAC",
  pcm: "PCM",
} as const;
export type Sound = keyof typeof SOUND_NAMES;

/** The first that fits counts: object types of MPEG-4 (`mp4a.69`) name other codecs than AAC. */
const SOUNDS: readonly (readonly [RegExp, Sound])[] = [
  [/^(mp4a\.(69|6b)|mp3$)/i, "mp3"],
  [/^(mp4a\.a5|ac-3)/i, "ac3"],
  [/^(mp4a\.a6|ec-3)/i, "eac3"],
  [/^(mp4a\.a9|dts)/i, "dts"],
  [/^(mp4a\.ad|opus$)/i, "opus"],
  [/^mp4a/i, "aac"],
  [/^vorbis$/i, "vorbis"],
  [/^flac$/i, "flac"],
  [/^alac$/i, "alac"],
  [/^(pcm|ipcm|fpcm|twos|sowt|ulaw|alaw)/i, "pcm"],
];

/** The sound that `codecs` names; undefined where it names none that is known. */
export function soundOf(codecs: string): Sound | undefined {
  for (const codec of codecs.split(",")) {
    const found = SOUNDS.find(([pattern]) => pattern.test(codec.trim()));
    if (found) return found[1];
  }
  return undefined;
}

/** Whether `codecs` names more than a picture, known or not. */
export function hasSound(codecs: string): boolean {
  return soundOf(codecs) !== undefined || codecs.split(",").length > 1;
}

/** Tracks of a file, by the names of mediabunny and by those of RFC 6381. */
export interface Track {
  name: string;
  codec: string;
}

export interface RemuxType {
  container: "mp4" | "webm";
  /** For `addSourceBuffer`. */
  type: string;
}

const WEBM_PICTURE = ["vp8", "vp9", "av1"];
const WEBM_SOUND = ["opus", "vorbis"];
const MP4_PICTURE = ["avc", "hevc", "vp9", "av1"];
const MP4_SOUND = ["aac", "mp3", "opus", "flac", "ac3", "eac3"];

/** Both tracks in one container, as browsers take them; undefined where no container holds both. */
export function remuxType(picture: Track, sound: Track | undefined): RemuxType | undefined {
  const fits = (pictures: string[], sounds: string[]) =>
    pictures.includes(picture.name) && (!sound || sounds.includes(sound.name));
  const codecs = [picture.codec, ...(sound ? [sound.codec] : [])].join(", ");
  if (fits(WEBM_PICTURE, WEBM_SOUND)) return { container: "webm", type: `video/webm; codecs="${codecs}"` };
  if (fits(MP4_PICTURE, MP4_SOUND)) return { container: "mp4", type: `video/mp4; codecs="${codecs}"` };
  return undefined;
}
