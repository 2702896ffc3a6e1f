import { MAX_TRACKERS, type TrackerListStrings, type TrackerProblem } from "../rpc/profilePanel";
import { fillText } from "../rpc/webviewMessages";
import { type Announcer, button, setButtonLabel, type TextField, textField } from "./controls";
import { element } from "./dom";

export interface TrackerListOptions {
  strings: TrackerListStrings;
  values: string[];
  live: Announcer;
  /** A text, or the list itself, changed; `field` is the one that was typed into or added. */
  onChange(field?: TextField): void;
}

export interface TrackerList {
  readonly element: HTMLElement;
  readonly fields: TextField[];
  /** As typed. */
  readonly values: string[];
  /** Shows the problems, one entry per tracker, of those that were filled in already. */
  setProblems(problems: (TrackerProblem | undefined)[]): void;
  /** From now on empty ones count as filled in. */
  touchAll(): void;
}

interface Row {
  field: TextField;
  removeButton: HTMLElement;
  touched: boolean;
}

/** A list of tracker addresses; rows come and go by button, so by keyboard as well, and the focus never gets lost. */
export function trackerList({ strings, values, live, onChange }: TrackerListOptions): TrackerList {
  const rows: Row[] = [];
  const list = element("div", { class: "rows" });
  const addButton = button({ label: strings.addTracker, icon: "add", onClick: addRow });

  function makeRow(value: string): Row {
    const removeButton = button({
      label: strings.removeTracker,
      kind: "icon",
      icon: "remove",
      onClick: () => removeRow(row),
    });
    const field = textField({
      label: strings.tracker,
      hideLabel: true,
      value,
      required: true,
      after: removeButton,
      onInput() {
        row.touched = true;
        onChange(field);
      },
    });
    const row: Row = { field, removeButton, touched: value !== "" };
    return row;
  }

  function renumber(): void {
    list.replaceChildren(...rows.map((row) => row.field.element));
    for (const [index, row] of rows.entries()) {
      row.field.setLabel(fillText(strings.tracker, index + 1));
      setButtonLabel(row.removeButton, fillText(strings.removeTracker, index + 1));
      // A profile has at least one tracker: the last one can be changed only.
      row.removeButton.toggleAttribute("hidden", rows.length === 1);
    }
    addButton.toggleAttribute("hidden", rows.length >= MAX_TRACKERS);
  }

  function addRow(): void {
    const row = makeRow("");
    rows.push(row);
    renumber();
    onChange(row.field);
    live.announce(fillText(strings.trackerAdded, rows.length));
    row.field.input.focus();
  }

  function removeRow(row: Row): void {
    const index = rows.indexOf(row);
    rows.splice(index, 1);
    renumber();
    onChange();
    live.announce(fillText(strings.trackerRemoved, index + 1));
    // The focus was on the button that is gone.
    rows[Math.min(index, rows.length - 1)]?.field.input.focus();
  }

  rows.push(...values.slice(0, MAX_TRACKERS).map(makeRow));
  renumber();

  return {
    element: element(
      "fieldset",
      {},
      element("legend", { class: "label" }, strings.trackers),
      element("div", { class: "note" }, strings.trackersHint),
      list,
      addButton,
    ),
    get fields() {
      return rows.map((row) => row.field);
    },
    get values() {
      return rows.map((row) => row.field.value);
    },
    setProblems(problems) {
      for (const [index, row] of rows.entries()) {
        const problem = problems[index];
        row.field.setProblem(problem && row.touched ? strings[problem] : undefined);
      }
    },
    touchAll() {
      for (const row of rows) row.touched = true;
    },
  };
}
