/** One peer of a simulation: the engine's own swarm, download, choker and limits over simulated sockets and an in-memory disk. */
import type { Duplex } from "node:stream";
import { MAX_CONNECTIONS_PER_VIDEO } from "../../src/peer/limits";
import { RateLimiter } from "../../src/peer/net/rateLimiter";
import { VideoStream } from "../../src/peer/stream/videoStream";
import { Download } from "../../src/peer/swarm/download";
import type { KnownPeer } from "../../src/peer/swarm/peerList";
import { Swarm } from "../../src/peer/swarm/swarm";
import { SwarmGroup } from "../../src/peer/swarm/swarmGroup";
import { Bitfield } from "../../src/wire/bitfield";
import { HANDSHAKE_BYTES } from "../../src/wire/constants";
import { decodeHandshake } from "../../src/wire/handshake";
import type { Fingerprint } from "../../src/wire/types";
import { SimDisk } from "./disk";
import type { SimHost, SimNetwork, SimSocket } from "./network";
import type { Random } from "./random";
import type { SimClock } from "./simClock";
import type { SimVideo } from "./video";

export interface World {
  clock: SimClock;
  network: SimNetwork;
  random: Random;
  video: SimVideo;
  folder: string;
  /** Of each peer, as the setting; 0 = the default. */
  uploadSlots: number;
  /** What the tracker answers. */
  findPeers(asker: SimPeer): SimPeer[];
  onPiece(peer: SimPeer): void;
}

export type Role = "seed" | "leecher" | "freeRider" | "liar" | "staller";

/** As `VideoRuntime` asks for more. */
const FIND_PEERS_MS = 10_000;
const PORT = 5000;

export class SimPeer {
  readonly fingerprint: Fingerprint;
  /** Milliseconds. */
  startedAt: number | undefined;
  finishedAt: number | undefined;
  /** Milliseconds between a `stop` and the next `start`. */
  awayMs = 0;
  private leftAt: number | undefined;
  error: unknown;
  readonly disk: SimDisk;
  swarm: Swarm | undefined;
  stream: VideoStream | undefined;
  private group: SwarmGroup | undefined;
  private stopFinding: (() => void) | undefined;
  private readonly closeTree: () => void;

  constructor(
    private readonly world: World,
    readonly host: SimHost,
    readonly role: Role,
    /** Makes a liar of it: changes the swarm before it begins. */
    private readonly spoil?: (peer: SimPeer, swarm: Swarm) => void,
  ) {
    const { clock, random, video } = world;
    this.fingerprint = random.bytes(32).toString("hex") as Fingerprint;
    host.fingerprint = this.fingerprint;
    const { pieceCount } = video.content;
    const whole = role === "seed";
    const claims = whole || !this.isHonest;
    this.disk = new SimDisk(clock, video, claims ? Bitfield.full(pieceCount) : new Bitfield(pieceCount));
    const tree = video.openTree(world.folder, host.name, claims);
    this.tree = tree;
    this.closeTree = () => tree.close();
  }
  private readonly tree;

  get isWhole(): boolean {
    return this.disk.have.isFull;
  }
  get isHonest(): boolean {
    return this.role !== "liar" && this.role !== "staller";
  }
  get isOnline(): boolean {
    return this.swarm !== undefined;
  }
  get known(): KnownPeer {
    return { fingerprint: this.fingerprint, host: this.host.name, port: PORT, transport: "tls" };
  }

  start(): void {
    const { world } = this;
    const { clock, network, random, video } = world;
    this.startedAt ??= clock.now();
    if (this.leftAt !== undefined) this.awayMs += clock.now() - this.leftAt;
    this.leftAt = undefined;
    this.host.isUp = true;
    this.group = new SwarmGroup(clock, random.next, { uploadSlots: world.uploadSlots });
    const swarm = new Swarm({
      id: video.id,
      v1: video.v1,
      infoBytes: this.isWhole ? video.infoBytes : undefined,
      clock,
      peerId20: Buffer.from(this.fingerprint.slice(0, 40), "hex"),
      uploadLimiter: new RateLimiter(0, { clock }),
      maxConnections: MAX_CONNECTIONS_PER_VIDEO,
      group: this.group,
      admission: {
        isRestricted: false,
        allows: () => true,
        mayDial: () => true,
        ownGrant: () => undefined,
        readGrant: () => undefined,
      },
      dialledWins: (remote) => this.fingerprint < remote,
      listenPort: () => PORT,
      dial: (peer, onread, signal) => network.dial(this.host, peer.host, onread, signal),
      onInfo: () => undefined,
      onChange: () => undefined,
      onSourceError: (error) => {
        this.error ??= error;
      },
      onUnreachable: () => undefined,
      onTurnedAway: () => undefined,
    });
    this.swarm = swarm;
    this.spoil?.(this, swarm);
    swarm.setContent(video.content, this.disk.have, this.tree, this.role === "freeRider" ? undefined : this.disk);
    this.host.onConnection = (socket, from) => this.accept(socket, from);
    if (!this.isWhole) this.startDownload(swarm);
    else if (!this.isHonest) swarm.wantPeers();
    const find = () => {
      if (swarm.sourceCount < MAX_CONNECTIONS_PER_VIDEO / 2 && !(this.isWhole && this.isHonest))
        swarm.addPeers(this.world.findPeers(this).map(({ known }) => known));
    };
    find();
    this.stopFinding = clock.every(FIND_PEERS_MS, find);
  }

  /** Goes; with `start` it comes back with what it has. */
  stop(): void {
    this.leftAt = this.world.clock.now();
    this.stopFinding?.();
    this.stopFinding = undefined;
    this.swarm?.close();
    this.group?.close();
    this.swarm = undefined;
    this.host.onConnection = undefined;
    this.host.goDown();
    this.closeTree();
  }

  /** A player that reads from the beginning. */
  play(duration: number): VideoStream {
    const { content } = this.world.video;
    const { disk } = this;
    const stream = new VideoStream({
      content: () => content,
      have: () => disk.have,
      readDisk: async (position, length) => {
        const bytes = Buffer.alloc(length);
        await disk.read([bytes], position);
        return bytes;
      },
      readMemory: (piece, offset, most) => this.swarm?.download?.provenBytes(piece, offset, most),
      setWindows: (windows) => this.swarm?.download?.setWindows(windows),
      stoppedBecause: () => undefined,
      duration: () => duration,
      indexRanges: () => [],
    });
    this.stream = stream;
    return stream;
  }

  private startDownload(swarm: Swarm): void {
    const { clock, random, video } = this.world;
    const { content } = video;
    const download = new Download(content, this.disk.have, this.tree, this.disk, 0, random.next, {
      clock,
      downloadLimiter: new RateLimiter(0, { clock }),
      connections: () => swarm.connections(),
      onPiece: (piece, leaves) => {
        if (leaves) this.tree.setLeaves(piece, leaves);
        swarm.onPieceDone(piece);
        this.world.onPiece(this);
      },
      onBlocks: () => this.stream?.onProgress(),
      onComplete: () => {
        this.finishedAt = clock.now();
        swarm.stopDownload();
      },
      ban: (connection, error) => swarm.ban(connection, error),
      onFailed: (error) => {
        this.error ??= error;
      },
    });
    swarm.startDownload(download);
  }

  /** What the listener does: reads the handshake, and hands over the rest. */
  private accept(socket: SimSocket, from: SimHost): void {
    const onReadable = () => {
      const bytes = socket.read(HANDSHAKE_BYTES) as Buffer | null;
      if (!bytes) return;
      socket.off("readable", onReadable);
      const remote = {
        fingerprint: from.fingerprint,
        host: from.name,
        port: PORT,
        transport: "tls" as const,
        incoming: true,
      };
      if (this.swarm) this.swarm.accept(socket as Duplex, remote, decodeHandshake(bytes));
      else socket.destroy();
    };
    socket.on("readable", onReadable);
    socket.on("error", () => undefined);
  }
}
