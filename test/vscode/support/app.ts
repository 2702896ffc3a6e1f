import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { launchChromium } from "../../../tools/chromium.mjs";
import { removeDataDir, startVscodeServer, type VscodeServer } from "../../../tools/vscodeServer.mjs";
import { tempDir } from "../../helpers/tempDir";
import { Workbench } from "./workbench";

/** Where `node tools/package.mjs --out` and `npm test` put the extension as a user gets it. */
export const VSIX = resolve(process.env.STREAMLET_VSIX ?? "out/streamlet.vsix");

export interface AppOptions {
  /** Only for names of temporary folders. */
  name?: string;
  /** Default: the packaged Streamlet. `[]` for a VS Code without extensions. */
  vsix?: string[];
  /** User settings besides the quiet ones. */
  settings?: Record<string, unknown>;
  /** See `ServerOptions.smokeTest`. */
  smokeTest?: boolean;
  env?: Record<string, string>;
  /** Language of extensions, e.g. `de`; VS Code's own texts stay English, because its language packs are not there. */
  language?: string;
  /** Pixels of a picture per pixel of the window; default 1. */
  scale?: number;
}

export interface WindowOptions {
  /** Absolute; default: the installation's own empty `folder`. */
  folder?: string;
  width?: number;
  height?: number;
}

let browser: Promise<Browser> | undefined;
const openWindows = new Set<Workbench>();

/** One Chromium serves all installations of a test run; each has its own context, hence its own storage. */
function sharedBrowser(): Promise<Browser> {
  browser ??= launchChromium();
  return browser;
}

/** Ends the shared Chromium; the test runner's root hook calls it. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}

/** Opens the address of a VS Code that something else has started, in a browser profile of its own. */
export async function openAddress(url: string, context?: BrowserContext): Promise<Workbench> {
  const page = await (context ?? (await (await sharedBrowser()).newContext())).newPage();
  const window = new Workbench(page);
  openWindows.add(window);
  page.once("close", () => openWindows.delete(window));
  await page.goto(url);
  await window.ready();
  return window;
}

/** Writes a picture of every open window into out/screenshots; returns their paths. */
export async function photographWindows(name: string): Promise<string[]> {
  return Promise.all([...openWindows].map((window, i) => window.screenshot(`${name} ${i + 1}`)));
}

/**
 * One person's VS Code: a server with its own data, and a browser profile with its own storage. Windows of one `App` are
 * windows of one person; different people are different `App`s.
 */
export class App {
  readonly #windows = new Set<Workbench>();

  private constructor(
    readonly server: VscodeServer,
    readonly context: BrowserContext,
    /** An empty folder that windows open by default. */
    readonly folder: string,
  ) {}

  /** Starts VS Code with the packaged extension installed, about 2 s. No window is open yet. */
  static async start(options: AppOptions = {}): Promise<App> {
    const { name = "vscode", vsix = [VSIX], settings, smokeTest, env, language, scale = 1 } = options;
    for (const file of vsix) {
      if (!existsSync(file))
        throw new Error(`${file} does not exist: run \`node tools/package.mjs --out ${file}\` first.`);
    }
    const server = await startVscodeServer({ dataDir: tempDir(name), vsix, settings, smokeTest, env });
    const context = await (await sharedBrowser()).newContext({
      viewport: { width: 1280, height: 800 },
      deviceScaleFactor: scale,
      acceptDownloads: true,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    // What a language pack's script sets; from there VS Code tells its extension hosts and scanners.
    if (language) await context.addInitScript(`globalThis._VSCODE_NLS_LANGUAGE = ${JSON.stringify(language)}`);
    return new App(server, context, tempDir(`${name}-folder`));
  }

  /** Opens a window and waits until it can be used. */
  async newWindow(options: WindowOptions = {}): Promise<Workbench> {
    const { folder = this.folder, width, height } = options;
    const window = await openAddress(this.server.windowUrl(folder), this.context);
    if (width && height) await window.page.setViewportSize({ width, height });
    this.#windows.add(window);
    window.page.once("close", () => this.#windows.delete(window));
    return window;
  }

  /** The folder that `context.globalStorageUri` of an extension is in. */
  globalStorage(extensionId = "streamlet.streamlet"): string {
    return join(this.server.userDir, "globalStorage", extensionId);
  }

  /** Closes its windows (each runs `deactivate()`), ends the server and removes all its data. */
  async stop(): Promise<void> {
    for (const window of [...this.#windows]) await window.page.close();
    await this.context.close();
    await this.server.stop();
    removeDataDir(this.server.dataDir);
  }
}
