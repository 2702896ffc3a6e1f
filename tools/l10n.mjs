// Writes l10n/bundle.l10n.json (all texts of `l10n.t`) and says what the translations lack. `npm run l10n`
// A translation is l10n/bundle.l10n.LANGUAGE.json and package.nls.LANGUAGE.json.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./install.mjs";
import { faultsOf, stringsOfSources } from "./l10nStrings.mjs";

const FOLDER = join(ROOT, "l10n");
const read = (...path) => JSON.parse(readFileSync(join(...path), "utf8"));

const strings = stringsOfSources(ROOT);
mkdirSync(FOLDER, { recursive: true });
writeFileSync(join(FOLDER, "bundle.l10n.json"), `${JSON.stringify(strings, undefined, 2)}\n`);
const manifest = read(ROOT, "package.nls.json");
console.log(`${Object.keys(strings).length} texts of the code, ${Object.keys(manifest).length} of package.json`);
for (const [folder, english, form] of [
  [FOLDER, strings, /^bundle\.l10n\.([a-z-]+)\.json$/],
  [ROOT, manifest, /^package\.nls\.([a-z-]+)\.json$/],
]) {
  for (const file of readdirSync(folder).filter((name) => form.test(name))) {
    const faults = faultsOf(english, read(folder, file));
    console.log([`${file}: ${faults.length === 0 ? "complete" : `${faults.length} faults`}`, ...faults].join("\n  "));
    if (faults.length > 0) process.exitCode = 1;
  }
}
