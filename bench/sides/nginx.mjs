// The floor: the same file from nginx to curl, one HTTP response over plain TCP, nothing verified.
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ensureDebianPackages } from "../../tools/install.mjs";
import { JsonChild } from "../children.mjs";
import { sha256 } from "../files.mjs";

const START_TIMEOUT_MS = 5_000;

/** Why it cannot take part, or undefined. With `install`, installs it where that is possible. */
export async function nginxMissing({ install }) {
  const missing = await ensureDebianPackages(["nginx-light", "curl"], { install });
  return [...missing.values()].join("; ") || undefined;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Nginx {
  /** @param {import("../harness.mjs").Bench} bench */
  constructor(bench) {
    this.bench = bench;
    this.dir = join(bench.dir, "nginx");
    this.out = join(bench.dir, "curl.mp4");
  }

  async prepare(video) {
    mkdirSync(this.dir);
    this.port = await freePort();
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${name};`);
    const lines = [
      ...(process.getuid?.() === 0 ? ["user root;"] : []),
      "daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;",
      "events { worker_connections 64; }",
      `http { access_log off; sendfile on; ${temporary.join(" ")}`,
      `server { listen 127.0.0.1:${this.port}; root ${dirname(video)}; } }`,
    ];
    writeFileSync(join(this.dir, "nginx.conf"), lines.join("\n"));
  }

  async transfer(_video, digest) {
    const server = new JsonChild("nginx", ["-p", this.dir, "-c", "nginx.conf", "-e", "stderr"]);
    try {
      this.bench.warm();
      const seconds = await this.#fetch();
      if ((await sha256(this.out)) !== digest) throw new Error("curl: the file differs");
      return { seconds, figures: `${seconds.toFixed(2)} s` };
    } finally {
      rmSync(this.out, { force: true });
      await server.terminate();
    }
  }

  async #fetch() {
    const url = `http://127.0.0.1:${this.port}/video.mp4`;
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const format = '{"event":"done","seconds":%{time_total}}\n';
      const curl = new JsonChild("curl", ["--silent", "--fail", "--output", this.out, "--write-out", format, url]);
      const code = await curl.ended;
      if (code === 0 && statSync(this.out).size > 0) return (await curl.next(({ event }) => event === "done")).seconds;
      if (performance.now() > deadline) throw new Error(`curl ended with ${code}: ${curl.stderr}`);
      await setTimeout(50);
    }
  }
}
