/**
 * What the swarms of one peer share: connections and upload slots. Each swarm says who is there and does what is decided here,
 * over all of them, since limits are promised for the peer and not for each video.
 */
import type { Clock } from "../clock";
import { maxConnections, uploadSlots } from "../limits";
import { type ChokeCandidate, chooseUnchoked, type Turn } from "./choker";

/** A swarm as the group sees it. */
export interface GroupedSwarm {
  /** Connections, and dials under way. */
  readonly load: number;
  /** Everybody connected; empty where nothing is given to others. */
  chokeCandidates(): ChokeCandidate<unknown>[];
  /** Unchokes these and chokes all others. */
  unchokeOnly(chosen: ReadonlyMap<unknown, Turn>): void;
  /** Closes its least useful connection; false where it has none. */
  dropLeastUseful(): boolean;
}

/** Turns of the upload slots are looked at so often, and besides whenever somebody's interest changes. */
const RECHOKE_MS = 1_000;
/** A video with fewer connections than that gets one of the video that has most: a first source matters more than a fiftieth. */
const FAIR_SHARE = 5;

export class SwarmGroup {
  private readonly swarms = new Set<GroupedSwarm>();
  private connections: number;
  private slots: number;
  /** Who the room is kept for that is just being made. */
  private favoured: GroupedSwarm | undefined;
  private readonly stopTicking: () => void;

  /** @param limits 0 or absent = the defaults of limits.ts */
  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    limits: { maxConnections?: number; uploadSlots?: number } = {},
  ) {
    this.connections = maxConnections(limits.maxConnections);
    this.slots = uploadSlots(limits.uploadSlots);
    this.stopTicking = clock.every(RECHOKE_MS, () => this.rechoke());
  }

  add(swarm: GroupedSwarm): void {
    this.swarms.add(swarm);
  }

  delete(swarm: GroupedSwarm): void {
    this.swarms.delete(swarm);
    this.rechoke();
  }

  close(): void {
    this.stopTicking();
  }

  /** Takes effect at once: connections beyond the new number are closed, the least useful of the largest swarms first. */
  setLimits(limits: { maxConnections: number; uploadSlots: number }): void {
    this.connections = maxConnections(limits.maxConnections);
    this.slots = uploadSlots(limits.uploadSlots);
    while (this.load > this.connections && this.largest()?.dropLeastUseful());
    this.rechoke();
  }

  /** How many more connections this swarm may make or accept. */
  roomFor(swarm: GroupedSwarm): number {
    if (this.favoured && this.favoured !== swarm) return 0;
    return Math.max(0, this.connections - this.load);
  }

  /** Takes a connection from the video that has most, for one that has next to none; false where that would not be fair. */
  makeRoomFor(swarm: GroupedSwarm): boolean {
    const largest = this.largest();
    if (swarm.load >= FAIR_SHARE || !largest || largest.load <= swarm.load + 1) return false;
    this.favoured = swarm;
    try {
      return largest.dropLeastUseful();
    } finally {
      this.favoured = undefined;
    }
  }

  rechoke(): void {
    const candidates = [...this.swarms].flatMap((swarm) => swarm.chokeCandidates());
    const chosen = chooseUnchoked(candidates, this.slots, this.clock.now(), this.random);
    for (const swarm of this.swarms) swarm.unchokeOnly(chosen);
  }

  private get load(): number {
    let load = 0;
    for (const swarm of this.swarms) load += swarm.load;
    return load;
  }

  private largest(): GroupedSwarm | undefined {
    let largest: GroupedSwarm | undefined;
    for (const swarm of this.swarms) if (swarm.load > (largest?.load ?? 0)) largest = swarm;
    return largest;
  }
}
