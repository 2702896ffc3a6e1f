// Starts the project's own programs (dist/streamlet.js, dist/streamlet-tracker.js) with --json and reads what they say.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "./install.mjs";

/** A program says goodbye to its tracker and peers when it is stopped; one that hangs is killed after this. */
const STOP_TIMEOUT_MS = 5_000;
/** Enough of stderr to understand why a program ended. */
const ERROR_CHARS = 4_000;

/** One running program. */
export class Program {
  #child;
  #events = [];
  #waiting = [];
  #ended = false;
  #stderr = "";
  /** Resolves with the exit code when the program has ended. */
  exited;

  /**
   * @param {"streamlet" | "streamlet-tracker"} name
   * @param {string[]} args
   * @param {(event: Record<string, any>) => void} [onEvent] sees every event as it comes
   */
  constructor(name, args, onEvent = () => {}) {
    this.name = name;
    // A group of its own: Ctrl+C in the terminal reaches us, and we end our programs in the right order.
    this.#child = spawn(process.execPath, [join(ROOT, "dist", `${name}.js`), ...args, "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    const killed = () => this.#child.kill("SIGKILL");
    process.once("exit", killed);
    this.#child.stderr.on("data", (chunk) => {
      this.#stderr = `${this.#stderr}${chunk}`.slice(-ERROR_CHARS);
    });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on("line", (line) => {
      const event = JSON.parse(line);
      onEvent(event);
      this.#events.push(event);
      this.#wake();
    });
    this.exited = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        this.#stderr += error.message;
      });
      this.#child.once("close", (code) => {
        process.off("exit", killed);
        this.#ended = true;
        this.#wake();
        resolve(code ?? 1);
      });
    });
  }

  /**
   * The first event of a kind, which may have come already.
   *
   * @param {string} kind
   * @param {number} timeoutMs
   * @returns {Promise<Record<string, any>>} rejects with what the program said on stderr if it ends before
   */
  async event(kind, timeoutMs) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.#events.find((event) => event.event === kind);
      if (found) return found;
      if (this.#ended) throw new Error(`${this.name} ended: ${this.#stderr.trim() || "without a word"}`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${this.name} said nothing of "${kind}" within ${timeoutMs / 1000} s.`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /**
   * Everything that a program said which ends by itself.
   *
   * @param {number} timeoutMs
   * @returns {Promise<Record<string, any>[]>} rejects if it fails or is not done in time
   */
  async all(timeoutMs) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs, "late");
    });
    const code = await Promise.race([this.exited, late]);
    clearTimeout(timer);
    if (code === "late") {
      await this.stop();
      throw new Error(`${this.name} was not done within ${timeoutMs / 1000} s.`);
    }
    if (code !== 0) throw new Error(`${this.name} failed: ${this.#stderr.trim()}`);
    return this.#events;
  }

  /** Asks it to stop, waits for its goodbye, kills it if need be. */
  async stop() {
    if (this.#ended) return;
    this.#child.kill("SIGINT");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.exited;
    clearTimeout(timer);
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
