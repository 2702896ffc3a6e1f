/** Programs that are started: after everybody else, and ended with all that they have started. */
import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";

/** Started with `detached`, it has a group of its own (not on Windows): what it starts ends with it. */
export const OWN_GROUP = process.platform !== "win32";

/** Whoever works on this computer, and every download, goes before it. */
export function yieldToOthers({ pid }: ChildProcess): void {
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
