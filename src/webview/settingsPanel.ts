import "./page.css";
import "./settingsPanel.css";
import type { FromSettingsPage, SettingItem, ShowSettingsMessage, ToSettingsPage } from "../rpc/settingsPanel";
import { fillText } from "../rpc/webviewMessages";
import { announcer, button } from "./controls";
import { element } from "./dom";
import { connectToHost } from "./host";
import { type SettingField, settingField } from "./settingControls";

/** What outlives a hidden page. */
interface SavedPage {
  /** Text that was typed and not taken yet, by setting. */
  drafts: Record<string, string>;
}

interface Row {
  field: SettingField;
  resetButton: HTMLElement;
  item: SettingItem;
  /** Changes that were sent and not answered: what is shown meanwhile is older than they are. */
  unanswered: number;
}

interface Page {
  show(message: ShowSettingsMessage): void;
  applied(key: string, problem: string | undefined): void;
}

const host = connectToHost<ToSettingsPage, FromSettingsPage, SavedPage>({
  show(message) {
    page ??= makePage(message);
    page.show(message);
  },
  applied: ({ key, problem }) => page?.applied(key, problem),
});

let page: Page | undefined;

function makePage(message: ShowSettingsMessage): Page {
  const { strings, platform } = message;
  const saved: SavedPage = host.state ?? { drafts: {} };
  const live = announcer();
  const rows = new Map<string, Row>();
  const scopes: HTMLElement[] = [];

  function makeRow(item: SettingItem): HTMLElement {
    const { key } = item;
    const send = (out: FromSettingsPage) => {
      row.unanswered += 1;
      host.send(out);
    };
    const field = settingField({
      item,
      platform,
      strings,
      live,
      draft: saved.drafts[key],
      onDraft(text) {
        if (text === undefined) delete saved.drafts[key];
        else saved.drafts[key] = text;
        host.saveState(saved);
      },
      set: (value) => send({ type: "set", key, value }),
      choose: () => host.send({ type: "choose", key }),
    });
    const resetButton = button({
      label: fillText(strings.reset, item.label),
      kind: "icon",
      icon: "reset",
      onClick() {
        send({ type: "reset", key });
        // The button goes.
        field.focus();
      },
    });
    const row: Row = { field, resetButton, item, unanswered: 0 };
    rows.set(key, row);
    return element("div", { class: "setting", "data-setting": key }, field.element, resetButton);
  }

  const groups = message.groups.map(({ scope, sections }) => {
    const heading = element("h2", { class: "scope" }, scope);
    scopes.push(heading);
    return element(
      "div",
      { class: "group" },
      heading,
      ...sections.map(({ title, items }) =>
        element("section", { class: "section", "aria-label": title }, element("h3", {}, title), ...items.map(makeRow)),
      ),
    );
  });

  document.body.replaceChildren(
    element(
      "main",
      { class: "wide" },
      element(
        "div",
        { class: "top" },
        element("h1", {}, strings.heading),
        button({ label: strings.openNative, onClick: () => host.send({ type: "openNative" }) }),
      ),
      element("p", { class: "intro" }, strings.intro),
      element("div", { class: "side-by-side" }, ...groups),
      live.element,
    ),
  );

  return {
    show({ groups: shown }) {
      for (const [index, { scope, sections }] of shown.entries()) {
        const heading = scopes[index];
        if (heading && heading.textContent !== scope) heading.textContent = scope;
        for (const item of sections.flatMap((section) => section.items)) {
          const row = rows.get(item.key);
          if (!row || row.unanswered > 0) continue;
          row.item = item;
          row.field.show(item);
          row.resetButton.toggleAttribute("hidden", !item.changed);
        }
      }
    },
    applied(key, problem) {
      const row = rows.get(key);
      if (!row) return;
      // What was chosen in a dialog is answered without having been asked.
      row.unanswered = Math.max(0, row.unanswered - 1);
      if (problem !== undefined) row.field.refuse(problem);
      else live.announceSoon(strings.saved);
    },
  };
}

host.send({ type: "ready" });
