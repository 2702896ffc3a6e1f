/** A slider through a video, of which each stop becomes the video's picture. */
import type { EditStrings } from "../rpc/editPanel";
import { fillText } from "../rpc/webviewMessages";
import { button } from "./controls";
import { element } from "./dom";
import { type OpenVideo, openVideo, type Picture, USUAL_POSITION } from "./videoFrame";

export interface FramePickerOptions {
  uri: string;
  strings: Pick<EditStrings, "chooseFrame" | "frame" | "frameOpening" | "frameFailed">;
  onPick(picture: Picture): void;
  announce(text: string): void;
}

/** Stops of the slider: a key moves it by one. */
const STEPS = 200;

/** A button at first: the video is read only when somebody wants another frame. */
export function framePicker({ uri, strings, onPick, announce }: FramePickerOptions): HTMLElement {
  const note = element("div", { class: "note" });
  const slider = element("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": strings.chooseFrame });
  const root = element("div", { class: "frame" });
  let video: OpenVideo | undefined;
  let capturing = false;

  const open = button({ label: strings.chooseFrame, onClick: () => void show() });
  root.append(open);

  async function show(): Promise<void> {
    note.textContent = strings.frameOpening;
    root.replaceChildren(note);
    announce(strings.frameOpening);
    try {
      video = await openVideo(uri);
      if (video.duration === undefined) throw new Error("a video without a duration has no middle");
    } catch {
      video?.close();
      video = undefined;
      note.textContent = strings.frameFailed;
      announce(strings.frameFailed);
      return;
    }
    slider.value = String(STEPS * USUAL_POSITION);
    root.replaceChildren(slider, note);
    slider.focus();
    await capture();
  }

  /** The newest stop only: seeking is slower than fingers. */
  async function capture(): Promise<void> {
    const { duration } = video ?? {};
    if (!video || duration === undefined) return;
    const at = () => (Number(slider.value) / STEPS) * duration;
    const say = () => {
      note.textContent = fillText(strings.frame, timeText(at()));
      slider.setAttribute("aria-valuetext", note.textContent);
    };
    say();
    if (capturing) return;
    capturing = true;
    try {
      for (let done: number | undefined; done !== at(); ) {
        done = at();
        // The last frame begins before the end.
        onPick(await video.capture(Math.min(done, duration * 0.995)));
      }
    } catch {
      note.textContent = strings.frameFailed;
      announce(strings.frameFailed);
    }
    capturing = false;
  }

  slider.addEventListener("input", () => void capture());
  return root;
}

/** Seconds as `0:07`, `1:02:03`. */
function timeText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((n) => String(n).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return (hours > 0 ? [hours, ...parts] : [Number(parts[0]), parts[1]]).join(":");
}
