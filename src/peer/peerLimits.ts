/** The limits of one running peer, and what they apply to. */
import type { Limits, PeerConfig } from "../rpc/peerService";
import type { Clock } from "./clock";
import { checkQuota, type Obtained, obtainedBytes, rateLimit } from "./limits";
import { RateLimiter } from "./net/rateLimiter";
import { SwarmGroup } from "./swarm/swarmGroup";
import type { VideoRuntime } from "./videoRuntime";

export class PeerLimits {
  readonly upload: RateLimiter;
  readonly download: RateLimiter;
  readonly swarms: SwarmGroup;
  /** Bytes, 0 = no limit. */
  private quota: number;

  constructor(
    clock: Clock,
    random: () => number,
    config: Pick<PeerConfig, keyof Limits>,
    private readonly runtimes: () => Iterable<VideoRuntime>,
  ) {
    this.upload = new RateLimiter(rateLimit(config.uploadLimit), { clock });
    this.download = new RateLimiter(rateLimit(config.downloadLimit), { clock });
    this.swarms = new SwarmGroup(clock, random, config);
    this.quota = rateLimit(config.diskQuota);
  }

  /** All at once, on open connections too. A quota below what is used deletes and stops nothing: it refuses what is new. */
  set(limits: Limits): void {
    let down = 0;
    let up = 0;
    for (const { swarm } of this.runtimes()) {
      if (!swarm) continue;
      down += swarm.bytesUnderWay.down;
      up += swarm.bytesUnderWay.up;
    }
    this.upload.setRate(rateLimit(limits.uploadLimit), up);
    this.download.setRate(rateLimit(limits.downloadLimit), down);
    this.swarms.setLimits(limits);
    this.quota = rateLimit(limits.diskQuota);
  }

  /** What obtained videos take on disk, besides that of `exceptKey`. */
  obtained(exceptKey?: string): number {
    const others: Obtained[] = [];
    for (const { key, entry, bytesDone: stored } of this.runtimes()) {
      const { origin, state, size, partPath } = entry;
      if (origin === "obtained" && key !== exceptKey) others.push({ origin, state, size, partPath, stored });
    }
    return obtainedBytes(others);
  }

  /** Errors: quota-exceeded. @param key of the video where it is in the library already */
  checkQuota(key: string | undefined, size: number): void {
    checkQuota(this.quota, size, this.obtained(key));
  }
}
