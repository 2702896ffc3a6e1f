/** One tab per video: everything that is known of it, live while it is visible. */
import type * as vscode from "vscode";
import * as z from "zod";
import type { LibraryVideo, NetworkPage, NetworkVideo } from "../../peer/status";
import {
  DETAILS_ACTIONS,
  type DetailsAction,
  type DetailsView,
  type FromDetailsPage,
  type ToDetailsPage,
} from "../../rpc/detailsPanel";
import type { HostState, WindowService } from "../../rpc/window";
import type { Fingerprint, VideoId } from "../../wire/types";
import { phaseOf } from "../host/snapshots";
import type { Pictures } from "../pictures";
import { LiveQuery } from "../views/liveQuery";
import { detailsStrings, detailsView, type KnownVideo } from "./detailsView";
import { PagePanel } from "./pagePanel";

/** Twice a second is as often as anybody reads figures. */
const INTERVAL_MS = 500;
/** Owners of one video that are looked through for the one who was asked for. */
const MAX_OWNERS = 20;
const MAX_TAB_TITLE_CHARS = 40;

export interface DetailsTarget {
  library?: LibraryVideo | undefined;
  network?: NetworkVideo | undefined;
}

export interface DetailsContext {
  extensionUri: vscode.Uri;
  service: WindowService;
  pictures: Pictures;
  /** What somebody pressed; answers when it is done or was told why not. */
  run(action: DetailsAction, target: DetailsTarget): Promise<unknown>;
  onError(error: unknown): void;
}

const MESSAGES: z.ZodType<FromDetailsPage> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("action"), action: z.enum(DETAILS_ACTIONS) }),
]);

export class DetailsPanel {
  private readonly page: PagePanel<ToDetailsPage, FromDetailsPage>;
  private readonly query: LiveQuery<Partial<KnownVideo>>;
  private readonly owner: Fingerprint | "";
  private known: KnownVideo;
  private key: string | undefined;
  private picture: string | undefined;
  private revision: number | undefined;
  private networkKnown = false;
  /** Who offers it has to be asked again. */
  private stale = true;
  private closed = false;
  private lastEvent: string | undefined;

  constructor(
    { library, network }: DetailsTarget,
    readonly profileId: string | undefined,
    private readonly context: DetailsContext,
  ) {
    this.key = library?.key;
    this.owner = (network ?? library)?.ownerFingerprint ?? "";
    this.known = {
      library,
      network,
      isOffered: network ? true : undefined,
      wasInLibrary: library !== undefined,
      isRunning: true,
      details: undefined,
    };
    this.query = new LiveQuery({
      query: () => this.ask(),
      onAnswer: (answer) => this.show(answer),
      onError: context.onError,
      intervalMs: INTERVAL_MS,
    });
    this.page = new PagePanel({
      extensionUri: context.extensionUri,
      viewType: "streamlet.details",
      title: tabTitle((library ?? network)?.title ?? ""),
      page: "detailsPanel",
      schema: MESSAGES,
      handlers: {
        // Also when the page is shown again: it is made anew then.
        ready: () => {
          this.picture = undefined;
          this.show({});
          this.query.invalidate();
        },
        action: ({ action }) => void this.context.run(action, this.target).catch(context.onError),
      },
    });
    this.page.onDidDispose(() => {
      this.closed = true;
      this.query.cancel();
    });
  }

  get target(): DetailsTarget {
    return { library: this.known.library, network: this.known.network };
  }

  onDidDispose(listener: () => void): void {
    this.page.onDidDispose(listener);
  }

  /** Whether this panel is about that video: by its id, or by its key while it has no id yet. */
  isAbout({ library, network }: DetailsTarget): boolean {
    const id = network?.id ?? library?.id;
    return (id !== undefined && id === this.id) || (library !== undefined && library.key === this.key);
  }

  reveal(): void {
    this.page.reveal();
  }

  dispose(): void {
    this.page.dispose();
  }

  update(state: HostState): void {
    if (this.closed) return;
    const isRunning = phaseOf(state) === "running";
    const { videos, networkRevision, networkKnown } = state.snapshot;
    this.networkKnown = networkKnown;
    const isIt = (video: LibraryVideo) => video.key === this.key || (video.id !== undefined && video.id === this.id);
    const library = isRunning ? videos.find(isIt) : this.known.library;
    this.stale ||= networkRevision !== this.revision || isRunning !== this.known.isRunning;
    this.revision = networkRevision;
    const gone = isRunning && this.known.library !== undefined && library === undefined;
    if (library) this.key = library.key;
    this.known = {
      ...this.known,
      library,
      isRunning,
      wasInLibrary: this.known.wasInLibrary || library !== undefined,
      // What is in the library no more has no pieces here.
      ...(gone ? { details: undefined } : {}),
    };
    if (!this.page.visible) return;
    if (isRunning) this.query.invalidate();
    else this.show({});
  }

  private get id(): VideoId | undefined {
    return this.known.network?.id ?? this.known.library?.id ?? this.known.details?.id;
  }

  /** Asks what may have changed; a question that nobody can answer leaves what was known. */
  private async ask(): Promise<Partial<KnownVideo>> {
    if (!this.known.isRunning || !this.page.visible) return {};
    const { service } = this.context;
    const { id, key } = this;
    const details = await service.details(this.known.library && key ? key : (id ?? key ?? "")).catch(() => undefined);
    if (!id || !this.stale) return details ? { details } : {};
    const { revision } = this;
    const page = await service.queryNetwork({ id, limit: MAX_OWNERS });
    this.stale = revision !== this.revision;
    return { ...(details ? { details } : {}), ...this.offered(page) };
  }

  private offered({ videos }: NetworkPage): Partial<KnownVideo> {
    const network = videos.find((video) => video.ownerFingerprint === this.owner) ?? videos[0];
    if (network) return { network, isOffered: true };
    // Right after a start nobody has answered yet.
    return this.networkKnown ? { isOffered: false } : {};
  }

  private show(change: Partial<KnownVideo>): void {
    if (this.closed) return;
    this.known = { ...this.known, ...change };
    if (!this.page.visible) return;
    const view = detailsView(this.known);
    this.page.panel.title = tabTitle(view.title);
    this.page.send({ type: "show", strings: detailsStrings(), view });
    this.say(view);
    void this.showPicture();
  }

  /** What has happened while somebody looked on; figures are not worth an interruption. */
  private say({ warning, state }: DetailsView): void {
    const event = `${warning ?? ""} ${this.known.library?.state ?? ""}`;
    if (this.lastEvent !== undefined && event !== this.lastEvent)
      this.page.send({ type: "say", text: warning ?? state });
    this.lastEvent = event;
  }

  private async showPicture(): Promise<void> {
    const { library, network } = this.known;
    const hasThumbnail = library?.hasThumbnail === true || network?.hasThumbnail === true;
    const wanted = `${library?.key ?? ""}/${this.id ?? ""}/${hasThumbnail}`;
    if (wanted === this.picture) return;
    this.picture = wanted;
    const { id, key } = this;
    const picture = await this.context.pictures.of({
      ...(library && key ? { key } : {}),
      ...(id ? { id } : {}),
      hasThumbnail,
    });
    if (!this.closed && wanted === this.picture) this.page.send({ type: "picture", picture: picture ?? null });
  }
}

function tabTitle(title: string): string {
  const characters = [...title];
  return characters.length > MAX_TAB_TITLE_CHARS ? `${characters.slice(0, MAX_TAB_TITLE_CHARS).join("")}…` : title;
}

/** The open panels: asking for a video again brings its tab to the front. */
export class DetailsPanels implements vscode.Disposable {
  private readonly open = new Set<DetailsPanel>();
  private state: HostState | undefined;

  constructor(private readonly context: DetailsContext) {}

  show(target: DetailsTarget): void {
    const known = [...this.open].find((panel) => panel.isAbout(target));
    if (known) return known.reveal();
    const panel = new DetailsPanel(target, this.state?.activeId, this.context);
    this.open.add(panel);
    panel.onDidDispose(() => this.open.delete(panel));
    if (this.state) panel.update(this.state);
  }

  update(state: HostState): void {
    if (state.activeId !== this.state?.activeId) this.context.pictures.clear();
    this.state = state;
    for (const panel of [...this.open]) {
      // Another profile has another library, and other friends.
      if (panel.profileId === state.activeId) panel.update(state);
      else panel.dispose();
    }
  }

  dispose(): void {
    for (const panel of [...this.open]) panel.dispose();
  }
}
