// `npm test`: installs what is missing, builds, runs every suite and adds them up. Works right after a clone.
// `node tools/test.mjs SUITE...` runs only some; `unit` stands for those that take seconds: no whole peers, no VS Code.
//
// The last line on stdout is `N passed, N failed, N skipped`. The exit code is 0 only if nothing failed, every suite ran at
// least one test to its end, and no process or temporary folder was left behind.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { ensureHost } from "./ensureHost.mjs";
import { DEBIAN_PACKAGES, ensureDebianPackages, ensureDependencies, ROOT } from "./install.mjs";
import { run } from "./run.mjs";

/** The longest suite takes twelve minutes on two cores; on a machine whose pace differs from hour to hour, half as much again. */
const SUITE_TIMEOUT_MS = 25 * 60_000;
/** Of a test that names none: mocha's own two seconds are soon over on a machine that does something else as well. */
const TEST_TIMEOUT_MS = 20_000;
const VSIX = join(ROOT, "out", "streamlet.vsix");
/** Marks every process of this run in its environment, so that what is left of it can be found. */
const RUN_ID = `${process.pid}-${Date.now()}`;
/** Suites that are driven through a real VS Code. */
const VSCODE_SUITES = ["host-suite", "vscode"];
/** Whole peers on real sockets, programs as processes: minutes instead of seconds. */
const SLOW_AREAS = ["peer", "cli", "ui", "interop", "bench", "sim"];
/** Areas of which a file per core runs at the same time. */
const PARALLEL_AREAS = ["sim", "peer"];
/** Files that measure time or speed: each runs alone, after the others of its area. */
const MEASURING =
  /_(limits\w*|stream\w*|swarmLinks|swarmFloods|convert\w*|mediaBombs|mediaProbe|netListener)\.test\.js$/;

/**
 * @typedef {{passed: number, failed: string[], skipped: {title: string, why: string}[]}} Outcome
 * @typedef {{name: string, run: (env: NodeJS.ProcessEnv) => Promise<Outcome>}} Suite
 */

const modules = (...path) => join(ROOT, "node_modules", ...path);
const bin = { tsc: modules("typescript", "bin", "tsc"), biome: modules("@biomejs", "biome", "bin", "biome") };

/** Areas of plain Node tests: the folders of test/ that hold `*.test.ts`, each a suite of its own. */
function areas() {
  return readdirSync(join(ROOT, "test"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "vscode")
    .map((entry) => entry.name)
    .filter((area) =>
      readdirSync(join(ROOT, "test", area), { recursive: true }).some((file) => String(file).endsWith(".test.ts")),
    );
}

/** @returns {Suite[]} */
function suites() {
  const specs = (keep) =>
    readdirSync(join(ROOT, "test", "vscode"))
      .filter((file) => file.endsWith(".spec.ts") && keep(file))
      .map((file) => join("out", "vscode", file.replace(/\.ts$/, ".mjs")));
  const hooks = join("out", "vscode", "hooks.mjs");
  return [
    { name: "check", run: check },
    ...areas().map((area) => ({ name: area, run: (env) => areaSuite(area, env) })),
    {
      name: "package",
      run: (env) =>
        mocha(
          specs((file) => file === "package.spec.ts"),
          env,
        ),
    },
    { name: "host-suite", run: (env) => reported([join("tools", "runHostSuite.mjs")], env) },
    {
      name: "vscode",
      run: (env) => mocha(["--require", hooks, ...specs((file) => file !== "package.spec.ts")], env),
    },
  ];
}

/** @returns {Promise<Outcome>} */
async function areaSuite(area, env) {
  const out = join(ROOT, "out", "test");
  const files = readdirSync(out).filter((file) => file.startsWith(`${area}_`) && file.endsWith(".test.js"));
  const paths = (list) => list.map((file) => join(out, file));
  if (!PARALLEL_AREAS.includes(area)) return mocha(paths(files), env);
  const together = await mocha(
    ["--parallel", "--jobs", `${availableParallelism()}`, ...paths(files.filter((file) => !MEASURING.test(file)))],
    env,
  );
  const measuring = files.filter((file) => MEASURING.test(file));
  if (measuring.length === 0) return together;
  const alone = await mocha(paths(measuring), env);
  return {
    passed: together.passed + alone.passed,
    failed: [...together.failed, ...alone.failed],
    skipped: [...together.skipped, ...alone.skipped],
  };
}

/** Types, lint, format and import rules; each counts as one test. */
async function check(env) {
  const steps = [
    ["types", [bin.tsc, "-p", "tsconfig.json"]],
    ["types of the webviews", [bin.tsc, "-p", "src/webview/tsconfig.json"]],
    ["lint, format, import rules", [bin.biome, "check", "--error-on-warnings", "."]],
  ];
  const outcome = { passed: 0, failed: [], skipped: [] };
  for (const [title, args] of steps) {
    const { code } = await node(args, env);
    console.log(`  ${code === 0 ? "✔" : "✘"} ${title}`);
    if (code === 0) outcome.passed += 1;
    else outcome.failed.push(title);
  }
  return outcome;
}

function mocha(args, env) {
  const options = ["--exit", "--reporter", "tools/reporter.cjs", "--timeout", `${TEST_TIMEOUT_MS}`];
  return reported([modules("mocha", "bin", "mocha.js"), ...options, ...args], env);
}

/** Runs a program that writes its outcome into the file STREAMLET_TEST_RESULTS; one that does not has crashed. */
async function reported(args, env) {
  const results = join(env.TMPDIR, "results.json");
  rmSync(results, { force: true });
  const { code, signal } = await node(args, { ...env, STREAMLET_TEST_RESULTS: results });
  if (!existsSync(results)) {
    return { passed: 0, failed: [`the suite crashed (${signal ?? `exit code ${code}`})`], skipped: [] };
  }
  const outcome = JSON.parse(readFileSync(results, "utf8"));
  const { passed, failed, skipped } = outcome;
  if (passed + failed.length + skipped.length === 0) failed.push("the suite ran no test");
  else if (code !== 0 && failed.length === 0) failed.push(`the suite ended with ${signal ?? `exit code ${code}`}`);
  return outcome;
}

/** Runs Node in a process group of its own, output going where ours goes. */
function node(args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env,
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    });
    const end = () => endGroup(child.pid);
    const timer = setTimeout(() => {
      console.error(`\nNot done within ${SUITE_TIMEOUT_MS / 60_000} minutes.`);
      end();
    }, SUITE_TIMEOUT_MS);
    process.once("exit", end);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve({ code, signal });
    });
  });
}

function endGroup(pid) {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** What the suites should have ended or removed and did not: processes (seen on Linux only) and temporary folders. */
function leftBehind(temporary) {
  const found = readdirSync(temporary)
    .filter((name) => name.startsWith("streamlet-"))
    .map((name) => `left the temporary folder ${name}`);
  if (process.platform !== "linux") return found;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, "utf8").includes(`STREAMLET_TEST_RUN=${RUN_ID}`)) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      if (command === "") continue; // a zombie: ended, and not waited for yet
      found.push(`left a process: ${command.slice(0, 200)}`);
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended while we looked, or it is not ours to look at.
    }
  }
  return found;
}

/** @param {boolean} everything false: what plain Node tests need */
async function prepare(everything) {
  await ensureDependencies();
  if (!everything) {
    await run(process.execPath, ["esbuild.mjs", "--tests"], { cwd: ROOT });
    return undefined;
  }
  const missing = await ensureDebianPackages(Object.keys(DEBIAN_PACKAGES));
  for (const why of missing.values()) console.log(`Without it some tests are skipped: ${why}`);
  let noVscode;
  try {
    await ensureHost();
    const { findChromium } = await import("./chromium.mjs");
    if (!findChromium()) noVscode = missing.get("chromium") ?? "there is no Chromium here";
  } catch (error) {
    noVscode = error.message;
  }
  console.log("Building ...");
  rmSync(join(ROOT, "out", "test"), { recursive: true, force: true });
  await run(process.execPath, ["esbuild.mjs"], { cwd: ROOT });
  await run(process.execPath, ["esbuild.mjs", "--tests"], { cwd: ROOT });
  await run(process.execPath, [join("tools", "package.mjs"), "--out", VSIX], { cwd: ROOT });
  await run(process.execPath, [join("tools", "buildVscodeTests.mjs")], { cwd: ROOT });
  return noVscode;
}

async function main() {
  const unit = areas().filter((area) => !SLOW_AREAS.includes(area));
  const wanted = process.argv.slice(2).flatMap((name) => (name === "unit" ? unit : [name]));
  const noVscode = await prepare(wanted.length === 0 || wanted.some((name) => !areas().includes(name)));
  const all = suites();
  const unknown = wanted.filter((name) => !all.some((suite) => suite.name === name));
  if (unknown.length > 0)
    throw new Error(`There is no suite ${unknown.join(", ")}: ${all.map((s) => s.name).join(", ")}`);

  const temporary = realpathSync(mkdtempSync(join(tmpdir(), "st-")));
  const env = { ...process.env, TMPDIR: temporary, STREAMLET_TEST_RUN: RUN_ID, STREAMLET_VSIX: VSIX };
  const table = [];
  // Whoever ends us in the middle (Ctrl+C, a build machine's time limit) finds nothing of ours running afterwards.
  const cleanUp = () => {
    leftBehind(temporary);
    rmSync(temporary, { recursive: true, force: true });
  };
  process.once("exit", cleanUp);
  try {
    for (const suite of all) {
      if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
      console.log(`\n━━ ${suite.name} ${"━".repeat(Math.max(0, 80 - suite.name.length))}`);
      const started = Date.now();
      const outcome =
        noVscode && VSCODE_SUITES.includes(suite.name)
          ? { passed: 0, failed: [], skipped: [{ title: "the whole suite", why: noVscode }] }
          : await suite.run(env);
      outcome.failed.push(...leftBehind(temporary));
      for (const name of readdirSync(temporary)) rmSync(join(temporary, name), { recursive: true, force: true });
      table.push({ suite: suite.name, seconds: (Date.now() - started) / 1000, ...outcome });
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    process.off("exit", cleanUp);
  }
  return summarize(table);
}

/** Prints the table and the last line. Returns the number of failures. */
function summarize(table) {
  console.log(`\n━━ summary ${"━".repeat(73)}`);
  for (const { suite, title, why } of table.flatMap((row) => row.skipped.map((s) => ({ suite: row.suite, ...s })))) {
    console.log(`skipped: ${suite}: ${title}: ${why}`);
  }
  for (const row of table) for (const title of row.failed) console.log(`FAILED: ${row.suite}: ${title}`);
  const cells = (...values) => console.log(values.map((v, i) => (i === 0 ? v.padEnd(12) : v.padStart(9))).join(""));
  cells("suite", "passed", "failed", "skipped", "seconds");
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { suite, passed, failed, skipped, seconds } of table) {
    cells(suite, `${passed}`, `${failed.length}`, `${skipped.length}`, seconds.toFixed(1));
    sum.passed += passed;
    sum.failed += failed.length;
    sum.skipped += skipped.length;
  }
  console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  return sum.failed;
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]) {
  process.once(signal, () => process.exit(code));
}
try {
  process.exitCode = (await main()) > 0 ? 1 : 0;
} catch (error) {
  console.error(`\n${error.message}`);
  console.log("0 passed, 1 failed, 0 skipped");
  process.exitCode = 1;
}
