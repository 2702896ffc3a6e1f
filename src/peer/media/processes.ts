/** Programs that are started: after everybody else, and ended with all that they have started, also when we are killed. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import type { Readable, Writable } from "node:stream";

/** Started with `detached`, it has a group of its own (not on Windows): what it starts ends with it. */
export const OWN_GROUP = process.platform !== "win32";

/**
 * Whoever is killed ends nothing that they have started. So what is started is a shell first: it leaves a watcher in the group, then
 * becomes the program. The watcher reads a pipe that closes with the process at its other end, and then kills the group. It is a shell
 * of its own, so that a list of processes shows the program's arguments once. On Windows the system ends what Node has started.
 */
const WATCHER = "while read -r _; do :; done; kill -KILL 0";
const GUARD = `exec 3<&0 </dev/null; /bin/sh -c '${WATCHER}' <&3 >/dev/null 2>&1 & exec 3<&-`;

export type Started = ChildProcessByStdio<Writable | null, Readable, Readable>;

export interface StartOptions {
  env?: NodeJS.ProcessEnv;
  /** What the shell does before it becomes the program; on Windows nothing. */
  preparation?: string;
}

/** Nothing is on its standard input. Whoever starts it ends the group with `killGroup`, also once it has ended itself. */
export function start(path: string, args: readonly string[], { env, preparation = ":" }: StartOptions = {}): Started {
  const [program, ...rest] = OWN_GROUP
    ? ["/bin/sh", "-c", `${GUARD}; ${preparation}; exec "$@"`, "sh", path, ...args]
    : [path, ...args];
  const child = spawn(program as string, rest, {
    stdio: [OWN_GROUP ? "pipe" : "ignore", "pipe", "pipe"],
    windowsHide: true,
    detached: OWN_GROUP,
    ...(env ? { env } : {}),
  }) as Started;
  yieldToOthers(child);
  return child;
}

/** Whoever works on this computer, and every download, goes before it. */
function yieldToOthers({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or the system does not allow it: then it is only less polite.
  }
}

/** Not asked politely first: all that it leaves is a half-written file, which is removed anyway. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (OWN_GROUP) process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
