/** The two programs as child processes, as a script would run them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod";

/** Bundled beside the tests. */
const CLI = join(__dirname, "streamlet.js");
const TRACKER = join(__dirname, "streamlet-tracker.js");

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().min(0);
const port = z.number().int().min(1).max(65_535);
const audience = z.enum(["everyone", "friends", "public"]);

/** Exactly what product.md, "Command line", allows on stdout with --json: no key more, none less. */
const EVENT = z.discriminatedUnion("event", [
  z.strictObject({ event: z.literal("ready"), port, fingerprint: hex64 }),
  z.strictObject({
    event: z.literal("shared"),
    id: hex64,
    link: z.string().startsWith("vscode://streamlet.streamlet/v/"),
    magnet: z.string().startsWith("magnet:?").nullable(),
    name: z.string().min(1),
    size: count,
  }),
  z.strictObject({
    event: z.literal("video"),
    id: hex64,
    name: z.string().min(1),
    owner: z.string(),
    ownerFingerprint: hex64,
    size: count,
    duration: z.number().min(0).nullable(),
    sources: count,
    audience,
  }),
  z.strictObject({
    event: z.literal("peer"),
    peerId: z.string(),
    fingerprint: hex64,
    host: z.string().min(1),
    port,
    self: z.boolean(),
  }),
  z.strictObject({
    event: z.literal("friend"),
    fingerprint: hex64,
    peerId: z.string(),
    host: z.string().min(1).nullable(),
    port: port.nullable(),
    addedAt: count,
  }),
  z.strictObject({ event: z.literal("progress"), bytes: count, total: count, rate: z.number().min(0), peers: count }),
  z.strictObject({
    event: z.literal("done"),
    path: z.string().min(1),
    bytes: count,
    seconds: z.number().min(0),
    sha256: hex64,
  }),
  z.strictObject({ event: z.literal("stream"), url: z.string().regex(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\//) }),
  z.strictObject({ event: z.literal("error"), code: z.string().regex(/^[a-z-]+$/), message: z.string().min(1) }),
]);

export type Event = z.infer<typeof EVENT>;
export type EventOf<N extends Event["event"]> = Extract<Event, { event: N }>;

/** Far above what anything here takes, so that a hang is reported as what it is and not as a timeout of the test. */
const PATIENCE_MS = 60_000;
/** A test starts up to six processes, on machines that have more to do. */
export const TEST_TIMEOUT_MS = 90_000;

const running = new Set<ChildProcess>();

/** Ends whatever a failed test has left; for `afterEach`. */
export async function endPrograms(): Promise<void> {
  const left = [...running];
  for (const child of left) child.kill("SIGKILL");
  await Promise.all(left.map((child) => new Promise((resolve) => child.once("close", resolve))));
}

function within<T>(what: () => string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came: ${what()}`)), PATIENCE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export class Program {
  readonly lines: string[] = [];
  stderr = "";
  readonly child: ChildProcess;
  /** Exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  private exited = false;
  private readonly listeners = new Set<() => void>();

  constructor(script: string, args: string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [script, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    running.add(this.child);
    const { stdout, stderr } = this.child;
    assert.ok(stdout && stderr);
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    createInterface({ input: stdout }).on("line", (line) => {
      this.lines.push(line);
      for (const look of this.listeners) look();
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        running.delete(this.child);
        this.exited = true;
        for (const look of this.listeners) look();
        resolve(code ?? signal ?? -1);
      });
    });
  }

  /** All of stdout as events; fails on a line that is none. */
  events(): Event[] {
    return this.lines.map((line) => EVENT.parse(JSON.parse(line)));
  }

  all<N extends Event["event"]>(name: N): EventOf<N>[] {
    return this.events().filter((event): event is EventOf<N> => event.event === name);
  }

  /** The first event of that name, past or future, that `test` accepts; fails when the program ends without one. */
  event<N extends Event["event"]>(name: N, test: (event: EventOf<N>) => boolean = () => true): Promise<EventOf<N>> {
    let look = () => {};
    const found = new Promise<EventOf<N>>((resolve, reject) => {
      look = () => {
        const event = this.all(name).find(test);
        if (event) resolve(event);
        else if (this.exited) reject(new Error(`it ended without "${name}": ${this.lines.join(" ")} ${this.stderr}`));
      };
      this.listeners.add(look);
      look();
    });
    return within(() => `${name}; stdout ${this.lines.join(" ")}; stderr ${this.stderr}`, found).finally(() =>
      this.listeners.delete(look),
    );
  }

  /** Its exit code, once it has ended by itself. */
  exit(): Promise<number | string> {
    return within(() => `its end; stdout ${this.lines.join(" ")}; stderr ${this.stderr}`, this.ended);
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    this.child.kill(signal);
    return await this.exit();
  }
}

export function streamlet(args: string[], env: Record<string, string> = {}): Program {
  return new Program(CLI, args, env);
}

/** With --json, any free port and loopback only. */
export function peer(data: string, name: string, args: string[]): Program {
  return streamlet([...args, "--json", "--data", data, "--peer-id", name, "--port", "0", "--host", "127.0.0.1"]);
}

export interface Tracker {
  program: Program;
  /** host:port, for --tracker. */
  address: string;
}

export async function startTracker(data: string): Promise<Tracker> {
  const program = new Program(TRACKER, [
    "--json",
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--http-port",
    "0",
    "--data",
    data,
  ]);
  const ready = await new Promise<string>((resolve, reject) => {
    createInterface({ input: program.child.stdout! }).once("line", resolve);
    program.ended.then((code) => reject(new Error(`the tracker ended with ${code}: ${program.stderr}`)));
  });
  const { port } = z.object({ event: z.literal("ready"), port: z.number() }).parse(JSON.parse(ready));
  return { program, address: `127.0.0.1:${port}` };
}

/** The program must have failed the one way that scripts can rely on: exit 1, that code on stdout, one line on stderr. */
export async function assertFailure(program: Program, code: string, hint?: RegExp): Promise<void> {
  assert.equal(await program.exit(), 1, program.stderr);
  const [error, ...more] = program.all("error");
  assert.deepEqual(more, []);
  assert.equal(error?.code, code, program.lines.join(" "));
  assert.deepEqual(program.stderr, `streamlet: ${error?.message}\n`);
  if (hint) assert.match(program.stderr, hint);
}
