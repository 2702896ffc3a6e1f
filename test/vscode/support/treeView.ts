import type { Locator, Page } from "playwright-core";
import { exactly } from "./text";
import { until } from "./until";

/** A row of a tree view as the screen shows it. */
export interface TreeRow {
  label: string;
  description: string;
  /** 1 for the outermost rows. */
  level: number;
  /** Undefined for a row without children. */
  expanded: boolean | undefined;
  /** What a screen reader says. */
  spoken: string;
}

/** A tree view in the side bar. */
export class TreeView {
  constructor(
    private readonly page: Page,
    readonly title: string,
  ) {}

  /** The view with its header. */
  get pane(): Locator {
    return this.page.locator(".part.sidebar .pane").filter({
      has: this.page.locator(`.pane-header[aria-label^="${this.title}"]`),
    });
  }

  /** Unfolds the view if it is folded. */
  async expandView(): Promise<void> {
    const header = this.pane.locator(".pane-header").first();
    if ((await header.getAttribute("aria-expanded")) === "false") await header.click();
  }

  /** What the rows show, in order. Rows outside the visible part of a long list are not drawn, hence not listed. */
  async rows(): Promise<TreeRow[]> {
    return this.pane.locator(".monaco-list-row[role=treeitem]").evaluateAll((rows) =>
      rows
        .map((row) => ({
          top: Number.parseFloat((row as unknown as { style: { top: string } }).style.top || "0"),
          label: row.querySelector(".label-name")?.textContent?.trim() ?? "",
          description: row.querySelector(".label-description")?.textContent?.trim() ?? "",
          level: Number(row.getAttribute("aria-level") ?? "1"),
          expanded: row.hasAttribute("aria-expanded") ? row.getAttribute("aria-expanded") === "true" : undefined,
          spoken: row.getAttribute("aria-label") ?? "",
        }))
        .sort((a, b) => a.top - b.top)
        .map(({ top: _, ...row }) => row),
    );
  }

  /** Waits until the rows satisfy `rule` and returns them. */
  async untilRows(rule: (rows: TreeRow[]) => boolean, what: string, timeoutMs?: number): Promise<TreeRow[]> {
    let last: TreeRow[] = [];
    const describe = () => `${what}; ${this.title} shows ${JSON.stringify(last.map((r) => [r.label, r.description]))}`;
    return until(
      async () => {
        last = await this.rows();
        return rule(last) ? last : undefined;
      },
      describe,
      timeoutMs,
    );
  }

  /** The row whose label is `label`. */
  row(label: string): Locator {
    return this.pane
      .locator(".monaco-list-row[role=treeitem]")
      .filter({ has: this.page.locator(".label-name", { hasText: exactly(label) }) })
      .first();
  }

  /** Unfolds the row `label`. */
  async expand(label: string): Promise<void> {
    const row = this.row(label);
    await row.waitFor();
    if ((await row.getAttribute("aria-expanded")) === "false") await row.locator(".monaco-tl-twistie").click();
  }

  /** Presses a button that the row shows when the mouse is over it. `title` may be the beginning of its name. */
  async inlineAction(label: string, title: string): Promise<void> {
    const row = this.row(label);
    await row.hover();
    await row.locator(`.actions .action-label[aria-label^="${title}"]`).click();
  }

  /** Names of the buttons that the row shows when the mouse is over it. */
  async inlineActions(label: string): Promise<string[]> {
    const row = this.row(label);
    await row.hover();
    const buttons = row.locator(".actions .action-label");
    await buttons.first().waitFor();
    return buttons.evaluateAll((all) => all.map((button) => button.getAttribute("aria-label") ?? ""));
  }

  /** Opens the row's context menu; `Workbench.pickMenu` chooses from it. */
  async openMenu(label: string): Promise<void> {
    await this.row(label).click({ button: "right" });
    await this.page.locator(".monaco-menu").first().waitFor();
  }

  /** Presses a button of the view's title bar. `title` may be the beginning of its name. */
  async titleAction(title: string): Promise<void> {
    await this.pane.locator(".pane-header").first().hover();
    await this.pane.locator(`.pane-header .actions .action-label[aria-label^="${title}"]`).first().click();
  }

  /** Opens the "..." menu of the view's title bar; `Workbench.pickMenu` chooses from it. */
  async openTitleMenu(): Promise<void> {
    await this.pane.locator(".pane-header").first().hover();
    await this.pane.locator(".pane-header .actions .action-label.codicon-toolbar-more").first().click();
    await this.page.locator(".monaco-menu").first().waitFor();
  }

  /** The text that an empty view shows. */
  welcome(): Locator {
    return this.pane.locator(".welcome-view-content");
  }

  /** Presses a button of the text that an empty view shows. */
  async welcomeButton(title: string): Promise<void> {
    await this.welcome().locator(".monaco-button", { hasText: title }).first().click();
  }

  /** The hover over a row, as text. */
  async tooltip(label: string): Promise<string> {
    // A hover opens when the mouse comes, not when it is there already.
    await this.page.mouse.move(0, 0);
    await this.row(label).locator(".label-name").hover();
    const hover = this.page.locator(".monaco-hover:visible, .workbench-hover:visible").first();
    await hover.waitFor();
    return (await hover.textContent()) ?? "";
  }
}
