// node bench/sides/pumpPeer.mjs send BUNDLE BYTES | receive BUNDLE BYTES PORT HOW
//
// The two processes of pump.mjs: JSON lines on stdout, both end when stdin does.
import { createRequire } from "node:module";

const MIB = 1024 * 1024;
/** As the engine writes. */
const WRITE_BYTES = MIB;
/** A piece buffer; `onread` is given what is left of it. */
const READ_BYTES = MIB;
const HEADER = Buffer.from("\x13BitTorrent protocol", "latin1");

const say = (event) => console.log(JSON.stringify(event));

/** CPU seconds of this process so far. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Sends `bytes` to whoever connects, writes of 1 MiB one after the other, and tells what it cost. */
async function send({ createIdentityKey, loadIdentity, Listener }, bytes) {
  const identity = await loadIdentity((await createIdentityKey()).privateKey);
  const pump = (socket) => {
    const cpu = cpuSeconds();
    const chunk = Buffer.alloc(WRITE_BYTES, 7);
    let left = bytes;
    const next = () => {
      if (left === 0) return socket.end(() => say({ event: "sent", cpu: cpuSeconds() - cpu }));
      const length = Math.min(left, WRITE_BYTES);
      left -= length;
      socket.write(chunk.subarray(0, length), next);
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
  say({ event: "ready", port: await listener.listen() });
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
    return true;
  };
  const piece = Buffer.alloc(READ_BYTES);
  const reader = { buffer: () => piece.subarray(got % READ_BYTES), callback: take };
  const options = { host: "127.0.0.1", port, ...(onread ? { onread: reader } : {}) };
  const socket = tls
    ? (await dialTls({ ...options, identity, alpn: "streamlet-wire/1" })).socket
    : await dialPlain(options);
  const cpu = cpuSeconds();
  const start = performance.now();
  if (!onread) socket.on("data", (chunk) => take(chunk.length));
  if (!tls) socket.write(HEADER);
  await done;
  say({ event: "done", seconds: (performance.now() - start) / 1000, cpu: cpuSeconds() - cpu });
  socket.destroy();
}

const [role, bundle, bytes, port, how] = process.argv.slice(2);
process.stdin.resume().once("end", () => process.exit(0));
const engine = createRequire(import.meta.url)(bundle);
if (role === "send") await send(engine, Number(bytes));
else await receive(engine, Number(bytes), Number(port), JSON.parse(how));
