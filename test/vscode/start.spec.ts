import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join, resolve } from "node:path";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { openAddress } from "./support/app";
import { field, freePort, Streamlet } from "./support/streamlet";
import { until } from "./support/until";

/** It builds and packages first. */
const START_TIMEOUT_MS = 90_000;
const CLIP = "A short clip";
const TRACKER_PORT = 6000;

/** `npm start`, less npm. */
class Start {
  output = "";
  readonly #child: ChildProcess;
  readonly exit: Promise<unknown[]>;

  constructor(args: string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [resolve("tools/start.mjs"), ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk) => {
        this.output += chunk;
      });
    }
    this.exit = once(this.#child, "exit");
  }

  /** Waits until it has printed what to do next. */
  async ready(): Promise<void> {
    await until(
      () => this.output.includes("Ctrl+C here stops everything") || this.#child.exitCode !== null,
      () => `npm start is ready; it says\n${this.output}`,
      START_TIMEOUT_MS,
    );
    assert.equal(this.#child.exitCode, null, this.output);
  }

  /** What follows `name:` in the output. */
  printed(name: string): string {
    return new RegExp(`^${name}: +(\\S+)`, "m").exec(this.output)?.[1] ?? "";
  }

  /** Ctrl+C in the terminal. */
  async interrupt(): Promise<unknown> {
    this.#child.kill("SIGINT");
    const [code] = await this.exit;
    return code;
  }
}

describe("npm start", function () {
  this.timeout(180_000);

  let start: Start | undefined;
  afterEach(async () => {
    await start?.interrupt();
    start = undefined;
  });

  it("--headless does the whole main job in the terminal, and leaves nothing behind", async () => {
    const temporary = tempDir("start-headless");
    start = new Start(["--headless"], { TMPDIR: temporary });
    const [code] = await start.exit;
    assert.equal(code, 0, start.output);
    assert.match(start.output, /Alice +publishes/);
    assert.match(start.output, /Bob +discovers .* by Alice/);
    assert.match(start.output, /Carol +watches it/);
    assert.match(start.output, /Verified .* SHA-256 [0-9a-f]{64}/);
    assert.deepEqual(readdirSync(temporary), []);
  });

  it("opens VS Code in the browser, with a tracker and somebody to download from; Ctrl+C ends it all", async () => {
    const data = { STREAMLET_START_DIR: tempDir("start") };
    start = new Start(["--browser", "--no-open"], data);
    await start.ready();
    const tracker = start.printed("Tracker");
    const url = start.printed("VS Code");
    const window = await openAddress(url);
    const streamlet = new Streamlet(window);
    await streamlet.open();
    await streamlet.videos.welcomeButton("Create Profile");
    const form = await streamlet.profileForm();
    assert.equal(await field(form, "Tracker 1").inputValue(), tracker, "the tracker is filled in");
    await field(form, "Peer ID").fill("Newcomer");
    await field(form, "Port").fill(String(await freePort()));
    await form.getByRole("button", { name: "Create Profile" }).click();
    await streamlet.untilDescribed(streamlet.network, CLIP, /Demo/);
    await streamlet.network.inlineAction(CLIP, "Download");
    await streamlet.untilDescribed(streamlet.videos, CLIP, /On Network/);

    await window.page.goto("about:blank");
    assert.equal(await start.interrupt(), 130);
    for (const address of [tracker, new URL(url).host]) {
      assert.equal(await answers(Number(address.split(":")[1])), false, `${address} is free again`);
    }

    // The same address again, and the profile is still there.
    start = new Start(["--browser", "--no-open"], data);
    await start.ready();
    assert.equal(start.printed("VS Code"), url);
    const again = new Streamlet(await openAddress(url, window.page.context()));
    await again.open();
    await again.untilRunning("Newcomer");
    await again.untilDescribed(again.videos, CLIP, /B$/);
    await window.page.context().close();
  });

  it("opens the desktop's VS Code where there is one, apart from the person's own, and closes it on Ctrl+C", async function () {
    if (process.platform !== "linux") skip(this, "the stand-in for `code` is a shell script for Linux");
    const folder = tempDir("start-desktop");
    const calls = join(folder, "calls");
    writeCode(join(folder, "bin"), calls);
    start = new Start([], {
      PATH: `${join(folder, "bin")}:${process.env.PATH}`,
      DISPLAY: ":99",
      STREAMLET_START_DIR: join(folder, "data"),
    });
    await start.ready();
    const [version, install, open] = readFileSync(calls, "utf8").trim().split("\n");
    assert.equal(version, "--version");
    assert.match(install ?? "", /--install-extension \S+streamlet\.vsix --force --user-data-dir \S+desktop/);
    assert.match(open ?? "", /--new-window --user-data-dir \S+desktop --extensions-dir \S+desktop\/extensions/);
    const settings = JSON.parse(readFileSync(join(folder, "data", "me", "desktop", "User", "settings.json"), "utf8"));
    assert.deepEqual(settings["streamlet.defaultTrackers"], [start.printed("Tracker")]);

    const pid = Number(readFileSync(join(folder, "data", "me", "desktop", "code.lock"), "utf8"));
    assert.equal(existsSync(`/proc/${pid}`), true);
    assert.equal(await start.interrupt(), 130);
    await until(() => !existsSync(`/proc/${pid}`), "the desktop's VS Code is closed");
  });

  it("takes another port for the tracker where 6000 is taken, and says so", async () => {
    const occupant = await occupy(TRACKER_PORT);
    try {
      const data = tempDir("start-taken");
      start = new Start(["--browser", "--no-open"], { STREAMLET_START_DIR: data });
      await start.ready();
      assert.match(start.output, /another program uses port 6000/);
      const tracker = start.printed("Tracker");
      assert.notEqual(tracker, `localhost:${TRACKER_PORT}`);
      assert.equal(await answers(Number(tracker.split(":")[1])), true);
    } finally {
      occupant?.close();
    }
  });

  it("--as asks for a first person where there is none", async () => {
    start = new Start(["--as", "bob"], { STREAMLET_START_DIR: tempDir("start-second") });
    assert.deepEqual((await start.exit)[0], 1);
    assert.match(start.output, /run `npm start` in another terminal first/);
  });
});

/** A stand-in for the desktop's `code`: notes its arguments, and on --new-window leaves a process and its id as VS Code does. */
function writeCode(folder: string, calls: string): void {
  mkdirSync(folder);
  const script = join(folder, "code");
  writeFileSync(
    script,
    `#!/bin/sh
echo "$@" >> '${calls}'
if [ "$1" = "--new-window" ]; then
  sleep 600 >/dev/null 2>&1 &
  echo $! > "$3/code.lock"
fi
`,
  );
  chmodSync(script, 0o755);
}

/** Listens on a port unless somebody does already. */
async function occupy(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port);
  return Promise.race([once(server, "listening").then(() => server), once(server, "error").then(() => undefined)]);
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}
