/**
 * The fields of the Settings page. Each shows what counts, live, and sends what a person makes of it; neither may disturb the
 * other: while somebody types, or while an answer is awaited, what comes from outside waits.
 */

import { type SettingValue, sameValue } from "../rpc/settingSchema";
import {
  type SettingItem,
  type SettingsStrings,
  type TypedSetting,
  trackerProblems,
  typedNumber,
  typedPath,
} from "../rpc/settingsPanel";
import { fillText } from "../rpc/webviewMessages";
import { type Announcer, button, liveCheckbox, selectField, textField } from "./controls";
import { element, setAttributes } from "./dom";
import { trackerList } from "./trackerList";

/** A pause in typing that means that the value is meant: every value that is set is written into settings.json. */
const TYPING_PAUSE_MS = 800;

export interface SettingFieldOptions {
  item: SettingItem;
  platform: string;
  strings: SettingsStrings;
  live: Announcer;
  /** Text that was typed and not taken before the page was made anew. */
  draft: string | undefined;
  onDraft(text: string | undefined): void;
  set(value: SettingValue): void;
  choose(): void;
}

export interface SettingField {
  readonly element: HTMLElement;
  show(item: SettingItem): void;
  /** What was set last could not be taken. */
  refuse(problem: string): void;
  focus(): void;
}

export function settingField(options: SettingFieldOptions): SettingField {
  switch (options.item.control.kind) {
    case "switch":
      return switchField(options);
    case "choice":
      return choiceField(options);
    case "trackers":
      return trackersField(options);
    default:
      return typedField(options);
  }
}

/** What a control says under itself: why the last change was refused, until another one is made, or else what is known of it. */
function remarks(item: SettingItem, live: Announcer) {
  let current = item;
  let refusal: string | undefined;
  return {
    get item() {
      return current;
    },
    get refusal() {
      return refusal;
    },
    /** Somebody has made a change: what was said of the last one is past. */
    changed() {
      refusal = undefined;
    },
    next(item: SettingItem) {
      if (!sameValue(item.value, current.value)) refusal = undefined;
      current = item;
    },
    refuse(problem: string) {
      refusal = problem;
      live.announce(problem);
    },
  };
}

/** A field whose control shows at once whatever comes. */
function shownBy(
  control: { element: HTMLElement; focus(): void },
  state: ReturnType<typeof remarks>,
  render: () => void,
): SettingField {
  return {
    element: control.element,
    show(next) {
      state.next(next);
      render();
    },
    refuse(problem) {
      state.refuse(problem);
      render();
    },
    focus: () => control.focus(),
  };
}

function switchField({ item, live, set }: SettingFieldOptions): SettingField {
  const state = remarks(item, live);
  const note = () => state.refusal ?? state.item.advice ?? state.item.hint;
  const box = liveCheckbox({
    label: item.label,
    hint: note(),
    checked: item.value === true,
    onChange(checked) {
      state.changed();
      set(checked);
    },
  });
  return shownBy(box, state, () => box.show(state.item.value === true, note()));
}

function choiceField({ item, live, set }: SettingFieldOptions): SettingField {
  const options = item.control.kind === "choice" ? item.control.options : [];
  const state = remarks(item, live);
  const note = () => {
    const { value, advice, hint } = state.item;
    const chosen = options.find((option) => option.value === value)?.hint;
    return state.refusal ?? advice ?? [chosen, hint].filter(Boolean).join(" ");
  };
  const field = selectField({
    label: item.label,
    options,
    value: String(item.value),
    hint: note(),
    onChange(value) {
      state.changed();
      set(value);
    },
  });
  return shownBy(field, state, () => field.show(String(state.item.value), note()));
}

/** A number or a path. */
function typedField(options: SettingFieldOptions): SettingField {
  const { item, platform, strings, live, draft, onDraft, set, choose } = options;
  const { control } = item;
  const isNumber = control.kind === "number";
  /** As the host said last, and what counts once it has taken what was set. */
  let told = item.value;
  let known = item.value;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const parse = (text: string): TypedSetting => (isNumber ? typedNumber(text, item.schema) : typedPath(text, platform));
  const sentence = (typed: TypedSetting): string | undefined => {
    if (!("problem" in typed)) return undefined;
    const bound = typed.problem === "tooLarge" ? item.schema.maximum : item.schema.minimum;
    return fillText(strings[typed.problem], bound ?? "");
  };

  const after =
    control.kind === "path"
      ? button({ label: strings.choose, onClick: choose })
      : element("span", { class: "unit" }, isNumber ? control.unit : "");
  // There is more than one of them: whoever hears the button alone has to know which.
  if (control.kind === "path") setAttributes(after, { "aria-label": `${strings.choose} ${item.label}` });
  const field = textField({
    label: item.label,
    hint: item.hint,
    value: draft ?? String(known),
    numeric: isNumber,
    after,
    onInput() {
      const problem = sentence(parse(field.value));
      field.setProblem(problem);
      live.announceSoon(problem);
      onDraft(field.value);
      clearTimeout(timer);
      // A folder restarts the peer: half of its path would do so too, so it counts when the field is left.
      if (isNumber) timer = setTimeout(take, TYPING_PAUSE_MS);
    },
  });
  field.setAdvice(item.advice);
  if (draft !== undefined) {
    field.setProblem(sentence(parse(draft)));
    if (isNumber) timer = setTimeout(take, TYPING_PAUSE_MS);
  }

  function take(): void {
    clearTimeout(timer);
    timer = undefined;
    const typed = parse(field.value);
    if ("problem" in typed) return;
    onDraft(undefined);
    if (sameValue(typed.value, known)) return;
    known = typed.value;
    set(typed.value);
  }
  function showText(): void {
    clearTimeout(timer);
    timer = undefined;
    onDraft(undefined);
    field.input.value = String(known);
    field.setProblem(undefined);
  }

  field.input.addEventListener("change", take);
  field.input.addEventListener("keydown", (event) => {
    if ((event as KeyboardEvent).key === "Escape") showText();
  });
  const isTyping = () => {
    const typed = parse(field.value);
    return document.activeElement === field.input && ("problem" in typed || !sameValue(typed.value, known));
  };

  return {
    element: field.element,
    show(next) {
      field.setHint(next.hint);
      field.setAdvice(next.advice);
      told = next.value;
      if (sameValue(next.value, known)) return;
      const typing = isTyping();
      known = next.value;
      if (!typing) showText();
    },
    refuse(problem) {
      known = told;
      field.setProblem(problem);
      live.announce(problem);
    },
    focus: () => field.input.focus(),
  };
}

function trackersField({ item, strings, live, set }: SettingFieldOptions): SettingField {
  const root = element("div", {});
  let known = item.value as string[];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let list = makeList();

  function makeList() {
    const made = trackerList({
      strings: { ...strings, trackers: item.label, trackersHint: item.advice ?? item.hint },
      values: known,
      live,
      onChange(field) {
        made.setProblems(trackerProblems(made.values));
        live.announceSoon(field?.remark);
        clearTimeout(timer);
        timer = setTimeout(take, TYPING_PAUSE_MS);
      },
    });
    root.replaceChildren(made.element);
    made.setProblems(trackerProblems(known));
    return made;
  }
  function take(): void {
    clearTimeout(timer);
    timer = undefined;
    const values = list.values.map((value) => value.trim());
    if (trackerProblems(values).some((problem) => problem !== undefined) || sameValue(values, known)) return;
    known = values;
    set(values);
  }
  root.addEventListener("change", take);

  return {
    element: root,
    show(next) {
      if (sameValue(next.value, known)) return;
      const typing = root.contains(document.activeElement) && !sameValue(list.values, known);
      known = next.value as string[];
      // Rows that are being typed into stay; when they are done they are what counts.
      if (!typing) list = makeList();
    },
    refuse: (problem) => live.announce(problem),
    focus: () => list.fields[0]?.focus(),
  };
}
