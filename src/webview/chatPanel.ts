import "./page.css";
import "./chatPanel.css";
import {
  type ChatPerson,
  COUNT_FROM,
  type FromChatPage,
  MAX_MESSAGE_LENGTH,
  messageLength,
  type ShowChatMessage,
  type ToChatPage,
  toMessage,
} from "../rpc/chatPanel";
import { fillText } from "../rpc/webviewMessages";
import { announcer, button, focusWhenActive, textField } from "./controls";
import { element, icon, setAttributes } from "./dom";
import { connectToHost } from "./host";
import { type MessageList, messageList } from "./messageList";

/** What outlives a hidden page. */
interface SavedChat {
  draft: string;
}

interface Page {
  readonly messages: MessageList;
  showPerson(person: ChatPerson): void;
  showNotSent(text: string, reason: string): void;
}

const host = connectToHost<ToChatPage, FromChatPage, SavedChat>({
  show(message) {
    page ??= makePage(message);
    page.showPerson(message.person);
    page.messages.showNewest(message.page);
  },
  person: ({ person }) => page?.showPerson(person),
  newest: (message) => page?.messages.showNewest(message.page),
  older: (message) => page?.messages.showOlder(message.before, message.page),
  notSent: ({ text, reason }) => page?.showNotSent(text, reason),
});

let page: Page | undefined;

function makePage({ strings, person: first }: ShowChatMessage): Page {
  let person = first;
  const live = announcer();
  const name = element("h1");
  const presence = element("span", { class: "presence" });
  const shortFingerprint = element("span", { class: "short" });
  const fingerprint = element("code", { class: "fingerprint" });
  const notice = element("p", { class: "notice" });
  const addFriend = button({ label: strings.addFriend, onClick: () => host.send({ type: "addFriend" }) });
  const block = button({ label: strings.block, onClick: () => host.send({ type: "block" }) });
  const deleteChat = button({ label: strings.deleteChat, onClick: () => host.send({ type: "deleteChat" }) });
  const messages = messageList({
    strings,
    name: () => person.name,
    onWantOlder: (before) => host.send({ type: "wantOlder", before }),
    onOpen: ({ url }) => host.send({ type: "openLink", url }),
  });
  const composer = textField({
    label: "",
    hideLabel: true,
    hint: strings.keys,
    value: host.state?.draft ?? "",
    multiline: true,
    onInput: onEdit,
  });
  setAttributes(composer.input, { rows: 1 });
  composer.input.addEventListener("keydown", (event) => {
    const { key, shiftKey, isComposing } = event as KeyboardEvent;
    // While an input method composes, Enter belongs to it.
    if (key !== "Enter" || shiftKey || isComposing) return;
    event.preventDefault();
    send();
  });
  const form = element(
    "div",
    { class: "composer" },
    composer.element,
    button({ label: strings.send, kind: "primary", onClick: send }),
  );

  document.body.replaceChildren(
    element(
      "main",
      { class: "chat" },
      element(
        "header",
        {},
        element("div", { class: "person" }, name, presence),
        element(
          "details",
          {},
          element(
            "summary",
            {},
            element("span", { class: "encrypted" }, icon("locked"), element("span", {}, strings.encrypted)),
            shortFingerprint,
          ),
          element("div", { class: "note" }, strings.fingerprintHint),
          fingerprint,
          element("div", { class: "line" }, addFriend, block, deleteChat),
        ),
        notice,
      ),
      messages.element,
      form,
      live.element,
    ),
  );
  if (person.canWrite) focusWhenActive(composer);
  fit();

  /** The field grows with what is typed, as far as the style lets it. */
  function fit(): void {
    composer.input.style.height = "auto";
    composer.input.style.height = `${composer.input.scrollHeight + 2}px`;
  }

  function onEdit(): void {
    const { value } = composer;
    const length = messageLength(value);
    const count = fillText(strings.count, length, MAX_MESSAGE_LENGTH);
    composer.setProblem(length > MAX_MESSAGE_LENGTH ? `${strings.tooLong} ${count}` : undefined);
    composer.setAdvice(length >= COUNT_FROM ? count : undefined);
    live.announceSoon(composer.remark);
    fit();
    host.saveState({ draft: value });
  }

  function send(): void {
    const text = toMessage(composer.value);
    if (!person.canWrite || text === "" || messageLength(text) > MAX_MESSAGE_LENGTH) return;
    host.send({ type: "send", text });
    composer.input.value = "";
    onEdit();
    composer.input.focus();
  }

  return {
    messages,
    showPerson(next) {
      const said = [person.presence, person.notice];
      person = next;
      name.textContent = next.name;
      presence.textContent = next.presence;
      setAttributes(presence, { "data-online": next.online });
      shortFingerprint.textContent = fillText(strings.fingerprint, next.shortFingerprint);
      fingerprint.textContent = next.fingerprint;
      notice.hidden = next.notice === undefined;
      setAttributes(notice, { "data-warning": next.warning });
      notice.replaceChildren(
        ...(next.notice ? [icon(next.warning ? "advice" : "waiting"), element("span", {}, next.notice)] : []),
      );
      composer.setLabel(fillText(strings.messageTo, next.name));
      form.hidden = !next.canWrite;
      addFriend.hidden = !next.canAddFriend;
      block.hidden = !next.canBlock;
      if (next.presence !== said[0] || next.notice !== said[1]) {
        live.announce([next.presence, next.notice].filter(Boolean).join(". "));
      }
    },
    showNotSent(text, reason) {
      const { value } = composer;
      composer.input.value = value === "" ? text : `${text}\n${value}`;
      onEdit();
      composer.setProblem(reason);
      live.announce(reason);
      composer.input.focus();
    },
  };
}

host.send({ type: "ready" });
