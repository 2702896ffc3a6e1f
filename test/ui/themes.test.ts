import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PAGES = "src/webview";
/** Not colours, or borders that only high contrast themes have, which no palette of ours replaces. */
const NOT_OURS = /^--vscode-(contrast\w*|cornerRadius-\w+|font-\w+|editor-font-\w+)$/;
/** WCAG 2.2, 1.4.3: text. */
const TEXT = 4.5;
/** 1.4.11: what shows where a control is, and which one has the focus. */
const SIGN = 3;

/** Name and value of every variable that the palette of `theme` sets. */
function palette(theme: "light" | "dark"): Map<string, string> {
  const css = readFileSync(join(PAGES, "themes.css"), "utf8");
  const rule = new RegExp(`data-theme="${theme}"\\] body[^{]*\\{([^}]*)\\}`).exec(css)?.[1] ?? "";
  return new Map([...rule.matchAll(/(--vscode-[\w-]+): (#\w+);/g)].map(([, name = "", value = ""]) => [name, value]));
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const onPage = ["editor-background", "editorWidget-background", "sideBar-background", "panel-background"];

const TEXTS: [text: string, grounds: string[]][] = [
  ["foreground", [...onPage, "list-hoverBackground", "textCodeBlock-background"]],
  ["editor-foreground", onPage],
  ["descriptionForeground", [...onPage, "list-hoverBackground"]],
  ["errorForeground", onPage],
  ["textLink-foreground", onPage],
  ["textLink-activeForeground", onPage],
  ["textPreformat-foreground", ["textPreformat-background"]],
  ["input-foreground", ["input-background", "settings-textInputBackground"]],
  ["input-placeholderForeground", ["input-background"]],
  ["inputOption-activeForeground", ["inputOption-activeBackground"]],
  ["inputValidation-errorForeground", ["inputValidation-errorBackground"]],
  ["inputValidation-warningForeground", ["inputValidation-warningBackground"]],
  ["inputValidation-infoForeground", ["inputValidation-infoBackground"]],
  ["dropdown-foreground", ["dropdown-background", "dropdown-listBackground", "settings-dropdownBackground"]],
  ["button-foreground", ["button-background", "button-hoverBackground"]],
  ["button-secondaryForeground", ["button-secondaryBackground", "button-secondaryHoverBackground"]],
  ["badge-foreground", ["badge-background"]],
  ["list-hoverForeground", ["list-hoverBackground"]],
  ["list-activeSelectionForeground", ["list-activeSelectionBackground"]],
  ["list-inactiveSelectionForeground", ["list-inactiveSelectionBackground"]],
  ["panelTitle-activeForeground", ["panel-background"]],
  ["panelTitle-inactiveForeground", ["panel-background"]],
];

const SIGNS: [sign: string, grounds: string[]][] = [
  ["input-border", [...onPage, "input-background"]],
  ["settings-textInputBorder", onPage],
  ["dropdown-border", [...onPage, "dropdown-background"]],
  ["checkbox-border", [...onPage, "checkbox-background"]],
  ["checkbox-foreground", ["checkbox-background"]],
  ["focusBorder", [...onPage, "input-background", "list-hoverBackground"]],
  ["icon-foreground", [...onPage, "toolbar-hoverBackground"]],
  ["button-secondaryBorder", onPage],
  ["button-border", onPage],
  ["progressBar-background", onPage],
  ["editorError-foreground", onPage],
  ["editorWarning-foreground", onPage],
  ["editorInfo-foreground", onPage],
  ["testing-iconPassed", onPage],
  ["testing-iconFailed", onPage],
  ...["red", "blue", "yellow", "orange", "green", "purple"].map((hue): [string, string[]] => [`charts-${hue}`, onPage]),
];

describe("light and dark pages", () => {
  it("set the same colours", () => {
    assert.deepEqual([...palette("light").keys()].sort(), [...palette("dark").keys()].sort());
    assert.ok(palette("light").size > 50);
  });

  it("set every colour that a page or the toolkit takes from the editor", () => {
    const sources = readdirSync(PAGES).filter((name) => /\.(css|ts)$/.test(name) && name !== "themes.css");
    const toolkit = "node_modules/@vscode/webview-ui-toolkit/dist/design-tokens.js";
    const set = palette("dark");
    for (const file of [...sources.map((name) => join(PAGES, name)), toolkit]) {
      for (const [name] of readFileSync(file, "utf8").matchAll(/--vscode-[\w-]+/g)) {
        assert.ok(set.has(name) || NOT_OURS.test(name), `${name} of ${file} is not in themes.css`);
      }
    }
  });

  for (const theme of ["light", "dark"] as const) {
    it(`can be read in ${theme}: text 4.5 to 1, borders of controls, focus and signs 3 to 1`, () => {
      const colors = palette(theme);
      const color = (name: string) => colors.get(`--vscode-${name}`) ?? assert.fail(`${name} is not set`);
      const measured = [
        ...TEXTS.map((rule) => [...rule, TEXT] as const),
        ...SIGNS.map((rule) => [...rule, SIGN] as const),
      ];
      for (const [name, grounds, needed] of measured) {
        for (const ground of grounds) {
          const found = contrast(color(name), color(ground));
          assert.ok(found >= needed, `${name} ${color(name)} on ${ground} ${color(ground)}: ${found.toFixed(2)}`);
        }
      }
    });
  }
});
