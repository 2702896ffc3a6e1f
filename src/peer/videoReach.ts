/**
 * Whether those who have a wanted video can be reached, and are willing: asks whom nobody can dial to dial back, says when even that
 * is in vain, and ends a download whose link is refused by whoever it names. It never connects to anybody itself.
 */
import { StreamletError } from "../wire/errors";
import type { Engine } from "./engine";
import type { VideoRuntime } from "./videoRuntime";

/** So long nobody could be reached, even by asking to be called back: then it is said. */
const UNREACHABLE_AFTER_MS = 12_000;
/** Who restarts turns everybody away for a moment; so long nobody does. */
const TURNED_AWAY_MS = 5_000;

export class VideoReach {
  private since: number | undefined;
  private turnedAwaySince: number | undefined;
  private judgement = false;

  constructor(
    private readonly runtime: VideoRuntime,
    private readonly engine: Pick<Engine, "clock" | "changed" | "requestCallbacks">,
  ) {}

  /** Nobody could be reached for so long that a person should know. */
  get isUnreachable(): boolean {
    return this.judgement;
  }

  /** A download begins anew, or is whole. */
  reset(): void {
    this.judgement = false;
    this.since = undefined;
  }

  /** No known peer can be dialled, and nobody is connected. */
  onUnreachable(): void {
    this.since ??= this.engine.clock.now();
    this.engine.requestCallbacks(this.runtime, this.runtime.swarm?.peers.unreachable() ?? []);
    this.judge();
  }

  /** Looks again: somebody may have come meanwhile, or enough time have passed. */
  judge(): void {
    if ((this.runtime.swarm?.connectionCount ?? 0) > 0) this.since = undefined;
    const isUnreachable = this.since !== undefined && this.engine.clock.now() - this.since > UNREACHABLE_AFTER_MS;
    if (isUnreachable === this.judgement) return;
    this.judgement = isUnreachable;
    this.engine.changed();
  }

  /**
   * A link alone does not say whether there is such a video, nor for whom: whoever it names hangs up in both cases. That is said
   * soon, while nobody else is a source and nothing has come.
   */
  onTurnedAway(): void {
    const { entry, swarm, bytesDone, isDownloading } = this.runtime;
    const { sequence, ownerFingerprint } = entry;
    const isKnown = sequence > 0 || !ownerFingerprint || bytesDone > 0 || !swarm || swarm.metadataSize() > 0;
    if (isKnown || !isDownloading || swarm.sourceCount > 0) {
      this.turnedAwaySince = undefined;
      return;
    }
    this.turnedAwaySince ??= this.engine.clock.now();
    if (this.engine.clock.now() - this.turnedAwaySince < TURNED_AWAY_MS) return;
    this.turnedAwaySince = undefined;
    this.runtime.download.fail(
      new StreamletError(
        "unknown-video",
        "Whoever the link names does not offer this video, or not to you. Ask its owner to share it with you, then resume.",
      ),
    );
  }
}
