import { StreamletError } from "../src/wire/errors";
import { parseTrackerAddress } from "../src/wire/trackerAddress";
import { systemClock } from "./clock";
import { defaultDataFolder } from "./config";
import { ControlChannel } from "./control";
import { Directory } from "./directory";
import { DEFAULT_LIMITS, type TrackerLimits } from "./limits";
import { MemoryStore } from "./memoryStore";
import { forgetfulNames, NameBook } from "./nameBook";
import { NamesFile } from "./namesFile";
import { TrackerServer } from "./server";

export interface TrackerConfig {
  /** All interfaces when absent. */
  host?: string;
  port: number;
  httpPort: number;
  /** Folder of the names; see `defaultDataFolder` for when it is absent. */
  data?: string;
  accessToken?: string;
  /** The only addresses that peers may dial it by (trackerAddress.ts); empty: any. */
  publicAddresses?: readonly string[];
  limits?: Partial<TrackerLimits>;
  heartbeatMs?: number;
  log: (message: string) => void;
}

export interface RunningTracker {
  port: number;
  httpPort: number;
  /** Where names are kept; undefined: they are not. */
  data: string | undefined;
  /** Goodbye to everyone, names written, everything closed. */
  stop(): Promise<void>;
}

/** A whole tracker. Errors: port-in-use, port-forbidden, data-folder-in-use, file-unreadable, invalid-argument. */
export async function runTracker(config: TrackerConfig): Promise<RunningTracker> {
  const { host, log, accessToken } = config;
  const limits = { ...DEFAULT_LIMITS, ...config.limits };
  const publicAddresses = (config.publicAddresses ?? []).map((text) => parseTrackerAddress(text).canonical);
  const folder = await openFolder(config);
  try {
    const names = await NameBook.open(folder ? new NamesFile(folder.path, log) : forgetfulNames, limits.names);
    const clock = systemClock;
    const store = new MemoryStore(names, clock, limits);
    folder?.setRelease((name) => store.releaseName(name));
    const directory = new Directory({ store, clock, limits, publicAddresses });
    const server = new TrackerServer({
      port: config.port,
      httpPort: config.httpPort,
      store,
      directory,
      limits,
      clock,
      log,
      ...(host === undefined ? {} : { host }),
      ...(accessToken === undefined ? {} : { accessToken }),
      ...(config.heartbeatMs === undefined ? {} : { heartbeatMs: config.heartbeatMs }),
    });
    const ports = await server.start();
    return {
      ...ports,
      data: folder?.path,
      stop: async () => {
        await server.stop();
        await folder?.channel.close();
      },
    };
  } catch (error) {
    await folder?.channel.close();
    throw error;
  }
}

interface HeldFolder {
  path: string;
  channel: ControlChannel;
  setRelease(release: (name: string) => Promise<boolean>): void;
}

/** A folder that was asked for must work; without the default one a tracker still serves, and says so. */
async function openFolder(config: TrackerConfig): Promise<HeldFolder | undefined> {
  const path = config.data ?? defaultDataFolder(config.port);
  if (path === undefined) return undefined;
  let release = async (_name: string): Promise<boolean> => false;
  try {
    const channel = await ControlChannel.open(path, (name) => release(name));
    return {
      path,
      channel,
      setRelease: (run) => {
        release = run;
      },
    };
  } catch (cause) {
    if (cause instanceof StreamletError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    if (config.data === undefined) {
      config.log(`Names will be forgotten when this tracker stops: ${path} cannot be used (${why}).`);
      return undefined;
    }
    throw new StreamletError(
      "file-unreadable",
      `The data folder ${path} cannot be used: ${why}. Choose another with --data.`,
      {
        cause,
      },
    );
  }
}
