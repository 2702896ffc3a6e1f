/** One tab per video: plays it while it downloads, and from disk once it is whole. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import * as vscode from "vscode";
import * as z from "zod";
import type { LibraryVideo } from "../../peer/status";
import {
  type Caption,
  type Conversion,
  FOREIGN_EXTENSIONS,
  type FromPlayerPage,
  type OpenPlayerMessage,
  PLAYER_ACTIONS,
  type PlayerAction,
  type PlayerStrings,
  type ToPlayerPage,
  toWebVtt,
} from "../../rpc/playerPanel";
import type { HostState, WindowService } from "../../rpc/window";
import { toErrorInfo } from "../../wire/errors";
import { readSetting, writeSetting } from "../config";
import { phaseOf } from "../host/snapshots";
import { explain } from "../messages";
import { describeVideo } from "../views/descriptions";
import { openTab, PagePanel } from "./pagePanel";
import type { ReachableAddresses } from "./reachableAddresses";
import { sourcesText } from "./sourcesText";

/** How often the pieces are asked for while they change and somebody watches. */
const PIECES_MS = 1_000;
/** A caption file is text of some hundred kB. */
const MAX_CAPTION_BYTES = 2 * 1024 * 1024;
const MAX_CAPTIONS = 16;
const CAPTION_EXTENSIONS = [".vtt", ".srt"];
/** Of a webview or of a web page; longer ones are none. */
const MAX_ORIGIN_CHARS = 300;

const MESSAGES: z.ZodType<FromPlayerPage> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), origin: z.string().max(MAX_ORIGIN_CHARS) }),
  z.object({ type: z.literal("convert"), always: z.boolean() }),
  z.object({ type: z.literal("action"), action: z.enum(PLAYER_ACTIONS) }),
  z.object({ type: z.literal("position"), position: z.number().nonnegative(), speed: z.number().min(0.1).max(16) }),
]);

export interface PlayerContext {
  extensionUri: vscode.Uri;
  service: WindowService;
  addresses: ReachableAddresses;
  state(): HostState | undefined;
  /** @param position seconds */
  run(action: Exclude<PlayerAction, "retry">, video: LibraryVideo, at: { position: number }): Promise<unknown>;
  onError(error: unknown): void;
}

/** An address of the peer's gateway, and what a page of this window needs to know to play it. */
interface OpenStream {
  id: string;
  key: string;
  /** As the engine gave it: for programs of this computer. */
  localUrl: string;
  /** As this window reaches it: another one where VS Code runs in a browser or far away. */
  url: string;
  /** As it was when the stream was opened. */
  video: LibraryVideo;
}

/** @param origin of the page that reads it with requests of its own; a page that says one asks anew for an address that it can reach */
async function openStream({ service, addresses }: PlayerContext, source: string, origin?: string): Promise<OpenStream> {
  const { id, key, url, video } = await service.openStream(source, origin);
  return { id, key, localUrl: url, url: await addresses.of(url, { anew: origin !== undefined }), video };
}

/** What a page needs to know to begin. @param startAt seconds; undefined: where it was left */
async function openMessage(
  service: WindowService,
  { key, url, localUrl, video }: OpenStream,
  startAt?: number,
): Promise<OpenPlayerMessage> {
  const [saved, captions] = await Promise.all([service.playback(key), captionsOf(video)]);
  return {
    type: "open",
    urls: [...new Set([url, localUrl])],
    title: video.title,
    strings: playerStrings(),
    position: startAt ?? saved?.position ?? 0,
    speed: saved?.speed ?? 1,
    captions,
    extension: extname(video.fileName).slice(1).toLowerCase(),
    ...(video.codecs === undefined ? {} : { codecs: video.codecs }),
  };
}

/** The tab of a player, as far as it does not depend on the video. */
function tabOptions({ extensionUri }: PlayerContext) {
  return { extensionUri, viewType: "streamlet.player", title: vscode.l10n.t("Player"), retain: true };
}

export class PlayerPanel {
  private readonly page: PagePanel<ToPlayerPage, FromPlayerPage>;
  private closed = false;
  private ready = false;
  private piecesAt = 0;
  private position = 0;
  private lastProblem: string | undefined;
  /** Once the page has said it. */
  private pageOrigin: string | undefined;
  /** The person has agreed that ffmpeg reads this video. */
  private agreed = false;

  constructor(
    private stream: OpenStream,
    private readonly context: PlayerContext,
    /** Stands in the page's HTML, so that it begins before it has asked. */
    first: OpenPlayerMessage,
    tab: vscode.WebviewPanel,
  ) {
    const origin = new URL(stream.url).origin;
    this.page = new PagePanel(
      {
        ...tabOptions(context),
        title: first.title,
        page: "playerPanel",
        first,
        ...(FOREIGN_EXTENSIONS.includes(first.extension) ? {} : { video: first.urls[0] }),
        schema: MESSAGES,
        policy: {
          "media-src": `blob: http://127.0.0.1:* ${origin}`,
          "connect-src": `http://127.0.0.1:* ${origin}`,
        },
        runsWorkers: true,
        handlers: {
          ready: (page) => void this.begin(page.origin),
          convert: ({ always }) => void this.convert(always).catch(context.onError),
          action: ({ action }) => void this.act(action).catch(context.onError),
          position: (playback) => {
            this.position = playback.position;
            void context.service
              .savePlayback(this.key, { position: playback.position, speed: playback.speed })
              .catch(context.onError);
          },
        },
      },
      tab,
    );
    this.page.setTitle(first.title);
    this.page.onDidDispose(() => {
      this.closed = true;
      void context.service.closeStream(this.stream.id).catch(context.onError);
    });
  }

  get key(): string {
    return this.stream.key;
  }

  onDidDispose(listener: () => void): void {
    this.page.onDidDispose(listener);
  }

  reveal(): void {
    this.page.reveal();
  }

  dispose(): void {
    this.page.dispose();
  }

  update(state: HostState): void {
    const { video } = this;
    if (video && !this.closed) this.page.setTitle(video.title);
    if (this.closed || !this.ready) return;
    const problem = this.problemOf(state);
    if (problem !== this.lastProblem) {
      this.lastProblem = problem;
      this.page.send({ type: "problem", ...(problem === undefined ? {} : { text: problem }) });
    }
    if (!video || !this.page.visible) return;
    const due = video.state !== "ready" && Date.now() - this.piecesAt > PIECES_MS;
    if (!due && video.state !== "ready") return;
    this.piecesAt = Date.now();
    void this.showState(video).catch(this.context.onError);
  }

  private get video(): LibraryVideo | undefined {
    return this.context.state()?.snapshot.videos.find((video) => video.key === this.stream.key);
  }

  /** The page is there, and plays from the address in its HTML; or it is there again, and wants another one. */
  private async begin(origin: string): Promise<void> {
    const isFirst = this.pageOrigin === undefined;
    this.pageOrigin = origin;
    if (!isFirst) return this.renew();
    try {
      await this.context.service.allowOrigin(this.stream.id, origin);
    } catch {
      return this.renew(); // the peer that had the address is gone
    }
    if (this.closed) return;
    this.page.send({ type: "allowed" });
    await this.tell();
  }

  /** What the page need not wait for to begin. */
  private async tell(): Promise<void> {
    this.ready = true;
    const { stream } = this;
    const state = this.context.state();
    if (state) this.update(state);
    const conversion = await this.conversion();
    if (!this.closed && this.stream === stream) this.page.send({ type: "conversion", conversion });
  }

  private async showState(video: LibraryVideo): Promise<void> {
    const whole = video.state === "ready";
    const details = whole ? undefined : await this.context.service.details(video.key).catch(() => undefined);
    if (this.closed) return;
    const sources = sourcesText(details?.sources ?? []);
    this.page.send({
      type: "state",
      text: describeVideo(video),
      ...(sources === undefined ? {} : { sources }),
      share: whole ? 1 : video.bytesDone / Math.max(1, video.size),
      ...(details?.pieces ? { here: details.pieces.here } : {}),
    });
  }

  private problemOf(state: HostState): string | undefined {
    if (phaseOf(state) !== "running") return vscode.l10n.t("The profile does not run. Start it, and playing goes on.");
    const { video } = this;
    if (!video) return vscode.l10n.t("This video is not in the library any more.");
    switch (video.state) {
      case "paused":
        return vscode.l10n.t("The download is paused. Resume it, and playing goes on.");
      case "failed":
      case "fileMissing":
      case "fileChanged":
        return video.error ? explain(video.error) : vscode.l10n.t("The download has stopped.");
      case "downloading":
        return video.peers === 0
          ? vscode.l10n.t("Nobody who has this video is online. It goes on as soon as somebody is.")
          : undefined;
      default:
        return undefined;
    }
  }

  private async act(action: PlayerAction): Promise<void> {
    if (action === "retry") return this.renew();
    const { video } = this;
    if (video) await this.context.run(action, video, { position: this.position });
  }

  /** ffmpeg reads one's own videos; of others only with consent: their makers may be anybody. */
  private async conversion(): Promise<Conversion> {
    const chosen = readSetting("streamlet.player.convert");
    if (!(await this.context.service.canConvert())) return "missing";
    if (chosen === "never") return "never";
    if (chosen === "ask" && this.stream.video.origin !== "uploaded" && !this.agreed) return "ask";
    await this.context.service.allowConversion(this.stream.id);
    return "allowed";
  }

  private async convert(always: boolean): Promise<void> {
    let conversion: Conversion = "allowed";
    this.agreed = true;
    try {
      await this.context.service.allowConversion(this.stream.id);
    } catch (error) {
      if (toErrorInfo(error).code !== "ffmpeg-missing") throw error;
      conversion = "missing";
    }
    if (!this.closed) this.page.send({ type: "conversion", conversion });
    if (always) await writeSetting("streamlet.player.convert", "always");
  }

  /** A new address, for the page that asks: an old one may have gone with the peer that served it. */
  private async renew(): Promise<void> {
    try {
      const before = this.stream.id;
      this.stream = await openStream(this.context, this.stream.key, this.pageOrigin);
      await this.context.service.closeStream(this.closed ? this.stream.id : before);
      if (this.closed) return;
      const message = await openMessage(this.context.service, this.stream);
      if (this.closed) return;
      this.page.send(message);
      await this.tell();
    } catch (error) {
      this.ready = true;
      this.lastProblem = explain(toErrorInfo(error));
      this.page.send({ type: "problem", text: this.lastProblem });
    }
  }
}

/** The open players: playing a video again brings its tab to the front. */
export class PlayerPanels implements vscode.Disposable {
  private readonly open = new Set<PlayerPanel>();

  constructor(private readonly context: PlayerContext) {}

  /**
   * @param source key of the library, or whatever `DownloadRequest.source` takes
   * @param startAt seconds
   * Errors: those of `PeerService.openStream`.
   */
  async play(source: string, startAt?: number): Promise<{ key: string }> {
    const known = [...this.open].find((panel) => panel.key === source);
    if (known && startAt === undefined) {
      known.reveal();
      return { key: source };
    }
    // VS Code sets up the tab while the peer opens the stream.
    const tab = openTab(tabOptions(this.context));
    let isClosed = false;
    tab.onDidDispose(() => {
      isClosed = true;
    });
    const stream = await openStream(this.context, source).catch((error) => {
      tab.dispose();
      throw error;
    });
    const first = await openMessage(this.context.service, stream, startAt).catch(async (error) => {
      tab.dispose();
      await this.context.service.closeStream(stream.id);
      throw error;
    });
    if (isClosed) {
      await this.context.service.closeStream(stream.id);
      return { key: stream.key };
    }
    for (const panel of [...this.open]) if (panel.key === stream.key) panel.dispose();
    const panel = new PlayerPanel(stream, this.context, first, tab);
    this.open.add(panel);
    panel.onDidDispose(() => this.open.delete(panel));
    return { key: stream.key };
  }

  update(state: HostState): void {
    for (const panel of this.open) panel.update(state);
  }

  dispose(): void {
    for (const panel of [...this.open]) panel.dispose();
  }
}

/** `.vtt` and `.srt` beside the file that begin with its name: `talk.mp4` has `talk.vtt` and `talk.de.srt`. */
async function captionsOf({ path, origin, state }: LibraryVideo): Promise<Caption[]> {
  if (origin !== "uploaded" && state !== "ready") return [];
  const stem = basename(path, extname(path));
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const found = names
    .filter((name) => CAPTION_EXTENSIONS.includes(extname(name).toLowerCase()))
    .filter((name) => name.slice(0, stem.length) === stem && /^(?:\.[\w-]{1,20})?\.\w+$/.test(name.slice(stem.length)))
    .sort()
    .slice(0, MAX_CAPTIONS);
  const captions = await Promise.all(
    found.map(async (name): Promise<Caption[]> => {
      const file = join(dirname(path), name);
      const size = await stat(file)
        .then((found) => found.size)
        .catch(() => Number.POSITIVE_INFINITY);
      if (size > MAX_CAPTION_BYTES) return [];
      const text = await readFile(file, "utf8").catch(() => undefined);
      const language = name.slice(stem.length + 1, -extname(name).length);
      return text === undefined ? [] : [{ label: language || name, text: toWebVtt(text) }];
    }),
  );
  return captions.flat();
}

function playerStrings(): PlayerStrings {
  const { t } = vscode.l10n;
  return {
    video: t("Video"),
    pieces: t("What is here already"),
    piecesText: t("{0} percent"),
    speed: t("Speed"),
    pictureInPicture: t("Picture in Picture"),
    systemPlayer: t("System Player"),
    playInSystemPlayer: t("Play in System Player"),
    browser: t("Open in Browser"),
    details: t("Details"),
    copyLink: t("Copy Link at This Time"),
    retry: t("Try Again"),
    waiting: t("Waiting for data."),
    noPicture: t("This editor cannot show this kind of video."),
    noSound: t("This editor cannot decode the sound of this video."),
    noSoundOf: t("This editor cannot decode the sound of this video ({0})."),
    advice: {
      allowed: "",
      ask: t("ffmpeg can convert it while it plays. It then reads a file that somebody else has made."),
      missing: t(
        "With ffmpeg it can be converted while it plays: install it, or name its path in the setting streamlet.ffmpegPath, and try again.",
      ),
      never: t("Converting is switched off by the setting streamlet.player.convert."),
      failed: t("ffmpeg could not convert it either."),
    },
    convert: t("Convert with ffmpeg"),
    always: t("Always convert without asking"),
    alwaysHint: t("Can be changed in the settings."),
    dismiss: t("Close This Notice"),
    soundConverted: t("Sound is converted with ffmpeg"),
    converted: t("Converted with ffmpeg"),
    interrupted: t("Playing was interrupted."),
    keys: t(
      "Keys: K or space plays and pauses, J and L go ten seconds back and forward, M mutes, F fills the screen, less than and greater than change the speed.",
    ),
  };
}
