import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { tempDir } from "../helpers/tempDir";

/** On an idle machine it takes half a minute. */
const TIMEOUT_MS = 240_000;
/** All but those that open VS Code: what they drive has specs of its own (test/vscode/player.spec.ts). */
const ROWS = ["tls", "plain", "four", "import", "memory", "host-delay", "first-block", "library"];

/** The programs of this build, bundled beside the tests; sides that are not here are skipped, not installed. */
function runBench(): Promise<{ code: number | null; output: string }> {
  const results = tempDir("bench-results");
  const flags = ["--quick", "--no-install", "--dist", __dirname, "--results", results, "--only", ROWS.join(",")];
  const child = spawn(process.execPath, ["bench/run.mjs", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

describe("The benchmark", function () {
  this.timeout(TIMEOUT_MS);

  it("runs its rows to their end, with what is installed here", async () => {
    const { code, output } = await runBench();
    assert.equal(code, 0, output);
    for (const row of ROWS) {
      assert.match(output, new RegExp(`^\\| ${row} +\\|`, "m"), `${row} is in the table\n${output}`);
    }
  });
});
