/** The pieces of a video as a picture: what is here, under way or missing in order, and under it how many sources have it. */
import type { PiecesView } from "../rpc/detailsPanel";
import { element } from "./dom";

/** Pixels of the page. */
const HERE_HEIGHT = 28;
const GAP = 2;
const SOURCES_HEIGHT = 8;
const HEIGHT = HERE_HEIGHT + GAP + SOURCES_HEIGHT;
/** More sources than these are as good. */
const MANY_SOURCES = 5;

export interface PieceMapPicture {
  readonly element: HTMLElement;
  show(pieces: PiecesView): void;
}

interface Cells {
  here: Uint8Array;
  fetching: Uint8Array;
  sources: Uint8Array;
}

export function pieceMapPicture(): PieceMapPicture {
  const canvas = element("canvas", { class: "piece-map", role: "img", height: HEIGHT });
  const text = element("div", { class: "note" });
  let cells: Cells | undefined;
  const draw = () => {
    if (cells) drawCells(canvas, cells);
  };
  // Its width follows the page, its colours the theme.
  new ResizeObserver(draw).observe(canvas);
  const themes = new MutationObserver(draw);
  themes.observe(document.documentElement, { attributes: true });
  themes.observe(document.body, { attributes: true });
  return {
    element: element("div", { class: "field" }, canvas, text),
    show(pieces) {
      cells = { here: bytes(pieces.here), fetching: bytes(pieces.fetching), sources: bytes(pieces.sources) };
      if (text.textContent !== pieces.text) {
        text.textContent = pieces.text;
        canvas.setAttribute("aria-label", pieces.text);
      }
      draw();
    },
  };
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function drawCells(canvas: HTMLCanvasElement, { here, fetching, sources }: Cells): void {
  const scale = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.round(HEIGHT * scale);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (!context) return;
  const style = getComputedStyle(canvas);
  const color = (name: string) => style.getPropertyValue(name).trim() || style.color;
  const colors = {
    here: color("--piece-here"),
    fetching: color("--piece-fetching"),
    missing: color("--piece-missing"),
    sources: color("--piece-sources"),
  };
  context.clearRect(0, 0, width, height);
  const upper = Math.round(HERE_HEIGHT * scale);
  const lowerTop = Math.round((HERE_HEIGHT + GAP) * scale);
  const count = here.length;
  const columns = Math.min(width, count);
  for (let column = 0; column < columns; column++) {
    // Of several cells in one column of points the picture shows how much is here, and the rarest.
    const from = Math.floor((column * count) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * count) / columns));
    let share = 0;
    let busy = false;
    let least = 255;
    for (let cell = from; cell < to; cell++) {
      share += (here[cell] ?? 0) / 255;
      busy ||= (fetching[cell] ?? 0) > 0;
      least = Math.min(least, sources[cell] ?? 0);
    }
    share /= to - from;
    const left = Math.floor((column * width) / columns);
    const size = Math.floor(((column + 1) * width) / columns) - left;
    // A hair between pieces, where there is room for one.
    const wide = size >= 4 * scale ? size - Math.round(scale) : size;
    const filled = Math.round(upper * share);
    context.fillStyle = busy ? colors.fetching : colors.missing;
    context.fillRect(left, 0, wide, upper - filled);
    context.fillStyle = colors.here;
    context.fillRect(left, upper - filled, wide, filled);
    context.fillStyle = colors.missing;
    context.fillRect(left, lowerTop, wide, height - lowerTop);
    const tall = Math.round(((height - lowerTop) * Math.min(least, MANY_SOURCES)) / MANY_SOURCES);
    context.fillStyle = colors.sources;
    context.fillRect(left, height - tall, wide, tall);
  }
}
