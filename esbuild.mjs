// Builds every program of the project. Flags: --watch, --production (minified, no source maps), --tests (mocha suites into out/test),
// --outdir=DIR (instead of dist), --metafile=FILE (what went into each bundle, esbuild's format, one entry per build).
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import esbuild from "esbuild";

const flags = new Set(process.argv.slice(2));
const production = flags.has("--production");
const outdir = option("outdir") ?? "dist";
const metafile = option("metafile");

const WORKERS = {
  peerWorker: "src/peer/worker.ts",
  verifyWorker: "src/peer/storage/verifyWorker.ts",
  hashWorker: "src/peer/storage/hashWorker.ts",
  probeWorker: "src/peer/media/probeWorker.ts",
};

const PROGRAMS = { streamlet: "src/cli/main.ts", "streamlet-tracker": "tracker/main.ts" };

/** @type {import("esbuild").BuildOptions} */
const node = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20.19",
  minify: production,
  keepNames: production,
  sourcemap: production ? false : "linked",
  legalComments: "none",
  logLevel: "warning",
};

function option(name) {
  return process.argv.find((flag) => flag.startsWith(`--${name}=`))?.slice(name.length + 3);
}

function testEntries() {
  const entries = {};
  // What runs in VS Code is built by tools/buildVscodeTests.mjs.
  for (const file of listFiles("test")) {
    const runsHere = file.endsWith(".test.ts") && !file.startsWith(join("test", "vscode"));
    if (runsHere) entries[file.slice("test/".length, -3).replaceAll("/", "_")] = file;
  }
  return entries;
}

function listFiles(dir) {
  try {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => join(e.parentPath, e.name));
  } catch {
    return [];
  }
}

const programs = [
  {
    ...node,
    entryPoints: { extension: "src/extension.ts" },
    external: ["vscode"],
    outdir,
  },
  { ...node, entryPoints: WORKERS, outdir },
  {
    ...node,
    entryPoints: PROGRAMS,
    banner: { js: "#!/usr/bin/env node" },
    outdir,
  },
  {
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    minify: production,
    sourcemap: production ? false : "inline",
    legalComments: "none",
    logLevel: "warning",
    entryPoints: Object.fromEntries(
      listFiles("src/webview")
        .filter((f) => /^src\/webview\/[a-zA-Z]+(Panel|Worker)\.tsx?$/.test(f))
        .map((f) => [basename(f).replace(/\.tsx?$/, ""), f]),
    ),
    outdir: join(outdir, "webview"),
  },
];

if (flags.has("--tests")) {
  rmSync("out/test", { recursive: true, force: true });
  await esbuild.build({
    ...node,
    // Black-box tests run the programs, which lie beside them.
    entryPoints: { ...testEntries(), ...WORKERS, ...PROGRAMS },
    external: ["mocha", "playwright-core", "vscode", "fast-check", "mediabunny"],
    outdir: "out/test",
    sourcemap: "inline",
  });
} else if (flags.has("--watch")) {
  for (const options of programs) await (await esbuild.context({ ...options, logLevel: "info" })).watch();
} else {
  rmSync(outdir, { recursive: true, force: true });
  const built = await Promise.all(
    programs
      .filter((p) => Object.keys(p.entryPoints).length > 0)
      .map((options) => esbuild.build({ ...options, metafile: metafile !== undefined })),
  );
  if (metafile) writeFileSync(metafile, JSON.stringify(built.map((result) => result.metafile)));
}
