import type { Locator } from "playwright-core";

/** Contrast of an element's text with the nearest background behind it (WCAG 2.2, "contrast ratio"). */
export function contrastOf(element: Locator): Promise<number> {
  return element.evaluate((node) => {
    const view = node.ownerDocument.defaultView as unknown as { getComputedStyle(n: unknown): Record<string, string> };
    const parse = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const layers: number[][] = [];
    for (let at: typeof node | null = node; at; at = at.parentElement) {
      layers.push(parse(view.getComputedStyle(at).backgroundColor ?? ""));
    }
    const over = (top: number[], below: number[]) => {
      const alpha = top[3] ?? 1;
      return [0, 1, 2].map((channel) => (top[channel] ?? 0) * alpha + (below[channel] ?? 0) * (1 - alpha));
    };
    const background = layers.reduceRight((below, top) => over(top, below), [0, 0, 0]);
    const color = over(parse(view.getComputedStyle(node).color ?? ""), background);
    const luminance = (rgb: number[]) => {
      const [r = 0, g = 0, b = 0] = rgb.map((value) => {
        const share = value / 255;
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [light = 0, dark = 0] = [luminance(color), luminance(background)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  });
}
