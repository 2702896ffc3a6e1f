// Streamlet's command line without the one key by which two Streamlets recognise each other on a plain connection (`st_request`):
// what is left is what any BitTorrent client would see of it, blocks of 16 KiB, no request before the unchoke.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import esbuild from "esbuild";

const OFFER = /\bst_request: MAX_REQUEST_BYTES,/g;

/** @param {string[]} found gets the path of every file whose offer was taken out */
const withoutOffer = (found) => ({
  name: "without-offer",
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/]peer[\\/].*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      found.push(...(text.match(OFFER) ?? []).map(() => path));
      return { contents: text.replace(OFFER, ""), loader: "ts" };
    });
  },
});

/** Builds it into `outdir`, from the sources in `root`. */
export async function buildPlain(root, outdir) {
  const found = [];
  await esbuild.build({
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20.19",
    logLevel: "warning",
    entryPoints: {
      streamlet: join(root, "src", "cli", "main.ts"),
      peerWorker: join(root, "src", "peer", "worker.ts"),
      verifyWorker: join(root, "src", "peer", "storage", "verifyWorker.ts"),
      hashWorker: join(root, "src", "peer", "storage", "hashWorker.ts"),
      probeWorker: join(root, "src", "peer", "media", "probeWorker.ts"),
    },
    outdir,
    plugins: [withoutOffer(found)],
  });
  // The engine is in two of the programs.
  if (found.length !== 1 && new Set(found).size !== 1)
    throw new Error("st_request is offered in another way: adapt plainBuild.mjs");
}
