/**
 * Pure decisions: what of a video is converted for a page that plays it, and how ffmpeg is told so. The video may be anybody's:
 * only known containers and decoders are touched, and nothing is opened but the one address.
 */
import { availableParallelism } from "node:os";
import { MAX_DURATION_SECONDS } from "../../wire/constants";

/** What ffmpeg says that a video is. */
export interface Described {
  /** Seconds. */
  duration?: number;
  /** Chromium decodes the picture as it is. */
  copies: boolean;
  hasAudio: boolean;
}

/** Whatever else a file says it is (a playlist, a list of files, a picture), it is not read as that. */
const FORMATS = ["mov", "matroska", "avi", "flv", "asf", "mpegts", "mpeg", "ogg"];
/** What cameras, recorders and the web have made in thirty years; the other 400 are not worth their risk. */
const VIDEO_DECODERS = [
  ..."h264 hevc vp8 libvpx vp9 libvpx-vp9 av1 libdav1d libaom-av1 mpeg1video mpeg2video mpegvideo mpeg4 h263 h263i".split(
    " ",
  ),
  ..."h263p msmpeg4v1 msmpeg4v2 msmpeg4 wmv1 wmv2 wmv3 vc1 flv vp6 vp6a vp6f flashsv flashsv2 theora mjpeg".split(" "),
  ..."prores dnxhd dvvideo qtrle svq3 cinepak msvideo1 camtasia rawvideo".split(" "),
];
const AUDIO_DECODERS = [
  ..."aac aac_latm mp1 mp1float mp2 mp2float mp3 mp3float ac3 eac3 dca truehd mlp flac vorbis libvorbis opus".split(
    " ",
  ),
  ..."libopus alac wmav1 wmav2 wmapro wmalossless nellymoser speex libspeex amrnb amrwb adpcm_ms adpcm_ima_wav".split(
    " ",
  ),
  ..."adpcm_ima_qt adpcm_swf adpcm_yamaha pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le".split(" "),
  ..."pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_bluray pcm_dvd".split(" "),
];
/** As ffmpeg names codecs; a few decoders have other names. */
const AUDIO_CODECS = new Set([...AUDIO_DECODERS, "dts", "amr_nb", "amr_wb"]);
/** 5120 x 2880 is the largest screen that is recorded as it is. */
const MAX_PIXELS = 16_777_216;
/** The largest single piece of memory: an index of several hours is a tenth of it. */
const MAX_ALLOCATION = 256 * 1024 * 1024;
/** How much of it is read to find out what it is: bytes, microseconds. */
const PROBE = ["-probesize", "5000000", "-analyzeduration", "5000000"];
const THREADS = String(Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2))));

/** What is picture of the same size in everybody's decoder. */
const COPIED_PIXELS: Readonly<Record<string, readonly string[]>> = {
  h264: ["yuv420p", "yuvj420p"],
  vp9: ["yuv420p", "yuv420p10le"],
  av1: ["yuv420p", "yuv420p10le"],
};

/** Before its address: how a video of anybody is opened. */
function confinedInput(url: string): string[] {
  return [
    ...["-protocol_whitelist", "http,tcp", "-format_whitelist", FORMATS.join(",")],
    ...["-codec_whitelist", [...VIDEO_DECODERS, ...AUDIO_DECODERS].join(",")],
    ...["-max_pixels", String(MAX_PIXELS), "-threads", THREADS, ...PROBE, "-i", url],
  ];
}

/** Says what it is, and fails because nothing is to be made of it. */
export function describeArguments(url: string): string[] {
  return ["-max_alloc", String(MAX_ALLOCATION), ...confinedInput(url)];
}

/** Undefined where there is no picture; "unreadable": one of a kind or size that is not touched. */
export function readDescribed(text: string): Described | "unreadable" | undefined {
  // "Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709, progressive), 320x180 [SAR 1:1 ..."
  const videos = [...text.matchAll(/^ {2}Stream #0:\d+\S*: Video: (\w+)[^,\n]*(?:, (\w+))?.*$/gm)];
  const video = videos.find(([line]) => !/\((?:attached pic|timed thumbnails)\)/.test(line));
  if (!video) return undefined;
  if (!/, \d+x\d+/.test(video[0])) return "unreadable";
  const audio = /^ {2}Stream #0:\d+\S*: Audio: (\w+)/m.exec(text);
  const time = /^ {2}Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)/m.exec(text);
  const duration = time ? Number(time[1]) * 3600 + Number(time[2]) * 60 + Number(time[3]) : 0;
  // AVI does not say when its pictures are shown, only in which order they are decoded.
  const isAvi = /^Input #0, avi,/m.test(text);
  return {
    ...(duration > 0 && duration <= MAX_DURATION_SECONDS ? { duration } : {}),
    copies: !isAvi && (COPIED_PIXELS[video[1] as string]?.includes(video[2] ?? "") ?? false),
    hasAudio: audio !== null && AUDIO_CODECS.has(audio[1] as string),
  };
}

/** Best first; ffmpeg may be built without the one or the other. */
const VIDEO_ENCODERS: readonly (readonly [string, readonly string[]])[] = [
  ["libx264", ["-preset", "ultrafast", "-crf", "22", "-bf", "0", "-maxrate", "12M", "-bufsize", "12M"]],
  ["libopenh264", ["-b:v", "6M"]],
  ["libvpx-vp9", ["-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-b:v", "4M"]],
];
/** Pictures: where a page can begin. */
const KEY_FRAME_EVERY = "60";
/** Square pixels, even numbers, and no more of them than an ordinary computer makes in time. */
const SCALE = [
  "scale=trunc(iw*sar/2)*2:trunc(ih/2)*2",
  "scale=min(1920\\,iw):min(1920\\,ih):force_original_aspect_ratio=decrease:force_divisible_by=2",
  "setsar=1",
  "format=yuv420p",
].join(",");

/** Undefined where none of its encoders will do. */
export function videoArguments(copies: boolean, encoders: ReadonlySet<string>): string[] | undefined {
  if (copies) return ["-c:v", "copy"];
  const found = VIDEO_ENCODERS.find(([name]) => encoders.has(name));
  if (!found) return undefined;
  return ["-vf", SCALE, "-c:v", found[0], ...found[1], "-g", KEY_FRAME_EVERY, "-threads:v", THREADS];
}

const AUDIO_RATE = 48_000;
/** What a page gets at a time: microseconds, and bytes where the times stand still. */
const FRAGMENT = ["-frag_duration", "500000", "-frag_size", String(4 * 1024 * 1024)];
/**
 * Each fragment says its own time, counted from the beginning of the video. Where pictures are decoded before they are shown,
 * it is their showing that is moved and never their decoding, which would begin before zero.
 */
const MOVFLAGS = "empty_moov+default_base_moof+frag_keyframe+frag_discont+negative_cts_offsets+skip_trailer";

/** @param from seconds */
export function convertArguments(
  url: string,
  from: number,
  { hasAudio }: Described,
  video: readonly string[],
): string[] {
  // Sound that begins later than the picture would keep a page from beginning: silence goes before it.
  const silence = `aresample=${AUDIO_RATE},aresample=async=1:first_pts=${Math.round(from * AUDIO_RATE)}`;
  // FLAC in MP4 was an experiment once.
  const flac = ["-c:a", "flac", "-compression_level", "0", "-sample_fmt", "s16", "-ac", "2", "-strict", "-2"];
  const audio = ["-map", "0:a:0", "-af", silence, ...flac];
  return [
    ...["-loglevel", "error", "-nostats", "-max_alloc", String(MAX_ALLOCATION), "-max_error_rate", "1"],
    ...["-copyts", "-start_at_zero", "-filter_threads", "1"],
    ...["-noaccurate_seek", ...(from > 0 ? ["-ss", from.toFixed(3)] : []), ...confinedInput(url)],
    ...["-map", "0:V:0", ...video, ...(hasAudio ? audio : []), "-map_metadata", "-1", "-map_chapters", "-1"],
    ...["-avoid_negative_ts", "disabled", "-use_editlist", "0", "-movflags", MOVFLAGS, ...FRAGMENT],
    ...["-f", "mp4", "pipe:1"],
  ];
}
