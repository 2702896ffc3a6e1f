// `npm run screenshots`: builds, packages and takes pictures of every view, see test/vscode/screenshots.ts.
import { join } from "node:path";
import { ensureHost } from "./ensureHost.mjs";
import { ensureDebianPackages, ensureDependencies, ROOT } from "./install.mjs";
import { run } from "./run.mjs";

const node = (...args) => run(process.execPath, args, { cwd: ROOT });

await ensureDependencies();
await ensureDebianPackages(["chromium", "ffmpeg"]);
await ensureHost();
await node("esbuild.mjs");
await node(join("tools", "package.mjs"), "--out", join("out", "streamlet.vsix"));
await node(join("tools", "buildVscodeTests.mjs"));
await node(join("out", "vscode", "screenshots.mjs"));
