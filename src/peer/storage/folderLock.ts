import { createHash } from "node:crypto";
import { closeSync, constants, mkdirSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { StreamletError } from "../../wire/errors";
import { fileError, systemCode } from "./fileErrors";

/** Says who holds the folder, for the message only: the lock itself is in the kernel. */
const HOLDER_FILE = "lock.pid";
const LOCK_FILE = "lock";
/** Where a local socket can have a name that is no file: nothing of it is left when the process is gone. */
const HAS_PRIVATE_SOCKETS = process.platform === "linux" || process.platform === "win32";
/** BSD's and macOS's open(2): take an exclusive flock with the opening. Node has no name for it and passes it on. */
const O_EXLOCK = 0x20;

/**
 * Exclusive use of a data folder by one running engine. The lock is the kernel's, so that it ends with its process however
 * that ends, a reused process id means nothing, and no heartbeat can be late (proper-lockfile takes a lock over from a machine
 * that slept): on Linux an abstract unix socket, on Windows a named pipe, both named after the folder; on macOS a file opened
 * with O_EXLOCK. It holds within one machine (and on Linux one network namespace).
 */
export class FolderLock {
  #held: Server | number | undefined;
  readonly #holderFile: string;

  private constructor(held: Server | number, holderFile: string) {
    this.#held = held;
    this.#holderFile = holderFile;
  }

  /** Creates the folder if need be. Errors: data-folder-in-use (`data.path`, `data.pid` when known), write-failed, disk-full. */
  static async acquire(folder: string): Promise<FolderLock> {
    let real: string;
    try {
      mkdirSync(folder, { recursive: true });
      real = realpathSync.native(folder);
    } catch (error) {
      throw fileError(error, "write", folder);
    }
    const holderFile = join(real, HOLDER_FILE);
    let held: Server | number;
    try {
      held = HAS_PRIVATE_SOCKETS ? await listen(socketName(real)) : lockFile(join(real, LOCK_FILE));
    } catch (error) {
      if (["EADDRINUSE", "EACCES", "EAGAIN", "EWOULDBLOCK"].includes(systemCode(error)))
        throw inUse(folder, holderFile);
      throw fileError(error, "write", folder);
    }
    const lock = new FolderLock(held, holderFile);
    try {
      writeFileSync(holderFile, `${process.pid}\n`);
    } catch (error) {
      await lock.release();
      throw fileError(error, "write", holderFile);
    }
    return lock;
  }

  /** Idempotent. */
  async release(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    rmSync(this.#holderFile, { force: true });
    if (typeof held === "number") closeSync(held);
    else await new Promise<void>((resolve) => held.close(() => resolve()));
  }
}

function inUse(folder: string, holderFile: string): StreamletError {
  let pid = 0;
  try {
    pid = Number.parseInt(readFileSync(holderFile, "utf8"), 10) || 0;
  } catch {
    // Taken a moment ago: its holder has not written it yet.
  }
  const who = pid ? `process ${pid}` : "another process";
  const message = `The data folder ${folder} is in use by ${who}. Stop that one first, or choose another folder.`;
  return new StreamletError("data-folder-in-use", message, { data: { path: folder, ...(pid ? { pid } : {}) } });
}

function socketName(folder: string): string {
  const name = `streamlet-lock-${createHash("sha256").update(folder).digest("hex").slice(0, 32)}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : `\0${name}`;
}

/** Nobody has business here: whoever connects is closed at once. The lock keeps no process alive. */
function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      server.on("error", () => undefined); // a failed accept changes nothing about the lock
      server.unref();
      resolve(server);
    });
  });
}

function lockFile(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK, 0o600);
}
