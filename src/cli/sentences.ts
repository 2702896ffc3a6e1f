import { type ErrorInfo, StreamletError, toErrorInfo } from "../wire/errors";

/** macOS's AirPlay receiver listens on Streamlet's default port. */
const AIRPLAY_PORT = 5000;

/** The engine's error as one line that names the option which helps: the engine does not know that there is a command line. */
export function describeError(error: unknown): ErrorInfo {
  const info = toErrorInfo(error);
  return { ...info, message: sentence(info).replace(/\s+/g, " ").trim() };
}

function sentence({ code, message, data }: ErrorInfo): string {
  if (code === "port-in-use" && data?.port !== undefined) {
    const free = typeof data.nextFree === "number" && data.nextFree > 0 ? `--port ${data.nextFree} is free, ` : "";
    const airplay =
      process.platform === "darwin" && data.port === AIRPLAY_PORT
        ? " (on macOS that is AirPlay Receiver, System Settings > General > AirDrop & Handoff)"
        : "";
    return `Port ${data.port} is already in use${airplay}: ${free}--port 0 takes any free one.`;
  }
  if (code === "data-folder-in-use" && data?.path !== undefined) {
    const holder = data.pid === undefined ? "another process" : `process ${data.pid}`;
    return `The data folder ${data.path} is in use by ${holder}: stop that one, or use another folder with --data DIR.`;
  }
  return message;
}

export function trackerUnreachable(addresses: string[]): StreamletError {
  const where = addresses.join(", ");
  return new StreamletError(
    "tracker-unreachable",
    `No tracker answers at ${where}: start one with streamlet-tracker, name another with --tracker HOST:PORT, or do without by --no-tracker.`,
    { data: { addresses: where } },
  );
}
