/**
 * The controls of Streamlet's pages, and the only file that knows @vscode/webview-ui-toolkit (archived in January 2025).
 * The toolkit gives the controls whose role sits on the element itself: buttons, check boxes, radio buttons, dividers.
 * Text fields are the browser's own, dressed with the editor's colours: the toolkit's keep their `<input>` in a shadow
 * root, where `aria-describedby` cannot reach the hint and the reason that stand outside.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDivider,
  vsCodeRadio,
  vsCodeRadioGroup,
} from "@vscode/webview-ui-toolkit";
import { element, type IconName, icon, setAttributes } from "./dom";

// Only what is used here: 95 kB minified instead of 180 kB for all of the toolkit. (The package.json beside this file counts:
// in a package that says "type": "commonjs" esbuild drops nothing of the toolkit's base library, 290 kB.)
provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDivider(),
  vsCodeRadio(),
  vsCodeRadioGroup(),
);

let lastId = 0;
function freshId(): string {
  lastId += 1;
  return `control-${lastId}`;
}

export interface TextFieldOptions {
  label: string;
  /** The label is for screen readers only, where a heading or its place says it to the eye. */
  hideLabel?: boolean;
  hint?: string;
  value: string;
  /** Several lines of text; Enter makes a new line there. */
  multiline?: boolean;
  numeric?: boolean;
  required?: boolean;
  /** A control on the field's line, after it. */
  after?: HTMLElement;
  onInput(): void;
}

export interface TextField {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement | HTMLTextAreaElement;
  readonly value: string;
  /** The problem or advice that it shows. */
  readonly remark: string | undefined;
  /** Shows why the value cannot be used, in place of the hint. */
  setProblem(text: string | undefined): void;
  /** Shows what to know about a usable value, in place of the hint; a problem goes before it. */
  setAdvice(text: string | undefined): void;
  /** What it says while there is neither problem nor advice. */
  setHint(text: string): void;
  /** Renames the field for screen readers and, unless hidden, for the eye. */
  setLabel(text: string): void;
  /** Puts the caret there with all text selected, so that typing replaces it. */
  focus(): void;
}

export function textField(options: TextFieldOptions): TextField {
  const id = freshId();
  const noteId = `${id}-note`;
  const input = options.multiline ? element("textarea", { rows: 3 }) : element("input", { type: "text" });
  setAttributes(input, {
    id,
    class: "text-input",
    "aria-describedby": noteId,
    "aria-required": options.required ? "true" : undefined,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: options.multiline ? "true" : "false",
    inputmode: options.numeric ? "numeric" : undefined,
  });
  input.value = options.value;
  input.addEventListener("input", () => options.onInput());

  const label = element("label", { for: id, class: options.hideLabel ? "for-screen-readers" : "label" }, options.label);
  const note = element("div", { id: noteId, class: "note" });
  const line = element("div", { class: "line" }, input, options.after);
  const root = element("div", { class: "field" }, label, line, note);

  let { hint } = options;
  let problem: string | undefined;
  let advice: string | undefined;
  const render = () => {
    const kind = problem !== undefined ? "problem" : advice !== undefined ? "advice" : undefined;
    const text = problem ?? advice ?? hint ?? "";
    setAttributes(input, { "aria-invalid": kind === "problem" ? "true" : undefined });
    setAttributes(root, { "data-note": kind });
    if (note.textContent === text && note.dataset.kind === kind) return;
    setAttributes(note, { "data-kind": kind });
    note.hidden = text === "";
    note.replaceChildren(...(kind ? [icon(kind)] : []), element("span", {}, text));
  };
  render();

  return {
    element: root,
    input,
    get value() {
      return input.value;
    },
    get remark() {
      return problem ?? advice;
    },
    setProblem(text) {
      problem = text;
      render();
    },
    setAdvice(text) {
      advice = text;
      render();
    },
    setHint(text) {
      hint = text;
      render();
    },
    setLabel(text) {
      label.textContent = text;
    },
    focus() {
      input.focus();
      input.select();
    },
  };
}

/**
 * Puts the caret into `field` now or, while the person is elsewhere in the editor (a page may take a moment to load), as
 * soon as the page gets the focus: a page that takes it closes the command palette that somebody is typing into.
 */
export function focusWhenActive(field: TextField): void {
  if (document.hasFocus()) field.focus();
  else window.addEventListener("focus", () => field.focus(), { once: true });
}

export interface ButtonOptions {
  label: string;
  kind?: "primary" | "secondary" | "icon";
  icon?: IconName;
  onClick(): void;
}

/** An icon button shows its label as a tooltip and says it to screen readers. */
export function button(options: ButtonOptions): HTMLElement {
  const kind = options.kind ?? "secondary";
  const node = document.createElement("vscode-button");
  setAttributes(node, { appearance: kind });
  if (options.icon) node.append(wrapIcon(options.icon, kind === "icon" ? undefined : "start"));
  if (kind === "icon") setAttributes(node, { "aria-label": options.label, title: options.label });
  else node.append(options.label);
  node.addEventListener("click", () => options.onClick());
  return node;
}

function wrapIcon(name: IconName, slot: string | undefined): HTMLElement {
  return element("span", { slot }, icon(name));
}

/** Gives an icon button another icon. */
export function setButtonIcon(node: HTMLElement, name: IconName): void {
  node.replaceChildren(wrapIcon(name, undefined));
}

export function setButtonLabel(node: HTMLElement, label: string): void {
  if (node.hasAttribute("aria-label")) setAttributes(node, { "aria-label": label, title: label });
  else node.lastChild?.replaceWith(label);
}

export interface CheckboxOptions {
  label: string;
  hint: string;
  checked: boolean;
  onChange(checked: boolean): void;
}

export function checkbox(options: CheckboxOptions): HTMLElement {
  return liveCheckbox(options).element;
}

/** A control whose value also changes from elsewhere while it is shown. */
export interface LiveControl<Value> {
  readonly element: HTMLElement;
  /** Takes the value without telling `onChange`. */
  show(value: Value, hint: string): void;
  focus(): void;
}

export function liveCheckbox(options: CheckboxOptions): LiveControl<boolean> {
  const noteId = freshId();
  const node = document.createElement("vscode-checkbox") as HTMLElement & { checked: boolean };
  const note = element("div", { id: noteId, class: "note" }, options.hint);
  setAttributes(node, { "aria-describedby": noteId });
  node.append(options.label);
  node.checked = options.checked;
  let shown = options.checked;
  // The toolkit says `change` also when the page itself sets `checked`.
  node.addEventListener("change", () => {
    if (node.checked === shown) return;
    shown = node.checked;
    options.onChange(shown);
  });
  return {
    element: element("div", { class: "choice" }, node, note),
    show(checked, hint) {
      shown = checked;
      node.checked = checked;
      note.textContent = hint;
    },
    focus: () => node.focus(),
  };
}

export interface SelectOptions {
  label: string;
  options: readonly { value: string; label: string }[];
  value: string;
  hint: string;
  onChange(value: string): void;
}

/** One choice of a few in one line: the browser's own, so that label, hint and keys are what screen readers know. */
export function selectField(options: SelectOptions): LiveControl<string> {
  const id = freshId();
  const noteId = `${id}-note`;
  const select = element(
    "select",
    { id, class: "text-input", "aria-describedby": noteId },
    ...options.options.map(({ value, label }) => element("option", { value }, label)),
  );
  select.value = options.value;
  select.addEventListener("change", () => options.onChange(select.value));
  const note = element("div", { id: noteId, class: "note" }, options.hint);
  return {
    element: element(
      "div",
      { class: "field" },
      element("label", { for: id, class: "label" }, options.label),
      element("div", { class: "line" }, select),
      note,
    ),
    show(value, hint) {
      select.value = value;
      note.textContent = hint;
    },
    focus: () => select.focus(),
  };
}

export interface RadioOption<Value extends string> {
  value: Value;
  label: string;
  /** An element where it changes later. */
  hint: string | HTMLElement;
}

export interface RadioGroupOptions<Value extends string> {
  label: string;
  options: readonly RadioOption<Value>[];
  value: Value;
  onChange(value: Value): void;
}

/** One choice of a few, each with one line that explains it; arrow keys move the choice. */
export function radioGroup<Value extends string>(options: RadioGroupOptions<Value>): HTMLElement {
  const labelId = freshId();
  const group = document.createElement("vscode-radio-group") as HTMLElement & { value: string };
  setAttributes(group, { orientation: "vertical", "aria-labelledby": labelId, name: labelId });
  for (const option of options.options) {
    const noteId = freshId();
    const radio = document.createElement("vscode-radio");
    setAttributes(radio, { value: option.value, "aria-describedby": noteId });
    radio.append(option.label);
    group.append(radio, element("div", { id: noteId, class: "note" }, option.hint));
  }
  setAttributes(group, { value: options.value });
  group.addEventListener("change", () => {
    const chosen = options.options.find((option) => option.value === group.value);
    if (chosen) options.onChange(chosen.value);
  });
  return element("div", { class: "field" }, element("span", { id: labelId, class: "label" }, options.label), group);
}

export function divider(): HTMLElement {
  return document.createElement("vscode-divider");
}

/** Long enough that a screen reader is not interrupted at every key, short enough to belong to what was typed. */
const ANNOUNCE_DELAY_MS = 700;
/** A region that is emptied and filled in one turn of the event loop counts as unchanged. */
const ANNOUNCE_GAP_MS = 50;

export interface Announcer {
  readonly element: HTMLElement;
  /** Says the text once typing pauses; a newer text replaces one that was not yet said, `undefined` takes it back. */
  announceSoon(text: string | undefined): void;
  announce(text: string): void;
}

/** A polite live region: it says to a screen reader what changes on the page away from the focus. */
export function announcer(): Announcer {
  const region = element("div", { role: "status", class: "for-screen-readers" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (text: string) => {
    clearTimeout(timer);
    region.textContent = "";
    timer = setTimeout(() => {
      region.textContent = text;
    }, ANNOUNCE_GAP_MS);
  };
  return {
    element: region,
    announce: say,
    announceSoon(text) {
      clearTimeout(timer);
      if (text !== undefined) timer = setTimeout(() => say(text), ANNOUNCE_DELAY_MS);
    },
  };
}

export interface FormOptions {
  /** Enter in a one-line field, Ctrl+Enter or Cmd+Enter anywhere. */
  onSubmit(): void;
  /** Escape. */
  onCancel(): void;
}

/** The keys of a form. Controls that use a key themselves (a button its Enter) keep it. */
export function handleFormKeys(options: FormOptions): void {
  document.addEventListener("keydown", (event) => {
    // While an input method composes, Enter and Escape belong to it.
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === "Escape") {
      event.preventDefault();
      options.onCancel();
      return;
    }
    if (event.key !== "Enter" || event.repeat) return;
    const target = event.target instanceof HTMLElement ? event.target.tagName : "";
    const takesEnter = target === "VSCODE-BUTTON" || target === "TEXTAREA";
    if (takesEnter && !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    options.onSubmit();
  });
}
