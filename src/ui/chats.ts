/**
 * Conversations in this window: their tabs, the number of unread messages on the Peers view, and toasts about new ones. Everything
 * is learned from the state, so that every window shows the same. Which tab is looked at decides what is read.
 */
import { type Disposable, env, l10n, type Uri, window } from "vscode";
import type { ChatSummary, NetworkPeer, PeersPage } from "../peer/status";
import type { ChatLink } from "../rpc/chatPanel";
import type { HostState } from "../rpc/window";
import { toErrorInfo } from "../wire/errors";
import { formatFingerprint } from "../wire/fingerprint";
import type { Fingerprint } from "../wire/types";
import type { App } from "./app";
import { describeChatPerson, nameInChats } from "./chatPeople";
import { phaseOf } from "./host/snapshots";
import { explain } from "./messages";
import { confirm, inform } from "./notify";
import { downloadLink } from "./openLink";
import type { ChatPanel } from "./panels/chatPanel";
import { LiveQuery } from "./views/liveQuery";

/** All that a tracker's directory may hold: whoever a chat is with has to be found in it. */
const ALL_PEERS = 10_000;
const DIRECTORY_INTERVAL_MS = 1_000;
/** Time for the window that shows the conversation to mark it read, and for a message in several lines to be one toast. */
const TOAST_DELAY_MS = 800;
/** About one person. */
const TOAST_INTERVAL_MS = 10_000;
/** Two lines of a toast. */
const MAX_TOAST_CHARS = 120;

export class Chats implements Disposable {
  private readonly panels = new Map<Fingerprint, ChatPanel>();
  private readonly opening = new Map<Fingerprint, Promise<void>>();
  private readonly directory: LiveQuery<PeersPage>;
  private online: readonly NetworkPeer[] = [];
  private profileId: string | undefined;
  private revision: number | undefined;
  private peersRevision: number | undefined;
  /** When each conversation had its last unread message; undefined until the profile has run in this window's time. */
  private told: Map<Fingerprint, number> | undefined;
  private readonly toasts = new Map<Fingerprint, { timer: NodeJS.Timeout | undefined; at: number }>();
  private readonly focus: Disposable;

  /** @param appOf asked only after everything is put together: this is a part of it */
  constructor(
    private readonly appOf: () => App,
    private readonly reportError: (error: unknown) => void,
  ) {
    this.directory = new LiveQuery({
      query: () => this.app.service.queryPeers({ limit: ALL_PEERS }),
      onAnswer: ({ peers }) => {
        this.online = peers;
        this.updatePeople();
      },
      onError: (error) => this.app.log.debug(String(error)),
      intervalMs: DIRECTORY_INTERVAL_MS,
    });
    this.focus = window.onDidChangeWindowState(() => {
      for (const panel of this.panels.values()) panel.told();
    });
  }

  /** Brings the conversation's tab to the front, or opens it. */
  async open(fingerprint: Fingerprint): Promise<void> {
    const panel = this.panels.get(fingerprint);
    if (panel) return panel.reveal();
    const opening = this.opening.get(fingerprint) ?? this.openPanel(fingerprint);
    this.opening.set(fingerprint, opening);
    await opening.finally(() => this.opening.delete(fingerprint));
  }

  update(state: HostState): void {
    const { snapshot, activeId } = state;
    const running = phaseOf(state) === "running";
    if (activeId !== this.profileId) {
      this.profileId = activeId;
      this.revision = undefined;
      // These conversations are somebody else's now.
      for (const panel of [...this.panels.values()]) panel.dispose();
    }
    this.updateBadge(snapshot.chats);
    this.updateToasts(running ? snapshot.chats : undefined);
    // The next run counts its changes anew.
    if (!running) this.revision = undefined;
    if (this.panels.size === 0) return;
    if (running && snapshot.peersRevision !== this.peersRevision) this.askDirectory();
    this.updatePeople();
    if (!running || snapshot.chatRevision === this.revision) return;
    this.revision = snapshot.chatRevision;
    for (const panel of this.panels.values()) panel.refresh();
  }

  dispose(): void {
    this.focus.dispose();
    this.directory.cancel();
    for (const { timer } of this.toasts.values()) clearTimeout(timer);
    for (const panel of [...this.panels.values()]) panel.dispose();
  }

  private get app(): App {
    return this.appOf();
  }

  private async openPanel(fingerprint: Fingerprint): Promise<void> {
    const { ChatPanel } = await import("./panels/chatPanel");
    const { service, context } = this.app;
    const panel: ChatPanel = new ChatPanel({
      extensionUri: context.extensionUri,
      person: () => describeChatPerson(this.app.host.state, this.online, fingerprint),
      history: (page) => service.chatHistory(fingerprint, page),
      send: async (text) => {
        await service.sendChat(fingerprint, text).catch((error) => {
          throw new Error(notSentText(error));
        });
      },
      open: (link) => this.openLink(link),
      addFriend: () => this.addFriend(fingerprint),
      block: () => this.block(fingerprint),
      deleteChat: () => this.delete(fingerprint),
      onShown: () => this.markRead(fingerprint),
      onError: this.reportError,
    });
    this.panels.set(fingerprint, panel);
    panel.onDidDispose(() => this.panels.delete(fingerprint));
    this.askDirectory();
  }

  private askDirectory(): void {
    this.peersRevision = this.app.host.state?.snapshot.peersRevision;
    this.directory.invalidate();
  }

  private updatePeople(): void {
    for (const panel of this.panels.values()) panel.updatePerson();
  }

  private updateBadge(chats: readonly ChatSummary[]): void {
    const value = chats.reduce((sum, { unread }) => sum + unread, 0);
    const { view } = this.app.peers;
    if ((view.badge?.value ?? 0) === value) return;
    const tooltip = value === 1 ? l10n.t("1 unread message") : l10n.t("{0} unread messages", value);
    // VS Code takes a badge away only by one of zero.
    view.badge = { value, tooltip };
  }

  private markRead(fingerprint: Fingerprint): void {
    const chat = this.app.host.state?.snapshot.chats.find((one) => one.fingerprint === fingerprint);
    if (chat && chat.unread > 0) this.app.service.markChatRead(fingerprint).catch(this.reportError);
  }

  /** The owner's window tells: several windows would say the same. @param chats undefined while nothing runs */
  private updateToasts(chats: readonly ChatSummary[] | undefined): void {
    const before = this.told;
    this.told =
      chats && new Map(chats.map(({ fingerprint, unread, lastAt }) => [fingerprint, unread > 0 ? lastAt : 0]));
    if (!chats || !before || !this.app.host.isOwner) return;
    for (const { fingerprint, unread, lastAt } of chats) {
      if (unread > 0 && lastAt > (before.get(fingerprint) ?? 0)) this.toastSoon(fingerprint);
    }
  }

  private toastSoon(fingerprint: Fingerprint): void {
    const known = this.toasts.get(fingerprint) ?? { timer: undefined, at: Number.NEGATIVE_INFINITY };
    if (known.timer) return;
    this.toasts.set(fingerprint, known);
    const wait = Math.max(TOAST_DELAY_MS, known.at + TOAST_INTERVAL_MS - Date.now());
    known.timer = setTimeout(() => {
      known.timer = undefined;
      known.at = Date.now();
      this.toast(fingerprint).catch(this.reportError);
    }, wait);
  }

  private async toast(fingerprint: Fingerprint): Promise<void> {
    const { state } = this.app.host;
    const chat = state?.snapshot.chats.find((one) => one.fingerprint === fingerprint);
    if (!chat || chat.unread === 0 || this.panels.get(fingerprint)?.visible) return;
    const { messages } = await this.app.service.chatHistory(fingerprint, { limit: 1 });
    const name = nameInChats(state, this.online, fingerprint);
    const text = cut(messages.at(-1)?.text ?? "");
    const message =
      chat.unread === 1 ? l10n.t("{0}: {1}", name, text) : l10n.t("{0} ({1} new): {2}", name, chat.unread, text);
    await inform(message, { title: l10n.t("Open Chat"), run: () => this.open(fingerprint) });
  }

  private async openLink(link: ChatLink): Promise<void> {
    if (link.kind === "video") return downloadLink(this.app, link.url);
    // VS Code asks before it opens a page. As text: a Uri would turn %26 into & on the way.
    await env.openExternal(link.url as unknown as Uri);
  }

  private async addFriend(fingerprint: Fingerprint): Promise<void> {
    const name = nameInChats(this.app.host.state, this.online, fingerprint);
    const sure = await confirm(
      l10n.t("Add {0} as a friend?", name),
      l10n.t("Fingerprint:\n{0}\n\nAsk {1} whether it is theirs.", formatFingerprint(fingerprint), name),
      l10n.t("Add Friend"),
    );
    if (sure) await this.app.service.addFriend(fingerprint, this.peerIdOf(fingerprint));
  }

  private async block(fingerprint: Fingerprint): Promise<void> {
    const name = nameInChats(this.app.host.state, this.online, fingerprint);
    const sure = await confirm(
      l10n.t("Block {0}?", name),
      l10n.t("Nothing of them is taken or shown any more, until you unblock them in Peers. They are not told."),
      l10n.t("Block"),
    );
    if (sure) await this.app.service.block(fingerprint, this.peerIdOf(fingerprint));
  }

  private async delete(fingerprint: Fingerprint): Promise<void> {
    const { state } = this.app.host;
    const waiting = state?.snapshot.chats.find((chat) => chat.fingerprint === fingerprint)?.waiting ?? 0;
    const sure = await confirm(
      l10n.t("Delete the conversation with {0}?", nameInChats(state, this.online, fingerprint)),
      waiting > 0
        ? l10n.t(
            "It is deleted here, with messages that are not delivered yet ({0}). The other side keeps theirs.",
            waiting,
          )
        : l10n.t("It is deleted here. The other side keeps theirs."),
      l10n.t("Delete"),
    );
    if (!sure) return;
    await this.app.service.deleteChat(fingerprint);
    this.panels.get(fingerprint)?.dispose();
  }

  private peerIdOf(fingerprint: Fingerprint): string | undefined {
    const { chats = [] } = this.app.host.state?.snapshot ?? {};
    const known = [...this.online, ...chats].find((one) => one.fingerprint === fingerprint);
    return known?.peerId || undefined;
  }
}

function notSentText(error: unknown): string {
  const info = toErrorInfo(error);
  const waiting = info.code === "too-many" ? info.data?.waiting : undefined;
  return waiting === undefined
    ? explain(info)
    : l10n.t("{0} messages wait for them already: send more when some are delivered.", String(waiting));
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, " ");
  const characters = [...line];
  return characters.length > MAX_TOAST_CHARS ? `${characters.slice(0, MAX_TOAST_CHARS).join("")}…` : line;
}
