/**
 * A link between two hosts, emulated in this process by a TCP proxy: a round trip, and a rate in each direction.
 *
 * What arrives in one direction waits until the wire is free, occupies it for its bytes at the rate (a token bucket of one chunk:
 * no bursts beyond it), and is delivered half a round trip later. The wire is shared by all connections. A connection queues what
 * the wire takes in `QUEUE_MS`, like the buffer of a home router; when that is full the proxy reads no more of it, and TCP's own
 * window stops its sender. The first byte of a connection arrives a round trip late, since SYN and SYN-ACK come before it.
 *
 * Not emulated: loss, reordering, and TCP's slow start, because the proxy's two TCP connections are on the loopback.
 */
import { connect, createServer } from "node:net";

/** What a router keeps before it would drop; whoever comes after it feels it as a longer round trip. */
const QUEUE_MS = 100;
/** A slow link buffers some packets all the same. */
const MIN_QUEUE_BYTES = 16 * 1024;
/** At a rate, what comes in one read is cut into chunks of so many bytes at most: an Ethernet frame's payload. */
const CHUNK_BYTES = 1_460;

/** One direction of the link, for all its connections. */
class Wire {
  freeAt = 0;
  delivered = 0;

  constructor(bytesPerSecond) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** The moment at which `length` bytes that come now have left, milliseconds of `performance.now()`. */
  occupy(length) {
    this.freeAt = Math.max(performance.now(), this.freeAt) + (1000 * length) / this.bytesPerSecond;
    return this.freeAt;
  }
}

/** One direction of one connection. */
class Direction {
  /** In order: {chunk, sentAt, dueAt}; chunk undefined: the sender has closed. */
  #underWay = [];
  /** Those before it have left the sender's side. */
  #sent = 0;
  #queuedBytes = 0;
  #timer;
  #onSpace;

  constructor(wire, { delayMs, opensAt, deliver }) {
    this.wire = wire;
    this.delayMs = delayMs;
    this.opensAt = opensAt;
    this.deliver = deliver;
    const { bytesPerSecond } = wire;
    this.chunkBytes = Number.isFinite(bytesPerSecond) ? CHUNK_BYTES : Number.POSITIVE_INFINITY;
    this.maxQueued = Math.max(MIN_QUEUE_BYTES, (bytesPerSecond * QUEUE_MS) / 1000);
  }

  /** @param {Buffer | undefined} bytes undefined: the sender has closed. Returns false when the queue is full. */
  push(bytes) {
    if (bytes === undefined) this.#enqueue(undefined, 0);
    for (let at = 0; bytes && at < bytes.length; ) {
      const chunk = bytes.subarray(at, at + Math.min(this.chunkBytes, bytes.length));
      this.#enqueue(chunk, chunk.length);
      at += chunk.length;
    }
    this.#advance();
    return this.#queuedBytes < this.maxQueued;
  }

  /** Calls `onSpace` once when the queue has room again. */
  whenSpace(onSpace) {
    this.#onSpace = onSpace;
    this.#advance();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#underWay = [];
  }

  #enqueue(chunk, length) {
    const sentAt = this.wire.occupy(length);
    this.#underWay.push({ chunk, sentAt, dueAt: Math.max(sentAt, this.opensAt) + this.delayMs });
    this.#queuedBytes += length;
  }

  /** Timers are whole milliseconds: one that comes early waits on, so that nothing is ever delivered too soon. */
  #advance() {
    clearTimeout(this.#timer);
    const now = performance.now();
    const queue = this.#underWay;
    for (; this.#sent < queue.length && queue[this.#sent].sentAt <= now; this.#sent++) {
      this.#queuedBytes -= queue[this.#sent].chunk?.length ?? 0;
    }
    let due = 0;
    while (due < queue.length && queue[due].dueAt <= now) due++;
    this.#sent -= due;
    for (const { chunk } of queue.splice(0, due)) this.deliver(chunk);
    if (this.#onSpace && this.#queuedBytes < this.maxQueued) {
      const tell = this.#onSpace;
      this.#onSpace = undefined;
      tell();
    }
    const next = Math.min(
      queue[0]?.dueAt ?? Infinity,
      this.#onSpace ? (queue[this.#sent]?.sentAt ?? Infinity) : Infinity,
    );
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.#advance(), Math.ceil(next - performance.now()));
  }
}

/**
 * Listens on 127.0.0.1, on `listenPort` or any free one, and passes every connection on to `port` of `host`.
 *
 * @param {import("./slowLink.mjs").LinkOptions} options
 * @returns {Promise<{port: number, delivered(): number, close(): Promise<void>}>}
 */
export async function slowLink(options) {
  const { host = "127.0.0.1", port, listenPort = 0, roundTripMs, bytesPerSecond = Number.POSITIVE_INFINITY } = options;
  const [there, back] = [new Wire(bytesPerSecond), new Wire(bytesPerSecond)];
  const sockets = new Set();

  function pipe(wire, from, to, opensAt) {
    const deliver = (chunk) => {
      if (to.destroyed) return;
      if (chunk === undefined) to.end();
      else {
        wire.delivered += chunk.length;
        to.write(chunk);
      }
    };
    const direction = new Direction(wire, { delayMs: roundTripMs / 2, opensAt, deliver });
    from.on("data", (chunk) => {
      if (direction.push(chunk)) return;
      from.pause();
      direction.whenSpace(() => from.resume());
    });
    from.once("end", () => direction.push(undefined));
    // One that was cut off has no end; whatever was under way still arrives.
    from.once("close", () => {
      if (!from.readableEnded) direction.push(undefined);
    });
    // Nobody is left to hear it; the other direction tells its sender, half a round trip later.
    to.once("close", () => {
      direction.stop();
      from.resume();
    });
  }

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const opensAt = performance.now() + roundTripMs;
    const far = connect({ host, port, noDelay: true, allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => sockets.delete(socket));
    }
    pipe(there, near, far, opensAt);
    pipe(back, far, near, opensAt);
  });
  await new Promise((resolve) => server.listen(listenPort, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    delivered: () => back.delivered,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
