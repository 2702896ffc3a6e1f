// node bench/tlsPump.mjs [--mib N] [--rounds N]
//
// The floor for every other figure: how fast bytes go through one connection of ours on the loopback, from memory to memory,
// with nothing read, hashed or written. Sender and receiver are processes of their own. Four cases: TLS and plain, each with
// `onread` (what the engine uses where it dials) and with `data` events (what an accepted socket has). Medians of the rounds.
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import esbuild from "esbuild";

const MIB = 1024 * 1024;
/** As the engine writes (measured.md, "What made the prototype fast"). */
const WRITE_BYTES = MIB;
/** A piece buffer; `onread` is given what is left of it. */
const READ_BYTES = MIB;
const HEADER = Buffer.from("\x13BitTorrent protocol", "latin1");
const CASES = [
  { tls: true, onread: true },
  { tls: true, onread: false },
  { tls: false, onread: true },
  { tls: false, onread: false },
];

const SOURCE = `
export { createIdentityKey, loadIdentity } from "./src/peer/identity";
export { Listener } from "./src/peer/net/listener";
export { dialPlain, dialTls } from "./src/peer/net/tlsTransport";
`;

/** CPU seconds of this process so far. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Sends `bytes` to whoever connects, writes of 1 MiB one after the other, and tells the parent what it cost. */
async function send({ createIdentityKey, loadIdentity, Listener }, bytes) {
  const identity = await loadIdentity((await createIdentityKey()).privateKey);
  const pump = (socket) => {
    const cpu = cpuSeconds();
    const chunk = Buffer.alloc(WRITE_BYTES, 7);
    let left = bytes;
    const next = () => {
      if (left === 0) return socket.end(() => process.send({ senderCpu: cpuSeconds() - cpu }));
      left -= WRITE_BYTES;
      socket.write(chunk, next);
    };
    next();
  };
  const listener = new Listener({
    identity,
    host: "127.0.0.1",
    onWire: pump,
    onControl: (socket) => socket.destroy(),
    onPlain: (socket) => socket.once("data", () => pump(socket)),
  });
  process.send({ port: await listener.listen() });
}

async function receive({ createIdentityKey, loadIdentity, dialPlain, dialTls }, bytes, port, { tls, onread }) {
  const identity = await loadIdentity((await createIdentityKey()).privateKey);
  let got = 0;
  let finish;
  const done = new Promise((resolve) => {
    finish = resolve;
  });
  const take = (count) => {
    got += count;
    if (got === bytes) finish();
  };
  const piece = Buffer.alloc(READ_BYTES);
  const options = {
    host: "127.0.0.1",
    port,
    ...(onread
      ? {
          onread: {
            buffer: () => piece.subarray(got % READ_BYTES),
            callback: (count) => {
              take(count);
              return true;
            },
          },
        }
      : {}),
  };
  const socket = tls
    ? (await dialTls({ ...options, identity, alpn: "streamlet-wire/1" })).socket
    : await dialPlain(options);
  const cpu = cpuSeconds();
  const start = performance.now();
  if (!onread) socket.on("data", (chunk) => take(chunk.length));
  if (!tls) socket.write(HEADER);
  await done;
  process.send({ seconds: (performance.now() - start) / 1000, receiverCpu: cpuSeconds() - cpu });
  socket.destroy();
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Forks this file as one of the sides; `next(key)` is the first message that has this key. */
function side(...args) {
  const child = fork(fileURLToPath(import.meta.url), args);
  const messages = [];
  let look = () => undefined;
  child.on("message", (message) => {
    messages.push(message);
    look();
  });
  child.on("exit", (code) => {
    if (code) throw new Error(`${args.slice(1).join(" ")} ended with ${code}`);
  });
  const next = (key) =>
    new Promise((resolve) => {
      look = () => {
        const found = messages.find((message) => key in message);
        if (found !== undefined) resolve(found);
      };
      look();
    });
  return { child, next };
}

async function round(bundle, bytes, test) {
  const sender = side("send", bundle, String(bytes));
  const { port } = await sender.next("port");
  const receiver = side("receive", bundle, String(bytes), String(port), JSON.stringify(test));
  const { seconds, receiverCpu } = await receiver.next("seconds");
  const { senderCpu } = await sender.next("senderCpu");
  sender.child.kill();
  receiver.child.kill();
  return { rate: bytes / MIB / seconds, receiverCpu, senderCpu };
}

async function main() {
  const { values } = parseArgs({
    options: { mib: { type: "string", default: "2048" }, rounds: { type: "string", default: "5" } },
  });
  const bytes = Number(values.mib) * MIB;
  const folder = mkdtempSync(join(tmpdir(), "streamlet-pump-"));
  const bundle = join(folder, "pump.cjs");
  await esbuild.build({
    stdin: { contents: SOURCE, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile: bundle,
    logLevel: "warning",
  });
  const results = CASES.map(() => []);
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [index, test] of CASES.entries()) results[index].push(await round(bundle, bytes, test));
  }
  rmSync(folder, { recursive: true, force: true });
  const perGib = (values) => ((median(values) * 1024 * MIB) / bytes).toFixed(2);
  console.log("| pump | MiB/s | receiver CPU s/GiB | sender CPU s/GiB |\n|---|---|---|---|");
  for (const [index, { tls, onread }] of CASES.entries()) {
    const rounds = results[index];
    const rate = median(rounds.map((r) => r.rate)).toFixed(0);
    const cpu = `${perGib(rounds.map((r) => r.receiverCpu))} | ${perGib(rounds.map((r) => r.senderCpu))}`;
    console.log(`| ${tls ? "TLS 1.3" : "plain"}, ${onread ? "onread" : "data"} | ${rate} | ${cpu} |`);
  }
}

const [role, bundle, bytes, port, test] = process.argv.slice(2);
if (role === "send") await send(createRequire(import.meta.url)(bundle), Number(bytes));
else if (role === "receive") {
  await receive(createRequire(import.meta.url)(bundle), Number(bytes), Number(port), JSON.parse(test));
} else await main();
