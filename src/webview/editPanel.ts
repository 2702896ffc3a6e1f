import "./page.css";
import "./videoForm.css";
import type { EditDraft, FromEditPage, ShowEditMessage, ToEditPage } from "../rpc/editPanel";
import { toDescription, toTitle, validateDescription, validateTitle } from "../rpc/uploadPanel";
import { announcer, button, divider, focusWhenActive, handleFormKeys, type TextField, textField } from "./controls";
import { element, icon } from "./dom";
import { framePicker } from "./framePicker";
import { connectToHost } from "./host";
import { previewBox } from "./preview";
import type { Picture } from "./videoFrame";

/** What outlives a hidden page. */
interface SavedForm {
  draft: EditDraft;
  /** What the person has before their eyes as the present state. */
  was: EditDraft;
  picture?: Picture;
}

const host = connectToHost<ToEditPage, FromEditPage, SavedForm>({
  show(message) {
    form ??= makeForm(message);
    form.setPresent(message.draft);
  },
  changed: ({ draft }) => form?.setPresent(draft),
  refused: ({ text }) => form?.setRefusal(text),
});

let form: { setPresent(draft: EditDraft): void; setRefusal(text: string): void } | undefined;

function makeForm({ strings, draft, fileName, facts, picture, uri }: ShowEditMessage): NonNullable<typeof form> {
  const saved: SavedForm = host.state ?? { draft, was: draft };
  const live = announcer();
  const title = textField({
    label: strings.title,
    value: saved.draft.title,
    required: true,
    onInput: () => onEdit(title),
  });
  const description = textField({
    label: strings.description,
    value: saved.draft.description,
    multiline: true,
    onInput: () => onEdit(description),
  });
  const preview = previewBox(strings.picture, strings.noPicture);
  preview.show(saved.picture ?? picture);
  const frames = uri
    ? framePicker({
        uri,
        strings,
        onPick(frame) {
          saved.picture = frame;
          preview.show(frame);
          save();
        },
        announce: (text) => live.announce(text),
      })
    : undefined;
  const notice = element("div", { class: "notice", hidden: true });
  const refusal = element("p", { class: "note", "data-kind": "problem", hidden: true });

  function validate(): TextField | undefined {
    const titleProblem = validateTitle(title.value);
    const descriptionProblem = validateDescription(description.value);
    title.setProblem(titleProblem && strings[titleProblem]);
    description.setProblem(descriptionProblem && strings[descriptionProblem]);
    return [title, description].find((field) => field.remark !== undefined);
  }

  function onEdit(field: TextField): void {
    validate();
    live.announceSoon(field.remark);
    save();
  }

  function save(): void {
    saved.draft = { title: title.value, description: description.value };
    host.saveState(saved);
  }

  function submit(): void {
    const first = validate();
    if (first) {
      first.focus();
      return;
    }
    refusal.hidden = true;
    host.send({
      type: "submit",
      edit: {
        title: toTitle(title.value),
        description: toDescription(description.value),
        ...(saved.picture ? { thumbnail: saved.picture.data } : {}),
        was: saved.was,
      },
    });
  }

  function cancel(): void {
    host.send({ type: "cancel" });
  }

  /** The video as it is now: where it is not what the person began with, they see it before they replace it. */
  function setPresent(present: EditDraft): void {
    const { was } = saved;
    if (present.title === was.title && present.description === was.description) return;
    saved.was = present;
    save();
    notice.replaceChildren(
      element("div", { class: "note", "data-kind": "advice" }, icon("advice"), strings.changedMeanwhile),
      element(
        "blockquote",
        {},
        element("strong", {}, present.title),
        element("div", {}, present.description || strings.noDescription),
      ),
      button({
        label: strings.takeTheirs,
        onClick() {
          title.input.value = present.title;
          description.input.value = present.description;
          notice.hidden = true;
          validate();
          save();
          title.focus();
        },
      }),
    );
    notice.hidden = false;
    live.announce(`${strings.changedMeanwhile} ${present.title}`);
  }

  document.body.replaceChildren(
    element(
      "main",
      {},
      element("h1", {}, strings.heading),
      element("p", { class: "intro" }, strings.intro),
      notice,
      element(
        "section",
        { class: "sheet", "aria-label": fileName },
        element(
          "div",
          { class: "names" },
          element("span", { class: "file-name" }, fileName),
          element("span", { class: "note" }, facts),
        ),
        element(
          "div",
          { class: "video" },
          element("div", { class: "frame" }, preview.element, frames),
          element("div", { class: "words" }, title.element, description.element),
        ),
      ),
      divider(),
      element(
        "div",
        { class: "facts" },
        element("span", { class: "label" }, strings.audience),
        element("span", { class: "note" }, strings.audienceHint),
      ),
      refusal,
      element(
        "div",
        { class: "actions" },
        button({ label: strings.save, kind: "primary", onClick: submit }),
        button({ label: strings.cancel, onClick: cancel }),
      ),
      live.element,
    ),
  );
  handleFormKeys({ onSubmit: submit, onCancel: cancel });
  focusWhenActive(title);
  return {
    setPresent,
    setRefusal(text) {
      refusal.replaceChildren(icon("problem"), element("span", {}, text));
      refusal.hidden = false;
      live.announce(text);
    },
  };
}

host.send({ type: "ready" });
