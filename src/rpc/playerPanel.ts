/** Contract of the player. The host composes every sentence; the page plays, and says what it cannot. */

export interface Caption {
  /** Shown in the menu: the language or the file's name. */
  label: string;
  /** WebVTT. */
  text: string;
}

/** What the page must say and cannot know itself. */
export interface PlayerStrings {
  video: string;
  /** Of the strip under the video: what is here. */
  pieces: string;
  /** `{0}`: percent. */
  piecesText: string;
  speed: string;
  pictureInPicture: string;
  /** The short name under the picture, and the whole one in a notice. */
  systemPlayer: string;
  playInSystemPlayer: string;
  browser: string;
  details: string;
  copyLink: string;
  retry: string;
  waiting: string;
  noPicture: string;
  noSound: string;
  /** `{0}`: the sound's format. */
  noSoundOf: string;
  /** What could be done about it, by what stands against it; `allowed` is never asked for. */
  advice: Record<Conversion, string>;
  convert: string;
  always: string;
  alwaysHint: string;
  dismiss: string;
  /** Small, while it plays: the sound, or all of it, is converted. */
  soundConverted: string;
  converted: string;
  interrupted: string;
  keys: string;
}

/** No browser and no demultiplexer of the page reads these: only their conversion is tried. */
export const FOREIGN_EXTENSIONS = ["avi", "flv", "wmv"];

/** Whether ffmpeg may convert this video: `ask` the person first; it is `missing`; it has `failed`. */
export type Conversion = "allowed" | "ask" | "never" | "missing" | "failed";

export interface OpenPlayerMessage {
  type: "open";
  /** In the order in which they are tried: as this window reaches it, and as this computer does. */
  urls: string[];
  title: string;
  strings: PlayerStrings;
  /** Seconds. */
  position: number;
  speed: number;
  captions: Caption[];
  /** Of the file's name, in small letters and without the dot. */
  extension: string;
  /** As in RFC 6381; absent where they are not known. */
  codecs?: string;
}

/** At most four times a second, while something changes. */
export interface PlayerStateMessage {
  type: "state";
  /** Progress, speed and sources in one line. */
  text: string;
  /** Who gives how fast; absent while nobody does. Names of other people. */
  sources?: string;
  /** base64, one byte a cell of equal length: 0 = missing ... 255 = here. Absent once all is. */
  here?: string;
  /** 0 to 1. */
  share: number;
}

/** Why it does not go on, in one sentence with what to do; undefined: nothing is in the way. */
export interface PlayerProblemMessage {
  type: "problem";
  text?: string;
}

/** Follows `open`, since ffmpeg has to be looked for; and what came of asking for a conversion. */
export interface PlayerConversionMessage {
  type: "conversion";
  conversion: Conversion;
}

/** Answers `ready`: requests that the page makes itself may read the address that its HTML gave it (CORS). */
export interface PlayerAllowedMessage {
  type: "allowed";
}

export type ToPlayerPage =
  | OpenPlayerMessage
  | PlayerAllowedMessage
  | PlayerStateMessage
  | PlayerProblemMessage
  | PlayerConversionMessage;

export const PLAYER_ACTIONS = ["systemPlayer", "browser", "details", "copyLink", "retry"] as const;
export type PlayerAction = (typeof PLAYER_ACTIONS)[number];

export type FromPlayerPage =
  /** `origin` of the page: it reads the video with requests of its own, too. */
  | { type: "ready"; origin: string }
  | { type: "action"; action: PlayerAction }
  /** The person agrees that ffmpeg reads this video, or every one. */
  | { type: "convert"; always: boolean }
  /** Where it is, every few seconds while it plays and whenever it stops; seconds, and how fast. */
  | { type: "position"; position: number; speed: number };

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3] as const;

/** SubRip as WebVTT: another separator in its times, and no numbers needed. */
export function toWebVtt(text: string): string {
  const lines = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  if (lines.startsWith("WEBVTT")) return lines;
  return `WEBVTT\n\n${lines.replace(/(\d{2}:\d{2}:\d{2}),(\d{3})/g, "$1.$2")}`;
}
