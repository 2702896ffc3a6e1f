/** Attributes of an element: `true` sets an empty attribute, `false` and `undefined` leave it out. */
type Attributes = Record<string, string | number | boolean | undefined>;

/** Makes an element. Text always becomes text nodes, never markup: names and titles come from strangers. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string | undefined)[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  for (const child of children) if (child !== undefined) node.append(child);
  return node;
}

export function setAttributes(node: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Outlines on a 16 by 16 grid, drawn with the text's colour, so they are right in every theme. */
const ICONS = {
  add: "M8 3v10M3 8h10",
  remove: "M4 4l8 8M12 4l-8 8",
  done: "M3 8.5l3.5 3.5L13 4.5",
  film: "M2 3h12v10H2zM2 5.5h12M2 10.5h12M5 3v2.5M8 3v2.5M11 3v2.5M5 10.5V13M8 10.5V13M11 10.5V13",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  reset: "M3 2.5v4h4M3.2 6.3a5.2 5.2 0 1 1-.4 3.2",
  problem: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4.5v4.5M8 10.5v1.2",
  skipped: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5 8h6",
  video: "M1.5 3.5h9v9h-9zM10.5 7l4-2.5v7l-4-2.5",
  waiting: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4.5V8l2.5 1.5",
  locked: "M3.5 7h9v6.5h-9zM5.5 7V4.8a2.5 2.5 0 0 1 5 0V7",
  down: "M8 3v10M4 9l4 4 4-4",
  advice: "M8 2L1.5 13.5h13zM8 6v4M8 11.2v1.1",
} as const;

export type IconName = keyof typeof ICONS;

/** Decoration only: the control or the text beside it says the same to a screen reader. */
export function icon(name: IconName): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  setAttributes(svg, { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" });
  const path = document.createElementNS(namespace, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
