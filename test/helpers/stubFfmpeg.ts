import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "./tempDir";

/**
 * A program that says it is ffmpeg and then does what `script` (sh) says; `$OUT` is the file that it was asked to write, and
 * `$PIDS` a file for the ids of processes that it starts. Returns the path of the program and of that file.
 */
export function stubFfmpeg(script: string): { path: string; pids: string } {
  const folder = tempDir("ffmpeg");
  const path = join(folder, "ffmpeg");
  const pids = join(folder, "pids");
  const lines = [
    "#!/bin/sh",
    `PIDS='${pids}'`,
    'if [ "$1" = -version ]; then echo "ffmpeg version 0.0-stub Copyright"; exit 0; fi',
    "for OUT; do :; done", // the last argument
    "OUT=$(printf %s \"$OUT\" | sed 's/^file://')",
    'echo $$ >> "$PIDS"',
    script,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  chmodSync(path, 0o755);
  return { path, pids };
}
