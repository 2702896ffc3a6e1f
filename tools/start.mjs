// `npm start`: installs what is missing, builds, starts a tracker and a demo peer, opens VS Code with the extension, and says
// what to click. Works right after a clone. Ctrl+C stops everything it has started.
//
//   --headless   the whole main job in the terminal instead, without a window
//   --browser    the VS Code in the browser, even if there is one on the desktop
//   --as NAME    one more person on this machine: VS Code with data of its own, beside an `npm start` that runs already
//   --no-open    only print the address of the VS Code in the browser
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureHost } from "./ensureHost.mjs";
import { runHeadless } from "./headless.mjs";
import { ensureDependencies, ROOT } from "./install.mjs";
import { Program } from "./program.mjs";
import { outputOf, run } from "./run.mjs";
import { keepSettings, startVscodeServer } from "./vscodeServer.mjs";

const TRACKER_PORT = 6000;
const TRACKER_HTTP_PORT = 6080;
/** Of the first person's window. It is kept where it is free: the browser stores profiles by address. */
const WINDOW_PORT = 8600;
const START_TIMEOUT_MS = 20_000;
/** What this command stores: git ignores it, and removing it starts afresh. Tests name a folder of their own. */
const DATA = process.env.STREAMLET_START_DIR ?? join(ROOT, ".cache", "start");
/** Where the tracker of an `npm start` that runs is to be found, for the next person. */
const TRACKER_FILE = join(DATA, "tracker-address");
const VSIX = join(ROOT, "out", "streamlet.vsix");
const CLIP = join(ROOT, "test", "fixtures", "clip.mp4");
const CLIP_TITLE = "A short clip";

/** What to end, last started first. */
const stops = [];
let stopping;

function stopAll() {
  stopping ??= (async () => {
    for (const stop of stops.reverse()) await stop().catch((error) => console.error(error.message));
  })();
  return stopping;
}

async function main() {
  const { values } = parseArgs({
    options: {
      headless: { type: "boolean", default: false },
      browser: { type: "boolean", default: false },
      as: { type: "string" },
      "no-open": { type: "boolean", default: false },
    },
  });
  if (values.as !== undefined && !/^[\w.-]{1,32}$/.test(values.as)) throw new Error("--as takes a simple name.");
  if (values.as !== undefined && !existsSync(TRACKER_FILE)) {
    throw new Error("Nothing is started yet: run `npm start` in another terminal first, and leave it running.");
  }
  await ensureDependencies();
  // A second person uses what the first start has built: it is running from there.
  if (values.as === undefined) {
    console.log("Building ...");
    await run(process.execPath, ["esbuild.mjs"], { cwd: ROOT });
  }
  if (values.headless) return runHeadless();

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ]) {
    process.once(signal, () => {
      console.log("\nStopping ...");
      void stopAll().then(() => process.exit(code));
    });
  }
  let tracker;
  if (values.as === undefined) {
    await run(process.execPath, [join("tools", "package.mjs"), "--out", VSIX], { cwd: ROOT, quiet: true });
    tracker = await startTracker();
    await startDemoPeer(tracker);
  } else {
    tracker = readFileSync(TRACKER_FILE, "utf8");
  }
  const folder = join(DATA, values.as ?? "me");
  mkdirSync(join(folder, "folder"), { recursive: true });
  const settings = { "streamlet.defaultTrackers": [tracker] };
  const desktop = !values.browser && (await hasDesktopCode());
  const opened = desktop
    ? await openDesktop(folder, settings)
    : await openBrowser(folder, settings, !values["no-open"]);
  printSteps(opened, tracker, values.as === undefined);
}

/** Starts a tracker on the usual port, or a free one. Returns its address as a profile names it. */
async function startTracker() {
  mkdirSync(DATA, { recursive: true });
  const port = (await isFree(TRACKER_PORT)) ? TRACKER_PORT : 0;
  const httpPort = (await isFree(TRACKER_HTTP_PORT)) ? TRACKER_HTTP_PORT : 0;
  const args = ["--port", `${port}`, "--http-port", `${httpPort}`, "--data", join(DATA, "tracker")];
  const tracker = new Program("streamlet-tracker", args);
  stops.push(() => tracker.stop());
  const ready = await tracker.event("ready", START_TIMEOUT_MS);
  const taken = port === 0 ? ` (another program uses port ${TRACKER_PORT}; yours is ${ready.port})` : "";
  const address = `localhost:${ready.port}`;
  console.log(`Tracker:    ${address}${taken}`);
  writeFileSync(TRACKER_FILE, address);
  stops.push(async () => rmSync(TRACKER_FILE, { force: true }));
  return address;
}

async function startDemoPeer(tracker) {
  const peer = [
    "--peer-id",
    "Demo",
    "--port",
    "0",
    "--host",
    "127.0.0.1",
    "--tracker",
    tracker,
    "--data",
    join(DATA, "demo"),
  ];
  const demo = new Program("streamlet", ["share", CLIP, "--name", CLIP_TITLE, ...peer]);
  stops.push(() => demo.stop());
  await demo.event("shared", START_TIMEOUT_MS);
  console.log(`Demo peer:  shares "${CLIP_TITLE}" as Demo`);
}

/** On Linux a `code` without a screen to draw on is of no use. */
async function hasDesktopCode() {
  return hasScreen() && (await codeOutput(["--version"])) !== undefined;
}

/** The desktop VS Code, with data and extensions of its own: the person's own VS Code stays as it is. */
async function openDesktop(folder, settings) {
  const data = join(folder, "desktop");
  keepSettings(join(data, "User"), settings);
  const dirs = ["--user-data-dir", data, "--extensions-dir", join(data, "extensions")];
  // VS Code refuses to run as root without it.
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  if ((await codeOutput(["--install-extension", VSIX, "--force", ...dirs, ...asRoot])) === undefined) {
    throw new Error(`\`code --install-extension ${VSIX}\` failed. Try: npm start -- --browser`);
  }
  if ((await codeOutput(["--new-window", ...dirs, ...asRoot, join(folder, "folder")])) === undefined) {
    throw new Error("VS Code did not open. Try: npm start -- --browser");
  }
  // `code` returns at once; the window's main process leaves its id in this file.
  stops.push(async () => {
    const lock = join(data, "code.lock");
    if (!existsSync(lock)) return;
    const pid = Number.parseInt(readFileSync(lock, "utf8"), 10);
    try {
      if (pid > 0) process.kill(pid, "SIGTERM");
    } catch {
      // The person has closed it already.
    }
  });
  return "In the VS Code window that has opened:";
}

/** `code` is a batch file on Windows, which only a shell can start. */
function codeOutput(args) {
  return process.platform === "win32" ? outputOf("cmd.exe", ["/d", "/c", "code", ...args]) : outputOf("code", args);
}

/** The same VS Code as a page of the browser. */
async function openBrowser(folder, settings, open) {
  await ensureHost().catch((error) => {
    throw new Error(
      `${error.message}\nOr put the desktop VS Code on the PATH: in it, run "Shell Command: Install 'code' command in PATH".`,
    );
  });
  const token = kept(join(folder, "token"), randomBytes(16).toString("hex"));
  const options = { dataDir: join(folder, "browser"), vsix: [VSIX], token, settings };
  mkdirSync(options.dataDir, { recursive: true });
  const wanted = Number(kept(join(folder, "port"), `${(await isFree(WINDOW_PORT)) ? WINDOW_PORT : 0}`));
  const server = await startVscodeServer({ ...options, port: (await isFree(wanted)) ? wanted : 0 });
  writeFileSync(join(folder, "port"), `${server.port}`);
  stops.push(() => server.stop());
  void server.exited.then(() => {
    if (!stopping) console.error("VS Code's server has ended. Press Ctrl+C and start again.");
  });
  const url = server.windowUrl(join(folder, "folder"));
  console.log(`VS Code:    ${url}`);
  return open && openUrl(url) ? "In the browser tab that opens:" : "Open the address above in a browser. There:";
}

/** What `file` holds since an earlier start, or now: the window's address stays the same, and nobody else can open it. */
function kept(file, value) {
  if (!existsSync(file)) writeFileSync(file, value, { mode: 0o600 });
  return readFileSync(file, "utf8");
}

/** Opens the default browser, unless there is no screen for one. */
function openUrl(url) {
  if (!hasScreen()) return false;
  const opener = { darwin: ["open"], win32: ["cmd.exe", "/d", "/c", "start", ""] }[process.platform] ?? ["xdg-open"];
  const child = spawn(opener[0], [...opener.slice(1), url.replaceAll("&", process.platform === "win32" ? "^&" : "&")], {
    stdio: "ignore",
    detached: true,
  });
  child.on("error", () => console.error("The browser did not open by itself: open the address by hand."));
  child.unref();
  return true;
}

function hasScreen() {
  return process.platform !== "linux" || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}

function printSteps(where, tracker, first) {
  console.log(`
${where}
  1. Click the Streamlet icon in the activity bar, then "Create Profile". Any Peer ID will do; the tracker is ${tracker}.
  2. Under Network there is "${CLIP_TITLE}" by Demo. Download it; it appears under My Videos.
  3. Upload a video of your own: the button on My Videos, or drop a file there.
${first ? "\nTo be a second person on this machine:  npm start -- --as bob" : ""}
Ctrl+C here stops everything.
`);
}

try {
  await main();
} catch (error) {
  await stopAll();
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
