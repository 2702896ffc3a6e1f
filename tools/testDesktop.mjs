// `npm run test:desktop [-- --vscode PATH]`: the mocha suite of test/vscode/host-suite in a desktop VS Code, which is
// downloaded unless PATH names the executable of an installed one. Not part of `npm test`: it needs a screen and the download.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureDependencies, ROOT } from "./install.mjs";
import { run } from "./run.mjs";

async function main() {
  const { values } = parseArgs({ options: { vscode: { type: "string" } } });
  if (process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) {
    throw new Error("A desktop VS Code needs a screen. Without one: xvfb-run -a npm run test:desktop");
  }
  await ensureDependencies();
  const { downloadAndUnzipVSCode, runTests } = await import("@vscode/test-electron");
  const { followResults } = await import("./runHostSuite.mjs");
  await run(process.execPath, ["esbuild.mjs"], { cwd: ROOT });
  await run(process.execPath, [join("tools", "buildVscodeTests.mjs")], { cwd: ROOT });
  const vscodeExecutablePath = values.vscode ?? (await download(downloadAndUnzipVSCode));

  // VS Code puts a socket into this folder, and macOS allows 104 bytes for its path: its own temporary folder is too deep.
  const temporary = process.platform === "darwin" ? "/tmp" : tmpdir();
  const dataDir = mkdtempSync(join(temporary, "streamlet-desktop-"));
  const folder = join(dataDir, "folder");
  mkdirSync(folder);
  const results = join(dataDir, "results.jsonl");
  const printer = followResults(results);
  try {
    await runTests({
      vscodeExecutablePath,
      extensionDevelopmentPath: ROOT,
      extensionTestsPath: join(ROOT, "out", "host-suite", "index.js"),
      extensionTestsEnv: { STREAMLET_TEST_RESULTS: results, STREAMLET_TEST_ROOT: ROOT },
      launchArgs: [
        folder,
        ...["--user-data-dir", join(dataDir, "data"), "--disable-extensions", "--disable-workspace-trust"],
        ...["--skip-welcome", "--skip-release-notes", "--disable-updates"],
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      ],
    }).catch((error) => console.error(`VS Code: ${error.message ?? error}`));
  } finally {
    const outcome = printer.stop();
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    if (!outcome.ended) console.error("The suite did not come to its end.");
    const { passed, failed, skipped } = outcome;
    console.log(`\n${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
    process.exitCode = outcome.ended && failed.length === 0 && passed > 0 ? 0 : 1;
  }
}

async function download(downloadAndUnzipVSCode) {
  try {
    return await downloadAndUnzipVSCode({ cachePath: join(ROOT, ".cache", "vscode-test") });
  } catch (error) {
    throw new Error(
      `VS Code could not be downloaded (${error.message ?? error}). This machine seems to have no way to ` +
        "update.code.visualstudio.com; name an installed VS Code instead: npm run test:desktop -- --vscode PATH",
    );
  }
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
