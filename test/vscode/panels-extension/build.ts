import { execFileSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { tempDir } from "../../helpers/tempDir";

/** Packages this extension with the forms of the tree as it is. Returns the path of the .vsix. */
export async function buildPanelsExtension(): Promise<string> {
  const source = resolve("test/vscode/panels-extension");
  const stage = tempDir("panels-extension");
  cpSync(join(source, "package.json"), join(stage, "package.json"));
  cpSync(resolve("media"), join(stage, "media"), { recursive: true });
  const shared = { bundle: true, minify: true, logLevel: "warning" } as const;
  await build({
    ...shared,
    platform: "node",
    format: "cjs",
    external: ["vscode"],
    entryPoints: [join(source, "extension.ts")],
    outdir: join(stage, "dist"),
  });
  await build({
    ...shared,
    platform: "browser",
    format: "esm",
    entryPoints: ["profilePanel", "uploadPanel"].map((page) => resolve("src", "webview", `${page}.ts`)),
    outdir: join(stage, "dist", "webview"),
  });
  // vsce warns about a package that does not say what is in it.
  writeFileSync(join(stage, ".vscodeignore"), "*.vsix\n");
  const vsix = join(stage, "panels.vsix");
  const options = ["--no-dependencies", "--allow-missing-repository", "--skip-license", "--out", vsix];
  const vsce = resolve("node_modules", "@vscode", "vsce", "vsce");
  execFileSync(process.execPath, [vsce, "package", ...options], { cwd: stage, stdio: ["ignore", "ignore", "inherit"] });
  return vsix;
}
