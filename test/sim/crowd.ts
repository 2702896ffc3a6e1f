/** A whole simulated swarm: who is in it, what the tracker says, how long everybody took, and what capacity would allow. */
import { removeTempDir, tempDir } from "../helpers/tempDir";
import { type Link, SimNetwork } from "./network";
import { type Role, SimPeer, type World } from "./peer";
import { Random } from "./random";
import { SimClock } from "./simClock";
import { SimVideo } from "./video";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Given again to repeat a run that failed. */
const GIVEN_SEED = process.env.STREAMLET_SIM_SEED;

/** So that everybody has some two dozen neighbours, and nobody the whole crowd. */
const PEERS_ANSWERED = 8;

export interface CrowdOptions {
  seed: number;
  size?: number;
  pieceLength?: number;
  /** 0 = the default. */
  uploadSlots?: number;
  /** What the tracker answers at most. */
  peersAnswered?: number;
}

export interface Outcome {
  /** Seconds that the slowest honest peer took, from its start to the last piece, without those that it was away. */
  seconds: number;
  /** What capacity sets. */
  bound: number;
  ratio: number;
  wrongBytes: number;
  unfinished: string[];
}

export class Crowd implements World {
  readonly seed: number;
  readonly uploadSlots: number;
  private readonly peersAnswered: number;
  readonly clock = new SimClock();
  readonly random: Random;
  readonly network: SimNetwork;
  readonly video: SimVideo;
  readonly folder = tempDir("sim");
  readonly peers: SimPeer[] = [];
  private onEveryPiece: ((peer: SimPeer) => void) | undefined;

  constructor({
    seed,
    size = 16 * MIB,
    pieceLength = 128 * KIB,
    uploadSlots = 0,
    peersAnswered = PEERS_ANSWERED,
  }: CrowdOptions) {
    this.seed = GIVEN_SEED === undefined ? seed : Number(GIVEN_SEED);
    this.uploadSlots = uploadSlots;
    this.peersAnswered = peersAnswered;
    this.random = new Random(this.seed);
    this.network = new SimNetwork(this.clock, this.random);
    this.video = new SimVideo(this.seed, size, pieceLength);
  }

  add(role: Role, link: Link, spoil?: ConstructorParameters<typeof SimPeer>[3]): SimPeer {
    const host = this.network.addHost(`${role}${this.peers.length}`, link);
    const peer = new SimPeer(this, host, role, spoil);
    this.peers.push(peer);
    return peer;
  }

  findPeers(asker: SimPeer): SimPeer[] {
    const online = this.peers.filter((peer) => peer !== asker && peer.isOnline);
    // Liars say to peers that they have all of it, not to the tracker: it would name nobody else.
    const holds = (peer: SimPeer) => peer.isWhole && peer.isHonest;
    const first = this.random.sample(online.filter(holds), this.peersAnswered / 2);
    const others = online.filter((peer) => !holds(peer));
    return [...first, ...this.random.sample(others, this.peersAnswered - first.length)];
  }

  /** Told of every piece that somebody has got. */
  set onPieceAnywhere(run: (peer: SimPeer) => void) {
    this.onEveryPiece = run;
  }
  onPiece(peer: SimPeer): void {
    this.onEveryPiece?.(peer);
  }

  get honest(): SimPeer[] {
    return this.peers.filter(({ isHonest }) => isHonest);
  }

  get allWhole(): boolean {
    return this.peers.every(({ isHonest, isWhole }) => isWhole || !isHonest);
  }

  /** Asked after every step. */
  isDone = (): boolean => this.allWhole;

  run(limitSeconds: number): Promise<boolean> {
    return this.clock.run(() => this.isDone(), limitSeconds * 1000);
  }

  /** Seconds that the crowd takes at least: one seed, peers that take, and all that can be sent in them. */
  bound(): number {
    const { length } = this.video.content;
    const seeds = this.peers.filter(({ role }) => role === "seed");
    const takers = this.honest.filter(({ role }) => role !== "seed");
    const givers = this.honest.filter(({ role }) => role !== "freeRider");
    const sum = (peers: SimPeer[]) => peers.reduce((total, { host }) => total + host.link.up, 0);
    const slowest = Math.min(...takers.map(({ host }) => host.link.down));
    return Math.max(length / sum(seeds), length / slowest, (takers.length * length) / sum(givers));
  }

  outcome(): Outcome {
    const takers = this.honest.filter(({ role }) => role !== "seed");
    const unfinished = takers.filter((peer) => !peer.isWhole).map(({ host }) => host.name);
    const took = takers.map(
      ({ startedAt = 0, finishedAt = this.clock.now(), awayMs }) => (finishedAt - startedAt - awayMs) / 1000,
    );
    const seconds = Math.max(...took);
    const bound = this.bound();
    const wrongBytes = this.honest.reduce((total, { disk }) => total + disk.wrongBytes, 0);
    return { seconds, bound, ratio: seconds / bound, wrongBytes, unfinished };
  }

  close(): void {
    for (const peer of this.peers) peer.stop();
    removeTempDir(this.folder);
  }
}
