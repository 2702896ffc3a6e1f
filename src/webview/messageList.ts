/**
 * The messages of the chat page. Each message and each day keeps its element for as long as it is shown: a screen reader says
 * what is added to the list, so nothing that is there already may be made anew.
 */
import {
  type ChatLink,
  type ChatPage,
  type ChatStrings,
  joinNewest,
  joinOlder,
  linksOf,
  type PlacedMessage,
  placeMessages,
} from "../rpc/chatPanel";
import { fillText } from "../rpc/webviewMessages";
import { button } from "./controls";
import { element, icon, setAttributes } from "./dom";

/** Closer to the end than this counts as being there: it follows what is new. */
const NEAR_END_PX = 40;
/** So close to the top the page before is asked for. */
const NEAR_START_PX = 80;

export interface MessageListOptions {
  strings: ChatStrings;
  /** Of the other person. */
  name(): string;
  onWantOlder(before: string): void;
  onOpen(link: ChatLink): void;
}

export interface MessageList {
  readonly element: HTMLElement;
  showNewest(page: ChatPage): void;
  showOlder(before: string, page: ChatPage): void;
}

interface Row {
  readonly element: HTMLElement;
  update(message: PlacedMessage): void;
}

export function messageList(options: MessageListOptions): MessageList {
  const { strings } = options;
  const rows = new Map<string, Row>();
  const days = new Map<string, HTMLElement>();
  let shown: ChatPage = { messages: [], more: false };
  let asked: string | undefined;

  const olderButton = button({ label: strings.older, onClick: wantOlder });
  const older = element("div", { class: "older" }, olderButton);
  const empty = element("p", { class: "empty" }, strings.empty);
  const list = element("div", { class: "messages" });
  const log = element(
    "div",
    { class: "log", role: "log", "aria-live": "polite", "aria-label": strings.messages, tabindex: "0" },
    older,
    empty,
    list,
  );
  const newerButton = button({ label: strings.newer, icon: "down", onClick: () => toEnd() });
  const newer = element("div", { class: "newer" }, newerButton);
  newer.hidden = true;
  older.hidden = true;
  log.addEventListener("scroll", () => {
    if (isAtEnd()) newer.hidden = true;
    if (log.scrollTop < NEAR_START_PX) wantOlder();
  });
  // What is at the end stays there when the page or the field below gets another height.
  let wasAtEnd = true;
  log.addEventListener("scroll", () => {
    wasAtEnd = isAtEnd();
  });
  new ResizeObserver(() => wasAtEnd && toEnd()).observe(log);

  function isAtEnd(): boolean {
    return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  }
  function toEnd(): void {
    log.scrollTop = log.scrollHeight;
    newer.hidden = true;
  }
  function wantOlder(): void {
    const before = shown.messages[0]?.id;
    if (!shown.more || before === undefined || asked === before) return;
    asked = before;
    options.onWantOlder(before);
  }

  /** What a screen reader has to say are new messages, not a history that is being filled in. */
  function silently(change: () => void): void {
    setAttributes(log, { "aria-live": "off" });
    change();
    requestAnimationFrame(() => setAttributes(log, { "aria-live": "polite" }));
  }

  function render(page: ChatPage): void {
    shown = page;
    older.hidden = !page.more;
    empty.hidden = page.messages.length > 0;
    const wanted: HTMLElement[] = [];
    const ids = new Set<string>();
    const wantedDays = new Set<string>();
    for (const message of placeMessages(page.messages)) {
      if (message.firstOfDay) {
        const day = `${message.id} ${new Date().toDateString()}`;
        const separator = days.get(day) ?? daySeparator(message.sentAt, strings);
        days.set(day, separator);
        wantedDays.add(day);
        wanted.push(separator);
      }
      const row = rows.get(message.id) ?? messageRow(message, options);
      rows.set(message.id, row);
      ids.add(message.id);
      row.update(message);
      wanted.push(row.element);
    }
    for (const id of [...rows.keys()]) if (!ids.has(id)) rows.delete(id);
    for (const day of [...days.keys()]) if (!wantedDays.has(day)) days.delete(day);
    place(list, wanted);
  }

  return {
    element: element("div", { class: "log-frame" }, log, newer),
    showNewest(page) {
      const first = shown.messages.length === 0;
      const follows = first || isAtEnd();
      const last = shown.messages.at(-1)?.id;
      const next = joinNewest(shown, page);
      const isNew = next.messages.at(-1)?.id !== last;
      if (first) silently(() => render(next));
      else render(next);
      if (follows || (isNew && next.messages.at(-1)?.from === "me")) toEnd();
      else if (isNew) newer.hidden = false;
    },
    showOlder(before, page) {
      const fromEnd = log.scrollHeight - log.scrollTop;
      const hadFocus = older.contains(document.activeElement);
      silently(() => render(joinOlder(shown, before, page)));
      log.scrollTop = log.scrollHeight - fromEnd;
      if (hadFocus && older.hidden) log.focus();
    },
  };
}

/** Makes `children` the children of `parent`, without touching those that stay. */
function place(parent: HTMLElement, children: readonly HTMLElement[]): void {
  const stay = new Set<Node>(children);
  for (const child of [...parent.childNodes]) if (!stay.has(child)) child.remove();
  let at: ChildNode | null = parent.firstChild;
  for (const child of children) {
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
}

function messageRow(message: PlacedMessage, options: MessageListOptions): Row {
  const { strings } = options;
  const mine = message.from === "me";
  const time = element("time", { datetime: new Date(message.sentAt).toISOString() }, timeText(message.sentAt));
  setAttributes(time, { title: new Date(message.sentAt).toLocaleString(language()) });
  const state = element("span", { class: "state" });
  const meta = element("div", { class: "meta" }, time, mine ? state : undefined);
  const links = linksOf(message.text).map((link) =>
    button({
      label: link.kind === "web" ? fillText(strings.openLink, link.host) : strings.openVideo,
      onClick: () => options.onOpen(link),
    }),
  );
  const root = element(
    "div",
    { class: "message", "data-from": message.from },
    element("span", { class: "for-screen-readers" }, `${mine ? strings.you : options.name()}: `),
    element("div", { class: "text", dir: "auto" }, message.text),
    links.length > 0 ? element("div", { class: "links" }, ...links) : undefined,
    meta,
  );
  let shownState: string | undefined;
  return {
    element: root,
    update({ state: next, firstOfGroup, lastOfGroup }) {
      setAttributes(root, { "data-first": firstOfGroup, "data-state": next });
      meta.hidden = !lastOfGroup;
      if (next === shownState) return;
      shownState = next;
      const delivered = next === "delivered";
      state.replaceChildren(
        icon(delivered ? "done" : "waiting"),
        element("span", {}, delivered ? strings.delivered : strings.waiting),
      );
    },
  };
}

function daySeparator(time: number, strings: ChatStrings): HTMLElement {
  return element("div", { class: "day" }, element("span", {}, dayText(time, strings)));
}

function dayText(time: number, strings: ChatStrings): string {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  const day = new Date(time);
  if (day.toDateString() === today.toDateString()) return strings.today;
  if (day.toDateString() === yesterday.toDateString()) return strings.yesterday;
  const sameYear = day.getFullYear() === today.getFullYear();
  return day.toLocaleDateString(language(), {
    weekday: "short",
    day: "numeric",
    month: "long",
    ...(sameYear ? {} : { year: "numeric" }),
  });
}

function timeText(time: number): string {
  return new Date(time).toLocaleTimeString(language(), { hour: "numeric", minute: "2-digit" });
}

function language(): string | undefined {
  return document.documentElement.lang || undefined;
}
