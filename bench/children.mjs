// Child processes that speak JSON lines, and what the kernel counted for them.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** USER_HZ: what /proc counts CPU time in; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * CPU seconds (all threads, user and system) and peak resident memory (bytes) of a live process so far.
 * Fields 14 and 15 of /proc/PID/stat count from behind the name in parentheses, which may hold anything (proc(5)).
 */
export function usage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return { cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, rss: Number(peak[1]) * 1024 };
}

/** CPU seconds that the whole machine has spent since it started, all cores, idle and waiting for disks left out (proc_stat(5)). */
export function machineUsage() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "latin1")
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** A child that prints JSON lines. `ended` is its exit code; everything it wrote to stderr is in `stderr`. */
export class JsonChild {
  stderr = "";
  #events = [];
  #waiting = [];

  constructor(command, args, { env } = {}) {
    this.process = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
    this.pid = this.process.pid;
    // A benchmark that fails half-way leaves nobody behind.
    const end = () => this.process.kill("SIGKILL");
    process.once("exit", end);
    this.process.once("close", () => process.off("exit", end));
    this.process.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    createInterface({ input: this.process.stdout }).on("line", (line) => {
      this.#events.push(JSON.parse(line));
      for (const look of this.#waiting) look();
    });
    this.ended = new Promise((resolve) => {
      this.process.on("error", (error) => {
        this.stderr += error.message;
        resolve(-1);
      });
      this.process.on("close", (code, signal) => resolve(code ?? signal));
    });
  }

  /** The first event that `test` accepts; `test` sees each once, as it arrives. Fails when the child ends without one. */
  async next(test) {
    let seen = 0;
    const found = new Promise((resolve) => {
      const look = () => {
        while (seen < this.#events.length) {
          const event = this.#events[seen++];
          if (test(event)) {
            this.#waiting.splice(this.#waiting.indexOf(look), 1);
            resolve(event);
            return;
          }
        }
      };
      this.#waiting.push(look);
      look();
    });
    const ended = this.ended.then((code) => {
      throw new Error(`${this.process.spawnargs.join(" ")} ended with ${code}: ${this.stderr}`);
    });
    return await Promise.race([found, ended]);
  }

  /** Gives it a line of JSON on stdin. */
  send(message) {
    this.process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** Ends a program that ends when its stdin does, and lets it write what it has still to write. */
  async close() {
    this.process.stdin.end();
    await this.ended;
  }

  async terminate() {
    this.process.kill("SIGTERM");
    await this.ended;
  }
}
