import * as vscode from "vscode";
import * as z from "zod";
import type { ChatPage } from "../../peer/status";
import {
  CHAT_PAGE_SIZE,
  type ChatLink,
  type ChatPerson,
  type ChatStrings,
  type FromChatPage,
  MAX_CHAT_PAGE,
  MAX_MESSAGE_LENGTH,
  messageLength,
  readLink,
  type ToChatPage,
} from "../../rpc/chatPanel";
import { PagePanel } from "./pagePanel";

export interface ChatPanelOptions {
  extensionUri: vscode.Uri;
  /** Asked whenever the page is drawn. */
  person(): ChatPerson;
  history(page: { before?: string; limit: number }): Promise<ChatPage>;
  /** Rejects with the reason as a sentence. */
  send(text: string): Promise<void>;
  open(link: ChatLink): Promise<void>;
  addFriend(): Promise<void>;
  block(): Promise<void>;
  deleteChat(): Promise<void>;
  /** The messages so far are on the screen. */
  onShown(): void;
  onError(error: unknown): void;
}

/** One conversation in an editor tab. */
export class ChatPanel implements vscode.Disposable {
  private readonly page: PagePanel<ToChatPage, FromChatPage>;
  private loaded = CHAT_PAGE_SIZE;
  private refreshing = false;
  private again = false;
  private shownPerson = "";

  constructor(private readonly options: ChatPanelOptions) {
    const run = (work: () => Promise<unknown>) => void work().catch(options.onError);
    this.page = new PagePanel<ToChatPage, FromChatPage>({
      extensionUri: options.extensionUri,
      viewType: "streamlet.chat",
      title: options.person().name,
      page: "chatPanel",
      schema: MESSAGES,
      handlers: {
        ready: () => run(() => this.show()),
        wantOlder: ({ before }) => run(() => this.sendOlder(before)),
        send: ({ text }) => run(() => this.sendMessage(text)),
        openLink: ({ url }) => run(async () => options.open(LINK.parse(url))),
        addFriend: () => run(options.addFriend),
        block: () => run(options.block),
        deleteChat: () => run(options.deleteChat),
      },
    });
    this.page.panel.onDidChangeViewState(() => this.told());
  }

  get visible(): boolean {
    return this.page.visible;
  }

  /** Who it is or how they are has changed, perhaps. */
  updatePerson(): void {
    const person = this.options.person();
    if (this.page.panel.title !== person.name) this.page.panel.title = person.name;
    const shown = JSON.stringify(person);
    if (shown === this.shownPerson) return;
    this.shownPerson = shown;
    this.page.send({ type: "person", person });
  }

  /** The conversation may have changed; calls in between become one. */
  refresh(): void {
    if (this.refreshing) {
      this.again = true;
      return;
    }
    if (!this.page.visible) return; // a page that is shown again asks by itself
    this.refreshing = true;
    this.options
      .history({ limit: Math.min(MAX_CHAT_PAGE, this.loaded + CHAT_PAGE_SIZE) })
      .then((page) => {
        this.page.send({ type: "newest", page });
        this.told();
      })
      .catch(this.options.onError)
      .finally(() => {
        this.refreshing = false;
        if (!this.again) return;
        this.again = false;
        this.refresh();
      });
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

  /** Says that messages are shown, while the window is the one that is looked at. */
  told(): void {
    if (this.page.visible && vscode.window.state.focused) this.options.onShown();
  }

  private async show(): Promise<void> {
    this.loaded = CHAT_PAGE_SIZE;
    const person = this.options.person();
    this.shownPerson = JSON.stringify(person);
    // Without a running profile there is nothing to read; the page says so.
    const page = await this.options.history({ limit: CHAT_PAGE_SIZE }).catch(() => ({ messages: [], more: false }));
    this.page.send({ type: "show", strings: chatStrings(), person, page });
    this.told();
  }

  private async sendOlder(before: string): Promise<void> {
    const page = await this.options.history({ before, limit: CHAT_PAGE_SIZE });
    this.loaded += page.messages.length;
    this.page.send({ type: "older", before, page });
  }

  private async sendMessage(text: string): Promise<void> {
    try {
      await this.options.send(text);
      this.refresh();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.page.send({ type: "notSent", text, reason });
    }
  }
}

const LINK = z.string().transform((text, context): ChatLink => {
  const link = readLink(text);
  if (link) return link;
  context.addIssue({ code: "custom", message: "neither a web page nor a video" });
  return z.NEVER;
});

const MESSAGES: z.ZodType<FromChatPage> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("wantOlder"), before: z.string().min(1).max(64) }),
  z.object({
    type: z.literal("send"),
    text: z
      .string()
      .max(2 * MAX_MESSAGE_LENGTH)
      .refine((text) => messageLength(text) <= MAX_MESSAGE_LENGTH),
  }),
  z.object({ type: z.literal("openLink"), url: z.string().refine((url) => readLink(url) !== undefined) }),
  z.object({ type: z.literal("addFriend") }),
  z.object({ type: z.literal("block") }),
  z.object({ type: z.literal("deleteChat") }),
]);

function chatStrings(): ChatStrings {
  const { t } = vscode.l10n;
  return {
    encrypted: t("End-to-end encrypted"),
    fingerprint: t("Fingerprint {0}…", "{0}"),
    fingerprintHint: t("Compare it with them over another channel, such as a call, to be sure who this is."),
    addFriend: t("Add Friend"),
    block: t("Block"),
    deleteChat: t("Delete Conversation"),
    messages: t("Messages"),
    empty: t("No messages yet."),
    older: t("Show Older"),
    newer: t("New messages"),
    today: t("Today"),
    yesterday: t("Yesterday"),
    you: t("You"),
    delivered: t("delivered"),
    waiting: t("waiting"),
    messageTo: t("Message to {0}", "{0}"),
    keys: t("Enter sends, Shift+Enter makes a new line."),
    send: t("Send"),
    count: t("{0} of {1} characters.", "{0}", "{1}"),
    tooLong: t("Too long to send."),
    openLink: t("Open Link: {0}", "{0}"),
    openVideo: t("Open Video"),
  };
}
