import "./page.css";
import "./doctorPanel.css";
import type { Finding, FromDoctorPage, ShowDoctorMessage, ToDoctorPage } from "../rpc/doctorPanel";
import { announcer, button, setButtonLabel } from "./controls";
import { element, type IconName, icon, setAttributes } from "./dom";
import { connectToHost } from "./host";

const ICONS: Record<Finding["state"], IconName> = {
  ok: "done",
  warning: "advice",
  problem: "problem",
  skipped: "skipped",
};

const live = announcer();
const host = connectToHost<ToDoctorPage, FromDoctorPage, Record<string, never>>({
  show(message) {
    page ??= makePage(message);
    page.show(message);
  },
  reportCopied: () => page?.showCopied(),
});

let page: { show(message: ShowDoctorMessage): void; showCopied(): void } | undefined;

function makePage({ strings }: ShowDoctorMessage): NonNullable<typeof page> {
  const testButton = button({ label: strings.test, kind: "primary", onClick: () => host.send({ type: "test" }) });
  const cancelButton = button({ label: strings.cancel, onClick: () => host.send({ type: "cancel" }) });
  const copyButton = button({ label: strings.copyReport, onClick: () => host.send({ type: "copyReport" }) });
  const status = element("p", { class: "status" });
  const list = element("ul", { class: "findings", "aria-label": strings.findings });
  document.body.replaceChildren(
    element(
      "main",
      {},
      element("h1", {}, strings.heading),
      element("p", { class: "intro" }, strings.intro),
      status,
      list,
      element("div", { class: "actions" }, testButton, cancelButton, copyButton),
      live.element,
    ),
  );
  let said = "";

  return {
    show({ phase, findings, summary }) {
      const testing = phase === "testing";
      const text = testing ? strings.testing : phase === "cancelled" ? strings.cancelled : summary;
      status.textContent = text;
      setAttributes(list, { "aria-busy": testing ? "true" : undefined });
      // The findings of before stay readable while it tests again.
      if (!testing) list.replaceChildren(...findings.map((finding, index) => row(finding, index, strings)));
      list.hidden = list.childElementCount === 0;
      const hadFocus = document.activeElement;
      for (const [node, shown] of [
        [testButton, !testing],
        [copyButton, phase === "done"],
        [cancelButton, testing],
      ] as const) {
        node.hidden = !shown;
      }
      setButtonLabel(testButton, phase === "done" ? strings.testAgain : strings.test);
      // Whoever pressed one of the two goes on with the other.
      if (hadFocus === testButton && testing) cancelButton.focus();
      else if (hadFocus === cancelButton && !testing) testButton.focus();
      if (text !== said) live.announce(text);
      said = text;
    },
    showCopied() {
      status.textContent = strings.reportCopied;
      live.announce(strings.reportCopied);
    },
  };
}

function row({ state, title, text, fix }: Finding, index: number, strings: ShowDoctorMessage["strings"]): HTMLElement {
  const mend = fix ? button({ label: fix, onClick: () => host.send({ type: "fix", index }) }) : undefined;
  return element(
    "li",
    { class: "finding", "data-state": state },
    element("div", { class: "verdict" }, icon(ICONS[state]), element("span", {}, strings[state])),
    element(
      "div",
      { class: "found" },
      element("div", { class: "label" }, title),
      element("div", { class: "sentence" }, text),
      mend,
    ),
  );
}

host.send({ type: "ready" });
