/** The place of a video's picture on a form. */
import { element, icon, setAttributes } from "./dom";
import { dataUrl, type Picture } from "./videoFrame";

export interface Preview {
  readonly element: HTMLElement;
  /** What it shows; undefined for the placeholder. */
  readonly picture: Picture | undefined;
  show(picture: Picture | undefined): void;
}

/** @param label what it is a picture of, for screen readers and as a tooltip; `none` says that there is none */
export function previewBox(label: string, none: string): Preview {
  const image = element("img", { alt: "", draggable: "false" });
  const placeholder = element("span", { class: "placeholder" }, icon("film"));
  const box = element("div", { class: "preview", role: "img" }, placeholder, image);
  let shown: Picture | undefined;
  const preview: Preview = {
    element: box,
    get picture() {
      return shown;
    },
    show(picture) {
      shown = picture;
      if (picture) image.src = dataUrl(picture);
      image.hidden = picture === undefined;
      placeholder.hidden = picture !== undefined;
      const text = picture ? label : none;
      setAttributes(box, { "aria-label": text, title: text });
    },
  };
  preview.show(undefined);
  return preview;
}
