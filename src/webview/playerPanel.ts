import "./page.css";
import "./playerPanel.css";
import {
  type FromPlayerPage,
  type OpenPlayerMessage,
  type PlayerAction,
  type PlayerStateMessage,
  SPEEDS,
  type ToPlayerPage,
} from "../rpc/playerPanel";
import { fillText } from "../rpc/webviewMessages";
import { announcer, button } from "./controls";
import { element, setAttributes } from "./dom";
import { connectToHost, firstMessage } from "./host";
import { LadderPlayer } from "./ladderPlayer";
import { handlePlayerKeys, PLAYER_KEYS } from "./playerKeys";
import { PlayerNotice, stepContent } from "./playerNotice";
import { SoundSupport } from "./soundSupport";

/** The position goes to the host this often while it plays. */
const REPORT_MS = 3_000;

interface Player {
  state(message: PlayerStateMessage): void;
  problem(text: string | undefined): void;
  ladder: LadderPlayer;
  close(): void;
}

const support = new SoundSupport();
let allow: () => void;
const allowed = new Promise<void>((resolve) => {
  allow = resolve;
});
const host = connectToHost<ToPlayerPage, FromPlayerPage, { begun: true }>({
  open(message) {
    allow();
    player?.close();
    player = makePlayer(message);
  },
  allowed: () => allow(),
  state: (message) => player?.state(message),
  problem: ({ text }) => player?.problem(text),
  conversion: ({ conversion }) => player?.ladder.setConversion(conversion),
});

let player: Player | undefined;

/** @param loading loads the first of its addresses already */
function makePlayer(open: OpenPlayerMessage, loading?: HTMLVideoElement): Player {
  const { strings } = open;
  const closing = new AbortController();
  const live = announcer();
  const video = loading ?? element("video");
  setAttributes(video, {
    controls: true,
    playsinline: true,
    preload: "auto",
    tabindex: 0,
    "aria-label": `${strings.video}: ${open.title}`,
    "aria-keyshortcuts": PLAYER_KEYS,
  });
  const strip = element("canvas", { class: "strip", width: 1000, height: 1, role: "img", hidden: true });
  const stateText = element("span", { class: "note" });
  const sourcesText = element("span", { class: "note sources", hidden: true });
  const conversionText = element("span", { class: "note conversion", hidden: true });
  const notice = new PlayerNotice();
  const speed = element("select", { class: "text-input" });
  for (const value of SPEEDS) speed.append(element("option", { value }, `${value}×`));
  const act = (action: PlayerAction) => () => {
    report();
    host.send({ type: "action", action });
  };
  const canFloat = document.pictureInPictureEnabled && "requestPictureInPicture" in video;
  const retry = () => button({ label: strings.retry, onClick: act("retry") });

  function report(): void {
    if (video.readyState >= HTMLMediaElement.HAVE_METADATA) {
      const ended = video.ended || video.duration - video.currentTime < 1;
      host.send({ type: "position", position: ended ? 0 : video.currentTime, speed: video.playbackRate });
    }
  }

  const stepActions = {
    convert: (always: boolean) => host.send({ type: "convert", always }),
    browser: act("browser"),
    systemPlayer: act("systemPlayer"),
    retry: act("retry"),
  };
  const ladder = new LadderPlayer(video, support, {
    urls: open.urls,
    isLoading: loading !== undefined,
    mayFetch: allowed,
    extension: open.extension,
    codecs: open.codecs,
    position: open.position,
    speed: open.speed,
    onStep(step, state) {
      notice.set("interrupted", undefined);
      notice.set("step", stepContent(step, state, strings, stepActions));
      const text = step.rung !== "converted" ? "" : step.onlySound ? strings.soundConverted : strings.converted;
      if (text !== "" && text !== conversionText.textContent) live.announceSoon(text);
      conversionText.textContent = text;
      conversionText.hidden = text === "";
    },
    onInterrupted() {
      const elsewhere = [
        button({ label: strings.browser, onClick: act("browser") }),
        button({ label: strings.playInSystemPlayer, onClick: act("systemPlayer") }),
      ];
      notice.set("interrupted", { text: strings.interrupted, actions: [retry(), ...elsewhere] });
    },
  });

  video.addEventListener("ratechange", () => {
    speed.value = String(video.playbackRate);
    report();
  });
  for (const name of ["pause", "seeked", "ended"]) video.addEventListener(name, report);
  video.addEventListener("waiting", () => live.announceSoon(strings.waiting));
  video.addEventListener("playing", () => live.announceSoon(undefined));
  const reporting = setInterval(() => {
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

  const stage = element("div", { class: "stage" }, video, notice.element);
  handlePlayerKeys(video, stage, closing.signal);
  const float = () =>
    document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture();
  const extras = [
    ...(canFloat
      ? [button({ label: strings.pictureInPicture, onClick: () => void float().catch(() => undefined) })]
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
        sourcesText,
        conversionText,
        element("label", { class: "speed note" }, strings.speed, speed),
        ...extras,
      ),
      element("p", { class: "for-screen-readers" }, strings.keys),
      live.element,
    ),
  );
  void ladder.load();
  video.focus({ preventScroll: true });

  return {
    ladder,
    state({ text, sources, here, share }) {
      if (stateText.textContent !== text) stateText.textContent = text;
      if (sourcesText.textContent !== (sources ?? "")) sourcesText.textContent = sources ?? "";
      sourcesText.hidden = sources === undefined;
      strip.hidden = here === undefined;
      if (here === undefined) return;
      setAttributes(strip, {
        "aria-label": `${strings.pieces}: ${fillText(strings.piecesText, Math.floor(share * 100))}`,
      });
      paint(strip, here);
    },
    problem(text) {
      notice.set("problem", text === undefined ? undefined : { text, actions: [retry()] });
      // What was in the way is gone: whatever had failed because of it begins again where it was.
      if (text === undefined && ladder.isInterrupted) void ladder.load();
    },
    close() {
      closing.abort();
      clearInterval(reporting);
      ladder.close();
      video.removeAttribute("src");
      video.load();
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

// It plays at once from the address in its HTML; made anew, it is given another one.
const first = host.state ? undefined : firstMessage<OpenPlayerMessage>();
host.saveState({ begun: true });
host.send({ type: "ready", origin: location.origin });
if (first) player = makePlayer(first, document.querySelector("video") ?? undefined);
else document.querySelector("video")?.remove();
