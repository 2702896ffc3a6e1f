import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { randomFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { assertFailure, endPrograms, peer, startTracker, streamlet, TEST_TIMEOUT_MS } from "./programs";

const MIB = 1024 * 1024;
const DEFAULT_PORT = 5000;

const servers: Server[] = [];

/** Somebody else's program on that port; `port` 0 = any. Undefined: another one has it already. */
async function occupy(port: number): Promise<number | undefined> {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  return await new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

async function cleanUp(): Promise<void> {
  await endPrograms();
  for (const server of servers.splice(0)) server.close();
}

describe("without a tracker that answers", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(cleanUp);

  async function silentTracker(): Promise<string> {
    const port = await occupy(0);
    for (const server of servers.splice(0)) server.close();
    return `127.0.0.1:${port}`;
  }

  for (const command of ["list", "peers", "get"]) {
    it(`${command} ends with tracker-unreachable within about five seconds, naming the tracker and the ways out`, async () => {
      const tracker = await silentTracker();
      const args = command === "get" ? ["get", "0".repeat(64)] : [command];
      const begun = performance.now();
      const program = peer(tempDir("cli"), "bob", [...args, "--tracker", tracker]);
      await assertFailure(program, "tracker-unreachable", new RegExp(`${tracker}.*--tracker`));
      assert.ok(performance.now() - begun < 8_000);
    });
  }

  it("share gives up as well when none has answered from the start", async () => {
    const dir = tempDir("cli");
    const video = await randomFile(join(dir, "a.mp4"), MIB);
    const program = peer(join(dir, "alice"), "alice", ["share", video, "--tracker", await silentTracker()]);
    await assertFailure(program, "tracker-unreachable");
  });

  it("one that answers is enough", async () => {
    const dir = tempDir("cli");
    const { address } = await startTracker(dir);
    const trackers = ["--tracker", await silentTracker(), "--tracker", address];
    const list = peer(join(dir, "bob"), "bob", ["list", ...trackers]);
    assert.equal(await list.exit(), 0, list.stderr);
  });

  it("a name that another key has is refused with name-taken", async () => {
    const dir = tempDir("cli");
    const { address } = await startTracker(dir);
    const video = await randomFile(join(dir, "a.mp4"), MIB);
    const first = peer(join(dir, "alice"), "alice", ["share", video, "--tracker", address]);
    await first.event("shared");
    await assertFailure(peer(join(dir, "mallory"), "Alice", ["list", "--tracker", address]), "name-taken", /alice/i);
  });

  it("with --connect and nobody there says so", async () => {
    const address = await silentTracker();
    const program = peer(tempDir("cli"), "bob", ["list", "--no-tracker", "--connect", address]);
    await assertFailure(program, "connection-refused", new RegExp(address));
  });
});

describe("a port that is taken", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(cleanUp);

  it("ends share with port-in-use, naming the port and the way out", async () => {
    const dir = tempDir("cli");
    const video = await randomFile(join(dir, "a.mp4"), MIB);
    const port = await occupy(0);
    const args = ["share", video, "--json", "--no-tracker", "--data", join(dir, "alice"), "--host", "127.0.0.1"];
    await assertFailure(
      streamlet([...args, "--port", String(port)]),
      "port-in-use",
      new RegExp(`\\b${port}\\b.*--port`),
    );
  });

  it("ends a one-shot command only if that port was asked for", async () => {
    const data = tempDir("cli");
    const port = await occupy(0);
    const args = ["peers", "--json", "--no-tracker", "--data", data, "--host", "127.0.0.1"];
    await assertFailure(streamlet([...args, "--port", String(port)]), "port-in-use");
    await occupy(DEFAULT_PORT);
    const program = streamlet(args);
    assert.equal(await program.exit(), 0, program.stderr);
    assert.notEqual(program.all("peer")[0]?.port, DEFAULT_PORT);
  });
});

describe("hostile text", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(cleanUp);

  it("in names never reaches a terminal raw", async function () {
    if (process.platform === "win32") this.skip();
    const dir = tempDir("cli");
    const hostile = "\u001b]0;owned\u0007\u009b31m\u202egnp";
    const missing = streamlet([
      "share",
      join(dir, `${hostile}.mp4`),
      "--no-tracker",
      "--data",
      join(dir, "a"),
      "--port",
      "0",
    ]);
    assert.equal(await missing.exit(), 1);
    assert.match(missing.stderr, /^streamlet: [^\n]*owned[^\n]*\n$/);
    const video = await randomFile(join(dir, `${hostile}.mp4`), MIB);
    for (const mode of [[], ["--json"]]) {
      const data = join(dir, `b${mode.length}`);
      const program = streamlet(["share", video, "--no-tracker", "--data", data, "--port", "0", ...mode]);
      const shared = new Promise<void>((resolve) => {
        program.child.stdout?.on("data", (text) => {
          if (/owned/.test(String(text))) resolve();
        });
      });
      await Promise.race([shared, program.ended]);
      await program.end();
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      assert.doesNotMatch(program.lines.join("") + missing.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      assert.match(program.lines.join(""), /owned/);
    }
    assert.ok(existsSync(video));
  });
});
