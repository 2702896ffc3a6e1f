// Starts the browser that shows the windows of the VS Code in vscodeServer.mjs.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Windows of several people are open at once; none of them may be slowed down for being in the background.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/**
 * Where a Chromium is: what the environment variable CHROMIUM names, or the usual places.
 *
 * @returns {string | undefined}
 */
export function findChromium() {
  return [process.env.CHROMIUM, ...PLACES].find((path) => path && existsSync(path));
}

/** @returns {Promise<import("playwright-core").Browser>} */
export async function launchChromium() {
  const executablePath = findChromium();
  if (!executablePath) {
    throw new Error("There is no Chromium here: install the package `chromium`, or name one in the variable CHROMIUM.");
  }
  return chromium.launch({ executablePath, args: FLAGS });
}
