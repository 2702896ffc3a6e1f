// Writes THIRD-PARTY-NOTICES: the licenses of what the bundles really contain, as esbuild reports it.
// `npm run notices` updates the committed file; a test fails where it is out of date.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./install.mjs";
import { run } from "./run.mjs";

/** The file's name in the project and in the package. */
export const NOTICES = "THIRD-PARTY-NOTICES";

const HEADER = `Streamlet contains parts of the following packages.
Each of them is listed with its version and its license. This file is generated: npm run notices
`;
const RULE = "-".repeat(100);

/**
 * The text of the notices for bundles that esbuild has described.
 *
 * @param {{outputs: Record<string, {inputs: Record<string, {bytesInOutput: number}>}>, inputs: object}[]} metafiles
 * @returns {string}
 * @throws {Error} for a package whose license text is not to be had
 */
export function noticesFor(metafiles) {
  const packages = new Map();
  for (const path of bundledFiles(metafiles)) {
    const folder = packageFolder(path);
    if (folder) packages.set(folder, describePackage(join(ROOT, folder)));
  }
  const sorted = [...packages.values()].sort((a, b) => (a.title < b.title ? -1 : 1));
  return [HEADER, ...sorted.map(({ title, license, text }) => `${RULE}\n${title} (${license})\n\n${text}\n`)].join(
    "\n",
  );
}

/** Files that left at least a byte in some bundle, or that were copied beside one (fonts). */
function bundledFiles(metafiles) {
  const files = new Set();
  for (const { outputs } of metafiles) {
    for (const output of Object.values(outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) if (bytesInOutput > 0) files.add(path);
    }
  }
  return files;
}

/** `node_modules/a/node_modules/@b/c` of a file inside of it; undefined for the project's own files. */
function packageFolder(path) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}

function describePackage(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
  if (texts.length === 0) texts.push(standardText(name, license, author));
  return { title: `${name} ${version}`, license, text: texts.join("\n\n") };
}

/** Some packages name their license and do not contain it. The MIT text is the one of this project, but for the name. */
function standardText(name, license, author) {
  const holder = typeof author === "string" ? author : author?.name;
  if (license !== "MIT" || !holder) throw new Error(`The license text of ${name} (${license}) is missing.`);
  return readFileSync(join(ROOT, "LICENSE"), "utf8")
    .trim()
    .replace(/^Copyright .*$/m, `Copyright (c) ${holder}`);
}

/**
 * The text of the notices for all programs of the project, built for the purpose in a temporary folder.
 *
 * @returns {Promise<string>}
 */
export async function currentNotices() {
  const folder = mkdtempSync(join(tmpdir(), "streamlet-notices-"));
  try {
    const metafile = join(folder, "metafile.json");
    const flags = ["--production", `--outdir=${join(folder, "dist")}`, `--metafile=${metafile}`];
    await run(process.execPath, ["esbuild.mjs", ...flags], { cwd: ROOT });
    return noticesFor(JSON.parse(readFileSync(metafile, "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(join(ROOT, NOTICES), await currentNotices());
}
