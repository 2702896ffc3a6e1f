import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Frame } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  id: string;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** What axe finds wrong with a page as it stands, one text per rule; evaluated from outside, so the page's policy stays as it is. */
export async function violationsOf(page: Frame): Promise<string[]> {
  await page.evaluate(AXE);
  const violations = await page.evaluate<Violation[]>("axe.run(document).then((results) => results.violations)");
  return violations.map(({ id, help, nodes }) => {
    const where = nodes.map(({ html, failureSummary = "" }) => `  ${html.slice(0, 160)} ${failureSummary}`);
    return [`${id}: ${help}`, ...where].join("\n");
  });
}
