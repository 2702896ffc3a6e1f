// Streamlet as its own command line, and as the worker thread that the extension runs.
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { JsonChild } from "../children.mjs";
import { figures, meter } from "./meter.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Its programs of one build, with data folders in the folder of the run. */
export class Streamlet {
  /**
   * @param {import("../harness.mjs").Bench} bench
   * @param {string} [dist] another build than that of the run
   */
  constructor(bench, dist = bench.dist) {
    this.bench = bench;
    this.dist = dist;
  }

  /** With --cpu-prof every thread leaves a .cpuprofile. */
  #node(name) {
    const { profiles } = this.bench;
    return profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${join(profiles, name)}`];
  }

  /** Starts a command; its data folder is named `name` and stays, so that what it has hashed once is found again. */
  start(name, args, { trackers = [], host = "127.0.0.1", port = 0 } = {}) {
    const network = trackers.length > 0 ? trackers.flatMap((address) => ["--tracker", address]) : ["--no-tracker"];
    const common = ["--json", ...network, "--host", host, "--port", String(port), "--peer-id", name];
    const program = [...this.#node(name), join(this.dist, "streamlet.js")];
    return new JsonChild(process.execPath, [...program, ...args, ...common, "--data", this.dataOf(name)]);
  }

  dataOf(name) {
    return join(this.bench.dir, "data", name);
  }

  /** Forgets what `name` has fetched or shared. */
  forget(name) {
    rmSync(this.dataOf(name), { recursive: true, force: true });
  }

  /** Shares a file. `port` is where it listens; `link`, `magnet` and `id` are the video's. */
  async share(video, { name = "sender", audience = "everyone", trackers } = {}) {
    const sender = this.start(name, ["share", video, "--audience", audience], { trackers });
    const { port, fingerprint } = await sender.next(({ event }) => event === "ready");
    const { id, link, magnet } = await sender.next(({ event }) => event === "shared");
    return { sender, port, fingerprint, id, link, magnet };
  }

  /** Hashes the video, which later transfers find done. */
  async prepare(video, options) {
    const { sender } = await this.share(video, options);
    await sender.terminate();
  }

  /** Fetches with `streamlet get`. `seconds` is the program's own: from the first dial to the file under its final name. */
  async fetch({ sender, source, digest, name = "receiver", trackers, size = this.bench.size }) {
    this.bench.warm();
    const stopMeter = meter(sender);
    const out = join(this.bench.dir, "out.mp4");
    const receiver = this.start(name, ["get", source, "--out", out], { trackers });
    // The last progress line comes before the command reads the file again for its digest, which is not part of the transfer.
    await receiver.next(({ event, bytes, total }) => event === "progress" && bytes === total && total > 0);
    const costs = stopMeter(receiver);
    const done = await receiver.next(({ event }) => event === "done");
    if (done.sha256 !== digest) throw new Error("streamlet: the file differs from the original");
    await receiver.ended;
    rmSync(out);
    this.forget(name);
    const run = { seconds: done.seconds, ...costs };
    return { ...run, figures: figures(run, size) };
  }

  async transfer(video, digest) {
    const { sender, link } = await this.share(video);
    const run = await this.fetch({ sender, source: link, digest });
    await sender.terminate();
    return run;
  }

  /** A peer as the extension runs it: in a worker thread, every change told to the main thread. */
  async engine(name, { trackers = [] } = {}) {
    const args = [join(HERE, "enginePeer.mjs"), this.dist, this.dataOf(name), ...trackers];
    const child = new JsonChild(process.execPath, [...this.#node(name), ...args]);
    const { port, fingerprint } = await child.next(({ event }) => event === "ready");
    return new Engine(child, port, fingerprint);
  }

  /** A tracker that knows nobody: one that has run before keeps the names of the keys that it met. */
  async tracker() {
    this.forget("tracker");
    const free = ["--json", "--host", "127.0.0.1", "--port", "0", "--http-port", "0"];
    const data = ["--data", this.dataOf("tracker")];
    const child = new JsonChild(process.execPath, [join(this.dist, "streamlet-tracker.js"), ...free, ...data]);
    const { port } = await child.next(({ event }) => event === "ready");
    return { address: `127.0.0.1:${port}`, child };
  }
}

/** A process of enginePeer.mjs. */
export class Engine {
  #calls = 0;

  constructor(child, port, fingerprint) {
    this.child = child;
    this.port = port;
    this.fingerprint = fingerprint;
  }

  /** Has the process do one of its tasks (enginePeer.mjs) and gives the result. */
  async do(task, ...args) {
    const call = ++this.#calls;
    this.child.send({ call, task, args });
    const { value, error } = await this.child.next((event) => event.event === "result" && event.call === call);
    if (error !== undefined) throw new Error(`${task}: ${error}`);
    return value;
  }

  async stop() {
    await this.child.close();
  }
}
