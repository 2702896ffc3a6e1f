/**
 * The network of a simulation: hosts with an uplink, a downlink and a distance, and TCP connections between them.
 *
 * Modelled: the uplink is shared by round robin over the connections that have something to send (what TCP flows of one host
 * come to), short messages before long ones; a congestion window that begins with ten segments, doubles per round trip, and is
 * halved by a loss; a lost segment comes a round trip later, and all that follows it on its connection waits for it; the downlink is a
 * queue, which loses what would wait in it for more than a quarter of a second. A byte is never changed.
 * Not modelled: the capacity that acknowledgements take, routes that several hosts share, address translation.
 */
import type { OnReadOpts } from "node:net";
import { Duplex } from "node:stream";
import { asBuffer } from "../../src/wire/bytes";
import { StreamletError } from "../../src/wire/errors";
import type { Fingerprint } from "../../src/wire/types";
import type { Random } from "./random";
import type { Due, SimClock } from "./simClock";

/** What one host can do. */
export interface Link {
  /** Bytes per second. */
  up: number;
  down: number;
  /** Milliseconds from the host to the middle of the network: half of its share of every round trip. */
  delay: number;
  /** Of the segments that it sends, 0 to 1. */
  loss: number;
}

const SEGMENT_BYTES = 1_460;
/** What the uplink takes of one connection at a time: a block with its header. */
const TURN_BYTES = 16 * 1024 + 13;
/** Sent at once, past the queues: requests and the like. */
const SHORT_BYTES = SEGMENT_BYTES;
const FIRST_WINDOW_BYTES = 10 * SEGMENT_BYTES;
const MIN_WINDOW_BYTES = 2 * SEGMENT_BYTES;
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/** RFC 6298 says a second at least, everybody does 200 ms. */
const MIN_TIMEOUT_MS = 200;
/** Longer queues in front of a downlink lose what comes. */
const MAX_QUEUE_MS = 250;
const MIN_TRIP_MS = 1;
const NOW = Promise.resolve();

interface Pending {
  bytes: Buffer;
  done: ((error?: Error | null) => void) | undefined;
}

/** What is sent at once: many a segment of TCP, as long as it is not lost. */
interface Flight extends Due {
  /** The first `length` bytes of it. */
  readonly memory: Buffer;
  readonly length: number;
  arrived: boolean;
}

/** A message that goes past the queues. Objects with all they need: a closure for each would cost more than the rest. */
class ShortFlight implements Flight {
  arrived = false;

  constructor(
    private readonly socket: SimSocket,
    readonly memory: Buffer,
  ) {}

  get length(): number {
    return this.memory.length;
  }

  run(): void {
    this.socket.pass(this);
  }
}

/** A turn of the uplink: on its way, then in the queue of the downlink, then acknowledged. */
class LongFlight implements Flight {
  arrived = false;
  private isQueued = false;

  constructor(
    private readonly socket: SimSocket,
    readonly memory: Buffer,
    readonly length: number,
  ) {}

  run(): void {
    if (this.arrived) this.socket.onAcknowledged(this.length);
    else if (this.isQueued) this.socket.onThrough(this);
    else this.isQueued = this.socket.onArrival(this);
  }
}

export class SimHost {
  isUp = true;
  /** Whose machine it is. */
  fingerprint: Fingerprint | undefined;
  /** Takes a connection from elsewhere; undefined = nobody listens. */
  onConnection: ((socket: SimSocket, from: SimHost) => void) | undefined;
  readonly sockets = new Set<SimSocket>();
  sentBytes = 0;
  receivedBytes = 0;
  private readonly ready: SimSocket[] = [];
  private upFreeAt = 0;
  private downFreeAt = 0;
  private turnIsSet = false;

  constructor(
    private readonly network: SimNetwork,
    readonly name: string,
    readonly link: Link,
  ) {}

  /** The machine is switched off: the others notice a little later. */
  goDown(): void {
    this.isUp = false;
    for (const socket of [...this.sockets]) socket.destroy();
  }

  /** This connection has something to send and may. */
  wants(socket: SimSocket): void {
    if (socket.isQueued) return;
    socket.isQueued = true;
    this.ready.push(socket);
    this.setTurn();
  }

  private setTurn(): void {
    if (this.turnIsSet || this.ready.length === 0) return;
    this.turnIsSet = true;
    this.network.clock.after(Math.max(0, this.upFreeAt - this.network.clock.now()), () => this.turn());
  }

  private turn(): void {
    this.turnIsSet = false;
    const now = this.network.clock.now();
    // A millisecond's worth and what began in it: the clock has no finer times.
    while (this.ready.length > 0 && this.upFreeAt < now + 1) {
      const socket = this.ready.shift()!;
      socket.isQueued = false;
      const count = Math.min(socket.sendable, TURN_BYTES);
      if (count <= 0) continue;
      this.upFreeAt = Math.max(this.upFreeAt, now) + (count * 1000) / this.link.up;
      socket.sendNow(count, this.upFreeAt);
      if (socket.sendable > 0) this.wants(socket);
    }
    this.setTurn();
  }

  sendShort(count: number): void {
    this.upFreeAt = Math.max(this.upFreeAt, this.network.clock.now()) + (count * 1000) / this.link.up;
  }

  /** When so many bytes that arrive now are through; undefined where they are lost. */
  receive(count: number): number | undefined {
    const now = this.network.clock.now();
    if (this.downFreeAt - now > MAX_QUEUE_MS) return undefined;
    this.downFreeAt = Math.max(this.downFreeAt, now) + (count * 1000) / this.link.down;
    return this.downFreeAt;
  }
}

export class SimSocket extends Duplex {
  isQueued = false;
  other!: SimSocket;
  /** What was written and has not been sent as a whole: the first of it is what the uplink takes from. */
  private readonly pending: Pending[] = [];
  /** Of the first. */
  private sent = 0;
  /** Own, as the stream's knows nothing of what goes past it. */
  override writableLength = 0;
  private window = FIRST_WINDOW_BYTES;
  private threshold = MAX_WINDOW_BYTES;
  private inFlight = 0;
  private halvedAt = Number.NEGATIVE_INFINITY;
  /** Sent and not handed over yet: what was lost holds up what comes behind it. */
  private readonly underWay: Flight[] = [];
  /** As `destroyed`, which is asked for each message. */
  private isGone = false;

  constructor(
    private readonly network: SimNetwork,
    readonly host: SimHost,
    readonly remote: SimHost,
    private readonly onread: OnReadOpts | undefined,
  ) {
    super({ readableHighWaterMark: 16 * 1024 * 1024 });
    host.sockets.add(this);
  }

  get tripMs(): number {
    return Math.max(MIN_TRIP_MS, this.host.link.delay + this.remote.link.delay);
  }

  get sendable(): number {
    // A window that is not full takes a whole turn: half-filled ones would only be more work.
    return this.inFlight < this.window && !this.isGone ? this.pendingBytes : 0;
  }

  /** Of what was written first. */
  private get pendingBytes(): number {
    return this.pending.length > 0 ? this.pending[0]!.bytes.length - this.sent : 0;
  }

  override _read(): void {}

  /**
   * Past the stream, which would cost more than all the rest. Most messages are short, and nobody waits for them; they are not copied,
   * as nobody uses their memory again.
   */
  override write(data: Uint8Array, ...rest: unknown[]): boolean {
    const chunk = asBuffer(data);
    const callback = rest.at(-1) as Pending["done"];
    if (this.isGone) {
      if (callback) process.nextTick(callback, lost());
      return false;
    }
    if (this.pending.length > 0 || chunk.length > SHORT_BYTES) {
      this.writableLength += chunk.length;
      if (this.pending.push({ bytes: chunk, done: callback }) === 1 && this.sendable > 0) this.host.wants(this);
      return true;
    }
    this.host.sendShort(chunk.length);
    this.host.sentBytes += chunk.length;
    const flight = new ShortFlight(this, chunk);
    this.underWay.push(flight);
    this.network.clock.add(this.tripMs + this.penalty(chunk.length), flight);
    if (callback) void NOW.then(() => callback());
    return true;
  }

  override _destroy(_error: Error | null, callback: () => void): void {
    this.isGone = true;
    this.host.sockets.delete(this);
    const { other } = this;
    this.network.clock.after(this.tripMs, () => {
      if (this.underWay.length === 0) other.destroy();
    });
    this.writableLength = 0;
    for (const { done } of this.pending.splice(0)) done?.(lost());
    callback();
  }

  /** The uplink takes so many bytes, and has sent the last of them at `sentAt`. */
  sendNow(count: number, sentAt: number): void {
    const memory = this.network.takeMemory();
    const { bytes, done } = this.pending[0]!;
    bytes.copy(memory, 0, this.sent, this.sent + count);
    this.sent += count;
    if (this.sent === bytes.length) {
      this.pending.shift();
      this.sent = 0;
      this.writableLength -= bytes.length;
      if (this.sendable > 0) this.host.wants(this);
      done?.();
    }
    this.inFlight += count;
    this.host.sentBytes += count;
    const wait = sentAt - this.network.clock.now();
    const flight = new LongFlight(this, memory, count);
    this.underWay.push(flight);
    this.network.clock.add(wait + this.tripMs + this.penalty(count), flight);
  }

  /** It is at the downlink; false where that has lost it. */
  onArrival(flight: LongFlight): boolean {
    const { clock } = this.network;
    const through = this.remote.receive(flight.length);
    if (through === undefined) {
      this.halve();
      clock.add(2 * this.tripMs, flight);
      return false;
    }
    clock.add(through - clock.now(), flight);
    return true;
  }

  onThrough(flight: LongFlight): void {
    this.pass(flight);
    this.network.clock.add(this.tripMs, flight);
  }

  /** Hands over what is here, in the order in which it was sent. */
  pass(flight: Flight): void {
    flight.arrived = true;
    while (this.underWay[0]?.arrived) {
      const next = this.underWay.shift()!;
      this.other.deliver(next.memory, next.length);
      if (next instanceof LongFlight) this.network.giveMemory(next.memory);
    }
    if (this.isGone && this.underWay.length === 0) this.other.destroy();
  }

  /** How much later it comes because a segment of it was lost. */
  private penalty(count: number): number {
    const { loss } = this.host.link;
    if (loss === 0) return 0;
    const segments = Math.ceil(count / SEGMENT_BYTES);
    if (this.network.random.next() >= 1 - (1 - loss) ** segments) return 0;
    this.halve();
    const roundTrip = 2 * this.tripMs;
    // With a few segments behind it the receiver tells; else only the clock does.
    return this.inFlight > 3 * SEGMENT_BYTES ? roundTrip : Math.max(MIN_TIMEOUT_MS, 2 * roundTrip);
  }

  private halve(): void {
    const now = this.network.clock.now();
    if (now - this.halvedAt < 2 * this.tripMs) return;
    this.halvedAt = now;
    this.window = this.threshold = Math.max(MIN_WINDOW_BYTES, this.window / 2);
  }

  onAcknowledged(count: number): void {
    this.inFlight -= count;
    if (this.isGone) return;
    const grown = this.window < this.threshold ? count : (SEGMENT_BYTES * count) / this.window;
    // Who sends less than the window learns nothing about it.
    if (this.inFlight + 2 * count >= this.window / 2) this.window = Math.min(MAX_WINDOW_BYTES, this.window + grown);
    if (this.sendable > 0) this.host.wants(this);
  }

  private deliver(memory: Buffer, length: number): void {
    if (this.isGone) return;
    this.host.receivedBytes += length;
    const { onread } = this;
    if (!onread) {
      const bytes = length < memory.length ? memory.subarray(0, length) : memory;
      if (this.readableFlowing && this.readableLength === 0) this.emit("data", bytes);
      // What nobody reads yet is kept: it must not lie in memory that is used again.
      else this.push(Buffer.from(bytes));
      return;
    }
    for (let at = 0; at < length && !this.isGone; ) {
      const { buffer } = onread;
      const room = typeof buffer === "function" ? buffer() : buffer;
      const count = memory.copy(room, 0, at, Math.min(length, at + room.length));
      at += count;
      if (!onread.callback(count, room)) return;
    }
  }
}

function lost(): StreamletError {
  return new StreamletError("connection-lost", "The connection is closed.");
}

export class SimNetwork {
  readonly hosts = new Map<string, SimHost>();

  constructor(
    readonly clock: SimClock,
    readonly random: Random,
  ) {}

  /** Memory of what is under way is used again: a large crowd would spend its time on making it. */
  takeMemory(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(TURN_BYTES);
  }

  giveMemory(memory: Buffer): void {
    this.free.push(memory);
  }
  private readonly free: Buffer[] = [];

  addHost(name: string, link: Link): SimHost {
    const host = new SimHost(this, name, link);
    this.hosts.set(name, host);
    return host;
  }

  /** TCP and TLS 1.3: two round trips. Errors: peer-unreachable. */
  dial(from: SimHost, to: string, onread: OnReadOpts, signal: AbortSignal): Promise<Duplex> {
    const host = this.hosts.get(to);
    const trip = from.link.delay + (host?.link.delay ?? 0);
    return new Promise((resolve, reject) => {
      const isThere = () => from.isUp && host?.isUp === true && host.onConnection !== undefined;
      this.clock.after(2 * trip, () => {
        if (!isThere()) return reject(new StreamletError("connection-lost", "Nobody listens there."));
        this.clock.after(2 * trip, () => {
          if (!isThere() || signal.aborted) return reject(new StreamletError("connection-lost", "It is gone again."));
          const here = new SimSocket(this, from, host!, onread);
          const there = new SimSocket(this, host!, from, undefined);
          here.other = there;
          there.other = here;
          host!.onConnection!(there, from);
          resolve(here);
        });
      });
    });
  }
}
