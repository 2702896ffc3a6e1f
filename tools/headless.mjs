// The whole main job in the terminal, as real processes on this machine: a tracker, Alice who shares a clip, Carol who watches
// it while it downloads, and Bob who finds it, downloads it and compares it. Everything is in a temporary folder and on free ports, and gone afterwards.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./install.mjs";
import { Program } from "./program.mjs";

/** For each step; all of them together take two or three seconds on an idle machine. */
const STEP_TIMEOUT_MS = 20_000;
const CLIP = join(ROOT, "test", "fixtures", "clip.mp4");
const TITLE = "A short clip";

/**
 * @returns {Promise<void>} rejects with a sentence on the first step that fails
 */
export async function runHeadless() {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), "streamlet-headless-"));
  /** @type {Program[]} */
  const running = [];
  const start = (name, args) => {
    const program = new Program(name, args);
    running.push(program);
    return program;
  };
  const cleanUp = async () => {
    for (const program of running.reverse()) await program.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  const interrupted = () => void cleanUp().finally(() => process.exit(130));
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    console.log("\nThe main job: Alice shares a video, Carol watches it, Bob finds and downloads it.\n");
    const tracker = start("streamlet-tracker", [
      ...["--host", "127.0.0.1", "--port", "0", "--http-port", "0", "--data", join(folder, "tracker")],
    ]);
    const { port } = await tracker.event("ready", STEP_TIMEOUT_MS);
    const address = `127.0.0.1:${port}`;
    say("Tracker", `listens on ${address}`);
    const as = (peerId) => [
      ...["--data", join(folder, peerId), "--peer-id", peerId],
      ...["--host", "127.0.0.1", "--port", "0", "--tracker", address],
    ];

    const alice = start("streamlet", ["share", CLIP, "--name", TITLE, "--audience", "everyone", ...as("Alice")]);
    const ready = await alice.event("ready", STEP_TIMEOUT_MS);
    say("Alice", `listens on port ${ready.port}, key ${ready.fingerprint}`);
    const shared = await alice.event("shared", STEP_TIMEOUT_MS);
    say("Alice", `publishes "${shared.name}", ${shared.size} bytes, id ${shared.id.slice(0, 16)}...`);

    const listed = await start("streamlet", ["list", ...as("Bob")]).all(STEP_TIMEOUT_MS);
    const video = listed.find((event) => event.event === "video" && event.id === shared.id);
    if (!video) throw new Error(`Bob does not see Alice's video; he sees ${listed.length} others.`);
    if (video.owner !== "Alice") throw new Error(`The video's owner should be Alice, not ${video.owner}.`);
    say("Bob", `discovers "${video.name}" by ${video.owner}, ${video.sources} source(s)`);

    const player = start("streamlet", ["play", shared.id, ...as("Carol")]);
    const begun = Date.now();
    const { url } = await player.event("stream", STEP_TIMEOUT_MS);
    const half = Math.floor(shared.size / 2);
    const seen = await fetchRange(url, half, shared.size - 1);
    if (!seen.equals(readFileSync(CLIP).subarray(half))) throw new Error("What Carol sees is not Alice's video.");
    say("Carol", `watches it from the middle while it downloads, ${Date.now() - begun} ms after she asked for it`);
    await player.stop();

    const downloads = join(folder, "downloads");
    mkdirSync(downloads);
    const said = await start("streamlet", ["get", shared.id, "--out", downloads, ...as("Bob")]).all(STEP_TIMEOUT_MS);
    const done = said.find((event) => event.event === "done");
    if (!done) throw new Error("Bob's download ended without its last word.");
    say("Bob", `downloads ${done.bytes} bytes in ${done.seconds.toFixed(2)} s, every block verified`);

    const [sent, received] = [sha256(CLIP), sha256(done.path)];
    if (sent !== received || done.sha256 !== sent)
      throw new Error(`Bob's file differs: ${received} instead of ${sent}`);
    say("Verified", `both files have ${statSync(done.path).size} bytes, SHA-256 ${sent}`);
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    await cleanUp();
  }
  console.log(`\nEverything worked, in ${((Date.now() - started) / 1000).toFixed(1)} s. Nothing is left running.`);
}

async function fetchRange(url, first, last) {
  const response = await fetch(url, { headers: { Range: `bytes=${first}-${last}` } });
  if (response.status !== 206) throw new Error(`The player got ${response.status} instead of a part of the video.`);
  return Buffer.from(await response.arrayBuffer());
}

function say(who, what) {
  console.log(`  ${who.padEnd(10)}${what}`);
}

function sha256(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
