/** The limits of one video, under those of the peer: kept with its entry, in force at once. */
import type { VideoLimits } from "../rpc/peerService";
import type { Engine } from "./engine";
import { rateLimit } from "./limits";
import { NestedLimiter } from "./net/nestedLimiter";
import { RateLimiter } from "./net/rateLimiter";
import type { Swarm } from "./swarm/swarm";

export class OwnLimits {
  readonly upload: NestedLimiter;
  readonly download: NestedLimiter;

  constructor(
    private readonly key: string,
    private readonly engine: Engine,
  ) {
    const { clock, library, uploadLimiter, downloadLimiter } = engine;
    const { uploadLimit, downloadLimit } = library.get(key)!;
    this.upload = new NestedLimiter(new RateLimiter(rateLimit(uploadLimit), { clock }), uploadLimiter);
    this.download = new NestedLimiter(new RateLimiter(rateLimit(downloadLimit), { clock }), downloadLimiter);
  }

  set(limits: VideoLimits, swarm: Swarm | undefined): void {
    const up = rateLimit(limits.uploadLimit);
    const down = rateLimit(limits.downloadLimit);
    this.engine.library.update(this.key, { uploadLimit: up || undefined, downloadLimit: down || undefined });
    const underWay = swarm?.bytesUnderWay ?? { up: 0, down: 0 };
    this.upload.own.setRate(up, underWay.up);
    this.download.own.setRate(down, underWay.down);
    this.engine.changed();
  }
}
