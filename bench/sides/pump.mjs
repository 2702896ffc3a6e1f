// The ceiling of this machine: bytes from memory to memory through one connection of ours, with nothing read, hashed or written.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";
import { JsonChild } from "../children.mjs";
import { figures } from "./meter.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SCRIPT = join(HERE, "pumpPeer.mjs");
const SOURCE = `
export { createIdentityKey, loadIdentity } from "./src/peer/identity";
export { Listener } from "./src/peer/net/listener";
export { dialPlain, dialTls } from "./src/peer/net/tlsTransport";
`;

export class Pump {
  /** @param {import("../harness.mjs").Bench} bench
   * @param {{tls: boolean, onread: boolean}} how `onread` is what the engine uses where it dials, else `data` events as where it accepts */
  constructor(bench, how = { tls: true, onread: true }) {
    this.bench = bench;
    this.how = how;
    this.bundle = join(bench.dir, "pump.cjs");
  }

  async prepare() {
    await esbuild.build({
      stdin: { contents: SOURCE, resolveDir: join(HERE, "..", "..") },
      bundle: true,
      platform: "node",
      format: "cjs",
      outfile: this.bundle,
      logLevel: "warning",
    });
  }

  async transfer() {
    const sender = new JsonChild(process.execPath, [SCRIPT, "send", this.bundle, String(this.bench.size)]);
    const { port } = await sender.next(({ event }) => event === "ready");
    this.bench.warm();
    const what = [this.bundle, String(this.bench.size), String(port), JSON.stringify(this.how)];
    const receiver = new JsonChild(process.execPath, [SCRIPT, "receive", ...what]);
    const { seconds, cpu: receiverCpu } = await receiver.next(({ event }) => event === "done");
    const { cpu: senderCpu } = await sender.next(({ event }) => event === "sent");
    await Promise.all([sender.close(), receiver.close()]);
    const run = { seconds, receiverCpu, senderCpu };
    return { ...run, figures: figures(run, this.bench.size) };
  }
}
