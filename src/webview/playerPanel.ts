import "./page.css";
import "./playerPanel.css";
import {
  type FromPlayerPage,
  type OpenPlayerMessage,
  type PlayerAction,
  SPEEDS,
  type ToPlayerPage,
} from "../rpc/playerPanel";
import { fillText } from "../rpc/webviewMessages";
import { announcer, button } from "./controls";
import { element, setAttributes } from "./dom";
import { connectToHost } from "./host";

/** The position goes to the host this often while it plays. */
const REPORT_MS = 3_000;
/** Sound that was not decoded after so much playing will not be. */
const SILENCE_SECONDS = 2;
const SKIP_SECONDS = 10;

interface Player {
  state(text: string, here: string | undefined, share: number): void;
  problem(text: string | undefined): void;
}

const host = connectToHost<ToPlayerPage, FromPlayerPage, undefined>({
  open(message) {
    player = makePlayer(message);
  },
  state: ({ text, here, share }) => player?.state(text, here, share),
  problem: ({ text }) => player?.problem(text),
});

let player: Player | undefined;

/** Chromium tells how much sound it has decoded; a standard for it does not exist. */
type WithByteCount = HTMLVideoElement & { webkitAudioDecodedByteCount?: number };

function makePlayer(open: OpenPlayerMessage): Player {
  const { strings } = open;
  const live = announcer();
  const video = element("video", {
    controls: true,
    playsinline: true,
    preload: "auto",
    tabindex: 0,
    "aria-label": `${strings.video}: ${open.title}`,
    "aria-keyshortcuts": "Space K J L F M < >",
  }) as WithByteCount;
  const strip = element("canvas", { class: "strip", width: 1000, height: 1, role: "img", hidden: true });
  const stateText = element("span", { class: "note" });
  const notice = element("div", { class: "over", role: "alert", hidden: true });
  const speed = element("select", { class: "text-input" });
  for (const value of SPEEDS) speed.append(element("option", { value }, `${value}×`));
  const act = (action: PlayerAction) => () => {
    report();
    host.send({ type: "action", action });
  };
  const canFloat = document.pictureInPictureEnabled && "requestPictureInPicture" in video;

  let wanted = open.position;
  let lastText = "";
  let failed = false;
  /** Of `urls`: where VS Code runs in a browser of the same computer, what it makes of an address may lead nowhere. */
  let tried = 0;
  let toldSilence = false;

  function say(text: string | undefined, actions: Node[] = []): void {
    if ((text ?? "") === lastText) return;
    lastText = text ?? "";
    notice.hidden = text === undefined;
    notice.replaceChildren(
      element("div", {}, lastText),
      ...(actions.length > 0 ? [element("div", { class: "buttons" }, ...actions)] : []),
    );
  }
  const elsewhere = () => [
    button({ label: strings.browser, kind: "primary", onClick: act("browser") }),
    button({ label: strings.systemPlayer, onClick: act("systemPlayer") }),
  ];

  function report(): void {
    if (video.readyState >= HTMLMediaElement.HAVE_METADATA) {
      const ended = video.ended || video.duration - video.currentTime < 1;
      host.send({ type: "position", position: ended ? 0 : video.currentTime, speed: video.playbackRate });
    }
  }

  function load(): void {
    failed = false;
    say(undefined);
    video.src = open.urls[tried] ?? "";
    video.load();
    void video.play().catch(() => undefined); // where playing needs a click, the controls are there for it
  }

  video.addEventListener("loadedmetadata", () => {
    if (wanted > 0 && wanted < video.duration) video.currentTime = wanted;
    video.playbackRate = open.speed;
    // Only sound, or nothing that this browser knows: a black rectangle is not an answer.
    if (video.videoWidth === 0) say(strings.noVideo, elsewhere());
  });
  video.addEventListener("timeupdate", () => {
    wanted = video.currentTime;
    if (!open.hasAudio || toldSilence || video.muted || video.currentTime - (open.position || 0) < SILENCE_SECONDS)
      return;
    if (video.webkitAudioDecodedByteCount === 0) {
      toldSilence = true;
      say(strings.noAudio, elsewhere());
    }
  });
  video.addEventListener("ratechange", () => {
    speed.value = String(video.playbackRate);
    report();
  });
  for (const name of ["pause", "seeked", "ended"]) video.addEventListener(name, report);
  video.addEventListener("waiting", () => live.announceSoon(strings.waiting));
  video.addEventListener("playing", () => live.announceSoon(undefined));
  video.addEventListener("error", () => {
    const unknown = video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && video.readyState === 0;
    if (unknown && tried + 1 < open.urls.length) {
      tried++;
      return load();
    }
    failed = true;
    const retry = button({ label: strings.retry, onClick: act("retry") });
    say(unknown ? strings.noVideo : strings.interrupted, unknown ? elsewhere() : [retry, ...elsewhere()]);
  });
  setInterval(() => {
    if (!video.paused) report();
  }, REPORT_MS);

  speed.addEventListener("change", () => {
    video.playbackRate = Number(speed.value);
  });
  speed.value = String(open.speed);
  setAttributes(speed, { "aria-label": strings.speed });
  open.captions.forEach(({ label, text }, index) => {
    const src = URL.createObjectURL(new Blob([text], { type: "text/vtt" }));
    video.append(element("track", { kind: "subtitles", label, src, default: index === 0 }));
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target instanceof HTMLElement ? event.target : undefined;
    const own = target?.tagName === "SELECT" || target?.tagName === "VSCODE-BUTTON";
    const step = (by: number) => {
      const index = SPEEDS.findIndex((value) => value >= video.playbackRate - 1e-6);
      video.playbackRate = SPEEDS[Math.max(0, Math.min(index + by, SPEEDS.length - 1))] ?? 1;
    };
    const keys: Record<string, () => unknown> = {
      k: () => (video.paused ? video.play() : video.pause()),
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
            " ": () => (video.paused ? video.play() : video.pause()),
            ArrowLeft: () => (video.currentTime -= SKIP_SECONDS / 2),
            ArrowRight: () => (video.currentTime += SKIP_SECONDS / 2),
          }),
    };
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!run || (own && event.key !== "Escape")) return;
    event.preventDefault();
    void Promise.resolve(run()).catch(() => undefined);
  });

  const stage = element("div", { class: "stage" }, video, notice);
  const extras = [
    ...(canFloat
      ? [
          button({
            label: strings.pictureInPicture,
            onClick: () =>
              void (
                document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture()
              ).catch(() => undefined),
          }),
        ]
      : []),
    button({ label: strings.copyLink, onClick: act("copyLink") }),
    button({ label: strings.systemPlayer, onClick: act("systemPlayer") }),
    button({ label: strings.details, onClick: act("details") }),
  ];
  document.body.replaceChildren(
    element(
      "main",
      { class: "player" },
      stage,
      strip,
      element(
        "footer",
        {},
        element("h1", { title: open.title }, open.title),
        stateText,
        element("label", { class: "speed note" }, strings.speed, speed),
        ...extras,
      ),
      element("p", { class: "for-screen-readers" }, strings.keys),
      live.element,
    ),
  );
  load();
  video.focus({ preventScroll: true });

  return {
    state(text, here, share) {
      if (stateText.textContent !== text) stateText.textContent = text;
      strip.hidden = here === undefined;
      if (here === undefined) return;
      setAttributes(strip, {
        "aria-label": `${strings.pieces}: ${fillText(strings.piecesText, Math.floor(share * 100))}`,
      });
      paint(strip, here);
    },
    problem(text) {
      if (text === undefined) {
        // What was in the way is gone: whatever had failed because of it begins again where it was.
        if (failed) load();
        else say(undefined);
      } else say(text, [button({ label: strings.retry, onClick: act("retry") })]);
    },
  };
}

/** What is here in the colour of progress, the rest left to the background. */
function paint(canvas: HTMLCanvasElement, here: string): void {
  const cells = Uint8Array.from(atob(here), (character) => character.charCodeAt(0));
  const context = canvas.getContext("2d");
  if (!context || cells.length === 0) return;
  const style = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.getPropertyValue("--vscode-progressBar-background").trim() || "#0e70c0";
  const width = canvas.width / cells.length;
  cells.forEach((value, index) => {
    context.globalAlpha = value / 255;
    if (value > 0) context.fillRect(index * width, 0, width + 0.5, canvas.height);
  });
}

host.send({ type: "ready" });
