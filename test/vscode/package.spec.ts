import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { homedir } from "node:os";
import { resolve, sep } from "node:path";
import { unzipSync } from "fflate";
import { currentNotices, NOTICES } from "../../tools/notices.mjs";
import { VSIX } from "./support/app";

/** One package for all platforms, without native code: what it weighs is JavaScript. */
const MAX_VSIX_BYTES = 1_500_000;

/** Programs that the package has, because something in it starts them. */
const PROGRAMS = [
  "dist/extension.js",
  "dist/hashWorker.js",
  "dist/peerWorker.js",
  "dist/probeWorker.js",
  "dist/streamlet-tracker.js",
  "dist/verifyWorker.js",
];

describe("the package", function () {
  this.timeout(60_000);

  /** Content by path inside of the extension's folder. */
  const files = new Map<string, Uint8Array>();
  const names = () => [...files.keys()];
  const text = (name: string) => new TextDecoder().decode(files.get(name));

  before(() => {
    for (const [path, content] of Object.entries(unzipSync(readFileSync(VSIX)))) {
      if (path.startsWith("extension/")) files.set(path.slice("extension/".length), content);
    }
  });

  it("is below 1.5 MB", () => {
    const { length } = readFileSync(VSIX);
    assert.ok(length < MAX_VSIX_BYTES, `${length} bytes`);
  });

  it("has the programs that are started at run time, and no other", () => {
    const programs = names()
      .filter((name) => /^dist\/[^/]+\.js$/.test(name))
      .sort();
    assert.deepEqual(programs, PROGRAMS);
  });

  it("has pages whose scripts and styles can stand in their HTML: no text in them ends or nests an element", () => {
    const pages = names().filter((name) => /^dist\/webview\/\w+Panel\.(js|css)$/.test(name));
    assert.ok(pages.length > 0);
    for (const name of pages) assert.doesNotMatch(text(name), /<\/?script|<\/style/i, name);
  });

  it("has nothing that is not used at run time", () => {
    const documents = /^(package(\.nls(\.[a-z-]+)?)?\.json|readme\.md|changelog\.md|LICENSE\.txt|THIRD-PARTY-NOTICES)$/;
    const translations = /^l10n\/bundle\.l10n\.[a-z-]+\.json$/;
    const rest = names().filter(
      (name) => !documents.test(name) && !translations.test(name) && !PROGRAMS.includes(name),
    );
    const texts = names()
      .filter((name) => /\.(js|json|css|md)$/.test(name))
      .map((name) => [name, text(name)] as const);
    for (const name of rest) {
      assert.match(name, /^(dist\/webview\/|media\/)/, `what is ${name} for?`);
      const base = name.slice(name.lastIndexOf("/") + 1);
      // A page's script and style are named after the page: `profilePanel`.
      const called = name.startsWith("dist/webview/") ? base.replace(/\.(js|css)$/, "") : base;
      assert.ok(
        texts.some(([other, content]) => other !== name && content.includes(called)),
        `nothing mentions ${name}`,
      );
    }
  });

  it("has every file that its manifest names", () => {
    const manifest = JSON.parse(text("package.json"));
    const named = JSON.stringify(manifest).match(/"(?:\.\/)?(?:dist|media)\/[^"]+"/g) ?? [];
    assert.ok(named.length > 1);
    for (const path of named) {
      const name = path.slice(1, -1).replace(/^\.\//, "");
      assert.ok(files.has(name), `${name} is missing`);
    }
  });

  it("speaks every language that the project speaks", () => {
    for (const folder of ["l10n", "."]) {
      for (const file of readdirSync(folder).filter((name) =>
        /^(bundle\.l10n|package\.nls)\.[a-z-]+\.json$/.test(name),
      ))
        assert.ok(files.has(folder === "." ? file : `${folder}/${file}`), file);
    }
  });

  it("has neither source maps nor paths of the machine that built it", () => {
    for (const name of names().filter((file) => /\.(js|css)$/.test(file))) {
      const content = text(name);
      assert.ok(!content.includes("sourceMappingURL"), `${name} refers to a source map`);
      assert.ok(!content.includes(resolve(".") + sep), `${name} contains the project's path`);
      assert.ok(!content.includes(homedir() + sep), `${name} contains a home folder`);
    }
  });

  it("loads no native code and no package from outside of its bundles", () => {
    // ws tries the last two, which are native, and does without.
    const known = /^(node:.+|vscode|bufferutil|utf-8-validate)$/;
    for (const name of PROGRAMS) {
      for (const [, wanted] of text(name).matchAll(/\brequire\("([^"]+)"\)/g)) {
        assert.ok(known.test(wanted!) || builtinModules.includes(wanted!), `${name} requires ${wanted}`);
      }
    }
    assert.deepEqual(
      names().filter((name) => name.endsWith(".node")),
      [],
    );
  });

  it("has pictures in its README only if it has them with it", () => {
    for (const [, target] of text("readme.md").matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) {
      assert.ok(files.has(target!), `the README shows ${target}, which is not in the package`);
    }
  });

  it("names the licenses of just what its bundles contain", async () => {
    assert.equal(readFileSync(NOTICES, "utf8"), await currentNotices(), "out of date: run `npm run notices`");
  });
});

describe("the lock files", () => {
  for (const path of ["package-lock.json", "test/vscode/host/package-lock.json"]) {
    const packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }> = JSON.parse(
      readFileSync(path, "utf8"),
    ).packages;

    it(`${path} names the packages of every platform, without which \`npm ci\` refuses it`, () => {
      const names = new Set(Object.keys(packages).map((key) => key.slice(key.lastIndexOf("node_modules/") + 13)));
      for (const [key, { optionalDependencies = {} }] of Object.entries(packages)) {
        for (const name of Object.keys(optionalDependencies)) assert.ok(names.has(name), `${key} lacks ${name}`);
      }
    });

    it(`${path} records no registry`, () => {
      const recorded = Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined);
      assert.deepEqual(
        recorded.map(([key]) => key),
        [],
      );
    });
  }
});
