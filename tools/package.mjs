// Makes the .vsix: one file for all platforms, with nothing in it that is not used at run time.
// `node tools/package.mjs [--out FILE]`; the default is streamlet-VERSION.vsix in the project's folder.
//
// The package is put together in a folder of its own from what is needed, rather than from the project less what is not:
// a new file of the project gets in only if something that is in already refers to it.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./install.mjs";
import { NOTICES, noticesFor } from "./notices.mjs";
import { run } from "./run.mjs";

/** The command line is for people with Node, who have it from `npm run build`; the extension starts the tracker itself. */
const NOT_IN_PACKAGE = ["streamlet.js"];
/** Fields of package.json that only development reads. */
const DEVELOPMENT_FIELDS = ["scripts", "devDependencies", "bin", "private"];

/**
 * Builds for production and packages.
 *
 * @param {string} [out] path of the .vsix
 * @returns {Promise<{path: string, bytes: number}>}
 */
export async function packageExtension(out) {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const path = resolve(out ?? join(ROOT, `${manifest.name}-${manifest.version}.vsix`));
  const temporary = mkdtempSync(join(tmpdir(), "streamlet-package-"));
  const stage = join(temporary, "extension");
  try {
    const metafile = join(temporary, "metafile.json");
    const flags = ["--production", `--outdir=${join(stage, "dist")}`, `--metafile=${metafile}`];
    await run(process.execPath, ["esbuild.mjs", ...flags], { cwd: ROOT });
    for (const file of NOT_IN_PACKAGE) rmSync(join(stage, "dist", file), { force: true });

    for (const field of DEVELOPMENT_FIELDS) delete manifest[field];
    writeFileSync(join(stage, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
    for (const file of ["LICENSE", "CHANGELOG.md"]) cpSync(join(ROOT, file), join(stage, file));
    for (const file of readdirSync(ROOT)) {
      if (/^package\.nls(\..+)?\.json$/.test(file)) cpSync(join(ROOT, file), join(stage, file));
    }
    for (const file of readdirSync(join(ROOT, "l10n"))) {
      // The texts of the sources are their own translation.
      if (/^bundle\.l10n\..+\.json$/.test(file)) cpSync(join(ROOT, "l10n", file), join(stage, "l10n", file));
    }
    writeFileSync(join(stage, "README.md"), readmeOfPackage());
    writeFileSync(join(stage, NOTICES), noticesFor(JSON.parse(readFileSync(metafile, "utf8"))));
    copyUsedMedia(stage);

    mkdirSync(join(path, ".."), { recursive: true });
    const vsce = join(ROOT, "node_modules", "@vscode", "vsce", "vsce");
    const options = ["--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links", "--out", path];
    await run(process.execPath, [vsce, "package", ...options], { cwd: stage, quiet: true });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return { path, bytes: statSync(path).size };
}

/** The project's README without its pictures, which would double the size of the package. */
function readmeOfPackage() {
  return readFileSync(join(ROOT, "README.md"), "utf8").replace(/^[ \t]*!\[[^\]]*\]\(media\/readme\/[^)]*\)\n\n?/gm, "");
}

/** Copies the files of media/ whose names appear in the manifest, in a bundle, or in a text of media/ that is copied. */
function copyUsedMedia(stage) {
  const candidates = new Set(filesIn(join(ROOT, "media")));
  let sources = filesIn(stage).filter((path) => /\.(js|css|json)$/.test(path));
  while (sources.length > 0) {
    const texts = sources.map((path) => readFileSync(path, "utf8"));
    sources = [];
    for (const path of candidates) {
      if (!texts.some((text) => text.includes(basename(path)))) continue;
      candidates.delete(path);
      const target = join(stage, relative(ROOT, path));
      cpSync(path, target);
      if (/\.(md|css|svg)$/.test(path)) sources.push(target);
    }
  }
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const at = process.argv.indexOf("--out");
  const { path, bytes } = await packageExtension(at > 0 ? process.argv[at + 1] : undefined);
  console.log(`${path}: ${(bytes / 1000).toFixed(0)} kB`);
}
