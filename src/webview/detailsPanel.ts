import "./page.css";
import "./detailsPanel.css";
import type {
  DetailsStrings,
  DetailsView,
  Fact,
  FromDetailsPage,
  PictureMessage,
  ShowDetailsMessage,
  SourceRow,
  ToDetailsPage,
} from "../rpc/detailsPanel";
import { announcer, button } from "./controls";
import { element, icon, setAttributes } from "./dom";
import { connectToHost } from "./host";
import { pieceMapPicture } from "./pieceMap";

interface DetailsPage {
  show(view: DetailsView): void;
  showPicture(message: PictureMessage): void;
  say(text: string): void;
}

const host = connectToHost<ToDetailsPage, FromDetailsPage, undefined>({
  show(message: ShowDetailsMessage) {
    page ??= makePage(message.strings);
    page.show(message.view);
  },
  picture: (message) => page?.showPicture(message),
  say: ({ text }) => page?.say(text),
});

let page: DetailsPage | undefined;

/** Calls `render` when the value is another one: what has not changed keeps focus, selection and scroll position. */
function whenChanged<T>(render: (value: T) => void): (value: T) => void {
  let last: string | undefined;
  return (value) => {
    const text = JSON.stringify(value);
    if (text === last) return;
    last = text;
    render(value);
  };
}

function makePage(strings: DetailsStrings): DetailsPage {
  const live = announcer();
  const title = element("h1");
  const picture = element("div", { class: "picture" });
  const description = element("p", { class: "description" });
  const warning = element("div", { class: "warning note", "data-kind": "advice", role: "note", hidden: true });
  const state = element("div", { class: "state" });
  const progress = element("progress", { max: 1, "aria-label": strings.progress });
  const actions = element("div", { class: "buttons" });
  const facts = element("dl", { class: "facts" });
  const sources = element("section", { class: "field", "aria-label": strings.sources });
  const pieces = pieceMapPicture();
  const pieceSection = element(
    "section",
    { class: "field", "aria-label": strings.pieces, hidden: true },
    element("h2", {}, strings.pieces),
    pieces.element,
    legend(strings),
  );
  const placeholder = () =>
    picture.replaceChildren(
      element("div", { class: "placeholder" }, icon("video"), element("span", {}, strings.noPicture)),
    );

  const renderActions = whenChanged((list: DetailsView["actions"]) => {
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.action : undefined;
    actions.replaceChildren(
      ...list.map(({ action, label, primary }) => {
        const node = button({
          label,
          kind: primary ? "primary" : "secondary",
          onClick: () => host.send({ type: "action", action }),
        });
        node.dataset.action = action;
        return node;
      }),
    );
    actions.hidden = list.length === 0;
    if (focused === undefined) return;
    // Whoever has pressed "Pause" finds "Resume" under the same finger.
    const buttons = [...actions.children] as HTMLElement[];
    (buttons.find((node) => node.dataset.action === focused) ?? buttons[0])?.focus();
  });
  const renderDescription = whenChanged((text: string) => {
    description.textContent = text;
    description.hidden = text === "";
    // What scrolls has to be reachable with the keyboard.
    const scrolls = description.scrollHeight > description.clientHeight;
    setAttributes(description, {
      tabindex: scrolls ? 0 : undefined,
      role: scrolls ? "region" : undefined,
      "aria-label": scrolls ? strings.description : undefined,
    });
  });
  const renderFacts = whenChanged((list: Fact[]) => facts.replaceChildren(...list.flatMap(factNodes)));
  const renderSources = whenChanged(({ rows, none }: { rows: SourceRow[]; none: string }) =>
    sources.replaceChildren(
      element("h2", {}, strings.sources),
      rows.length > 0 ? sourceTable(strings, rows) : element("div", { class: "note" }, none),
    ),
  );

  placeholder();
  document.body.replaceChildren(
    element(
      "main",
      { class: "details" },
      element("header", {}, picture, element("div", { class: "summary" }, title, state, progress, actions)),
      warning,
      description,
      facts,
      pieceSection,
      sources,
      live.element,
    ),
  );

  return {
    show(view) {
      title.textContent = view.title;
      state.textContent = view.state;
      progress.hidden = view.progress === undefined;
      if (view.progress !== undefined) progress.value = view.progress;
      warning.hidden = view.warning === undefined;
      if (view.warning !== undefined && warning.textContent !== view.warning) {
        warning.replaceChildren(icon("advice"), element("span", {}, view.warning));
      }
      renderActions(view.actions);
      renderDescription(view.description);
      renderFacts(view.facts);
      renderSources({ rows: view.sources, none: view.noSources });
      pieceSection.hidden = view.pieces === undefined;
      if (view.pieces) pieces.show(view.pieces);
    },
    showPicture({ picture: shown }) {
      if (!shown) return placeholder();
      const image = element("img", { src: `data:${shown.type};base64,${shown.data}`, alt: strings.picture });
      // The header of a picture may be in order and the rest of it rubbish.
      image.addEventListener("error", placeholder);
      picture.replaceChildren(image);
    },
    say: (text) => live.announce(text),
  };
}

function factNodes({ label, value, code }: Fact): Node[] {
  return [
    element("dt", {}, label),
    element("dd", {}, code ? element("code", { class: "selectable" }, value) : element("span", {}, value)),
  ];
}

/** Roles stand beside the elements, because a narrow page lays the cells out as a list, which would take the roles away. */
function sourceTable({ sources, columns }: DetailsStrings, rows: SourceRow[]): HTMLElement {
  return element(
    "table",
    { class: "source-table", role: "table", "aria-label": sources },
    element(
      "thead",
      { role: "rowgroup" },
      element(
        "tr",
        { role: "row" },
        ...columns.map((name) => element("th", { role: "columnheader", scope: "col" }, name)),
      ),
    ),
    element(
      "tbody",
      { role: "rowgroup" },
      ...rows.map(({ cells, self, distant }) =>
        element(
          "tr",
          { role: "row", class: [self ? "self" : "", distant ? "distant" : ""].join(" ").trim() || undefined },
          ...cells.map((text, column) => element("td", { role: "cell", "data-column": columns[column] }, text)),
        ),
      ),
    ),
  );
}

function legend({ legend: texts }: DetailsStrings): HTMLElement {
  const item = (name: string, text: string) =>
    element("li", {}, element("span", { class: `swatch ${name}`, "aria-hidden": "true" }), element("span", {}, text));
  return element(
    "ul",
    { class: "legend" },
    item("here", texts.here),
    item("fetching", texts.fetching),
    item("missing", texts.missing),
    item("sources", texts.sources),
  );
}

host.send({ type: "ready" });
