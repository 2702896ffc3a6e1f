import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { faultsOf, stringsOfSources } from "../../tools/l10nStrings.mjs";
import { tempDir } from "../helpers/tempDir";

const ROOT = resolve(".");
const read = (...path: string[]) => JSON.parse(readFileSync(join(ROOT, ...path), "utf8")) as Record<string, string>;
const languagesOf = (folder: string, form: RegExp) =>
  readdirSync(join(ROOT, folder)).flatMap((name) => form.exec(name)?.[1] ?? []);

describe("translations", () => {
  it("start from the texts of the sources as they are", () => {
    assert.deepEqual(read("l10n", "bundle.l10n.json"), stringsOfSources(ROOT), "out of date: run `npm run l10n`");
  });

  it("are there in the same languages for the code and for package.json", () => {
    const languages = languagesOf("l10n", /^bundle\.l10n\.([a-z-]+)\.json$/);
    assert.ok(languages.includes("de"));
    assert.deepEqual(languagesOf(".", /^package\.nls\.([a-z-]+)\.json$/).sort(), languages.sort());
  });

  for (const language of languagesOf("l10n", /^bundle\.l10n\.([a-z-]+)\.json$/)) {
    it(`say everything in ${language}, with the same placeholders, icons and commands`, () => {
      assert.deepEqual(faultsOf(read("l10n", "bundle.l10n.json"), read("l10n", `bundle.l10n.${language}.json`)), []);
      assert.deepEqual(faultsOf(read("package.nls.json"), read(`package.nls.${language}.json`)), []);
    });
  }

  it("are told apart where a key is missing or unknown, or a placeholder differs", () => {
    const english = { a: "{0} of {1}", b: "[Go](command:x)", c: "$(add) New", d: "x" };
    const translated = { a: "{1} von {0}", b: "[Los](command:y)", c: "$(plus) Neu", e: "x" };
    assert.deepEqual(faultsOf(english, translated), [
      "unknown: e",
      "other placeholders, icons or commands: b",
      "other placeholders, icons or commands: c",
      "missing: d",
    ]);
  });

  it("cannot miss a text: one that is no literal is refused, with its place", () => {
    const root = tempDir("l10n");
    mkdirSync(join(root, "src", "ui"), { recursive: true });
    writeFileSync(join(root, "src", "extension.ts"), 'import { l10n } from "vscode";\nl10n.t("a \\"b\\"", 1);\n');
    assert.deepEqual(stringsOfSources(root), { 'a "b"': 'a "b"' });
    for (const call of ["l10n.t(text)", 'l10n.t("a" + b)', "l10n.t(`a`)", 'l10n.t(ok ? "a" : "b")']) {
      writeFileSync(join(root, "src", "ui", "one.ts"), `const x = 1;\n${call};\n`);
      assert.throws(() => stringsOfSources(root), /one\.ts:2: l10n\.t takes one string literal/, call);
    }
  });
});
