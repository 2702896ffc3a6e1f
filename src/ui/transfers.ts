/**
 * Toasts about downloads and imports that this window started: progress with Cancel, and the end with what to do next.
 * It learns everything from the library's states, so that it goes on when another window takes over the peer.
 */
import { type CancellationToken, commands, type Disposable, l10n, ProgressLocation, window } from "vscode";
import type { LibraryVideo, VideoState } from "../peer/status";
import type { HostState } from "../rpc/window";
import type { Command } from "./contributions";
import { formatBytes, formatPercent, formatRate } from "./format";
import type { PeerHost } from "./host/peerHost";
import { phaseOf } from "./host/snapshots";
import { explain } from "./messages";
import { complain, inform, withoutLinks } from "./notify";

/** More progress toasts than this bury the window; the others still show in the tree. */
const MAX_PROGRESS_TOASTS = 3;
/** Work that is over by then needs no toast of its own. */
const PROGRESS_DELAY_MS = 700;

/** A tracker that answers at all acknowledges a record within a second. */
const ANNOUNCE_TIMEOUT_MS = 4_000;

const UNDER_WAY: readonly VideoState[] = ["optimising", "hashing", "downloading", "checking"];

interface Watch {
  /** Shows progress; undefined where there is no toast. */
  report?: (video: LibraryVideo) => void;
  finish: () => void;
}

export class Transfers implements Disposable {
  private readonly watches = new Map<string, Watch>();
  private readonly unannounced = new Map<string, NodeJS.Timeout>();
  private states = new Map<string, VideoState>();
  private profileId: string | undefined;
  private toasts = 0;

  constructor(
    private readonly host: PeerHost,
    private readonly reportError: (error: unknown) => void,
  ) {}

  /** This window's user asked for the download or import `key`: this window tells how it goes. */
  watch(key: string): void {
    if (this.watches.has(key)) return;
    const watch: Watch = { finish: () => {} };
    this.watches.set(key, watch);
    setTimeout(() => this.showProgress(key, watch), PROGRESS_DELAY_MS);
  }

  /** Whoever has ended it needs not be told that it has ended. */
  forget(key: string): void {
    const watch = this.watches.get(key);
    if (watch) this.end(key, watch);
  }

  update(state: HostState): void {
    if (phaseOf(state) !== "running" || state.activeId !== this.profileId) {
      // A restart shows the same videos in passing states; only changes within one run are news.
      this.states = new Map();
      this.profileId = state.activeId;
      if (phaseOf(state) !== "running") return;
    }
    const seen = new Map<string, VideoState>();
    for (const video of state.snapshot.videos) {
      seen.set(video.key, video.state);
      const before = this.states.get(video.key);
      this.watches.get(video.key)?.report?.(video);
      if (video.publishedOn > 0 && this.unannounced.has(video.key)) this.onDidPublish(video);
      if (before !== video.state) this.onDidChangeState(video, before);
    }
    for (const [key, watch] of this.watches) {
      if (this.states.has(key) && !seen.has(key)) this.end(key, watch);
    }
    this.states = seen;
  }

  dispose(): void {
    for (const [key, watch] of this.watches) this.end(key, watch);
    for (const timer of this.unannounced.values()) clearTimeout(timer);
  }

  private onDidChangeState(video: LibraryVideo, before: VideoState | undefined): void {
    const watch = this.watches.get(video.key);
    const wasUnderWay = watch !== undefined || (before !== undefined && UNDER_WAY.includes(before));
    if (UNDER_WAY.includes(video.state)) {
      // The smaller copy is made, and its import counts from nothing again: with a toast of its own, if it takes long.
      if (watch && before === "optimising") {
        this.end(video.key, watch);
        this.watch(video.key);
      }
      return;
    }
    if (watch) this.end(video.key, watch);
    // Whoever has asked for the check is told by its answer (commands/transfers.ts).
    if (before === "checking" && video.state !== "failed" && video.state !== "paused") return;
    if (!wasUnderWay || !this.isOurs(video, watch)) return;
    if (video.state === "ready") this.announce(video);
    else if (video.state === "failed") void this.tellFailed(video);
  }

  /** The window that was asked tells; of what nobody here was asked for (resumed after a restart) the owner tells. */
  private isOurs(video: LibraryVideo, watch: Watch | undefined): boolean {
    if (watch) return true;
    return video.origin === "obtained" && this.host.isOwner && !this.host.isForeignDownload(video.key);
  }

  private end(key: string, watch: Watch): void {
    this.watches.delete(key);
    watch.finish();
  }

  private showProgress(key: string, watch: Watch): void {
    if (this.watches.get(key) !== watch || this.toasts >= MAX_PROGRESS_TOASTS) return;
    const video = this.host.state?.snapshot.videos.find((candidate) => candidate.key === key);
    if (!video) return;
    const title = withoutLinks(progressTitle(video));
    this.toasts += 1;
    void window
      .withProgress({ location: ProgressLocation.Notification, title, cancellable: true }, (progress, token) => {
        let shown = 0;
        watch.report = (now) => {
          const percent = now.size > 0 ? Math.floor((now.bytesDone / now.size) * 100) : 0;
          progress.report({ message: progressText(now), increment: Math.max(0, percent - shown) });
          shown = Math.max(shown, percent);
        };
        watch.report(video);
        return this.untilFinished(key, watch, token);
      })
      .then(() => {
        this.toasts -= 1;
      });
  }

  private untilFinished(key: string, watch: Watch, token: CancellationToken): Promise<void> {
    return new Promise((resolve) => {
      watch.finish = resolve;
      token.onCancellationRequested(() => {
        this.end(key, watch);
        this.host.service.cancel(key).catch(this.reportError);
      });
    });
  }

  /** A shared upload is on the network when a tracker says so, moments after it is ready. */
  private announce(video: LibraryVideo): void {
    // No tracker hears of what is for friends: nothing is waited for.
    if (video.origin === "obtained" || !video.shared || video.publishedOn > 0 || video.audience === "friends") {
      void this.tellReady(video);
      return;
    }
    const timer = setTimeout(() => {
      this.unannounced.delete(video.key);
      void this.tellReady(video);
    }, ANNOUNCE_TIMEOUT_MS);
    this.unannounced.set(video.key, timer);
  }

  private onDidPublish(video: LibraryVideo): void {
    clearTimeout(this.unannounced.get(video.key));
    this.unannounced.delete(video.key);
    void this.tellReady(video);
  }

  private tellReady(video: LibraryVideo): Promise<void> {
    const choice = (title: string, command: Command) => ({
      title,
      run: () => commands.executeCommand(command, video.key),
    });
    if (video.origin === "obtained") {
      return inform(
        l10n.t("“{0}” is downloaded ({1}).", video.title, formatBytes(video.size)),
        choice(l10n.t("Play"), "streamlet.play"),
        choice(l10n.t("Reveal"), "streamlet.revealInFileManager"),
      );
    }
    const copy = choice(l10n.t("Copy Link"), "streamlet.copyLink");
    if (video.publishedOn > 0) return inform(l10n.t("“{0}” is on the network.", video.title), copy);
    if (video.shared && video.audience === "friends") {
      return inform(l10n.t("“{0}” is ready for your friends.", video.title), copy);
    }
    return video.shared
      ? inform(l10n.t("“{0}” is ready. Others see it as soon as a tracker answers.", video.title), copy)
      : inform(l10n.t("“{0}” is in your library.", video.title), choice(l10n.t("Share"), "streamlet.publish"));
  }

  private tellFailed(video: LibraryVideo): Promise<void> {
    const why = video.error ? explain(video.error) : l10n.t("It stopped.");
    return complain(l10n.t("“{0}”: {1}", video.title, why), {
      title: l10n.t("Resume"),
      run: () => commands.executeCommand("streamlet.resume" satisfies Command, video.key),
    });
  }
}

function progressTitle({ state, title }: LibraryVideo): string {
  if (state === "checking") return l10n.t("Verifying “{0}”", title);
  if (state === "optimising") return l10n.t("Optimising “{0}”", title);
  return state === "hashing" ? l10n.t("Preparing “{0}”", title) : l10n.t("Downloading “{0}”", title);
}

function progressText(video: LibraryVideo): string {
  // Of the original's bytes so many are worked through: what the copy will weigh is not known yet.
  if (video.state === "optimising") return formatPercent(video.bytesDone, video.size);
  const amount = l10n.t(
    "{0} of {1} ({2})",
    formatBytes(video.bytesDone),
    formatBytes(video.size),
    formatPercent(video.bytesDone, video.size),
  );
  if (video.state !== "downloading") return amount;
  return video.peers === 0 ? `${amount} · ${l10n.t("waiting for peers")}` : `${amount} · ${formatRate(video.downRate)}`;
}
