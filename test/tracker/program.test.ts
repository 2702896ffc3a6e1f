/** `streamlet-tracker` as a program: what it prints, how it ends, and `release`. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { removeTempDir, tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";
import { makeIdentity, RawPeer, stopAll } from "./support";

/** Bundled beside the tests. */
const SCRIPT = join(__dirname, "streamlet-tracker.js");

interface Program {
  child: ChildProcess;
  stdout: string;
  stderr: string;
  ended: Promise<number>;
}

const running = new Set<Program>();

function start(...args: string[]): Program {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const program: Program = { child, stdout: "", stderr: "", ended: Promise.resolve(0) };
  child.stdout.on("data", (text) => {
    program.stdout += text;
  });
  child.stderr.on("data", (text) => {
    program.stderr += text;
  });
  program.ended = new Promise((resolve) => child.once("close", (code) => resolve(code ?? -1)));
  running.add(program);
  return program;
}

async function ready(program: Program): Promise<{ port: number; httpPort: number }> {
  await until("it is ready", () => program.stdout.includes("\n") || program.child.exitCode !== null, 15_000);
  assert.notEqual(program.stdout, "", program.stderr);
  return JSON.parse(program.stdout.split("\n")[0] ?? "");
}

describe("streamlet-tracker", function () {
  this.timeout(30_000);
  let data: string;
  const base = () => ["--host", "127.0.0.1", "--port", "0", "--http-port", "0", "--json", "--data", data];

  beforeEach(() => {
    data = tempDir("tracker");
  });
  afterEach(async () => {
    await stopAll();
    for (const program of running) {
      program.child.kill("SIGKILL");
      await program.ended;
    }
    running.clear();
    removeTempDir(data);
  });

  it("prints one line when it is ready, serves, and ends on SIGTERM with 143 after a goodbye", async () => {
    const program = start(...base());
    const { port, httpPort } = await ready(program);
    assert.equal(program.stdout, `${JSON.stringify({ event: "ready", port, httpPort })}\n`);
    const alice = await RawPeer.join({ port });
    assert.equal((await fetch(`http://127.0.0.1:${httpPort}/healthz`)).status, 200);
    program.child.kill("SIGTERM");
    assert.equal((await alice.closed).code, 1001);
    assert.equal(await program.ended, 143);
    assert.equal(program.stderr, "");
    assert.ok(!existsSync(join(data, "control.json")), "the folder is free");
  });

  it("ends on SIGINT with 130", async () => {
    const program = start(...base());
    await ready(program);
    program.child.kill("SIGINT");
    assert.equal(await program.ended, 130);
  });

  it("says to people how it can be reached", async () => {
    const program = start("--port", "0", "--http-port", "0", "--data", data);
    await until("it says something", () => program.stdout.includes("Names are kept in"), 15_000);
    assert.match(program.stdout, /localhost:\d+ {2}\(on this machine only\)/);
    assert.match(program.stdout, /http:\/\/localhost:\d+\/healthz/);
  });

  it("exits with 1 and names the option when either port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const taken = String((other.address() as { port: number }).port);
    try {
      const peers = start("--host", "127.0.0.1", "--port", taken, "--http-port", "0", "--data", data);
      assert.equal(await peers.ended, 1);
      assert.match(peers.stderr, new RegExp(`^Port ${taken} \\(--port\\) is already in use: .*\n$`));
      const http = start("--host", "127.0.0.1", "--port", "0", "--http-port", taken, "--json", "--data", data);
      assert.equal(await http.ended, 1);
      assert.match(http.stderr, new RegExp(`^Port ${taken} \\(--http-port\\) is already in use: .*\n$`));
      const event = JSON.parse(http.stdout);
      assert.deepEqual([event.event, event.code], ["error", "port-in-use"]);
    } finally {
      other.close();
    }
  });

  it("exits with 2 on wrong usage", async () => {
    const wrong = [
      ["--port", "70000"],
      ["--port", "6x"],
      ["--nonsense"],
      ["--store", "floppy"],
      ["--access-token", "a b"],
      ["stray"],
      ["release"],
    ];
    const programs = wrong.map((args) => start(...args));
    assert.deepEqual(
      await Promise.all(programs.map(({ ended }) => ended)),
      wrong.map(() => 2),
    );
    for (const { stderr, stdout } of programs) {
      assert.match(stderr, /^error: /);
      assert.equal(stdout, "");
    }
    const same = start("--port", "6000", "--http-port", "6000");
    assert.equal(await same.ended, 2);
    assert.match(same.stderr, /must differ/);
  });

  it("refuses a data folder that another tracker uses, and takes over the one of a killed tracker", async () => {
    const first = start(...base());
    await ready(first);
    const second = start(...base());
    assert.equal(await second.ended, 1);
    assert.match(second.stderr, new RegExp(`process ${first.child.pid}\\b.*--data`));
    first.child.kill("SIGKILL");
    await first.ended;
    await ready(start(...base()));
  });

  it("exits with 1 when its data folder cannot be used", async () => {
    const file = join(data, "file");
    writeFileSync(file, "");
    const program = start("--port", "0", "--http-port", "0", "--data", join(file, "folder"));
    assert.equal(await program.ended, 1);
    assert.match(program.stderr, /data folder .* cannot be used/);
  });

  it("keeps names over kill -9", async () => {
    const first = start(...base());
    const alice = await RawPeer.join({ port: (await ready(first)).port });
    first.child.kill("SIGKILL");
    await first.ended;
    const { port } = await ready(start(...base()));
    const thief = RawPeer.dial({ port });
    await thief.hello();
    assert.equal((await thief.next("error")).code, "name-taken");
    await RawPeer.join({ port, identity: alice.identity });
  });

  describe("release", () => {
    it("frees a name while the tracker runs, ends its holder's session, and needs the owner's file for it", async () => {
      const { port } = await ready(start(...base()));
      const alice = await RawPeer.join({ port, peerId: "Alice" });
      if (process.platform !== "win32") assert.equal(statSync(join(data, "control.json")).mode & 0o777, 0o600);
      const control = JSON.parse(readFileSync(join(data, "control.json"), "utf8"));
      const url = `http://127.0.0.1:${control.port}/release?name=Alice`;
      assert.equal((await fetch(url, { method: "POST" })).status, 401);
      const program = start("release", "alice", "--data", data, "--json");
      assert.equal(await program.ended, 0, program.stderr);
      assert.deepEqual(JSON.parse(program.stdout), { event: "released", name: "alice" });
      assert.equal((await alice.closed).code, 4002);
      await RawPeer.join({ port, peerId: "Alice", identity: makeIdentity() });
    });

    it("frees a name when the tracker does not run", async () => {
      const first = start(...base());
      await RawPeer.join({ port: (await ready(first)).port, peerId: "Alice" });
      first.child.kill("SIGKILL");
      await first.ended;
      const program = start("release", "Alice", "--data", data);
      assert.equal(await program.ended, 0, program.stderr);
      assert.equal(program.stdout, '"Alice" is free again.\n');
      const { port } = await ready(start(...base()));
      await RawPeer.join({ port, peerId: "Alice" });
    });

    it("exits with 1 when nobody holds the name, or nobody can", async () => {
      for (const [name, sentence] of [
        ["Nobody", /Nobody holds/],
        ["a b", /cannot be a Peer ID/],
      ] as const) {
        const program = start("release", name, "--data", data);
        assert.equal(await program.ended, 1);
        assert.match(program.stderr, sentence);
      }
    });
  });
});
