import { execFileSync } from "node:child_process";
import { tempDir } from "./tempDir";

export interface SmallDisk {
  path: string;
  remove(): void;
}

/** A real disk of `mebibytes` MiB (Linux, root), or the reason why there is none here. `remove` unmounts it. */
export function smallDisk(mebibytes: number): SmallDisk | { reason: string } {
  if (process.platform !== "linux") return { reason: "a small disk is mounted on Linux only" };
  if (process.getuid?.() !== 0) return { reason: "only root may mount a small disk" };
  const path = tempDir("disk");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    return { reason: `no small disk can be mounted here: ${error instanceof Error ? error.message.trim() : error}` };
  }
  const unmount = () => execFileSync("umount", ["-l", path], { stdio: "pipe" });
  process.once("exit", unmount);
  return {
    path,
    remove() {
      process.off("exit", unmount);
      unmount();
    },
  };
}
