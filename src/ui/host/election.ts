/**
 * Which window owns the peer: the one that holds a local socket (a named pipe on Windows). Whoever can connect to it follows;
 * whoever can take it owns. A socket file that nobody listens on (its owner was killed) is removed by exactly one window.
 * Plain Node, so that the rules are tested with real sockets and processes.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rmdir, stat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { greetOwner } from "./handshake";

/** macOS: sun_path holds 104 bytes including the final zero; Linux 108. */
export const MAX_SOCKET_PATH_BYTES = 103;
/** A connect to a local socket answers at once; only a listener with a full backlog lets it wait. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Taking over takes milliseconds; a lock this old was left by a killed window. */
const STALE_LOCK_MS = 5_000;
const SECRET_BYTES = 32;

export interface Meeting {
  /** Socket path or pipe name. */
  address: string;
  secret: Buffer;
  version: number;
}

export type Joined =
  | { role: "owner"; server: Server }
  | { role: "follower"; socket: Socket }
  /** Somebody listens but is no window of this installation, or is one of another version. */
  | { role: "none"; reason: "stranger" | "otherVersion" };

/**
 * Where the windows of one installation meet: a short path that depends on the storage folder, so that two editors
 * (or two users) do not meet.
 */
export function meetingAddress(
  storagePath: string,
  { platform, runtimeDir }: { platform: NodeJS.Platform; runtimeDir: string | undefined } = {
    platform: process.platform,
    runtimeDir: process.env.XDG_RUNTIME_DIR,
  },
): string {
  const name = `streamlet-${createHash("sha256").update(storagePath).digest("hex").slice(0, 16)}`;
  if (platform === "win32") return `\\\\.\\pipe\\${name}`;
  const preferred = join(runtimeDir || tmpdir(), `${name}.sock`);
  return Buffer.byteLength(preferred) <= MAX_SOCKET_PATH_BYTES ? preferred : join("/tmp", `${name}.sock`);
}

/** The secret of this installation, made by whichever window comes first; only this user can read the file. */
export async function loadSecret(file: string): Promise<Buffer> {
  for (;;) {
    const known = await readSecret(file);
    if (known) return known;
    try {
      const handle = await open(file, "wx", 0o600);
      try {
        await handle.writeFile(randomBytes(SECRET_BYTES));
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      // Another window is writing it right now; one that was cut short is made anew.
      await sleep(50);
      if (!(await readSecret(file)) && (await ageOf(file)) > STALE_LOCK_MS) await unlink(file).catch(() => undefined);
    }
  }
}

async function readSecret(file: string): Promise<Buffer | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes?.length === SECRET_BYTES ? bytes : undefined;
}

/**
 * Follows the owner if there is one, else becomes it; then `onConnection` hears of every window that knocks, from the first
 * moment on. Rejects when `signal` aborts or the folder of the socket is unusable.
 */
export async function joinMeeting(
  meeting: Meeting,
  onConnection: (socket: Socket) => void,
  signal: AbortSignal,
): Promise<Joined> {
  for (let stale = false; ; ) {
    signal.throwIfAborted();
    const socket = await tryConnect(meeting.address);
    if (socket === "busy") {
      await sleep(200, undefined, { signal });
      continue;
    }
    if (socket) {
      const greeting = await greetOwner(socket, meeting.secret, meeting.version);
      if (greeting === "welcome") return { role: "follower", socket };
      return { role: "none", reason: greeting };
    }
    const server = stale
      ? await replaceStale(meeting.address, onConnection)
      : await tryListen(meeting.address, onConnection);
    if (server) return { role: "owner", server };
    // Taken between the two steps, or the file of a dead owner: look once more who is there.
    stale = true;
    await sleep(20 + Math.random() * 60, undefined, { signal });
  }
}

/** A connected socket; undefined when nobody listens; `busy` when somebody does but does not accept now. */
function tryConnect(address: string): Promise<Socket | "busy" | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    const timer = setTimeout(() => {
      socket.destroy();
      resolve("busy");
    }, CONNECT_TIMEOUT_MS);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      const code = codeOf(error);
      if (code === "ENOENT" || code === "ECONNREFUSED") resolve(undefined);
      else if (code === "EAGAIN" || code === "EBUSY" || code === "ECONNRESET") resolve("busy");
      else reject(error);
    });
  });
}

/** A server that listens; undefined when the address is taken (perhaps by a file that a killed window left). */
async function tryListen(address: string, onConnection: (socket: Socket) => void): Promise<Server | undefined> {
  const server = createServer(onConnection);
  const listening = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error) => {
      if (codeOf(error) === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(address, () => {
      server.removeAllListeners("error");
      resolve(true);
    });
  });
  if (!listening) return undefined;
  // Pipes have no mode; there the greeting alone keeps others out.
  await chmod(address, 0o600).catch(() => undefined);
  return server;
}

/** Removes the socket file of a dead owner under a lock, so that no window removes the file of one that just took over. */
async function replaceStale(address: string, onConnection: (socket: Socket) => void): Promise<Server | undefined> {
  const lock = `${address}.lock`;
  try {
    await mkdir(lock);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    if ((await ageOf(lock)) > STALE_LOCK_MS) await rmdir(lock).catch(() => undefined);
    return undefined;
  }
  try {
    const socket = await tryConnect(address);
    if (socket) {
      if (socket !== "busy") socket.destroy();
      return undefined;
    }
    await unlink(address).catch(() => undefined);
    return await tryListen(address, onConnection);
  } finally {
    await rmdir(lock).catch(() => undefined);
  }
}

async function ageOf(path: string): Promise<number> {
  const info = await stat(path).catch(() => undefined);
  return info ? Date.now() - info.mtimeMs : 0;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
