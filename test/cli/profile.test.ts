import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "mocha";
import { tempDir } from "../helpers/tempDir";
import { assertFailure, endPrograms, type Program, peer, streamlet, TEST_TIMEOUT_MS } from "./programs";

/** A command that needs nobody else: it lists oneself. */
function self(data: string, args: string[] = []): Program {
  return streamlet(["peers", "--json", "--no-tracker", "--data", data, "--host", "127.0.0.1", "--port", "0", ...args]);
}

async function whoAmI(data: string, args: string[] = []): Promise<{ peerId: string; fingerprint: string }> {
  const program = self(data, args);
  assert.equal(await program.exit(), 0, program.stderr);
  const own = program.all("peer").find((entry) => entry.self);
  assert.ok(own, "one is listed oneself");
  return { peerId: own.peerId, fingerprint: own.fingerprint };
}

describe("the profile of the command line", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("is made on first use, with a key that only the user can read", async () => {
    const data = join(tempDir("cli"), "new", "folder");
    const { peerId } = await whoAmI(data, ["--peer-id", "alice"]);
    assert.equal(peerId, "alice");
    assert.equal(statSync(join(data, "identity.pem")).mode & 0o777, 0o600);
    assert.equal(JSON.parse(readFileSync(join(data, "profile.json"), "utf8")).peerId, "alice");
  });

  it("keeps name and key from run to run", async () => {
    const data = tempDir("cli");
    const first = await whoAmI(data, ["--peer-id", "alice"]);
    assert.deepEqual(await whoAmI(data), first);
  });

  it("takes a new name and keeps the key", async () => {
    const data = tempDir("cli");
    const first = await whoAmI(data, ["--peer-id", "alice"]);
    assert.deepEqual(await whoAmI(data, ["--peer-id", "bob"]), { ...first, peerId: "bob" });
    assert.equal((await whoAmI(data)).peerId, "bob");
  });

  it("takes the user's name when none is given", async () => {
    const { peerId } = await whoAmI(tempDir("cli"));
    assert.equal(
      peerId,
      userInfo()
        .username.replace(/[^A-Za-z0-9_.-]+/g, "-")
        .slice(0, 32),
    );
  });

  it("lies in the platform's data folder under the Peer ID when no folder is given", async function () {
    if (process.platform !== "linux") this.skip();
    const home = tempDir("cli");
    const args = ["peers", "--json", "--no-tracker", "--host", "127.0.0.1", "--port", "0", "--peer-id", "con.x."];
    const program = streamlet(args, { XDG_DATA_HOME: home });
    assert.equal(await program.exit(), 0, program.stderr);
    // Neither a device of Windows nor a name that it would shorten.
    assert.ok(existsSync(join(home, "streamlet", "%con.x%2E", "profile.json")));
  });

  it("cut in half is reported with what to do, and doing that mends it without a new key", async () => {
    const data = tempDir("cli");
    const first = await whoAmI(data, ["--peer-id", "alice"]);
    const path = join(data, "profile.json");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.slice(0, text.length / 2));
    await assertFailure(self(data), "profile-damaged", /--peer-id/);
    assert.deepEqual(await whoAmI(data, ["--peer-id", "alice"]), first);
    assert.deepEqual(await whoAmI(data), first);
  });

  it("without its key is refused instead of becoming somebody else", async () => {
    const data = tempDir("cli");
    await whoAmI(data, ["--peer-id", "alice"]);
    rmSync(join(data, "identity.pem"));
    await assertFailure(self(data), "identity-missing", /backup/);
    assert.equal(existsSync(join(data, "identity.pem")), false);
  });

  it("with a foreign or damaged key is refused", async () => {
    const [alice, bob] = [tempDir("cli"), tempDir("cli")];
    await whoAmI(alice, ["--peer-id", "alice"]);
    await whoAmI(bob, ["--peer-id", "bob"]);
    writeFileSync(join(alice, "identity.pem"), readFileSync(join(bob, "identity.pem")));
    await assertFailure(self(alice), "identity-missing");
    writeFileSync(join(alice, "identity.pem"), "nonsense");
    await assertFailure(self(alice), "identity-missing");
  });

  it("in a folder that cannot be one is refused", async () => {
    const path = join(tempDir("cli"), "file");
    writeFileSync(path, "");
    await assertFailure(self(path), "write-failed");
    mkdirSync(join(path, "..", "data", "profile.json"), { recursive: true });
    await assertFailure(self(join(path, "..", "data")), "file-unreadable");
  });

  it("is used by one process at a time: the second one is told who has it", async () => {
    const data = tempDir("cli");
    const video = join(process.cwd(), "test", "fixtures", "clip.mp4");
    const first = peer(data, "alice", ["share", video, "--no-tracker"]);
    await first.event("shared");
    await assertFailure(self(data), "data-folder-in-use", new RegExp(`\\b${first.child.pid}\\b.*--data`));
    await first.end("SIGKILL");
    assert.equal((await whoAmI(data)).peerId, "alice");
  });

  it("started twice at once on a new folder gets one key", async () => {
    const data = tempDir("cli");
    const both = [self(data, ["--peer-id", "alice"]), self(data, ["--peer-id", "alice"])];
    const codes = await Promise.all(both.map((program) => program.exit()));
    assert.ok(codes.includes(0), both.map((program) => program.stderr).join());
    const seen = both.flatMap((program) => program.all("peer")).map(({ fingerprint }) => fingerprint);
    assert.deepEqual(new Set(seen), new Set([(await whoAmI(data)).fingerprint]));
  });
});
