import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { formatLink, parseLink } from "../../src/wire/links";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { removeTempDir, tempDir } from "../helpers/tempDir";
import { endPrograms, peer, TEST_TIMEOUT_MS } from "./programs";

const MIB = 1024 * 1024;
const SIZE = 48 * MIB;
/** What may come twice: requests under way when the program dies, and what had come but was not yet a whole verified piece. */
const IN_FLIGHT_BYTES = 10 * MIB;

/** Hands bytes through to a peer and counts those that come back. */
class CountingProxy {
  bytes = 0;
  private readonly server: Server;

  constructor(private readonly target: number) {
    this.server = createServer((near) => {
      const far = connect(this.target, "127.0.0.1");
      far.on("data", (chunk) => {
        this.bytes += chunk.length;
      });
      far.pipe(near).pipe(far);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        one.on("error", () => other.destroy());
        one.on("close", () => other.destroy());
      }
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.server.listen(0, "127.0.0.1", () => resolve((this.server.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.server.close();
  }
}

describe("a download that was interrupted", function () {
  this.timeout(TEST_TIMEOUT_MS);
  let proxy: CountingProxy | undefined;
  afterEach(async () => {
    await endPrograms();
    proxy?.close();
  });

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`by ${signal} goes on where it stopped: nothing that was written is fetched again`, async () => {
      const dir = tempDir("cli");
      const video = await randomFile(join(dir, "a.mp4"), SIZE);
      const alice = peer(join(dir, "alice"), "alice", ["share", video, "--no-tracker"]);
      const { port } = await alice.event("ready");
      const { link } = await alice.event("shared");
      proxy = new CountingProxy(port);
      const through = formatLink({ ...parseLink(link), hosts: [`127.0.0.1:${await proxy.listen()}`] });
      const out = join(dir, "out");
      mkdirSync(out);
      const args = ["get", through, "--no-tracker", "--out", out];

      const first = peer(join(dir, "bob"), "bob", [...args, "--limit-down", "16M"]);
      const seen = await first.event("progress", ({ bytes }) => bytes > SIZE / 3);
      await first.end(signal);
      const fetchedBefore = proxy.bytes;
      assert.ok(fetchedBefore >= seen.bytes && fetchedBefore < SIZE, `${fetchedBefore} bytes before the end`);

      const second = peer(join(dir, "bob"), "bob", args);
      assert.equal(await second.exit(), 0, second.stderr);
      const done = second.all("done")[0]!;
      assert.equal(done.sha256, await sha256OfFile(video));
      assert.equal(done.path, join(out, "a.mp4"), "the real name, which the link does not hold");
      const twice = proxy.bytes - SIZE;
      assert.ok(twice < IN_FLIGHT_BYTES, `${twice} bytes were fetched twice (${fetchedBefore} before the end)`);
      removeTempDir(dir);
    });
  }
});
