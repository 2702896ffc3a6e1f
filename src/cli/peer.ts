/** Starts and stops the engine for one command. */
import { Session } from "../peer/session";
import type { PeerStatus, Snapshot } from "../peer/status";
import { StreamletError } from "../wire/errors";
import { type CommonOptions, DEFAULT_PORT } from "./options";
import type { Output } from "./output";
import { openProfile } from "./profile";
import type { Shutdown } from "./shutdown";

export type PeerConfig = Parameters<Session["start"]>[0];

/** A goodbye to trackers and peers that hang takes no longer than this; then the process ends without it. */
const GOODBYE_TIMEOUT_MS = 10_000;

/** What a command works with. */
export interface Context {
  session: Session;
  status: PeerStatus;
  options: CommonOptions;
  output: Output;
  shutdown: Shutdown;
}

/**
 * Runs `work` with a started engine and stops it whatever happens. With `oneShot` the default port is given up for a free
 * one when it is taken: nobody needs to find a program that is gone in a moment, and the peer that has the port is often
 * the same person's `share` or editor. A port that was asked for is kept or refused.
 */
export async function withPeer(
  options: CommonOptions,
  io: { output: Output; shutdown: Shutdown },
  { oneShot }: { oneShot: boolean },
  work: (context: Context) => Promise<void>,
): Promise<void> {
  const profile = await io.shutdown.race(openProfile(options));
  const config: PeerConfig = {
    peerId: profile.peerId,
    privateKey: profile.privateKey,
    dataDir: profile.dataDir,
    port: options.port ?? DEFAULT_PORT,
    ...(options.host === undefined ? {} : { host: options.host }),
    trackers: options.trackers,
    uploadLimit: options.uploadLimit,
    downloadLimit: options.downloadLimit,
    // A one-shot command connects by hand itself, to report what comes of it; `share` keeps trying.
    connect: oneShot ? [] : options.connect,
  };
  const session = new Session();
  try {
    const status = await io.shutdown.race(start(session, config, oneShot && options.port === undefined));
    await work({ session, status, options, ...io });
  } finally {
    await stop(session);
  }
}

async function start(session: Session, config: PeerConfig, mayMove: boolean): Promise<PeerStatus> {
  try {
    return await session.start(config);
  } catch (error) {
    if (!mayMove || !(error instanceof StreamletError) || error.code !== "port-in-use") throw error;
    return await session.start({ ...config, port: 0 });
  }
}

async function stop(session: Session): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, GOODBYE_TIMEOUT_MS);
  });
  await Promise.race([session.stop(), timeout]);
  clearTimeout(timer);
}

/**
 * The first answer of `check` that is not undefined, asked now and after every change of the engine; undefined when the time
 * is over. What `check` throws is passed on.
 */
export async function watch<T>(
  { session, shutdown }: Pick<Context, "session" | "shutdown">,
  check: (snapshot: Snapshot) => T | undefined,
  timeoutMs?: number,
): Promise<T | undefined> {
  let dispose = () => {};
  let timer: NodeJS.Timeout | undefined;
  const found = new Promise<T | undefined>((resolve, reject) => {
    const look = (snapshot: Snapshot) => {
      try {
        const answer = check(snapshot);
        if (answer !== undefined) resolve(answer);
      } catch (error) {
        reject(error);
      }
    };
    dispose = session.onDidChange(look);
    session.snapshot().then(look, reject);
    if (timeoutMs !== undefined) timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await shutdown.race(found);
  } finally {
    dispose();
    clearTimeout(timer);
  }
}
