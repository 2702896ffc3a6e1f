/**
 * The connection doctor: tests what has to work for people to reach each other. Everything is really tried (the port is
 * dialled, trackers are asked, a file is written); what cannot be known from here is `skipped` with its reason, never guessed.
 */

import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { setMaxListeners } from "node:events";
import { rm, stat, statfs, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { MAX_CLOCK_SKEW_MS } from "../wire/constants";
import { type ErrorCode, StreamletError, toErrorInfo } from "../wire/errors";
import { parseTrackerAddress } from "../wire/trackerAddress";
import type { Fingerprint, VideoId } from "../wire/types";
import type { Identity } from "./identity";
import type { IncomingLog } from "./net/incomingLog";
import { ALPN_WIRE, dialTls } from "./net/tlsTransport";
import type { Check, CheckId, CheckOf, MediaTools } from "./status";
import type { TrackerClient } from "./tracker/trackerClient";

/** Nobody waits longer; what is not known by then is `skipped`. */
const DEADLINE_MS = 9_500;
/** One's own machine answers in milliseconds. */
const OWN_DIAL_TIMEOUT_MS = 3_000;
/** For a tracker that answers slowly; leaves time to be called back. */
const TRACKER_TIMEOUT_MS = 5_000;
/** One that is being started just now is there within so long. */
const TRACKER_START_MS = 2_500;
const TRACKER_RETRY_MS = 500;
const LOOKUP_TIMEOUT_MS = 2_000;
/** The other side hears of it in milliseconds and dials at once; three lost SYNs do not fit, one does. */
const CALLBACK_TIMEOUT_MS = 3_500;
/** So many others are asked to call back: one may be asleep or behind a firewall of its own. */
const MAX_CALLERS = 4;
/** Videos whose other sources are looked up for that. */
const MAX_VIDEOS_ASKED = 8;
/** Below a minute nobody notices; from `MAX_CLOCK_SKEW_MS` on records are refused. */
const CLOCK_WARNING_MS = 60_000;
const MS_PER_SECOND = 1000;
/** A recording of some minutes would not fit any more. */
const LOW_DISK_BYTES = 1_000_000_000;
const FULL_DISK_BYTES = 50_000_000;
/** Tunnels by the names that systems and vendors give them: others on the LAN cannot dial such an address. */
const TUNNEL_NAME = /^(tun|tap|utun|ppp|wg|ipsec|zt|tailscale|nordlynx)|vpn|wireguard|tailscale|zerotier/i;
const LOOPBACK = /^(127\.|::1$|localhost$)/;
/** AirPlay Receiver listens on both since macOS 12. */
const AIRPLAY_PORTS: readonly number[] = [5000, 7000];

/** The peer that is examined. */
export interface Patient {
  identity: Identity;
  port: number;
  /** The one address that is listened on; absent: all. */
  host?: string;
  /** Where others may reach it; never empty. */
  addresses: readonly string[];
  /** Whether there is any address besides the loopback. */
  hasNetwork: boolean;
  trackers: readonly TrackerClient[];
  incoming: IncomingLog;
  /** Ids of videos that are offered or fetched here: their other sources can be asked to call back. */
  videos: readonly VideoId[];
  /** A download waits because neither side can be reached. */
  unreachable: boolean;
  downloadsDir: string;
  mediaTools(): Promise<MediaTools>;
}

/** What tests put in the place of this machine. */
export interface Surroundings {
  platform: NodeJS.Platform;
  interfaces: typeof networkInterfaces;
  freeBytes(folder: string): Promise<number>;
  deadlineMs: number;
}

const THIS_MACHINE: Surroundings = {
  platform: process.platform,
  interfaces: networkInterfaces,
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
  deadlineMs: DEADLINE_MS,
};

type Finding<Id extends CheckId> = Omit<CheckOf<Id>, "id" | "subject">;

/**
 * Runs all checks side by side, within 10 s. Errors: cancelled.
 * @returns in the order in which a person should read them
 */
export async function diagnose(
  patient: Patient,
  signal: AbortSignal,
  surroundings: Surroundings = THIS_MACHINE,
): Promise<Check[]> {
  const deadline = within(surroundings.deadlineMs, signal);
  const run = async <Id extends CheckId>(id: Id, check: () => Promise<Finding<Id>> | Finding<Id>, subject?: string) =>
    ({ id, ...(subject === undefined ? {} : { subject }), ...(await inTime(check, deadline)) }) as Check;
  const trackers = patient.trackers.map((tracker) =>
    run("tracker", () => checkTracker(tracker, deadline), tracker.address),
  );
  const trackersDone = Promise.all(trackers);
  const found = await Promise.all([
    run("port", () => checkPort(patient, deadline)),
    ...(surroundings.platform === "darwin" ? [run("airplay", () => checkAirPlay(patient.port))] : []),
    run("addresses", () => checkAddresses(patient, surroundings)),
    ...trackers,
    run("clock", () => trackersDone.then(() => checkClock(patient.trackers))),
    run("reach", () => checkReach(patient)),
    run("firewall", () => trackersDone.then(() => checkFirewall(patient, deadline))),
    run("disk", () => checkDisk(patient.downloadsDir, surroundings)),
    run("ffmpeg", () => checkFfmpeg(patient)),
  ]);
  if (signal.aborted) throw new StreamletError("cancelled", "The test was cancelled.");
  return found;
}

/** A signal that aborts with `signal`, or after `ms`. (Node 20 collects `AbortSignal.any` over a timeout that only it refers to.) */
function within(ms: number, signal: AbortSignal): AbortSignal {
  const abort = new AbortController();
  const stop = () => abort.abort();
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  setTimeout(stop, ms).unref();
  // Every check and every address waits on it; that is no leak, which is what Node would warn of.
  setMaxListeners(0, abort.signal);
  return abort.signal;
}

/** A check that takes too long or fails in itself says so, and keeps no other from being shown. */
async function inTime<Id extends CheckId>(
  check: () => Promise<Finding<Id>> | Finding<Id>,
  deadline: AbortSignal,
): Promise<Finding<Id>> {
  const late = new Promise<Finding<Id>>((resolve) => {
    const giveUp = () => resolve({ state: "skipped", reason: "timeout" });
    if (deadline.aborted) giveUp();
    else deadline.addEventListener("abort", giveUp, { once: true });
  });
  const failed = (error: unknown): Finding<Id> => ({
    state: "skipped",
    reason: "failed",
    data: { message: toErrorInfo(error).message },
  });
  return Promise.race([Promise.resolve().then(check).catch(failed), late]);
}

async function checkPort({ host, port, identity, addresses }: Patient, signal: AbortSignal): Promise<Finding<"port">> {
  const hosts = host ? [host] : [...new Set(["127.0.0.1", ...addresses])];
  const answers = await Promise.all(
    hosts.map(async (address) => ({ address, error: await dialOneself(address, port, identity, signal) })),
  );
  const foreign = answers.find(({ error }) => error === "wrong-identity" || error === "bad-handshake");
  if (foreign) return { state: "problem", reason: "somebody-else", data: { port, address: foreign.address } };
  const silent = answers.filter(({ error }) => error !== undefined);
  if (silent.length === answers.length) return { state: "problem", reason: "silent", data: { port } };
  if (silent.length > 0) {
    return { state: "warning", reason: "partly", data: { port, address: silent.map((a) => a.address).join(", ") } };
  }
  return { state: "ok", reason: "reachable", data: { port } };
}

async function dialOneself(
  host: string,
  port: number,
  identity: Identity,
  signal: AbortSignal,
): Promise<ErrorCode | undefined> {
  try {
    const expected = identity.fingerprint;
    const options = {
      host,
      port,
      identity,
      expected,
      signal,
      alpn: ALPN_WIRE,
      timeoutMs: OWN_DIAL_TIMEOUT_MS,
    } as const;
    (await dialTls(options)).socket.destroy();
    return undefined;
  } catch (error) {
    return toErrorInfo(error).code;
  }
}

function checkAirPlay(port: number): Finding<"airplay"> {
  return AIRPLAY_PORTS.includes(port)
    ? { state: "warning", reason: "airplay-port", data: { port } }
    : { state: "ok", reason: "other-port", data: { port } };
}

function checkAddresses({ host, addresses, hasNetwork }: Patient, { interfaces }: Surroundings): Finding<"addresses"> {
  if ((host && LOOPBACK.test(host)) || !hasNetwork) return { state: "warning", reason: "loopback-only" };
  const tunnels = Object.entries(interfaces())
    .filter(([name]) => TUNNEL_NAME.test(name))
    .flatMap(([, list = []]) => list.map((entry) => entry.address));
  const data = { address: addresses.join(", ") };
  if (addresses.every((address) => tunnels.includes(address))) return { state: "warning", reason: "vpn-only", data };
  return { state: "ok", reason: addresses.some((address) => tunnels.includes(address)) ? "with-vpn" : "found", data };
}

/** Connects anew where it does not answer, so that the finding is of now and not of the last try. */
async function checkTracker(tracker: TrackerClient, signal: AbortSignal): Promise<Finding<"tracker">> {
  const { display, host } = parseTrackerAddress(tracker.options.address);
  const data = { address: display };
  const online = await untilOnline(tracker, within(TRACKER_TIMEOUT_MS, signal));
  if (online) {
    const { clockSkewMs = 0 } = tracker;
    if (Math.abs(clockSkewMs) > MAX_CLOCK_SKEW_MS) return { state: "problem", reason: "clock-skew", data };
    const begun = performance.now();
    await tracker.directory({ limit: 1 });
    return { state: "ok", reason: "online", data: { ...data, ms: Math.round(performance.now() - begun) } };
  }
  const { error } = tracker.status;
  const silent = error === undefined || error.code === "tracker-unreachable";
  if (silent && !(await resolves(host))) return { state: "problem", reason: "name-unknown", data: { ...data, host } };
  const code: ErrorCode = error?.code ?? "tracker-unreachable";
  return { state: "problem", reason: code, data: { ...error?.data, ...data, message: error?.message ?? "" } };
}

/** What waiting does not mend ends it at once. */
async function untilOnline(tracker: TrackerClient, signal: AbortSignal): Promise<boolean> {
  const begun = performance.now();
  while (!signal.aborted) {
    tracker.tryNow();
    if (await tracker.waitOnline(TRACKER_RETRY_MS)) return true;
    const { state, error } = tracker.status;
    if (state !== "failed") continue;
    if (error?.code !== "tracker-unreachable" || performance.now() - begun > TRACKER_START_MS) return false;
  }
  return false;
}

async function resolves(host: string): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => {
    setTimeout(() => resolve(false), LOOKUP_TIMEOUT_MS).unref();
  });
  const found = lookup(host).then(
    () => true,
    () => false,
  );
  return Promise.race([found, late]);
}

function checkClock(trackers: readonly TrackerClient[]): Finding<"clock"> {
  const skews = trackers.filter((t) => t.status.state === "online").flatMap((t) => t.clockSkewMs ?? []);
  if (skews.length === 0) return { state: "skipped", reason: "no-tracker" };
  const worst = skews.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  const data = { seconds: Math.round(Math.abs(worst) / MS_PER_SECOND), ahead: worst > 0 };
  if (Math.abs(worst) > MAX_CLOCK_SKEW_MS) return { state: "problem", reason: "wrong", data };
  if (Math.abs(worst) > CLOCK_WARNING_MS) return { state: "warning", reason: "inexact", data };
  return { state: "ok", reason: "right", data };
}

function checkReach({ incoming, unreachable, port }: Patient): Finding<"reach"> {
  const data = { port, count: incoming.fromOutside };
  if (incoming.fromOutside > 0) return { state: "ok", reason: "reached", data };
  if (unreachable) return { state: "problem", reason: "neither-side", data };
  return { state: "skipped", reason: "nobody-yet", data };
}

/** Others who have one of the same videos are asked, through a tracker, to dial this peer. */
async function checkFirewall(patient: Patient, signal: AbortSignal): Promise<Finding<"firewall">> {
  const { incoming, port } = patient;
  const data = { port };
  if (incoming.fromOutside > 0) return { state: "ok", reason: "open", data };
  const online = patient.trackers.filter((tracker) => tracker.status.state === "online");
  if (online.length === 0) return { state: "skipped", reason: "no-tracker", data };
  const callers = await findCallers(patient, online);
  if (callers.length === 0) return { state: "skipped", reason: "nobody-to-ask", data };
  const expected = new Set(callers.map(({ fingerprint }) => fingerprint));
  const called = incoming.awaitOneOf(expected, within(CALLBACK_TIMEOUT_MS, signal));
  const asked = await Promise.all(
    callers.map(({ tracker, fingerprint, id }) =>
      tracker.requestCallback(fingerprint, id).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (!asked.includes(true)) return { state: "skipped", reason: "nobody-to-ask", data };
  if (await called) return { state: "ok", reason: "called-back", data };
  return { state: "warning", reason: "not-called-back", data };
}

interface Caller {
  tracker: TrackerClient;
  fingerprint: Fingerprint;
  id: VideoId;
}

async function findCallers({ videos, identity, incoming }: Patient, trackers: TrackerClient[]): Promise<Caller[]> {
  const found = new Map<Fingerprint, Caller>();
  await Promise.all(
    videos.slice(0, MAX_VIDEOS_ASKED).flatMap((id) =>
      trackers.map(async (tracker) => {
        const { peers } = await tracker.sources(id).catch(() => ({ peers: [] }));
        for (const { fingerprint, host, have } of peers) {
          const own = fingerprint === identity.fingerprint || incoming.isOwn(host);
          if (have && !own) found.set(fingerprint, { tracker, fingerprint, id });
        }
      }),
    ),
  );
  return [...found.values()].slice(0, MAX_CALLERS);
}

async function checkDisk(downloadsDir: string, { freeBytes }: Surroundings): Promise<Finding<"disk">> {
  const folder = await existingFolder(downloadsDir);
  const probe = join(folder, `.streamlet-${randomBytes(8).toString("hex")}`);
  try {
    await writeFile(probe, "", { flag: "wx" });
    await rm(probe, { force: true });
  } catch (error) {
    const full = (error as NodeJS.ErrnoException).code === "ENOSPC";
    return { state: "problem", reason: full ? "full" : "unwritable", data: { folder: downloadsDir, free: 0 } };
  }
  const free = await freeBytes(folder);
  const data = { folder: downloadsDir, free };
  if (free < FULL_DISK_BYTES) return { state: "problem", reason: "full", data };
  return free < LOW_DISK_BYTES ? { state: "warning", reason: "low", data } : { state: "ok", reason: "enough", data };
}

/** The folder itself, or the nearest one above it: a download makes what is missing. */
async function existingFolder(folder: string): Promise<string> {
  const there = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return there || dirname(folder) === folder ? folder : existingFolder(dirname(folder));
}

async function checkFfmpeg({ mediaTools }: Patient): Promise<Finding<"ffmpeg">> {
  const { ffmpeg, version } = await mediaTools();
  if (!ffmpeg) return { state: "warning", reason: "missing" };
  return { state: "ok", reason: "found", data: { path: ffmpeg, version: version ?? "" } };
}
