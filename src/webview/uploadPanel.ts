import "./page.css";
import "./videoForm.css";
import {
  type FromUploadPage,
  heightOf,
  type ShowUploadMessage,
  type ToUploadPage,
  toDescription,
  toTitle,
  UPLOAD_AUDIENCES,
  UPLOAD_FORMS,
  type UploadAudience,
  type UploadFile,
  type UploadForm,
  validateDescription,
  validateTitle,
} from "../rpc/uploadPanel";
import { fillText } from "../rpc/webviewMessages";
import {
  announcer,
  button,
  checkbox,
  divider,
  focusWhenActive,
  handleFormKeys,
  radioGroup,
  setButtonLabel,
  type TextField,
  textField,
} from "./controls";
import { element } from "./dom";
import { connectToHost } from "./host";
import { type Preview, previewBox } from "./preview";
import { previewOf } from "./videoFrame";

/** What outlives a hidden page. */
interface SavedForm {
  /** By path. */
  texts: Record<string, { title: string; description: string }>;
  audience: UploadAudience;
  share: boolean;
  form: UploadForm;
}

interface FileCard {
  file: UploadFile;
  element: HTMLElement;
  facts: HTMLElement;
  preview: Preview;
  removeButton: HTMLElement;
  title: TextField;
  description: TextField;
}

const host = connectToHost<ToUploadPage, FromUploadPage, SavedForm>({
  show(message) {
    form ??= makeForm(message);
    form.setFiles(message.files);
    form.setForms(message.forms);
  },
  facts({ path, facts, forms }) {
    const card = form?.cards.find((candidate) => candidate.file.path === path);
    if (card) card.facts.textContent = facts;
    form?.setForms(forms);
  },
  preview({ path, picture }) {
    form?.cards.find((candidate) => candidate.file.path === path)?.preview.show(picture);
  },
});

interface Form {
  readonly cards: readonly FileCard[];
  setFiles(files: UploadFile[]): void;
  setForms(forms: ShowUploadMessage["forms"]): void;
}

let form: Form | undefined;

/** Pictures are made one after another: a form may have 200 files. Nothing waits for them. */
let pictures: Promise<unknown> = Promise.resolve();

function makePreview(file: UploadFile, preview: Preview): void {
  pictures = pictures
    .then(() => (file.uri ? previewOf(file.uri) : Promise.reject(new Error("too large"))))
    .then(
      (picture) => preview.show(picture),
      () => host.send({ type: "noPreview", path: file.path }),
    );
}

function makeForm({ strings, forms }: ShowUploadMessage): Form {
  const saved: SavedForm = { texts: {}, audience: "everyone", share: true, form: "original", ...host.state };
  const cards: FileCard[] = [];
  const formHints = Object.fromEntries(UPLOAD_FORMS.map((value) => [value, element("span")])) as Record<
    UploadForm,
    HTMLElement
  >;
  const live = announcer();
  const heading = element("h1");
  const list = element("div", { class: "cards" });
  const uploadButton = button({ label: strings.uploadOne, kind: "primary", onClick: submit });

  function makeCard(file: UploadFile): FileCard {
    const text = saved.texts[file.path] ?? { title: file.title, description: "" };
    const title = textField({
      label: strings.title,
      value: text.title,
      required: true,
      onInput: () => onEdit(title),
    });
    const description = textField({
      label: strings.description,
      value: text.description,
      multiline: true,
      onInput: () => onEdit(description),
    });
    const removeButton = button({
      label: fillText(strings.removeFile, file.fileName),
      kind: "icon",
      icon: "remove",
      onClick: () => removeFile(card),
    });
    const facts = element("span", { class: "note" }, file.facts);
    const preview = previewBox(file.fileName, strings.noPreview);
    const card: FileCard = {
      file,
      title,
      description,
      facts,
      preview,
      removeButton,
      element: element(
        "section",
        { class: "card", "aria-label": file.fileName },
        element(
          "div",
          { class: "line file" },
          element(
            "div",
            { class: "names" },
            element("span", { class: "file-name", title: file.path }, file.fileName),
            facts,
          ),
          removeButton,
        ),
        element(
          "div",
          { class: "video" },
          preview.element,
          element("div", { class: "words" }, title.element, description.element),
        ),
      ),
    };
    makePreview(file, preview);
    return card;
  }

  function setFiles(files: UploadFile[]): void {
    const first = cards.length === 0;
    const known = new Map(cards.map((card) => [card.file.path, card]));
    const added = files.filter((file) => !known.has(file.path));
    cards.splice(0, cards.length, ...files.map((file) => known.get(file.path) ?? makeCard(file)));
    for (const [index, { facts }] of files.entries()) cards[index]!.facts.textContent = facts;
    render();
    const target = cards.find((card) => card.file.path === added[0]?.path);
    if (!target) return;
    if (!first) live.announce(fillText(strings.filesAdded, added.length));
    focusWhenActive(target.title);
  }

  function render(): void {
    const many = cards.length > 1;
    heading.textContent = many ? fillText(strings.headingMany, cards.length) : strings.headingOne;
    setButtonLabel(uploadButton, many ? fillText(strings.uploadMany, cards.length) : strings.uploadOne);
    for (const card of cards) card.removeButton.toggleAttribute("hidden", !many);
    list.replaceChildren(...cards.map((card) => card.element));
    validate();
  }

  function removeFile(card: FileCard): void {
    const index = cards.indexOf(card);
    cards.splice(index, 1);
    host.send({ type: "removeFile", path: card.file.path });
    render();
    save();
    live.announce(fillText(strings.fileRemoved, card.file.fileName));
    // The focus was on the button that is gone.
    cards[Math.min(index, cards.length - 1)]?.title.input.focus();
  }

  /** Shows what is wrong; the answer is the first field that cannot be used. */
  function validate(): TextField | undefined {
    for (const { title, description } of cards) {
      const titleProblem = validateTitle(title.value);
      const descriptionProblem = validateDescription(description.value);
      title.setProblem(titleProblem && strings[titleProblem]);
      description.setProblem(descriptionProblem && strings[descriptionProblem]);
    }
    return cards.flatMap((card) => [card.title, card.description]).find((field) => field.remark !== undefined);
  }

  function onEdit(field: TextField): void {
    validate();
    live.announceSoon(field.remark);
    save();
  }

  function save(): void {
    saved.texts = Object.fromEntries(
      cards.map((card) => [card.file.path, { title: card.title.value, description: card.description.value }]),
    );
    host.saveState(saved);
  }

  function submit(): void {
    const first = validate();
    if (first) {
      first.focus();
      return;
    }
    const { audience, share } = saved;
    const optimise = forms ? heightOf(saved.form) : undefined;
    host.send({
      type: "submit",
      choices: cards.map((card) => ({
        path: card.file.path,
        title: toTitle(card.title.value),
        description: toDescription(card.description.value),
        audience,
        share,
        ...(card.preview.picture ? { thumbnail: card.preview.picture.data } : {}),
        ...(optimise ? { optimise } : {}),
      })),
    });
  }

  function cancel(): void {
    host.send({ type: "cancel" });
  }

  document.body.replaceChildren(
    element(
      "main",
      {},
      heading,
      element("p", { class: "intro" }, strings.intro),
      list,
      divider(),
      forms &&
        radioGroup({
          label: strings.form,
          options: UPLOAD_FORMS.map((value) => ({ value, label: strings[value], hint: formHints[value] })),
          value: saved.form,
          onChange(value) {
            saved.form = value;
            save();
          },
        }),
      radioGroup({
        label: strings.audience,
        options: UPLOAD_AUDIENCES.map((value) => ({ value, label: strings[value], hint: strings[`${value}Hint`] })),
        value: saved.audience,
        onChange(audience) {
          saved.audience = audience;
          save();
        },
      }),
      checkbox({
        label: strings.share,
        hint: strings.shareHint,
        checked: saved.share,
        onChange(share) {
          saved.share = share;
          save();
        },
      }),
      element("div", { class: "actions" }, uploadButton, button({ label: strings.cancel, onClick: cancel })),
      live.element,
    ),
  );
  handleFormKeys({ onSubmit: submit, onCancel: cancel });
  return {
    cards,
    setFiles,
    setForms(texts) {
      for (const value of UPLOAD_FORMS) formHints[value].textContent = texts?.[value] ?? "";
    },
  };
}

host.send({ type: "ready" });
