// Streamlet's command line without the one key by which two Streamlets recognise each other on a plain connection (`st_request`):
// what is left is what any BitTorrent client would see of it, blocks of 16 KiB, no request before the unchoke.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import esbuild from "esbuild";

const OFFER = "      st_request: MAX_REQUEST_BYTES,\n";

const withoutOffer = {
  name: "without-offer",
  setup(build) {
    build.onLoad({ filter: /[\\/]swarm[\\/]peerConnection\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      if (text.split(OFFER).length !== 2)
        throw new Error(`${path} offers st_request in another way: adapt plainBuild.mjs`);
      return { contents: text.replace(OFFER, ""), loader: "ts" };
    });
  },
};

/** Builds it into `outdir`, from the sources in `root`. */
export async function buildPlain(root, outdir) {
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
    plugins: [withoutOffer],
  });
}
