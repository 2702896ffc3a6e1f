import { type Command, InvalidArgumentError, Option } from "commander";
import { parseHostPort } from "../peer/net/addresses";
import { type ContactAddress, parseContact } from "../wire/contact";
import { StreamletError } from "../wire/errors";
import { parseFingerprint } from "../wire/fingerprint";
import { readRate } from "../wire/rate";
import { isPeerId, parseTrackerAddress } from "../wire/trackerAddress";
import type { Fingerprint } from "../wire/types";

/** Options that every command takes, after parsing. */
export interface CommonOptions {
  json: boolean;
  /** Data folder as given; undefined: the platform's one for the Peer ID. */
  data: string | undefined;
  peerId: string | undefined;
  /** Undefined: DEFAULT_PORT, which a one-shot command gives up for a free one. 0 = any free. */
  port: number | undefined;
  host: string | undefined;
  /** Empty with --no-tracker. */
  trackers: string[];
  connect: string[];
  /** Bytes per second; 0 = unlimited. */
  uploadLimit: number;
  downloadLimit: number;
}

export const DEFAULT_PORT = 5000;
export const DEFAULT_TRACKER = "localhost:6000";
/** More trackers or peers by hand than that are a mistake; every one costs a connection for as long as the program runs. */
const MAX_ADDRESSES = 32;

/** See `readRate`; 0 lifts the limit. */
export function parseRate(text: string): number {
  const rate = readRate(text);
  if (rate !== undefined) return rate;
  throw new InvalidArgumentError("A rate is bytes per second, such as 500k, 2M or 1.5MB/s; 0 = unlimited.");
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError("A port is a whole number from 0 (any free one) to 65535.");
  return port;
}

function parsePeerId(text: string): string {
  if (!isPeerId(text)) {
    throw new InvalidArgumentError("A Peer ID is 1 to 32 letters, digits, _, - and ., and not dots alone.");
  }
  return text;
}

function checked(text: string, parse: (text: string) => unknown): string {
  try {
    parse(text);
    return text;
  } catch (error) {
    if (error instanceof StreamletError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

export function parseContactArgument(text: string): ContactAddress {
  checked(text, parseContact);
  return parseContact(text);
}

export function parseFingerprintArgument(text: string): Fingerprint {
  const fingerprint = parseFingerprint(text);
  if (!fingerprint) throw new InvalidArgumentError("A fingerprint is 8 groups of 7 characters, or 64 hex digits.");
  return fingerprint;
}

/** Parser of a repeatable option: checks each value and keeps them as written. */
function collect(parse: (text: string) => unknown) {
  return (text: string, previous: string[] | boolean | undefined): string[] => {
    const list = Array.isArray(previous) ? previous : [];
    if (list.length >= MAX_ADDRESSES) throw new InvalidArgumentError(`At most ${MAX_ADDRESSES} of these.`);
    return [...list, checked(text, parse)];
  };
}

interface RawOptions {
  json?: boolean;
  data?: string;
  peerId?: string;
  port?: number;
  host?: string;
  /** false with --no-tracker; true is commander's default for an option that has a --no- form. */
  tracker?: string[] | boolean;
  connect?: string[];
  limitUp?: number;
  limitDown?: number;
}

function nonEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

/** Adds the options that every command takes. */
export function addCommonOptions(command: Command): Command {
  const seen = new Set<string>();
  for (const name of ["tracker", "no-tracker"]) {
    command.on(`option:${name}`, () => {
      seen.add(name);
      if (seen.size === 2) command.error("error: --tracker and --no-tracker contradict each other.");
    });
  }
  return command
    .option("--json", "print one JSON object per line on stdout, everything else on stderr")
    .option(
      "--data <dir>",
      "folder for profile, key and library (default: the platform's data folder + streamlet/<peer id>)",
      nonEmpty,
    )
    .option("--peer-id <name>", "your name (default: the profile's in --data, else the user's)", parsePeerId)
    .option("--port <n>", `port to listen on, 0 = any free (default: ${DEFAULT_PORT})`, parsePort)
    .option("--host <addr>", "address to listen on (default: all interfaces)", nonEmpty)
    .addOption(
      new Option("--tracker <host:port>", `tracker to use, repeatable (default: ${DEFAULT_TRACKER})`).argParser(
        collect(parseTrackerAddress),
      ),
    )
    .option("--no-tracker", "use no tracker at all")
    .option("--connect <host:port>", "connect to a peer by hand, repeatable", collect(parseHostPort))
    .option(
      "--limit-up <rate>",
      "most to upload: 500k, 2M, 1.5MB/s (bytes; k = 1000, Ki = 1024; 0 = unlimited)",
      parseRate,
    )
    .option("--limit-down <rate>", "most to download, likewise", parseRate);
}

/** The common options of a parsed command line, with their defaults. */
export function commonOptions(command: Command): CommonOptions {
  const raw = command.opts<RawOptions>();
  return {
    json: raw.json === true,
    data: raw.data,
    peerId: raw.peerId,
    port: raw.port,
    host: raw.host,
    trackers: Array.isArray(raw.tracker) ? [...new Set(raw.tracker)] : raw.tracker === false ? [] : [DEFAULT_TRACKER],
    connect: [...new Set(raw.connect ?? [])],
    uploadLimit: raw.limitUp ?? 0,
    downloadLimit: raw.limitDown ?? 0,
  };
}
