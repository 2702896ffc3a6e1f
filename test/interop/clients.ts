/** BitTorrent clients that we did not write, as processes that a test starts and ends. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

/** Debian's Python: its libtorrent is built for this one. */
const PYTHON = "/usr/bin/python3";
/** Far above what any transfer here takes: a hang is a failure, not a wait. */
export const TRANSFER_TIMEOUT_MS = 40_000;

const running = new Set<ChildProcess>();

/** For `afterEach`. */
export async function stopClients(): Promise<void> {
  await Promise.all([...running].map(stop));
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) return done();
    child.once("exit", () => done());
    child.stdin?.end();
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 3_000).unref();
  });
}

/** Starts a program whose output is kept for the message of a failure. */
export function start(command: string, args: readonly string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      text = (text + chunk).slice(-20_000);
    });
  }
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.stdin?.on("error", () => {});
  return { child, output: () => text };
}

/** Resolves when the program has ended by itself with exit code 0. */
export function finished({ child, output }: ReturnType<typeof start>, what: string): Promise<void> {
  return new Promise((done, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: not done in time\n${output()}`)), TRANSFER_TIMEOUT_MS);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) done();
      else reject(new Error(`${what}: ended with ${signal ?? code}\n${output()}`));
    });
  });
}

interface Event {
  event: string;
  port?: number;
  torrent?: string;
  magnet?: string;
  message?: string;
}

export interface LibtorrentSpec {
  /** Folder for what is downloaded, or that the created torrent's file is in. */
  save: string;
  magnet?: string;
  /** Path of a .torrent file. */
  torrent?: string;
  create?: { file: string; version: "v1" | "v2" | "hybrid" };
  connect?: [host: string, port: number][];
  /** Its own settings (it tries encryption first and falls back), or none at all. */
  encryption?: "default" | "off";
}

export class Libtorrent {
  private readonly events: Event[] = [];
  private readonly listeners = new Set<() => void>();
  private ended = false;

  private constructor(private readonly program: ReturnType<typeof start>) {}

  static async run(spec: LibtorrentSpec): Promise<Libtorrent & { port: number; torrent: Buffer; magnet: string }> {
    const program = start(PYTHON, [resolve("test/interop/libtorrentClient.py")]);
    const client = new Libtorrent(program);
    createInterface({ input: program.child.stdout! }).on("line", (line) => {
      if (line.startsWith("{")) client.events.push(JSON.parse(line));
      for (const listener of client.listeners) listener();
    });
    program.child.once("exit", () => {
      client.ended = true;
      for (const listener of client.listeners) listener();
    });
    program.child.stdin!.write(`${JSON.stringify(spec)}\n`);
    const { port = 0, torrent = "", magnet = "" } = await client.next("ready");
    return Object.assign(client, { port, torrent: Buffer.from(torrent, "base64"), magnet });
  }

  /** Resolves when it has all of the torrent. */
  async done(): Promise<void> {
    await this.next("done");
  }

  private next(event: string): Promise<Event> {
    return new Promise((done, reject) => {
      const end = (error?: Error) => {
        clearTimeout(timer);
        this.listeners.delete(look);
        if (error) reject(error);
      };
      const look = () => {
        const failure = this.events.find((e) => e.event === "error");
        const found = this.events.find((e) => e.event === event);
        if (found) {
          end();
          done(found);
        } else if (failure || this.ended) {
          end(new Error(`libtorrent: ${failure?.message ?? "it ended"}\n${this.program.output()}`));
        }
      };
      const timer = setTimeout(
        () => end(new Error(`libtorrent: no "${event}" in time\n${this.program.output()}`)),
        TRANSFER_TIMEOUT_MS,
      );
      this.listeners.add(look);
      look();
    });
  }
}

/** Why libtorrent's tests cannot run here; undefined where they can. */
export function whyNoLibtorrent(): string | undefined {
  const { status } = spawnSync(PYTHON, ["-c", "import libtorrent; assert libtorrent.__version__ >= '2'"]);
  return status === 0
    ? undefined
    : "python3-libtorrent is not installed; on Debian: apt-get install python3-libtorrent";
}

export function whyNo(program: string, debianPackage: string): string | undefined {
  const { error } = spawnSync(program, ["--version"]);
  return error ? `${program} is not installed; on Debian: apt-get install ${debianPackage}` : undefined;
}

/** aria2 without anything that would leave this machine; ends when the download is whole. */
export function aria2(torrent: string, folder: string, extra: readonly string[] = []): ReturnType<typeof start> {
  return start("aria2c", [
    "--no-conf",
    "--enable-dht=false",
    "--enable-dht6=false",
    "--bt-enable-lpd=false",
    "--enable-peer-exchange=false",
    "--disable-ipv6",
    "--interface=127.0.0.1",
    "--seed-time=0",
    "--file-allocation=none",
    "--summary-interval=0",
    `--dir=${folder}`,
    ...extra,
    torrent,
  ]);
}

export function outFile(folder: string, name: string): string {
  assert.ok(!name.includes("/"));
  return join(folder, name);
}
