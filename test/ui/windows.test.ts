import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { HostState, ProfileFields, WindowService } from "../../src/rpc/window";
import { type HostPhase, phaseOf } from "../../src/ui/host/snapshots";
import { type ErrorInfo, StreamletError } from "../../src/wire/errors";
import { removeTempDir, tempDir } from "../helpers/tempDir";
import { runWindow } from "./windowProcess";

const WINDOW_FLAG = "--window";
const PEER_WORKER = join(__dirname, "peerWorker.js");
/** A takeover includes the goodbye of the old owner and a start; on a loaded machine that has taken 6 s. */
const WAIT_MS = 30_000;

interface Message {
  id?: number;
  result?: unknown;
  error?: ErrorInfo;
  state?: HostState;
  /** Sent with each state. */
  owner?: boolean;
  log?: string;
  failedToStart?: ErrorInfo;
}

/** A window in a process of its own. */
class WindowProcess {
  state: HostState | undefined;
  private owner = false;
  readonly failures: ErrorInfo[] = [];
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, (message: Message) => void>();
  private readonly watchers = new Set<() => void>();
  private nextId = 1;

  constructor(folder: string, env: Record<string, string> = {}, workerFile = PEER_WORKER) {
    this.child = fork(__filename, [WINDOW_FLAG, folder, workerFile], {
      execArgv: [],
      env: { ...process.env, XDG_RUNTIME_DIR: folder, ...env },
    });
    this.child.on("message", (message: Message) => {
      if (message.state) {
        this.state = message.state;
        this.owner = message.owner === true;
      }
      if (message.log) this.lines.push(message.log);
      if (message.failedToStart) this.failures.push(message.failedToStart);
      if (message.id !== undefined) this.pending.get(message.id)?.(message);
      for (const check of this.watchers) check();
    });
  }

  readonly service = new Proxy({} as WindowService, {
    get: (_, method) => (method === "then" ? undefined : (...args: unknown[]) => this.call(String(method), args)),
  });

  call(method: string, args: unknown[] = []): Promise<unknown> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, ({ result, error }) => {
        this.pending.delete(id);
        if (error) reject(new StreamletError(error.code, error.message, error.data ? { data: error.data } : {}));
        else resolve(result);
      });
      this.child.send({ id, method, args });
    });
  }

  async until(what: string, rule: (state: HostState) => boolean): Promise<HostState> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.watchers.delete(check);
        reject(
          new Error(`not within ${WAIT_MS} ms: ${what}; last: ${JSON.stringify(this.state)}\n${this.lines.join("\n")}`),
        );
      }, WAIT_MS);
      const check = () => {
        if (!this.state || !rule(this.state)) return;
        clearTimeout(timer);
        this.watchers.delete(check);
        resolve(this.state);
      };
      this.watchers.add(check);
      check();
    });
  }

  /** Waits until this window owns the peer. */
  async takeover(): Promise<void> {
    await this.until("this window owns the peer", () => this.owner);
  }

  phase(phase: HostPhase): Promise<HostState> {
    return this.until(`phase ${phase}`, (state) => phaseOf(state) === phase);
  }

  async isOwner(): Promise<boolean> {
    return (await this.call("isOwner")) === true;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.send({ id: 0, method: "dispose", args: [] });
    await exited;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }
}

function windowTests(): void {
  describe("windows of one installation", function () {
    this.timeout(120_000);
    let folder: string;
    let open: WindowProcess[];

    beforeEach(() => {
      folder = tempDir("windows");
      open = [];
    });
    afterEach(async () => {
      await Promise.all(open.map((window) => window.kill()));
      removeTempDir(folder);
    });

    function openWindow(env?: Record<string, string>, workerFile?: string): WindowProcess {
      const window = new WindowProcess(folder, env, workerFile);
      open.push(window);
      return window;
    }

    async function createProfile(window: WindowProcess, changes: Partial<ProfileFields> = {}): Promise<string> {
      const fields: ProfileFields = { peerId: "alice", port: await freePort(), trackers: ["127.0.0.1:1"], ...changes };
      const { token } = await window.service.prepareIdentity();
      return (await window.service.createProfile(fields, token)).id;
    }

    it("show the same state: what one does, the other sees", async () => {
      const [first, second] = [openWindow(), openWindow()];
      await Promise.all([first.phase("noProfile"), second.phase("noProfile")]);
      const owners = await Promise.all([first.isOwner(), second.isOwner()]);
      assert.equal(owners.filter(Boolean).length, 1);
      const follower = owners[0] ? second : first;
      const owner = owners[0] ? first : second;

      const id = await createProfile(follower);
      await follower.service.startProfile(id);
      const [seenByOwner, seenByFollower] = [await owner.phase("running"), await follower.phase("running")];
      assert.equal(seenByOwner.snapshot.peer.peerId, "alice");
      assert.equal(seenByFollower.snapshot.peer.port, seenByOwner.snapshot.peer.port);

      await follower.service.stopProfile();
      await owner.phase("stopped");
    });

    for (const [how, leave] of [
      ["closes", (window: WindowProcess) => window.close()],
      ["is killed", (window: WindowProcess) => window.kill()],
    ] as const) {
      it(`go on when the owner ${how}: another takes over with the same profile, port and library`, async () => {
        const owner = openWindow();
        await owner.phase("noProfile");
        const follower = openWindow();
        await follower.phase("noProfile");
        assert.deepEqual([await owner.isOwner(), await follower.isOwner()], [true, false]);
        const id = await createProfile(owner);
        await owner.service.startProfile(id);
        const { port } = (await follower.phase("running")).snapshot.peer;
        const { key } = await follower.service.upload({ path: clip(folder), audience: "everyone", share: true });
        await follower.until("the upload is ready", (state) =>
          state.snapshot.videos.some((video) => video.key === key && video.state === "ready"),
        );

        await leave(owner);
        await follower.takeover();
        const after = await follower.until(
          "the follower runs the peer",
          (state) => phaseOf(state) === "running" && state.snapshot.videos.length === 1,
        );
        assert.equal(after.snapshot.peer.port, port);
        assert.equal(after.snapshot.videos[0]?.key, key);
        assert.deepEqual(follower.failures, []);
      });
    }

    it("start the last used profile in the first window, unless the setting says no", async () => {
      const first = openWindow();
      const id = await createProfile(first);
      await first.service.startProfile(id);
      await first.close();
      const second = openWindow();
      await second.phase("running");
      await second.close();
      const third = openWindow({ START_ON_LAUNCH: "no" });
      await third.phase("stopped");
    });

    it("say which port is taken and which is free, and keep the profile", async () => {
      const window = openWindow();
      const taken = createServer().listen(0, "0.0.0.0");
      await once(taken, "listening");
      const { port } = taken.address() as { port: number };
      const id = await createProfile(window, { port });
      await assert.rejects(window.service.startProfile(id), (error: StreamletError) => {
        assert.equal(error.code, "port-in-use");
        assert.equal(error.data?.port, port);
        assert.equal(typeof error.data?.nextFree, "number");
        return true;
      });
      const failed = await window.phase("failed");
      assert.equal(failed.failure?.code, "port-in-use");
      taken.close();
      await window.service.startProfile(id);
      await window.phase("running");
    });

    it("restart the peer when port or trackers are edited, and keep the library", async () => {
      const window = openWindow();
      const id = await createProfile(window);
      await window.service.startProfile(id);
      const { key } = await window.service.upload({ path: clip(folder), audience: "everyone", share: false });
      await window.until("ready", (state) => state.snapshot.videos[0]?.state === "ready");
      const port = await freePort();
      await window.service.editProfile(id, { peerId: "alice", port, trackers: ["127.0.0.1:1"] });
      const state = await window.until("the new port", ({ snapshot }) => snapshot.peer.port === port);
      assert.equal(state.snapshot.videos[0]?.key, key);
    });

    it("remove everything of a deleted profile, and nothing of what was uploaded from elsewhere", async () => {
      const window = openWindow();
      const id = await createProfile(window);
      await window.service.startProfile(id);
      const path = clip(folder);
      await window.service.upload({ path, audience: "everyone", share: false });
      await window.until("ready", (state) => state.snapshot.videos[0]?.state === "ready");
      assert.ok(existsSync(join(folder, "storage", "profiles", id)));
      await window.service.deleteProfile(id);
      await window.phase("noProfile");
      assert.deepEqual(readdirSync(join(folder, "storage", "profiles")), []);
      assert.deepEqual(readdirSync(join(folder, "secrets")), []);
      assert.ok(existsSync(path));
    });

    it("set data aside on reset, and start without videos; friends and blocked people stay", async () => {
      const window = openWindow();
      const id = await createProfile(window);
      await window.service.startProfile(id);
      await window.service.upload({ path: clip(folder), audience: "everyone", share: false });
      await window.until("ready", (state) => state.snapshot.videos[0]?.state === "ready");
      await window.service.addFriend("ab".repeat(32), "bob");
      await window.service.block("cd".repeat(32));
      await window.service.resetData(id);
      const { snapshot } = await window.until(
        "empty",
        (state) => phaseOf(state) === "running" && state.snapshot.videos.length === 0,
      );
      assert.deepEqual(
        snapshot.contacts.map(({ kind, peerId }) => [kind, peerId]),
        [
          ["blocked", ""],
          ["friend", "bob"],
        ],
      );
      const names = readdirSync(join(folder, "storage", "profiles", id));
      assert.equal(names.filter((name) => name.startsWith("set-aside-")).length, 1);
    });

    it("say that a key is gone, and run again with a new one", async () => {
      const window = openWindow();
      const id = await createProfile(window);
      const { fingerprint } = (await window.until("profile", (state) => state.profiles.length === 1)).profiles[0]!;
      for (const name of readdirSync(join(folder, "secrets"))) writeFileSync(join(folder, "secrets", name), "");
      await assert.rejects(window.service.startProfile(id), { code: "identity-missing" });
      await window.service.renewIdentity(id);
      const state = await window.phase("running");
      assert.notEqual(state.profiles[0]?.fingerprint, fingerprint);
      assert.equal(state.snapshot.peer.fingerprint, state.profiles[0]?.fingerprint);
    });

    it("keep saved profiles that they cannot read, count them, and show the others", async () => {
      const good = openWindow();
      await createProfile(good);
      await good.close();
      const file = join(folder, "globalState.json");
      const state = JSON.parse(readFileSync(file, "utf8")) as Record<string, { profiles: unknown[] }>;
      const damaged = { id: "0000000000000000", peerId: "has spaces", port: 99999 };
      state["streamlet.profiles"]?.profiles.push(damaged);
      writeFileSync(file, JSON.stringify(state));
      const window = openWindow({ START_ON_LAUNCH: "no" });
      const seen = await window.phase("stopped");
      assert.equal(seen.damagedProfiles, 1);
      assert.equal(seen.profiles.length, 1);
      await createProfile(window, { peerId: "bob" });
      assert.ok(readFileSync(file, "utf8").includes("has spaces"));
    });

    it("refuse a second profile of the same name", async () => {
      const window = openWindow();
      await createProfile(window);
      await assert.rejects(createProfile(window, { peerId: "ALICE" }), { code: "invalid-argument" });
    });

    it("refuse calls while no profile runs", async () => {
      const window = openWindow();
      await window.phase("noProfile");
      await assert.rejects(window.service.queryNetwork({ limit: 10 }), { code: "not-running" });
      await assert.rejects(window.service.startProfile("0123456789abcdef"), { code: "profile-missing" });
    });

    it("run the peer again when its thread dies, and keep the library", async () => {
      // The real worker, which dies as soon as a file tells it to.
      const [order, mortal] = [join(folder, "die"), join(folder, "mortalWorker.js")];
      const watch = `if (fs.existsSync(order)) { fs.rmSync(order); throw new Error("the thread dies"); }`;
      writeFileSync(
        mortal,
        `const fs = require("node:fs"); const order = ${JSON.stringify(order)};
         require(${JSON.stringify(PEER_WORKER)}); setInterval(() => { ${watch} }, 20);`,
      );
      const window = openWindow({}, mortal);
      const id = await createProfile(window);
      await window.service.startProfile(id);
      const { key } = await window.service.upload({ path: clip(folder), audience: "everyone", share: true });
      await window.until("ready", (state) => state.snapshot.videos[0]?.state === "ready");
      writeFileSync(order, "");
      await window.phase("starting");
      const state = await window.until(
        "it runs again",
        (now) => phaseOf(now) === "running" && now.snapshot.videos[0]?.key === key,
      );
      assert.equal(state.snapshot.videos[0]?.state, "ready");
    });

    it("give the peer to another window when VS Code does not answer in the owner's", async () => {
      const owner = openWindow();
      const id = await createProfile(owner);
      await owner.service.startProfile(id);
      const follower = openWindow();
      await follower.phase("running");
      await owner.call("hang");
      await assert.rejects(follower.service.startProfile(id), { code: "connection-lost" });
      await follower.takeover();
      await follower.phase("running");
    });
  });
}

function clip(folder: string): string {
  const path = join(folder, "clip.mp4");
  copyFileSync(join("test", "fixtures", "clip.mp4"), path);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

if (process.argv[2] === WINDOW_FLAG) runWindow(process.argv[3] ?? "", process.argv[4] ?? "");
else windowTests();
