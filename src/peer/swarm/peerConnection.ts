/**
 * One wire connection: choke and interest, what the other side has, our requests under way; what it is given is `giving.ts`.
 * It decides nothing: the swarm says what to request, whom to unchoke and what a message means for the video.
 *
 * What it keeps track of: the four choke/interest flags (BEP 3), the remote bitfield (everything until told otherwise, for
 * the first flight to another Streamlet), `inFlight` (our requests, keyed by block).
 */
import type { Duplex } from "node:stream";
import { Bitfield } from "../../wire/bitfield";
import { BLOCK_BYTES, EXTENDED_HANDSHAKE_ID, UT_METADATA_ID } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { decodeMetadataMessage, encodeMetadataMessage, type MetadataMessage } from "../../wire/extensions";
import { decodeHandshake, type Handshake } from "../../wire/handshake";
import { decodeMessage, encodeMessage, type Message } from "../../wire/messages";
import type { Grant } from "../../wire/records";
import type { ConnectionHost, HashRequest, RemotePeer } from "./connectionHost";
import { Giving, type GivingLink } from "./giving";
import { Hello } from "./hello";
import { Pipeline } from "./pipeline";
import { RateMeter } from "./rateMeter";
import { MAX_UNSENT_BYTES, ReadGate } from "./readGate";
import { WireReader, type WireSink } from "./wireReader";

/** Suggestions kept, and pieces that may be had while choked: a few are enough to choose from. */
const MAX_SUGGESTIONS = 16;
const NOW = Promise.resolve();
/** What one small message takes in memory until it is written. */
const UNSENT_MESSAGE_BYTES = 256;

export class PeerConnection implements WireSink, GivingLink {
  amInterested = false;
  peerChoking = true;
  peerInterested = false;
  /** Remote pieces; undefined until the content is known or the peer has said. */
  remote: Bitfield | undefined;
  /** The remote bitfield has really been told, not assumed. */
  remoteKnown = false;
  /** What it is and takes. */
  readonly hello: Hello;
  /** Blocks under way to us: key = piece * blocksPerPiece + first block. */
  readonly inFlight = new Map<number, { piece: number; begin: number; length: number; sentAt: number }>();
  inFlightBytes = 0;
  readonly down: RateMeter;
  readonly up: RateMeter;
  readonly openedAt: number;
  lastReceivedAt: number;
  lastSentAt: number;
  /** What it would have us take (BEP 6), the newest last. */
  readonly suggested = new Set<number>();
  /** What it gives us although it chokes us (BEP 6, "allowed fast"). */
  readonly allowedFast = new Set<number>();
  /** Next to no payload for a while although requests are under way. */
  snubbed = false;
  /** When a block's worth of payload had come since the last time: who sends byte by byte makes no progress. */
  progressAt = 0;
  /**
   * Nothing of the video goes to it, not even what we have: it was dialled, the video is for friends, and it has not shown that it is
   * for it. It may give to us.
   */
  withheld = false;
  /** What it has shown, verified. */
  grant: Grant | undefined;
  readonly pipeline = new Pipeline();
  ready = false;
  closed = false;
  readonly reader: WireReader;

  private socket: Duplex | undefined;
  private attachedAt = 0;
  private gate: ReadGate | undefined;
  private readonly outgoing: Uint8Array[] = [];
  private flushQueued = false;
  private readonly aborter = new AbortController();
  private readonly giving: Giving;
  private haveAllBeforeContent: "all" | "none" | Uint8Array | undefined;

  constructor(
    readonly peer: RemotePeer,
    private readonly host: ConnectionHost,
    private readonly theirHandshake?: Handshake,
  ) {
    this.hello = new Hello(peer, host);
    this.reader = new WireReader(this, theirHandshake === undefined);
    this.down = new RateMeter(host.clock);
    this.up = new RateMeter(host.clock);
    this.giving = new Giving(this, host, this.aborter.signal);
    this.openedAt = this.lastReceivedAt = this.lastSentAt = host.clock.now();
  }

  /** Takes the connected socket. For a dialled one `reader.onread` reads; for an accepted one `data` events do. */
  attach(socket: Duplex, direct: boolean): void {
    if (this.closed || socket.destroyed) {
      socket.destroy();
      return this.close(new StreamletError("connection-lost", "The peer closed the connection."));
    }
    this.socket = socket;
    this.attachedAt = this.host.clock.now();
    this.gate = new ReadGate(
      socket,
      this.host.clock,
      () => socket.writableLength + this.outgoing.length * UNSENT_MESSAGE_BYTES,
    );
    socket.on("error", (error) => this.close(error));
    socket.on("close", () => this.close(new StreamletError("connection-lost", "The peer closed the connection.")));
    socket.on("end", () => this.close(new StreamletError("connection-lost", "The peer closed the connection.")));
    this.sendHandshake();
    if (this.theirHandshake) this.acceptHandshake(this.theirHandshake);
    if (!direct) socket.on("data", (chunk: Buffer) => this.reader.push(chunk));
  }

  close(error?: unknown): void {
    if (this.closed) return;
    this.closed = true;
    this.flush();
    this.reader.stop();
    this.giving.close();
    this.aborter.abort();
    this.socket?.destroy();
    this.host.onClosed(this, error);
  }

  // --- sending -------------------------------------------------------------------------------------------------------

  send(message: Message): void {
    this.sendFrame(encodeMessage(message));
  }

  /** A message as `encodeMessage` makes it; others may be given the same one. */
  sendFrame(frame: Uint8Array): void {
    this.outgoing.push(frame);
    if (this.flushQueued) return;
    this.flushQueued = true;
    // As `queueMicrotask` does, which costs more than the rest of a small message.
    void NOW.then(this.flushLater);
  }
  private readonly flushLater = () => this.flush();

  flush(): void {
    this.flushQueued = false;
    if (this.outgoing.length === 0 || !this.socket || this.socket.destroyed) return;
    if (this.giving.isInsideBatch) return; // flushed when the block is out
    const bytes = this.outgoing.length === 1 ? this.outgoing[0]! : Buffer.concat(this.outgoing);
    this.outgoing.length = 0;
    this.lastSentAt = this.host.clock.now();
    this.write(bytes);
  }

  write(bytes: Uint8Array, onPassed: (error?: Error | null) => void = () => {}): void {
    const socket = this.socket!;
    if (socket.writableLength === 0) this.passedAt = this.host.clock.now();
    socket.write(bytes, (error) => {
      this.passedAt = this.host.clock.now();
      onPassed(error);
    });
  }
  private passedAt = 0;

  /** Since when nothing has moved of what was given to the socket; undefined where nothing waits in it. */
  get unreadSince(): number | undefined {
    return this.socket && this.socket.writableLength > 0 ? this.passedAt : undefined;
  }

  setInterested(interested: boolean): void {
    if (this.amInterested === interested) return;
    this.amInterested = interested;
    this.send({ type: interested ? "interested" : "notInterested" });
  }

  get amChoking(): boolean {
    return this.giving.amChoking;
  }

  setChoking(choking: boolean): void {
    this.giving.setChoking(choking);
  }

  takenRate(): number {
    return this.up.rate();
  }

  onGives(piece: number): void {
    this.host.onRequest(this, piece);
  }

  onSent(bytes: number): void {
    this.up.add(bytes);
    this.lastSentAt = this.host.clock.now();
    this.host.onUploaded(this, bytes);
  }

  request(piece: number, begin: number, length: number): void {
    this.inFlight.set(this.keyOf(piece, begin), { piece, begin, length, sentAt: this.host.clock.now() });
    this.inFlightBytes += length;
    this.send({ type: "request", piece, begin, length });
  }

  cancel(piece: number, begin: number): void {
    const request = this.forget(piece, begin);
    if (request) this.send({ type: "cancel", piece, begin, length: request.length });
  }

  /** Takes a request off the list of those under way. */
  forget(piece: number, begin: number): { length: number } | undefined {
    const request = this.requested(piece, begin);
    if (!request) return undefined;
    this.inFlight.delete(this.keyOf(piece, begin));
    this.inFlightBytes -= request.length;
    return request;
  }

  /** The request under way for just this block; what begins beyond its piece has the key of another one. */
  requested(piece: number, begin: number): { length: number; sentAt: number } | undefined {
    const request = this.inFlight.get(this.keyOf(piece, begin));
    return request?.piece === piece && request.begin === begin ? request : undefined;
  }

  /** Payload on its way into the network. */
  get unsentBytes(): number {
    return this.giving.unsentBytes;
  }

  /** May blocks be asked for now? Another Streamlet keeps what comes before its unchoke. */
  get canRequest(): boolean {
    return !this.closed && this.amInterested && (!this.peerChoking || this.isInFirstFlight);
  }

  /** What is asked now is asked in the hope of an unchoke. */
  get isInFirstFlight(): boolean {
    return this.peerChoking && this.hello.isStreamlet && !this.firstFlightIsOver;
  }
  private firstFlightIsOver = false;

  /** The same for one piece. */
  mayRequest(piece: number): boolean {
    return this.canRequest || (!this.closed && this.amInterested && this.allowedFast.has(piece));
  }

  sendMetadata(message: MetadataMessage): void {
    const id = this.hello.metadataId;
    if (id !== undefined) this.send({ type: "extended", id, payload: encodeMetadataMessage(message) });
  }

  /** It may have the video after all. */
  release(grant: Grant | undefined): void {
    this.grant = grant;
    this.withheld = false;
    if (this.host.metadataSize() > 0) this.send(this.hello.extendedHandshake(this.withheld));
  }

  /** Tells what we have; called once the content is known. */
  sendAvailability(have: Bitfield): void {
    if (this.withheld) return;
    if (this.hello.supportsFast && have.count === 0) this.send({ type: "haveNone" });
    // A full bitfield, not have-all: webtorrent hangs on have-all that is followed by an unchoke at once.
    else if (have.count > 0) this.send({ type: "bitfield", bits: have.toBytes() });
  }

  /** The content has become known after the peer told what it has (magnet links). */
  onContentKnown(): void {
    const early = this.haveAllBeforeContent;
    this.haveAllBeforeContent = undefined;
    if (early !== undefined) this.setRemote(early);
    else if (this.hello.isStreamlet && !this.remoteKnown) this.remote = Bitfield.full(this.pieceCount());
  }

  // --- receiving -----------------------------------------------------------------------------------------------------

  onHandshake(bytes: Uint8Array): void {
    if (!this.socket) throw new StreamletError("bad-handshake", "The peer answered before it was asked for a video.");
    this.lastReceivedAt = this.host.clock.now();
    this.pipeline.onRoundTrip(this.lastReceivedAt - this.attachedAt);
    this.acceptHandshake(decodeHandshake(bytes));
  }

  onFrame(frame: Uint8Array): void {
    this.lastReceivedAt = this.host.clock.now();
    if (frame.length === 0) return this.gate?.onMessage("keepAlive");
    const message = decodeMessage(frame);
    this.dispatch(message);
    this.gate?.onMessage(message.type);
  }

  onBlockStart(piece: number, begin: number, length: number): Uint8Array | undefined {
    const request = this.requested(piece, begin);
    if (request) this.pipeline.onAnswer(this.host.clock.now() - request.sentAt, length);
    return this.host.onBlockStart(this, piece, begin, length);
  }

  onBlockBytes(count: number): void {
    this.lastReceivedAt = this.host.clock.now();
    this.down.add(count);
    this.sinceProgress += count;
    if (this.sinceProgress >= BLOCK_BYTES) this.onProgress();
  }

  onBlockEnd(piece: number, begin: number, length: number): void {
    this.onProgress();
    this.host.onBlock(this, piece, begin, length);
  }

  private onProgress(): void {
    this.sinceProgress = 0;
    this.progressAt = this.lastReceivedAt;
    this.snubbed = false;
  }
  private sinceProgress = 0;

  onViolation(error: unknown): void {
    this.close(error);
  }

  private sendHandshake(): void {
    this.outgoing.push(this.hello.handshake(this.theirHandshake));
    this.send(this.hello.extendedHandshake(this.withheld));
    if (this.hello.isStreamlet && !this.theirHandshake) {
      // One flight: to another Streamlet everything goes out before its handshake has come.
      this.hello.assumeStreamlet();
      this.onContentKnown();
      this.host.onReady(this);
    }
  }

  private acceptHandshake(theirs: Handshake): void {
    this.hello.accept(theirs);
    this.ready = true;
    if (!this.hello.isStreamlet || this.theirHandshake) {
      if (this.hello.isStreamlet) this.onContentKnown();
      this.host.onReady(this);
    }
  }

  private dispatch(message: Message): void {
    switch (message.type) {
      case "choke":
        this.peerChoking = true;
        this.firstFlightIsOver = true;
        return this.host.onChoke(this);
      case "unchoke":
        this.peerChoking = false;
        this.allowedFast.clear();
        this.firstFlightIsOver = true;
        return this.host.onUnchoke(this);
      case "interested":
      case "notInterested":
        this.peerInterested = message.type === "interested";
        return this.host.onInterest(this);
      case "have":
        this.onHave(message.piece);
        return;
      case "suggest":
        return keepNewest(this.suggested, message.piece);
      case "allowedFast":
        return keepNewest(this.allowedFast, message.piece);
      case "bitfield":
        return this.setRemote(message.bits);
      case "haveAll":
        return this.setRemote("all");
      case "haveNone":
        return this.setRemote("none");
      case "request":
        return this.giving.onRequest(message.piece, message.begin, message.length);
      case "cancel":
        return this.giving.onCancel(message.piece, message.begin, message.length);
      case "reject": {
        const request = this.forget(message.piece, message.begin);
        if (this.peerChoking) this.firstFlightIsOver = true;
        if (request) this.host.onReject(this, message.piece, message.begin, request.length);
        return;
      }
      case "extended":
        return this.onExtended(message.id, message.payload);
      case "hashRequest":
        return this.onHashRequest(message);
      case "hashes":
        return this.host.onHashes(this, message);
      case "hashReject":
        return this.host.onHashReject(this, message);
      default:
        return; // keep-alive, port and unknown messages change nothing here
    }
  }

  private onHashRequest(request: HashRequest): void {
    const serves = !this.withheld && this.socket!.writableLength < MAX_UNSENT_BYTES;
    const hashes = serves ? this.host.onHashRequest(this, request) : undefined;
    if (hashes) this.send({ ...request, type: "hashes", hashes });
    else this.send({ ...request, type: "hashReject" });
  }

  private onExtended(id: number, payload: Uint8Array): void {
    if (id === UT_METADATA_ID) {
      const message = decodeMetadataMessage(payload);
      if (message) this.host.onMetadata(this, message);
      return;
    }
    if (id !== EXTENDED_HANDSHAKE_ID) return;
    const isFirst = this.hello.extended === undefined;
    const hello = this.hello.acceptExtended(payload);
    // Once: a check costs more than the message.
    if (this.withheld && isFirst && hello.st_grant) this.host.onGrant(this, hello.st_grant);
    this.host.onExtended(this);
  }

  private onHave(piece: number): void {
    if (!this.host.content()) return;
    if (piece >= this.pieceCount())
      throw new StreamletError("bad-message", `The peer claims piece ${piece}, which does not exist.`);
    if (!this.remoteKnown || !this.remote) this.setRemote("none");
    this.giving.onHave(piece);
    if (this.remote!.set(piece)) this.host.onHave(this, piece);
  }

  private setRemote(what: "all" | "none" | Uint8Array): void {
    if (!this.host.content()) {
      this.haveAllBeforeContent = typeof what === "string" ? what : new Uint8Array(what);
      return;
    }
    const count = this.pieceCount();
    if (what === "all") this.remote = Bitfield.full(count);
    else if (what === "none") this.remote = new Bitfield(count);
    else this.remote = Bitfield.fromBytes(what, count);
    this.remoteKnown = true;
    this.host.onAvailability(this);
  }

  private pieceCount(): number {
    return this.host.content()?.pieceCount ?? 0;
  }

  private keyOf(piece: number, begin: number): number {
    return piece * (this.host.content()?.blocksPerPiece ?? 1) + begin / BLOCK_BYTES;
  }
}

function keepNewest(pieces: Set<number>, piece: number): void {
  pieces.add(piece);
  const [oldest] = pieces;
  if (pieces.size > MAX_SUGGESTIONS) pieces.delete(oldest!);
}
