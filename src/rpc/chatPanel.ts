/** Contract of the "Chat" panel, and its rules: what is a link, what stands together, how pages of the history are joined. */
import type { ChatMessage, ChatPage } from "../peer/status";
import { charCount, cleanText } from "../wire/text";

export type { ChatPage } from "../peer/status";

/** Characters (code points); the engine's bound. */
export const MAX_MESSAGE_LENGTH = 8_000;
/** From here on the form counts. */
export const COUNT_FROM = 7_000;
/** Messages that the page asks for at a time. */
export const CHAT_PAGE_SIZE = 50;
/** The most that the engine gives at once: changes of older messages show when the panel is opened anew. */
export const MAX_CHAT_PAGE = 200;
/** More links than that in one message are no help to anybody. */
const MAX_LINKS = 5;
const MAX_LINK_LENGTH = 2_048;
/** Messages of one side within this time stand together under one time. */
const GROUP_MS = 5 * 60_000;

const WEB_LINK = /^https?:\/\//i;
const VIDEO_LINK = /^[a-z][a-z0-9+.-]{0,63}:\/\/streamlet\.streamlet\/v\/[0-9a-f]{64}(?:[/?#]\S*)?$/i;
const CANDIDATE = /[a-z][a-z0-9+.-]{0,63}:\/\/[^\s<>"]+/gi;
/** Punctuation of the sentence that a link stands in. */
const TRAILING = /[.,;:!?'”’»)\]}]+$/;

export type ChatLink =
  /** `host`: where it leads, as the address bar of a browser would say it. */
  { kind: "web"; url: string; host: string } | { kind: "video"; url: string };

/** The text of a message as it will be sent. */
export function toMessage(typed: string): string {
  return cleanText(typed, { lines: true });
}

export function messageLength(typed: string): number {
  return charCount(toMessage(typed));
}

/** What in a message may be opened: web pages and Streamlet videos, each once; nothing of any other scheme. */
export function linksOf(text: string): ChatLink[] {
  const links = new Map<string, ChatLink>();
  for (const [candidate] of text.matchAll(CANDIDATE)) {
    const link = readLink(candidate.replace(TRAILING, ""));
    if (link) links.set(link.url, link);
    if (links.size === MAX_LINKS) break;
  }
  return [...links.values()];
}

/** Undefined for what must not be opened. */
export function readLink(text: string): ChatLink | undefined {
  if (VIDEO_LINK.test(text)) return { kind: "video", url: text };
  if (!WEB_LINK.test(text) || text.length > MAX_LINK_LENGTH) return undefined;
  // A slash to some programs and part of a name to others: where it leads, nobody can say.
  if (text.includes("\\")) return undefined;
  try {
    // The parser writes a name in letters of another script as what it is (xn--...), and leaves out who logs in.
    const { protocol, host } = new URL(text);
    return /^https?:$/.test(protocol) && host !== "" ? { kind: "web", url: text, host } : undefined;
  } catch {
    return undefined;
  }
}

/** The newest page joined with what is shown: what is shown beyond it stays, as long as nothing lies between. */
export function joinNewest(shown: ChatPage, newest: ChatPage): ChatPage {
  const oldest = shown.messages[0];
  const first = newest.messages[0];
  if (!oldest || !first) return newest;
  const within = newest.messages.findIndex(({ id }) => id === oldest.id);
  if (within >= 0) {
    return { messages: newest.messages.slice(within), more: within > 0 || newest.more };
  }
  const at = shown.messages.findIndex(({ id }) => id === first.id);
  if (at < 0) return newest;
  return { messages: [...shown.messages.slice(0, at), ...newest.messages], more: shown.more };
}

/** An older page in front of what is shown; one that does not belong there (any more) changes nothing. */
export function joinOlder(shown: ChatPage, before: string, older: ChatPage): ChatPage {
  if (shown.messages[0]?.id !== before) return shown;
  return { messages: [...older.messages, ...shown.messages], more: older.more };
}

export interface PlacedMessage extends ChatMessage {
  /** The first of its day, and of messages that stand together; the last of them shows time and state. */
  firstOfDay: boolean;
  firstOfGroup: boolean;
  lastOfGroup: boolean;
}

export function placeMessages(messages: readonly ChatMessage[]): PlacedMessage[] {
  return messages.map((message, index) => {
    const before = messages[index - 1];
    const after = messages[index + 1];
    return {
      ...message,
      firstOfDay: !before || !sameDay(before, message),
      firstOfGroup: !before || !together(before, message),
      lastOfGroup: !after || !together(message, after),
    };
  });
}

function together(a: ChatMessage, b: ChatMessage): boolean {
  return a.from === b.from && a.state === b.state && sameDay(a, b) && Math.abs(b.sentAt - a.sentAt) <= GROUP_MS;
}

function sameDay(a: ChatMessage, b: ChatMessage): boolean {
  return new Date(a.sentAt).toDateString() === new Date(b.sentAt).toDateString();
}

/** Whom the panel is about, in words of the editor's language. */
export interface ChatPerson {
  /** With the short fingerprint where others bear the same name. */
  name: string;
  online: boolean;
  /** e.g. "online". */
  presence: string;
  /** In groups. */
  fingerprint: string;
  shortFingerprint: string;
  /** What to know before one writes: they are offline, a stranger, blocked, somebody else than a friend of that name. */
  notice?: string;
  warning: boolean;
  canWrite: boolean;
  canAddFriend: boolean;
  canBlock: boolean;
}

/** Texts of the page. `{0}` and `{1}` are filled in the page. */
export type ChatStrings = Record<
  | "encrypted"
  | "fingerprint"
  | "fingerprintHint"
  | "addFriend"
  | "block"
  | "deleteChat"
  | "messages"
  | "empty"
  | "older"
  | "newer"
  | "today"
  | "yesterday"
  | "you"
  | "delivered"
  | "waiting"
  | "messageTo"
  | "keys"
  | "send"
  | "count"
  | "tooLong"
  | "openLink"
  | "openVideo",
  string
>;

/** Everything that the page shows; the answer to `ready`. */
export interface ShowChatMessage {
  type: "show";
  strings: ChatStrings;
  person: ChatPerson;
  page: ChatPage;
}
export interface ChatPersonMessage {
  type: "person";
  person: ChatPerson;
}
export interface NewestMessagesMessage {
  type: "newest";
  page: ChatPage;
}
export interface OlderMessagesMessage {
  type: "older";
  before: string;
  page: ChatPage;
}
/** What was to be sent is not in the conversation. */
export interface NotSentMessage {
  type: "notSent";
  text: string;
  reason: string;
}
export type ToChatPage =
  | ShowChatMessage
  | ChatPersonMessage
  | NewestMessagesMessage
  | OlderMessagesMessage
  | NotSentMessage;

/** The page runs (again) and has nothing to show yet. */
export interface ChatReadyMessage {
  type: "ready";
}
export interface WantOlderMessage {
  type: "wantOlder";
  before: string;
}
export interface SendChatMessage {
  type: "send";
  text: string;
}
export interface OpenChatLinkMessage {
  type: "openLink";
  url: string;
}
export interface AddChatFriendMessage {
  type: "addFriend";
}
export interface BlockChatMessage {
  type: "block";
}
export interface DeleteChatMessage {
  type: "deleteChat";
}
export type FromChatPage =
  | ChatReadyMessage
  | WantOlderMessage
  | SendChatMessage
  | OpenChatLinkMessage
  | AddChatFriendMessage
  | BlockChatMessage
  | DeleteChatMessage;
