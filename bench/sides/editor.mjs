// The real VS Code with the packaged extension, driven as in test/vscode, and what its player shows when.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import esbuild from "esbuild";
import { findChromium } from "../../tools/chromium.mjs";
import { ensureHost, installedHost } from "../../tools/ensureHost.mjs";
import { ensureDebianPackages, ROOT } from "../../tools/install.mjs";
import { run as runProgram } from "../../tools/run.mjs";

const SUPPORT = `
export { App, closeBrowser } from "./app";
export { freePort, Streamlet } from "./streamlet";
export { until } from "./until";
`;
const FRAME_TIMEOUT_MS = 30_000;

/** Why it cannot take part, or undefined. With `install`, installs it where that is possible. */
export async function editorMissing({ install }) {
  const vsix = process.env.STREAMLET_VSIX;
  if (vsix && !existsSync(vsix)) return `there is no packaged extension ${vsix}`;
  const missing = await ensureDebianPackages(["chromium", "ffmpeg"], { install });
  if (findChromium()) missing.delete("chromium");
  if (missing.size > 0) return [...missing.values()].join("; ");
  try {
    if (install) await ensureHost();
    else installedHost();
    return undefined;
  } catch (error) {
    return error.message;
  }
}

/** The helpers of test/vscode, which are TypeScript. */
async function support() {
  const outfile = join(ROOT, "out", "bench", "support.mjs");
  await esbuild.build({
    stdin: { contents: SUPPORT, resolveDir: join(ROOT, "test", "vscode", "support"), loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile,
    logLevel: "warning",
    plugins: [
      {
        // The project's tools find their files by their own path.
        name: "tools-stay-outside",
        setup(build) {
          build.onResolve({ filter: /\/tools\/[a-zA-Z]+\.mjs$/ }, ({ resolveDir, path }) => {
            return { path: pathToFileURL(join(resolveDir, path)).href, external: true };
          });
        },
      },
    ],
  });
  return import(pathToFileURL(outfile).href);
}

/** The extension as a user gets it: what the environment names, or packaged now. */
async function packaged(bench) {
  if (process.env.STREAMLET_VSIX) return process.env.STREAMLET_VSIX;
  const vsix = join(bench.dir, "streamlet.vsix");
  await runProgram(process.execPath, [join("tools", "package.mjs"), "--out", vsix], { cwd: ROOT, quiet: true });
  return vsix;
}

/**
 * Runs in every frame before its own scripts. Notes when somebody clicked, and when a video was told to play, knew its size, and had
 * a frame on the screen; milliseconds since the epoch, so that frames of different processes can be compared.
 * A webview writes its document anew and loses listeners by that: what is patched into prototypes stays.
 */
function watchFrames() {
  const seen = { clicks: [], plays: [], metadata: [], frames: [] };
  globalThis.streamletBench = seen;
  const note = (list) => list.push(performance.timeOrigin + performance.now());
  document.addEventListener("click", () => note(seen.clicks), true);
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    note(seen.plays);
    this.requestVideoFrameCallback?.(() => note(seen.frames));
    if (this.readyState > 0) note(seen.metadata);
    else this.addEventListener("loadedmetadata", () => note(seen.metadata));
    return play.call(this);
  };
}

export class Editor {
  /** Starts VS Code with a profile, the side bar showing the network and nothing else. */
  static async start(bench, { tracker }) {
    const helpers = await support();
    const app = await helpers.App.start({
      name: "bench",
      vsix: [await packaged(bench)],
      settings: { "streamlet.defaultTrackers": [tracker] },
    });
    await app.context.addInitScript(watchFrames);
    const streamlet = new helpers.Streamlet(await app.newWindow());
    await streamlet.open();
    await streamlet.createProfile({ peerId: "Bob", port: await helpers.freePort(), tracker });
    // At its left edge: its buttons are in the middle and on the right.
    const fold = { position: { x: 10, y: 10 } };
    for (const view of [streamlet.videos, streamlet.peers]) await view.pane.locator(".pane-header").first().click(fold);
    return new Editor(helpers, app, streamlet);
  }

  constructor(helpers, app, streamlet) {
    this.helpers = helpers;
    this.app = app;
    this.streamlet = streamlet;
  }

  /** Waits until the network shows all of `titles`. */
  async untilListed(titles) {
    await this.streamlet.network.untilRows(
      (rows) => titles.every((title) => rows.some(({ label }) => label === title)),
      "the network lists the videos",
      FRAME_TIMEOUT_MS,
    );
  }

  /** Clicks Play of a video of the network. Times in milliseconds after the click; `page` is the player's. */
  async play(title) {
    const { window, network } = this.streamlet;
    await window.page.evaluate(() => globalThis.streamletBench.clicks.splice(0));
    await network.inlineAction(title, "Play");
    const page = await window.webview("video");
    const seen = await this.helpers.until(
      async () => {
        const noted = await page.evaluate(() => globalThis.streamletBench);
        return noted.frames.length > 0 ? noted : undefined;
      },
      () => `a frame of ${title} is on the screen`,
      FRAME_TIMEOUT_MS,
    );
    const [clicked] = await window.page.evaluate(() => globalThis.streamletBench.clicks);
    const after = (list) => list[0] - clicked;
    return { page, frame: after(seen.frames), told: after(seen.plays), metadata: after(seen.metadata) };
  }

  /** Milliseconds until a frame of the new position is on the screen. */
  seek(page, seconds) {
    return page.locator("video").evaluate((video, position) => {
      const begun = performance.now();
      video.currentTime = position;
      return new Promise((resolve) => {
        const look = (_now, { mediaTime }) => {
          if (mediaTime >= position - 0.1) resolve(performance.now() - begun);
          else video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);
      });
    }, seconds);
  }

  /** Once it moves, lets it play so long, and tells for how many of these milliseconds nothing moved. */
  watch(page, milliseconds) {
    return page.locator("video").evaluate(async (video, time) => {
      const nextFrame = () => new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      await nextFrame();
      await nextFrame();
      const from = video.currentTime;
      await new Promise((resolve) => setTimeout(resolve, time));
      return Math.max(0, time - 1000 * (video.currentTime - from));
    }, milliseconds);
  }

  async closePlayer() {
    const { window } = this.streamlet;
    await window.page.locator(".tabs-container .tab.active .tab-actions .action-label").first().click();
    await window.webviewGone("video");
  }

  async stop() {
    await this.app.stop();
    await this.helpers.closeBrowser();
  }
}
