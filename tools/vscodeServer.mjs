// Starts a real VS Code whose window is a browser page (see ensureHost.mjs). Node built-ins only.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installedHost } from "./ensureHost.mjs";
import { ROOT } from "./install.mjs";
import { outputOf } from "./run.mjs";
import { startFront } from "./vscodeFront.mjs";

/** The server answers in 0.3 s on an idle machine; a loaded one with a cold disk was never near this. */
const START_TIMEOUT_MS = 60_000;
/** Extension hosts get this long to run `deactivate()` before the whole process group is killed. */
const STOP_TIMEOUT_MS = 8_000;

/** A window without sign-in, chat, welcome pages and other distractions. */
export const QUIET_SETTINGS = {
  "chat.disableAIFeatures": true,
  "extensions.ignoreRecommendations": true,
  "files.simpleDialog.enable": true,
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "workbench.editor.useModal": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
};

/**
 * Starts VS Code's server on 127.0.0.1.
 *
 * @param {import("./vscodeServer.mjs").ServerOptions} options
 * @returns {Promise<import("./vscodeServer.mjs").VscodeServer>}
 */
export async function startVscodeServer(options) {
  const { dataDir, vsix = [], port = 0, smokeTest = false, token } = options;
  const host = installedHost();
  const home = join(dataDir, "home");
  mkdirSync(home, { recursive: true });
  // VS Code leaves sockets behind. They go here, and not below dataDir, whose path may be too long for a socket (108 bytes).
  const temporary = mkdtempSync(join(tmpdir(), "streamlet-run-"));
  keepSettings(join(dataDir, "data", "User"), options.settings);
  keepMachineSettings(join(dataDir, "data", "Machine"), options.settings);

  const env = {
    ...cleanEnvironment(),
    HOME: home,
    TMPDIR: temporary,
    EXTENSIONS_GALLERY: '{"serviceUrl":""}',
    ...options.env,
  };
  const dirs = ["--server-data-dir", dataDir, "--extensions-dir", join(dataDir, "extensions")];
  for (const file of vsix) {
    await finished(launch(host, ["--install-extension", file, "--force", ...dirs], env), `Installing ${file}`);
  }
  const child = launch(
    host,
    [
      ...["--host", "127.0.0.1", "--port", "0", "--accept-server-license-terms", "--disable-workspace-trust"],
      ...(token ? ["--connection-token", token] : ["--without-connection-token"]),
      ...(smokeTest ? ["--enable-smoke-test-driver"] : []),
      ...["--telemetry-level", "off", ...dirs],
    ],
    env,
  );
  const killGroup = () => {
    signalGroup(child, "SIGKILL");
    rmSync(temporary, { recursive: true, force: true });
  };
  process.once("exit", killGroup);
  const stop = async () => {
    front?.close();
    await stopGroup(child);
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    process.off("exit", killGroup);
  };

  let front;
  try {
    const target = await listeningPort(child);
    front = await startFront({ port, target, keyFile: join(dataDir, "mint-key"), token });
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://localhost:${front.port}/`;
  return {
    url,
    port: front.port,
    pid: /** @type {number} */ (child.pid),
    dataDir,
    home,
    userDir: join(dataDir, "data", "User"),
    windowUrl: (folder, payload) => windowUrl(url, folder, payload, token),
    exited: once(child, "exit").then(() => undefined),
    stop,
  };
}

/**
 * Puts `settings`, and the quiet ones where the person has not chosen otherwise, into the settings.json of a VS Code that is
 * not running. A file that is not plain JSON (comments) has been edited by hand and stays as it is.
 */
export function keepSettings(userDir, settings = {}) {
  const file = join(userDir, "settings.json");
  mkdirSync(userDir, { recursive: true });
  let chosen = {};
  try {
    chosen = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") return;
  }
  writeFileSync(file, `${JSON.stringify({ ...QUIET_SETTINGS, ...chosen, ...settings }, undefined, 2)}\n`);
}

/**
 * Settings of scope "machine" belong to the computer that the extension runs on: as soon as a window of a browser knows that
 * they are, it takes them from that computer's file only, no longer from the person's.
 */
function keepMachineSettings(machineDir, settings = {}) {
  const { properties } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).contributes.configuration;
  const own = Object.entries(settings).filter(([key]) => properties[key]?.scope === "machine");
  if (own.length === 0) return;
  mkdirSync(machineDir, { recursive: true });
  writeFileSync(join(machineDir, "settings.json"), `${JSON.stringify(Object.fromEntries(own), undefined, 2)}\n`);
}

/** Removes a folder that a server has just let go of: a process in its last moments may still write into it. */
export function removeDataDir(dataDir) {
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function windowUrl(url, folder, payload, token) {
  const query = new URLSearchParams();
  if (token) query.set("tkn", token);
  if (folder) query.set("folder", folder);
  if (payload) query.set("payload", JSON.stringify(payload));
  const text = query.toString();
  return text ? `${url}?${text}` : url;
}

/** The environment without what an editor or a test runner around us would pass on to this one. */
function cleanEnvironment() {
  const foreign = /^(VSCODE_|ELECTRON_|npm_|NODE_OPTIONS$|NODE_ENV$|DISPLAY$|XDG_RUNTIME_DIR$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** Its own process group, so that the extension hosts it starts can be ended with it. */
function launch(host, args, env) {
  const child = spawn(host.node, [host.serverMain, ...args], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      child.output = `${child.output}${chunk}`.slice(-OUTPUT_CHARS);
    });
  }
  return child;
}

/** Enough of the server's last words to understand why it did not start. */
const OUTPUT_CHARS = 8_000;

async function finished(child, what) {
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${what} failed with exit code ${code}:\n${child.output}`);
}

function listeningPort(child) {
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`VS Code's server ${why}:\n${child.output}`));
    const timer = setTimeout(() => fail(`did not start within ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
    child.once("exit", (code) => {
      clearTimeout(timer);
      fail(`ended with exit code ${code}`);
    });
    child.stdout.on("data", () => {
      const match = /Extension host agent listening on (\d+)/.exec(child.output);
      if (!match) return;
      clearTimeout(timer);
      resolve(Number(match[1]));
    });
  });
}

/** Ends the server; its extension hosts notice, run `deactivate()` and end; whatever is left of the group then is killed. */
async function stopGroup(child) {
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }
  while (Date.now() < deadline && (await hasExtensionHosts(child))) await new Promise((done) => setTimeout(done, 50));
  signalGroup(child, "SIGKILL");
}

async function hasExtensionHosts(child) {
  return (await outputOf("pgrep", ["-g", `${child.pid}`, "-f", "type=extensionHost"])) !== undefined;
}

function signalGroup(child, signal) {
  try {
    if (process.platform === "win32") child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // Nothing of it is left.
  }
}
