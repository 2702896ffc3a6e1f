import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startConfined } from "../../src/peer/media/confined";
import { Ffmpeg } from "../../src/peer/media/ffmpeg";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { until } from "../helpers/until";

const RUNNER_FLAG = "--runner";
/** It ends by no signal that can be ignored, and writes nothing that would tell it that nobody reads. */
const ENDLESS = `#!/bin/sh
if [ "$1" = -version ]; then echo "ffmpeg version 0.0-stub"; exit; fi
trap '' TERM HUP INT PIPE
sleep 1000 & sleep 1000
`;

interface Process {
  pid: number;
  group: number;
  command: string;
}

/** Those that have not ended; one that nobody has waited for yet has. */
function processes(): Process[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const [, state, , group] = /^\d+ \(.*\) (\S) (\d+) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))!;
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return state === "Z" ? [] : [{ pid: Number(pid), group: Number(group), command }];
    } catch {
      return []; // no process, or one that has just ended
    }
  });
}

function tests(): void {
  describe("ffmpeg whose engine is killed", function () {
    this.timeout(30_000);
    let engine: ChildProcess | undefined;

    before(function () {
      if (process.platform !== "linux") skip(this, "only Linux lists its processes in /proc");
    });
    afterEach(() => engine?.kill("SIGKILL"));

    for (const how of ["on the person's own file", "on a file of somebody else"]) {
      it(`ends with all that it has started: ${how}`, async () => {
        const path = join(tempDir("ffmpeg"), "ffmpeg");
        writeFileSync(path, ENDLESS, { mode: 0o755 });
        engine = fork(__filename, [RUNNER_FLAG, how, path], { execArgv: [] });
        const group = () =>
          processes().find(({ command, pid }) => command.includes(path) && pid !== engine?.pid)?.group;
        const members = (of: number | undefined) => processes().filter((one) => one.group === of);
        await until(
          "it has started others",
          () => members(group()).filter((p) => /sleep 1000/.test(p.command)).length === 2,
        );
        const its = group();
        assert.ok(its !== undefined);
        engine.kill("SIGKILL");
        await once(engine, "exit");
        await until("nothing is left of it", () => members(its).length === 0);
      });
    }
  });
}

if (process.argv[2] === RUNNER_FLAG) {
  const ffmpeg = new Ffmpeg(process.argv[4]);
  if (process.argv[3] === "on the person's own file") void ffmpeg.run([]);
  else void startConfined(ffmpeg, []);
} else tests();
