import { existsSync, mkdirSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Frame, Locator, Page } from "playwright-core";
import { exactly } from "./text";
import { TreeView } from "./treeView";
import { until } from "./until";

/** A window of VS Code on a loaded machine: 5 to 8 s when nothing else runs. */
const WINDOW_TIMEOUT_MS = 90_000;
/** Anything that VS Code draws in answer to a key or a click. */
export const UI_TIMEOUT_MS = 20_000;
const APPEAR_MS = 1_500;
/** How far the simple file dialog is behind the keys; it shows no sign of having caught up. */
const DIALOG_FOLLOWS_MS = 700;
/** Longer than the workbench waits before it writes its state (`Storage.DEFAULT_FLUSH_DELAY`: 100 ms), by the same page's clock. */
const STATE_DELAY_MS = 150;
const STATE_DATABASE = "vscode-web-state-db-global";
const SCREENSHOT_DIR = resolve("out/screenshots");

/** One window of VS Code, driven as a person does: keys, clicks, and what the screen shows. */
export class Workbench {
  constructor(readonly page: Page) {
    page.setDefaultTimeout(UI_TIMEOUT_MS);
  }

  /** Waits until the window is drawn and its extension host runs. */
  async ready(): Promise<void> {
    await this.page
      .locator(".monaco-workbench .part.statusbar .statusbar-item")
      .first()
      .waitFor({ timeout: WINDOW_TIMEOUT_MS });
    await this.page
      .locator(".monaco-workbench .activitybar .action-item")
      .first()
      .waitFor({ timeout: WINDOW_TIMEOUT_MS });
  }

  /** Reloads the window, as "Developer: Reload Window" does. */
  async reload(): Promise<void> {
    await this.stateStored();
    await this.page.reload();
    await this.ready();
  }

  /** Closes the window; its extensions' `deactivate()` runs. */
  async close(): Promise<void> {
    await this.stateStored();
    await this.page.close();
  }

  /**
   * Waits until what extensions have put into `globalState` is on disk. In a browser the workbench writes a tenth of a second after
   * the last change, and what has not been written when its page goes is lost; a desktop VS Code writes it then.
   */
  private async stateStored(): Promise<void> {
    await this.page.evaluate(`(async () => {
      await new Promise((resolve) => setTimeout(resolve, ${STATE_DELAY_MS}));
      const opening = indexedDB.open("${STATE_DATABASE}");
      await new Promise((resolve) => { opening.onsuccess = opening.onerror = resolve; });
      const database = opening.result;
      const behind = database.transaction(database.objectStoreNames, "readwrite");
      await new Promise((resolve) => { behind.oncomplete = resolve; behind.commit(); });
      database.close();
    })()`);
  }

  // Commands and quick inputs

  /** Runs a command by the title that the command palette shows, e.g. "Streamlet: Refresh". */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press("F1");
    await this.quickInput().waitFor();
    await this.quickInput().fill(`>${title}`);
    const row = this.quickRows().filter({ has: this.page.locator(".label-name", { hasText: exactly(title) }) });
    await row.first().click();
  }

  /** Titles that the command palette offers for `text`. */
  async commandsMatching(text: string): Promise<string[]> {
    await this.page.keyboard.press("F1");
    await this.quickInput().fill(`>${text}`);
    // The list is filtered a moment after the last key.
    await this.page.waitForTimeout(500);
    const titles = await this.quickRows().locator(".label-name").allInnerTexts();
    await this.page.keyboard.press("Escape");
    return titles.map((title) => title.trim());
  }

  /** The text field of the quick pick or input box that is open. */
  quickInput(): Locator {
    return this.page
      .locator(".quick-input-widget:visible input[type=text], .quick-input-widget:visible input.input")
      .first();
  }

  /** Rows of the quick pick that is open. */
  quickRows(): Locator {
    return this.page.locator(".quick-input-widget:visible .quick-input-list .monaco-list-row");
  }

  /** Types into the input box that is open and accepts it. */
  async answer(text: string): Promise<void> {
    await this.quickInput().waitFor();
    await this.quickInput().fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Picks an entry of the quick pick that is open, by a part of its text. */
  async pick(text: string | RegExp): Promise<void> {
    await this.quickRows().filter({ hasText: text }).first().click();
  }

  /** Accepts `path`, an existing file or a new one, in the simple file dialog that is open. */
  async chooseFile(path: string): Promise<void> {
    const input = this.quickInput();
    await until(async () => (await input.inputValue()).startsWith("/"), "the file dialog shows a folder");
    // The dialog follows what is typed a moment later, and completes it in its own way if it is still reading a folder.
    await until(async () => {
      await input.fill(path);
      // A new file is not listed; Enter would take what was there before if it came before the dialog has read the new path.
      if (!existsSync(path)) await this.page.waitForTimeout(DIALOG_FOLLOWS_MS);
      const listed =
        !existsSync(path) ||
        (await appears(
          this.quickRows()
            .filter({ hasText: basename(path) })
            .first(),
        ));
      if (!listed || (await input.inputValue()) !== path) return false;
      await this.page.keyboard.press("Enter");
      return input.waitFor({ state: "hidden", timeout: APPEAR_MS }).then(
        () => true,
        () => false,
      );
    }, `the file dialog takes ${path}`);
  }

  // Side bar

  /** Shows a view container of the activity bar, by its title. */
  async openContainer(title: string): Promise<void> {
    const tab = this.page.locator(`.activitybar .action-item:has(.action-label[aria-label^="${title}"])`).first();
    await tab.waitFor();
    const shown = this.page.locator(".part.sidebar .composite.title h2", { hasText: title }).first();
    // A click on a container that is shown already hides it, and a window that has just opened may still be about to show it.
    await until(async () => {
      if (await appears(shown)) return true;
      // A badge lies over the middle of the icon and swallows clicks there.
      await tab.click({ position: { x: 8, y: 8 } });
      return appears(shown);
    }, `the side bar shows ${title}`);
  }

  /** A view by the title in its header; its container has to be open. */
  tree(title: string): TreeView {
    return new TreeView(this.page, title);
  }

  /** Makes the side bar `width` pixels wide, as dragging its edge does. */
  async resizeSidebar(width: number): Promise<void> {
    const box = await this.page.locator(".part.sidebar").boundingBox();
    if (!box) throw new Error("The side bar is hidden.");
    const y = box.y + box.height / 2;
    await this.page.mouse.move(box.x + box.width + 1, y);
    await this.page.mouse.down();
    await this.page.mouse.move(box.x + width + 1, y, { steps: 8 });
    await this.page.mouse.up();
  }

  // Menus

  /** Picks an entry of the menu that is open. */
  async pickMenu(entry: string | RegExp): Promise<void> {
    const item = this.menuItems()
      .filter({ has: this.page.locator(".action-label", { hasText: asPattern(entry) }) })
      .first();
    await item.waitFor();
    await item.hover();
    await item.click();
  }

  /** Entries of the menu that is open. */
  async menuTexts(): Promise<string[]> {
    await this.menuItems().first().waitFor();
    const texts = await this.menuItems().locator(".action-label:not(.separator)").allInnerTexts();
    return texts.map((text) => text.trim()).filter((text) => text !== "");
  }

  private menuItems(): Locator {
    return this.page.locator(".monaco-menu .action-item");
  }

  // Notifications and dialogs

  /** Toasts that contain `text`. */
  toast(text: string | RegExp = ""): Locator {
    return this.page.locator(".notifications-toasts .notification-toast").filter({ hasText: text });
  }

  /** Waits for a toast and presses one of its buttons. */
  async answerToast(text: string | RegExp, button: string): Promise<void> {
    await this.toast(text)
      .first()
      .locator(".monaco-button", { hasText: exactly(button) })
      .click();
  }

  /** Closes every toast that is shown. */
  async clearToasts(): Promise<void> {
    if ((await this.toast().count()) > 0) await this.command("Notifications: Clear All Notifications");
  }

  /** The modal dialog that is open. */
  modal(): Locator {
    return this.page.locator(".monaco-dialog-box");
  }

  /** Presses a button of the modal dialog that is open and waits until it is gone. */
  async answerModal(button: string): Promise<void> {
    await this.modal()
      .locator(".monaco-button", { hasText: exactly(button) })
      .click();
    await this.modal().waitFor({ state: "detached" });
  }

  // Status bar

  /** Items of the status bar that contain `text`. */
  statusItem(text: string | RegExp): Locator {
    return this.page.locator(".part.statusbar .statusbar-item").filter({ hasText: text });
  }

  // Editors and webviews

  /** Titles of the open editor tabs. */
  async tabs(): Promise<string[]> {
    return (await this.page.locator(".tabs-container .tab .label-name").allInnerTexts()).map((text) => text.trim());
  }

  /** The content of the webview, editor or view, that has an element matching `selector`; waits until there is one. */
  async webview(selector: string): Promise<Frame> {
    return until(async () => {
      for (const frame of this.page.frames()) {
        if (!/webview\/browser\/pre\/fake\.html/.test(frame.url())) continue;
        if (
          (await frame
            .locator(selector)
            .count()
            .catch(() => 0)) > 0
        )
          return frame;
      }
      return undefined;
    }, `a webview contains ${selector}`);
  }

  /** Waits until no webview contains `selector` any more. */
  async webviewGone(selector: string): Promise<void> {
    await until(async () => {
      for (const frame of this.page.frames()) {
        if (
          /fake\.html/.test(frame.url()) &&
          (await frame
            .locator(selector)
            .count()
            .catch(() => 0)) > 0
        )
          return false;
      }
      return true;
    }, `no webview contains ${selector}`);
  }

  /** What the clipboard holds. */
  async clipboard(): Promise<string> {
    await this.page.bringToFront();
    return this.page.evaluate("navigator.clipboard.readText()");
  }

  /** Writes a picture of the window, or of a part of it, into out/screenshots. Returns its path. */
  async screenshot(name: string, of?: Locator): Promise<string> {
    const path = resolve(SCREENSHOT_DIR, `${name}.png`);
    mkdirSync(dirname(path), { recursive: true });
    await (of ?? this.page).screenshot({ path });
    return path;
  }
}

function asPattern(text: string | RegExp): RegExp {
  return typeof text === "string" ? exactly(text) : text;
}

/** Whether an element is there within a moment that is long for VS Code to draw something. */
function appears(element: Locator): Promise<boolean> {
  return element.waitFor({ timeout: APPEAR_MS }).then(
    () => true,
    () => false,
  );
}
