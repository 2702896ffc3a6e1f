/** `streamlet-tracker`: see docs/tracker.md. stdout carries results, stderr everything else. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { StreamletError, toErrorInfo } from "../src/wire/errors";
import { isPeerId, parseTrackerAddress } from "../src/wire/trackerAddress";
import { DEFAULT_HTTP_PORT, DEFAULT_PORT, defaultDataFolder, formatHostPort, usableHosts } from "./config";
import { releaseName } from "./release";
import { type RunningTracker, runTracker } from "./runTracker";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** 128 plus the number of the signal, as shells count. */
const EXIT_OF_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
const MAX_TOKEN_CHARS = 256;

interface Options {
  host?: string;
  port: number;
  httpPort: number;
  data?: string;
  accessToken?: string;
  publicAddress: string[];
  json?: boolean;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}

function parseToken(text: string): string {
  if (text.length > MAX_TOKEN_CHARS || !/^[\x21-\x7e]+$/.test(text)) {
    throw new InvalidArgumentError(`A token is 1 to ${MAX_TOKEN_CHARS} printable ASCII characters without blanks.`);
  }
  return text;
}

function parseStore(text: string): string {
  if (text !== "memory")
    throw new InvalidArgumentError('This version keeps everything in its own memory: use "memory".');
  return text;
}

function collectAddress(text: string, earlier: string[]): string[] {
  try {
    return [...earlier, parseTrackerAddress(text).canonical];
  } catch (error) {
    throw new InvalidArgumentError(toErrorInfo(error).message);
  }
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function log(message: string): void {
  process.stderr.write(`${message}\n`);
}

function printReady(options: Options, tracker: RunningTracker): void {
  if (options.json) {
    printJson({ event: "ready", port: tracker.port, httpPort: tracker.httpPort });
    return;
  }
  const { network, local } = usableHosts(options.host);
  const lines = ["The tracker is running. Peers can use it as:"];
  for (const address of options.publicAddress) lines.push(`  ${address}`);
  for (const host of network) lines.push(`  ${formatHostPort(host, tracker.port)}`);
  for (const host of local) lines.push(`  ${formatHostPort(host, tracker.port)}  (on this machine only)`);
  if (options.accessToken !== undefined) lines.push("each with ?token=... and the access token.");
  lines.push(`Its state: http://${formatHostPort(local[0] ?? network[0] ?? "localhost", tracker.httpPort)}/healthz`);
  lines.push(
    tracker.data === undefined ? "Names are not kept (give --data DIR)." : `Names are kept in ${tracker.data}`,
  );
  process.stdout.write(`${lines.join("\n")}\n`);
}

async function run(options: Options): Promise<void> {
  if (options.port !== 0 && options.port === options.httpPort) {
    throw new CommanderError(EXIT_USAGE, "streamlet.samePort", "error: --port and --http-port must differ");
  }
  let signalled: keyof typeof EXIT_OF_SIGNAL | undefined;
  let tracker: RunningTracker | undefined;
  const end = async (signal: keyof typeof EXIT_OF_SIGNAL): Promise<void> => {
    // The second signal does not wait for goodbyes.
    if (signalled) process.exit(EXIT_OF_SIGNAL[signal]);
    signalled = signal;
    if (!tracker) return;
    await tracker.stop();
    process.exit(EXIT_OF_SIGNAL[signal]);
  };
  for (const signal of Object.keys(EXIT_OF_SIGNAL) as (keyof typeof EXIT_OF_SIGNAL)[]) {
    process.on(signal, () => {
      end(signal).catch((error) => fail(error, options.json === true));
    });
  }
  const { publicAddress, json: _, ...config } = options;
  tracker = await runTracker({ ...config, publicAddresses: publicAddress, log });
  if (signalled) {
    await tracker.stop();
    process.exit(EXIT_OF_SIGNAL[signalled]);
  }
  printReady(options, tracker);
}

async function release(name: string, options: Options): Promise<void> {
  if (!isPeerId(name)) throw new StreamletError("name-invalid", `"${name.slice(0, 64)}" cannot be a Peer ID.`);
  const folder = options.data ?? defaultDataFolder(options.port);
  if (folder === undefined) {
    throw new StreamletError("invalid-argument", "Say with --data or --port which tracker's name is meant.");
  }
  await releaseName(folder, name, log);
  if (options.json) printJson({ event: "released", name });
  else process.stdout.write(`"${name}" is free again.\n`);
}

function fail(error: unknown, json: boolean): never {
  const info = toErrorInfo(error);
  if (json) printJson({ event: "error", ...info });
  log(info.message);
  process.exit(EXIT_FAILED);
}

async function main(): Promise<void> {
  const program = new Command("streamlet-tracker")
    .description("Helps peers find each other and each other's videos. The videos never pass through it.")
    .option("--host <address>", "address to listen on (default: all interfaces)")
    .option("--port <number>", "port for peers, 0 = any free", parsePort, DEFAULT_PORT)
    .option("--http-port <number>", "port for /healthz, 0 = any free", parsePort, DEFAULT_HTTP_PORT)
    .option("--data <dir>", "folder where names are kept (default: the platform's data folder; none with --port 0)")
    .option("--store <kind>", "where everything else is kept: memory", parseStore, "memory")
    .option("--access-token <token>", "peers must write the tracker's address with ?token=TOKEN", parseToken)
    .option(
      "--public-address <address>",
      "accept only peers that dial it by this address (repeatable)",
      collectAddress,
      [],
    )
    .option("--json", "one JSON object per line on stdout")
    .exitOverride()
    .action(async () => run(program.opts<Options>()));
  program
    .command("release <name>")
    .description("free a Peer ID that somebody holds, whether the tracker runs or not (see --data, --port)")
    .exitOverride()
    .action(async (name: string) => release(name, program.opts<Options>()));
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) fail(error, process.argv.includes("--json"));
    // Help and version are no failure; everything else of commander is wrong usage, and has been printed.
    if (error.code === "streamlet.samePort") log(error.message);
    process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE);
  }
}

process.stdout.on("error", () => {
  // Whoever read the output has gone; the tracker goes on serving.
});
void main();
