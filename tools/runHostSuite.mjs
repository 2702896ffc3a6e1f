// Runs the mocha suite of test/vscode/host-suite inside the extension host of a real VS Code.
// `node tools/runHostSuite.mjs [--extension FOLDER]`; the extension has to be built (npm run build), default: this project.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launchChromium } from "./chromium.mjs";
import { ROOT } from "./install.mjs";
import { removeDataDir, startVscodeServer } from "./vscodeServer.mjs";

/** The whole suite; each of its tests has a limit of its own. */
const SUITE_TIMEOUT_MS = 600_000;
/** How often new results are looked for. */
const POLL_MS = 250;

/**
 * @param {{extension?: string}} [options]
 * @returns {Promise<{passed: number, failed: string[], skipped: {title: string, why: string}[]}>}
 * @throws {Error} if the suite does not come to its end
 */
export async function runHostSuite({ extension = ROOT } = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "streamlet-host-suite-"));
  const folder = join(dataDir, "folder");
  const results = join(dataDir, "results.jsonl");
  mkdirSync(folder);
  let server;
  let browser;
  try {
    server = await startVscodeServer({
      dataDir,
      smokeTest: true,
      env: { STREAMLET_TEST_RESULTS: results, STREAMLET_TEST_ROOT: ROOT },
    });
    browser = await launchChromium();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const lastWords = [];
    page.on("console", (message) => {
      if (message.type() === "error") lastWords.push(message.text().slice(0, 500));
    });
    const ended = new Promise((done) => page.exposeFunction("codeAutomationExit", done));
    await page.exposeFunction("codeAutomationLog", () => {});
    const remote = (path) => `vscode-remote://localhost:${server.port}${path}`;
    await page.goto(
      server.windowUrl(folder, [
        ["skipWelcome", "true"],
        ["extensionDevelopmentPath", remote(resolve(extension))],
        ["extensionTestsPath", remote(join(ROOT, "out", "host-suite", "index.js"))],
      ]),
    );
    const printer = followResults(results);
    const timer = new Promise((done) => setTimeout(done, SUITE_TIMEOUT_MS, "timeout").unref());
    const how = await Promise.race([ended, server.exited.then(() => "crash"), timer]);
    const outcome = printer.stop();
    if (!outcome.ended) {
      const why = { timeout: `was not done within ${SUITE_TIMEOUT_MS / 1000} s`, crash: "lost VS Code's server" }[how];
      throw new Error(`The suite in the extension host ${why ?? "did not run"}.\n${lastWords.slice(-10).join("\n")}`);
    }
    const { passed, failed, skipped } = outcome;
    return { passed, failed, skipped };
  } finally {
    await browser?.close();
    await server?.stop();
    removeDataDir(dataDir);
  }
}

/** Prints results as the suite writes them, in mocha's manner. */
export function followResults(path) {
  const outcome = { passed: 0, failed: [], skipped: [], ended: false };
  let seen = 0;
  const look = () => {
    if (!existsSync(path)) return;
    const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
    for (const line of lines.slice(seen)) take(JSON.parse(line));
    seen = lines.length;
  };
  const take = ({ event, title, ms, error, why = "no reason given" }) => {
    switch (event) {
      case "pass":
        outcome.passed += 1;
        return console.log(`  ✔ ${title} (${ms}ms)`);
      case "pending":
        outcome.skipped.push({ title, why });
        return console.log(`  - ${title}: ${why}`);
      case "fail":
        outcome.failed.push(title);
        return console.log(`  ✘ ${title}\n${error.replace(/^/gm, "      ")}`);
      default:
        outcome.ended = true;
    }
  };
  const timer = setInterval(look, POLL_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return outcome;
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const at = process.argv.indexOf("--extension");
  const outcome = await runHostSuite({ extension: at > 0 ? process.argv[at + 1] : undefined });
  if (process.env.STREAMLET_TEST_RESULTS) writeFileSync(process.env.STREAMLET_TEST_RESULTS, JSON.stringify(outcome));
  console.log(`\n  ${outcome.passed} passing, ${outcome.failed.length} failing, ${outcome.skipped.length} pending`);
  process.exitCode = outcome.failed.length > 0 ? 1 : 0;
}
