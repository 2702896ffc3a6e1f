// npm run bench [-- --quick] [--only ROW,...] [--sides SIDE,...] [--rounds N] [--size MIB] [--dir DIR] [--dist DIR]
//               [--results DIR] [--cpu-prof] [--when-idle] [--no-install] [--list]
//
// What the project promises of its speed, measured against others in the same run (docs/benchmarks.md): a row is a file of
// bench/rows. Prints what it finds as it goes and one table at the end; everything it saw is written to --results.
// --quick: small sizes, one round: whether it works, not how fast it is. --dist: another build than the one that it makes.
// --no-install: sides that are not there are left out. --cpu-prof leaves profiles beside the results (bench/profile.mjs).
// Exit 1 if a row fails, or a bar is missed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureDependencies, ROOT } from "../tools/install.mjs";
import { run as runProgram } from "../tools/run.mjs";
import { GIB, MIB } from "./files.mjs";
import { Bench } from "./harness.mjs";
import { printTable } from "./table.mjs";

/** In the order in which they run. */
const ROWS = [
  "tls",
  "plain",
  "four",
  "import",
  "memory",
  "host-delay",
  "first-block",
  "first-frame",
  "slow-frame",
  "library",
];

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    sides: { type: "string" },
    rounds: { type: "string" },
    size: { type: "string" },
    dir: { type: "string", default: tmpdir() },
    dist: { type: "string" },
    results: { type: "string", default: join(ROOT, "bench", "results") },
    "cpu-prof": { type: "boolean", default: false },
    "when-idle": { type: "boolean", default: false },
    "no-install": { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
});

process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

function chosenRows() {
  const wanted = flags.only?.split(",") ?? ROWS;
  const unknown = wanted.filter((name) => !ROWS.includes(name));
  if (unknown.length > 0) throw new Error(`There is no row ${unknown.join(", ")}: ${ROWS.join(", ")}`);
  return ROWS.filter((name) => wanted.includes(name));
}

/** `first-frame` is in rows/firstFrame.mjs. */
function fileOf(row) {
  return row.replace(/-(.)/g, (_dash, letter) => letter.toUpperCase());
}

async function main() {
  if (flags.list) return console.log(ROWS.join("\n"));
  const names = chosenRows();
  await ensureDependencies();
  if (flags.dist === undefined) await runProgram(process.execPath, ["esbuild.mjs"], { cwd: ROOT });

  const results = resolve(flags.results);
  const stamp = new Date().toISOString().replace(/[:.]/g, "-");
  const dir = mkdtempSync(join(flags.dir, "streamlet-bench-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  const bench = new Bench({
    dir,
    dist: resolve(flags.dist ?? join(ROOT, "dist")),
    quick: flags.quick,
    rounds: Number(flags.rounds ?? (flags.quick ? 1 : 5)),
    size: Number(flags.size ?? (flags.quick ? 32 : 1024)) * MIB,
    sides: flags.sides?.split(","),
    whenIdle: flags["when-idle"],
    profiles: flags["cpu-prof"] ? join(results, stamp) : undefined,
    install: !flags["no-install"],
  });

  const failed = [];
  const begun = performance.now();
  for (const name of names) {
    const row = await import(`./rows/${fileOf(name)}.mjs`);
    console.log(`\n${name}: ${row.title}`);
    bench.begin(name);
    try {
      await row.run(bench);
    } catch (error) {
      failed.push(name);
      console.error(`  FAILED: ${error.stack}`);
    }
  }

  report(bench, { stamp, results, failed, seconds: (performance.now() - begun) / 1000 });
}

/** Prints the table, writes everything that was seen, and says by the exit code whether all is well. */
function report({ size, rounds, quick, lines, skipped, runs }, { stamp, results, failed, seconds }) {
  const model = cpus()[0]?.model.trim();
  const machine = { cpu: model, cores: cpus().length, memory: totalmem(), kernel: release(), node: process.version };
  printTable({ lines, skipped, failed });
  const memory = `${Math.round(machine.memory / GIB)} GiB`;
  console.log(`\n${machine.cores} cores of ${model}, ${memory}, Linux ${machine.kernel}, Node ${machine.node}`);
  console.log(`${rounds} rounds of ${size / MIB} MiB, ${Math.round(seconds)} s`);
  mkdirSync(results, { recursive: true });
  const file = join(results, `${stamp}.json`);
  const all = { stamp, machine, size, rounds, quick, seconds, failed, lines, skipped, runs };
  writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
  console.log(`written to ${file}`);
  process.exitCode = failed.length > 0 || lines.some(({ held }) => held === false) ? 1 : 0;
}

await main();
