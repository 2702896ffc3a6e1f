/**
 * PURE: in which way a video is played, and what the person is told. The ladder has three rungs: the browser's own player, the
 * same tracks in another container, tracks converted by ffmpeg. Where none of them gives picture and sound, it is said.
 */
import { type Conversion, FOREIGN_EXTENSIONS } from "../rpc/playerPanel";

export type Rung = "native" | "remuxed" | "converted";

export interface LadderState {
  /** Ends the file's name, in small letters. */
  extension: string;
  /** Rungs that gave no picture. */
  failed: ReadonlySet<Rung>;
  /** It has sound, and this editor does not decode it. */
  silent: boolean;
  /** Undefined while it is being found out. */
  conversion: Conversion | undefined;
}

export interface Step {
  /** How it is played; undefined: not at all, or not yet. */
  rung?: Rung;
  /** What the person misses; undefined: nothing. */
  missing?: "picture" | "sound";
  /** It is converted for its sound only: the picture would be there without. */
  onlySound?: boolean;
}

export function nextStep({ extension, failed, silent, conversion }: LadderState): Step {
  const own = FOREIGN_EXTENSIONS.includes(extension)
    ? undefined
    : (["native", "remuxed"] as const).find((rung) => !failed.has(rung));
  if (conversion === "allowed" && (silent || !own)) return { rung: "converted", onlySound: own !== undefined };
  if (conversion === undefined && (silent || !own)) return {};
  if (!own) return { missing: "picture" };
  return silent ? { rung: own, missing: "sound" } : { rung: own };
}

/** Sound that was not decoded after so much playing will not be. */
const SILENCE_SECONDS = 1.5;
/** Between two looks: a longer way was a jump, not playing. */
const MAX_STEP_SECONDS = 1;

/** Tells that a video plays without any of its sound being decoded. */
export class SilenceWatch {
  private played = 0;
  private last: number | undefined;

  /**
   * @param time of the video, seconds; undefined while it does not play
   * @param decodedBytes of sound so far; undefined where the browser does not count them
   * @returns whether it has been silent for too long
   */
  look(time: number | undefined, decodedBytes: number | undefined): boolean {
    const step = time === undefined || this.last === undefined ? 0 : time - this.last;
    this.last = time;
    if (decodedBytes !== 0) {
      this.played = 0;
      return false;
    }
    if (step > 0 && step < MAX_STEP_SECONDS) this.played += step;
    return this.played >= SILENCE_SECONDS;
  }
}
