// Installs the VS Code that the tests and `npm start` run in, on first use. `node tools/ensureHost.mjs` does it by hand.
//
// VS Code's server and its workbench come with the npm package code-server, the Node that they need with node-linux-*.
// Nothing of code-server itself is run: only lib/vscode/out/server-main.js, which is VS Code's own.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./install.mjs";
import { run } from "./run.mjs";

const HOST = join(ROOT, "test", "vscode", "host");
const MODULES = join(HOST, "node_modules");
const STAMP = join(MODULES, ".streamlet-host");

/** VS Code's folder, server program and the Node to run it with. */
const VSCODE = join(MODULES, "code-server", "lib", "vscode");
const NODE_MAJOR = 24;

/** Built-in extensions that are kept; the others are a quarter of the size and start processes of their own. */
const KEPT_EXTENSIONS = new Set([
  "configuration-editing",
  "json",
  "media-preview",
  "simple-browser",
  "theme-defaults",
  "theme-seti",
]);

/** Packages of VS Code's server that serve its chat, which is switched off here, or other platforms. */
const UNUSED_PACKAGES = [
  "@devcontainers",
  "@github",
  "@microsoft/mxc-sdk",
  "@vscode/sandbox-runtime",
  "@vscode/windows-process-tree",
];

/**
 * Where the VS Code of the tests is.
 *
 * @typedef {{node: string, serverMain: string, version: string}} Host
 */

/**
 * Installs the VS Code of the tests if it is not there, about 20 s and 300 MB.
 *
 * @returns {Promise<Host>}
 * @throws {Error} with a sentence that says why this machine cannot have it
 */
export async function ensureHost() {
  const reason = unsupportedReason();
  if (reason) throw new Error(reason);
  if (!isInstalled()) {
    console.log("Installing VS Code's server for the tests (once, about 300 MB) ...");
    rmSync(MODULES, { recursive: true, force: true });
    await run("npm", ["ci", "--ignore-scripts", "--loglevel=error"], { cwd: HOST, quiet: true });
    // Not `npm ci`: the shrinkwrap that code-server comes with lacks an entry, which only `npm install` forgives.
    await run("npm", ["install", "--omit=dev", "--ignore-scripts", "--loglevel=error"], { cwd: VSCODE, quiet: true });
    prune();
    writeFileSync(STAMP, wantedStamp());
  }
  return describeHost();
}

/**
 * The installed VS Code of the tests.
 *
 * @returns {Host}
 * @throws {Error} if it is not installed or cannot run here
 */
export function installedHost() {
  const reason = unsupportedReason();
  if (reason) throw new Error(reason);
  if (!isInstalled()) {
    throw new Error("The VS Code of the tests is not installed: run `node tools/ensureHost.mjs` first.");
  }
  return describeHost();
}

/** Why the server cannot run on this machine, or undefined. */
function unsupportedReason() {
  if (bundledNode() || Number.parseInt(process.versions.node, 10) === NODE_MAJOR) return undefined;
  return (
    `VS Code's server needs Node ${NODE_MAJOR}. It is installed along with it on Linux (x64, arm64); ` +
    `on ${process.platform} ${process.arch} run this command with Node ${NODE_MAJOR}, or use \`npm run test:desktop\`.`
  );
}

/** The package that carries Node for this machine. */
function bundledNode() {
  return process.platform === "linux" && ["x64", "arm64"].includes(process.arch)
    ? join(MODULES, `node-linux-${process.arch}`, "bin", "node")
    : undefined;
}

function describeHost() {
  const { version } = JSON.parse(readFileSync(join(VSCODE, "package.json"), "utf8"));
  return {
    node: bundledNode() ?? process.execPath,
    serverMain: join(VSCODE, "out", "server-main.js"),
    version,
  };
}

function isInstalled() {
  return existsSync(STAMP) && readFileSync(STAMP, "utf8") === wantedStamp();
}

/** Changes with the versions that are wanted and with what is pruned, so that either leads to a fresh installation. */
function wantedStamp() {
  return createHash("sha256")
    .update(readFileSync(join(HOST, "package-lock.json")))
    .update(`${process.platform} ${process.arch}`)
    .update(JSON.stringify([[...KEPT_EXTENSIONS], UNUSED_PACKAGES]))
    .digest("hex");
}

function prune() {
  const remove = (...path) => rmSync(join(...path), { recursive: true, force: true });
  const removeAllBut = (folder, keep) => {
    if (!existsSync(folder)) return;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !keep(entry.name)) remove(folder, entry.name);
    }
  };
  const modules = join(VSCODE, "node_modules");
  const platform = `${process.platform}-${process.arch}`;
  for (const name of UNUSED_PACKAGES) remove(modules, name);
  removeAllBut(join(VSCODE, "extensions"), (name) => KEPT_EXTENSIONS.has(name));
  removeAllBut(join(modules, "node-pty", "prebuilds"), (name) => name === platform);
  removeAllBut(join(modules, "@vscode", "ripgrep-universal", "bin"), (name) => name.startsWith(platform));
  remove(MODULES, `node-linux-${process.arch}`, "include");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const host = await ensureHost();
  console.log(`VS Code ${host.version} is ready: ${host.serverMain}`);
}
