/** What keys do in the player, wherever the focus is. */
import { SPEEDS } from "../rpc/playerPanel";

const SKIP_SECONDS = 10;

/** For the attribute of the `<video>`. */
export const PLAYER_KEYS = "Space K J L F M < >";

export function handlePlayerKeys(video: HTMLVideoElement, stage: HTMLElement, signal: AbortSignal): void {
  const step = (by: number) => {
    const index = SPEEDS.findIndex((value) => value >= video.playbackRate - 1e-6);
    video.playbackRate = SPEEDS[Math.max(0, Math.min(index + by, SPEEDS.length - 1))] ?? 1;
  };
  const toggle = () => (video.paused ? video.play() : video.pause());
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target instanceof HTMLElement ? event.target : undefined;
    const own = ["SELECT", "VSCODE-BUTTON", "VSCODE-CHECKBOX"].includes(target?.tagName ?? "");
    const keys: Record<string, () => unknown> = {
      k: toggle,
      j: () => (video.currentTime -= SKIP_SECONDS),
      l: () => (video.currentTime += SKIP_SECONDS),
      m: () => (video.muted = !video.muted),
      f: () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()),
      "<": () => step(-1),
      ">": () => step(1),
      // The video itself takes these while it has the focus.
      ...(target === video || own
        ? {}
        : {
            " ": toggle,
            ArrowLeft: () => (video.currentTime -= SKIP_SECONDS / 2),
            ArrowRight: () => (video.currentTime += SKIP_SECONDS / 2),
          }),
    };
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!run || own) return;
    event.preventDefault();
    void Promise.resolve(run()).catch(() => undefined);
  };
  document.addEventListener("keydown", onKey, { signal });
}
