// Installs what the project needs and does not find. Node built-ins only: it is what makes `npm start` and `npm test` work
// right after a clone.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { outputOf, run } from "./run.mjs";

/** The project's folder, absolute. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Debian packages that the tests use, and what they are for. */
export const DEBIAN_PACKAGES = {
  chromium: "the browser that shows the VS Code of the tests",
  ffmpeg: "makes test videos",
  "python3-libtorrent": "a BitTorrent client of somebody else, to compare and to talk with",
  aria2: "another one",
  "transmission-cli": "another one",
  iproute2: "makes the network namespaces that transmission needs: it refuses peers on the loopback",
};

/** Debian packages that only the benchmark compares with. */
const BENCH_PACKAGES = {
  curl: "fetches from nginx",
  "nginx-light": "what an HTTP server reaches is the floor",
};

/**
 * Installs the packages of package-lock.json, if node_modules does not hold just these versions already.
 *
 * @returns {Promise<void>}
 */
export async function ensureDependencies() {
  const stale = staleDependency(ROOT);
  if (!stale) return;
  console.log(`Installing npm packages (${stale}) ...`);
  await run("npm", ["ci", "--loglevel=error"], { cwd: ROOT });
}

/**
 * Why `folder`'s node_modules differs from its package-lock.json, or undefined if it does not. npm leaves a list of what it
 * has installed in node_modules/.package-lock.json; reading it takes milliseconds.
 *
 * @param {string} folder
 * @returns {string | undefined}
 */
export function staleDependency(folder) {
  const wanted = readLock(join(folder, "package-lock.json"));
  if (!wanted) throw new Error(`${folder} has no package-lock.json`);
  const installed = readLock(join(folder, "node_modules", ".package-lock.json"));
  if (!installed) return "none are installed yet";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || (entry.optional && !installed[path])) continue;
    if (installed[path]?.version !== entry.version) return `${path} ${entry.version} is missing`;
  }
  return undefined;
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/**
 * Installs Debian packages that are missing, where that is possible: on a system with apt-get, as root.
 *
 * @param {string[]} names
 * @param {{install?: boolean}} [options] false: only looks
 * @returns {Promise<Map<string, string>>} what is still missing, with the reason; tests that need it are skipped with this text
 */
export async function ensureDebianPackages(names, { install: mayInstall = true } = {}) {
  const missing = new Map();
  for (const name of names) {
    if (await hasPackage(name)) continue;
    missing.set(
      name,
      `${name} is not installed (${DEBIAN_PACKAGES[name] ?? BENCH_PACKAGES[name]}); on Debian: apt-get install ${name}`,
    );
  }
  if (!mayInstall || missing.size === 0 || process.platform !== "linux" || process.getuid?.() !== 0) return missing;
  if ((await outputOf("apt-get", ["--version"])) === undefined) return missing;

  const wanted = [...missing.keys()];
  console.log(`Installing Debian packages: ${wanted.join(", ")} ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = () => run("apt-get", ["install", "-y", "--no-install-recommends", ...wanted], { env, quiet: true });
  try {
    // Try without `update` first: the lists are usually there, and a mirror that is slow is then not asked.
    await install().catch(async () => {
      await run("apt-get", ["update"], { env, quiet: true });
      await install();
    });
  } catch (error) {
    console.warn(`apt-get could not install them: ${error.message}`);
  }
  for (const name of wanted) if (await hasPackage(name)) missing.delete(name);
  return missing;
}

/** A program of the package on the PATH (from Debian or from anywhere else), or the module in Debian's Python. */
async function hasPackage(name) {
  switch (name) {
    case "chromium":
      return (await outputOf("chromium", ["--version"])) !== undefined;
    case "ffmpeg":
      return (await outputOf("ffmpeg", ["-version"])) !== undefined;
    case "aria2":
      return (await outputOf("aria2c", ["--version"])) !== undefined;
    case "transmission-cli":
      return (await outputOf("transmission-show", ["--version"])) !== undefined;
    case "curl":
      return (await outputOf("curl", ["--version"])) !== undefined;
    case "nginx-light":
      return (await outputOf("nginx", ["-v"])) !== undefined;
    case "iproute2":
      return (await outputOf("ip", ["-V"])) !== undefined;
    default:
      return (await outputOf("/usr/bin/python3", ["-c", "import libtorrent"])) !== undefined;
  }
}
