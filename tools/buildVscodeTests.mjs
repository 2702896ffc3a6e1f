// Bundles the tests that run in or against the real VS Code:
//   test/vscode/*.spec.ts          -> out/vscode/*.spec.mjs      driven from outside, plain Node with Playwright
//   test/vscode/screenshots.ts     -> out/vscode/screenshots.mjs pictures of every view
//   test/vscode/host-suite/*.ts    -> out/host-suite/index.js    mocha inside the extension host
import { readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import esbuild from "esbuild";
import { ROOT } from "./install.mjs";

const SPECS = join(ROOT, "test", "vscode");
const SUITE = join(SPECS, "host-suite");

const shared = { bundle: true, platform: "node", target: "node20.19", sourcemap: "inline", logLevel: "warning" };

/** The project's tools find their files by their own path, so they stay outside of bundles. */
const toolsStayOutside = (outdir) => ({
  name: "tools-stay-outside",
  setup(build) {
    build.onResolve({ filter: /\/tools\/[a-zA-Z]+\.mjs$/ }, (args) => ({
      path: relative(outdir, join(args.resolveDir, args.path)).replaceAll("\\", "/"),
      external: true,
    }));
  },
});

/** Every `*.test.ts` of the suite, imported by name: a bundle cannot look into a folder. */
const allTests = {
  name: "all-tests",
  setup(build) {
    build.onResolve({ filter: /^host-suite:tests$/ }, () => ({ path: "tests", namespace: "host-suite" }));
    build.onLoad({ filter: /.*/, namespace: "host-suite" }, () => ({
      contents: readdirSync(SUITE)
        .filter((name) => name.endsWith(".test.ts"))
        .map((name) => `require("./${name}");`)
        .join("\n"),
      resolveDir: SUITE,
    }));
  },
};

const outVscode = join(ROOT, "out", "vscode");
rmSync(outVscode, { recursive: true, force: true });
await Promise.all([
  esbuild.build({
    ...shared,
    absWorkingDir: ROOT,
    format: "esm",
    entryPoints: [
      join(SPECS, "support", "hooks.ts"),
      join(SPECS, "screenshots.ts"),
      ...readdirSync(SPECS)
        .filter((name) => name.endsWith(".spec.ts"))
        .map((name) => join(SPECS, name)),
    ],
    entryNames: "[name]",
    outdir: outVscode,
    outExtension: { ".js": ".mjs" },
    // Shared state (the browser) has to be one module for all specs and the hooks.
    splitting: true,
    packages: "external",
    plugins: [toolsStayOutside(outVscode)],
  }),
  esbuild.build({
    ...shared,
    absWorkingDir: ROOT,
    format: "cjs",
    entryPoints: [join(SUITE, "index.ts")],
    outfile: join(ROOT, "out", "host-suite", "index.js"),
    external: ["vscode", "mocha"],
    plugins: [allTests],
  }),
  // A tracker with many videos is a process of its own, so that its work is not taken for the extension's.
  esbuild.build({
    ...shared,
    absWorkingDir: ROOT,
    format: "esm",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    entryPoints: [join(ROOT, "test", "helpers", "fullTracker.ts")],
    outfile: join(ROOT, "out", "host-suite", "fullTracker.mjs"),
  }),
]);
