/**
 * Keeps what one has of others' videos in step with their owners: the newest audience, and a grant that has not run out. Grants come
 * with an owner's catalogue, so an owner who is connected is read when a grant is missing or half of its life is over.
 */
import { StreamletError } from "../../wire/errors";
import type { VideoRecord } from "../../wire/records";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { Clock } from "../clock";
import { type HostPort, parseHostPort } from "../net/addresses";
import type { ControlConnection } from "../net/controlConnection";
import type { Library, LibraryEntry } from "../storage/library";
import type { Catalog } from "../tracker/catalog";
import type { VideoRuntime } from "../videoRuntime";
import { GRANT_RENEW_BEFORE_MS, type HeldGrant, type HeldGrants } from "./grants";

/** Grants live for days: this is soon enough to renew one, and whoever cannot be asked now is asked again. */
const ROUND_MS = 60 * 60_000;
/** An owner who changes something every second is read once in so long; sooner where a grant is missing. */
const READ_INTERVAL_MS = 60_000;
const MISSING_INTERVAL_MS = 3_000;

export interface GrantKeeperHost {
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  wallClock(): number;
  readonly self: Fingerprint;
  readonly library: Library;
  readonly grants: HeldGrants;
  readonly catalog: Catalog;
  controls(): Iterable<ControlConnection>;
  runtime(key: string): VideoRuntime | undefined;
  dial(address: HostPort, expected: Fingerprint): Promise<unknown>;
  /** Where trackers say that this person is. */
  locate(fingerprint: Fingerprint): Promise<HostPort[]>;
  /** Which videos are shared, or with whom, has changed. */
  sharingChanged(): void;
}

export class GrantKeeper {
  private readonly readAt = new Map<Fingerprint, number>();
  private readonly planned = new Map<Fingerprint, () => void>();
  private readonly stopRounds: () => void;

  constructor(private readonly host: GrantKeeperHost) {
    this.stopRounds = host.clock.every(ROUND_MS, () => {
      for (const { peer } of host.controls()) this.readIfWanted(peer.fingerprint);
    });
  }

  /** Takes over the grants that the library holds. */
  open(): void {
    for (const { grant, ownerFingerprint } of this.host.library.entries()) {
      if (grant && ownerFingerprint) this.host.grants.take(Buffer.from(grant, "base64"), ownerFingerprint);
    }
  }

  stop(): void {
    this.stopRounds();
    for (const cancel of this.planned.values()) cancel();
  }

  onOpened(control: ControlConnection): void {
    const { fingerprint } = control.peer;
    this.readAt.delete(fingerprint);
    this.readIfWanted(fingerprint);
    const stopListening = control.onDidChangeCatalog(() => this.readIfWanted(fingerprint));
    control.onDidClose(stopListening);
  }

  /** A newer grant has come: it goes into the library, and a download that waited for it goes on. */
  onGrant({ bytes, grant }: HeldGrant): void {
    const entry = this.entryOf(grant.id, grant.owner);
    if (entry?.audience !== "friends") return;
    this.host.library.update(entry.key, { grant: Buffer.from(bytes).toString("base64") });
    this.host.runtime(entry.key)?.onGranted();
  }

  /** A record of somebody's video has come: what one has of it follows its newest audience. */
  onRecord({ id, owner, ownerName, sequence, audience, withdrawn }: VideoRecord): void {
    const entry = this.entryOf(id, owner);
    if (!entry || withdrawn || sequence <= entry.sequence) return;
    const held = audience === "friends" ? this.host.grants.get(owner, id) : undefined;
    const grant = held && Buffer.from(held.bytes).toString("base64");
    this.host.library.update(entry.key, { sequence, audience, grant, owner: ownerName });
    if (audience === entry.audience) return;
    this.host.runtime(entry.key)?.onGranted();
    this.host.sharingChanged();
  }

  /**
   * The record of a video for friends, of which a link says whose it is: asks its owner and nobody else. Its grant is at hand then.
   * Errors: no-sources (the owner cannot be reached), unknown-video (the owner does not offer it to us).
   */
  async recordsFromOwner(id: VideoId, owner: Fingerprint, hosts: readonly string[]): Promise<VideoRecord[]> {
    const { catalog } = this.host;
    const ofOwner = () => catalog.recordsAtHand(id).filter((record) => record.owner === owner);
    if (owner === this.host.self || ofOwner().length > 0) return ofOwner();
    if (!(await this.reach(owner, hosts))) {
      throw new StreamletError(
        "no-sources",
        "This video is for its owner's friends, and its owner cannot be reached now: try again when they are online.",
        { data: { friends: true } },
      );
    }
    await catalog.readPeer(owner);
    if (ofOwner().length > 0) return ofOwner();
    throw new StreamletError(
      "unknown-video",
      "The owner of this video offers it to friends only, and not to you, or not any more: ask to be added as a friend.",
      { data: { friends: true } },
    );
  }

  private async reach(owner: Fingerprint, hosts: readonly string[]): Promise<boolean> {
    const isConnected = () => [...this.host.controls()].some(({ peer }) => peer.fingerprint === owner);
    if (isConnected()) return true;
    for (const address of [...hosts.map(parseHostPort), ...(await this.host.locate(owner))]) {
      await this.host.dial(address, owner).catch(() => undefined); // the next address may be the right one
      if (isConnected()) return true;
    }
    return false;
  }

  private readIfWanted(owner: Fingerprint): void {
    const { clock, library, catalog } = this.host;
    const obtained = library.entries().filter((e) => e.origin === "obtained" && e.ownerFingerprint === owner);
    if (obtained.length === 0) return;
    this.planned.get(owner)?.();
    const interval = obtained.some((entry) => this.lacksGrant(entry)) ? MISSING_INTERVAL_MS : READ_INTERVAL_MS;
    const read = this.readAt.get(owner) ?? Number.NEGATIVE_INFINITY;
    const cancel = clock.after(Math.max(0, read + interval - clock.now()), () => {
      this.planned.delete(owner);
      this.readAt.set(owner, clock.now());
      void catalog.readPeer(owner).catch(() => undefined); // it has gone: it is read when it is back
    });
    this.planned.set(owner, cancel);
  }

  private lacksGrant({ audience, id, ownerFingerprint }: LibraryEntry): boolean {
    if (audience !== "friends" || !id || !ownerFingerprint) return false;
    const held = this.host.grants.get(ownerFingerprint, id);
    return !held || held.grant.expires - this.host.wallClock() < GRANT_RENEW_BEFORE_MS;
  }

  private entryOf(id: VideoId, owner: Fingerprint): LibraryEntry | undefined {
    const entry = this.host.library.findById(id);
    return entry?.origin === "obtained" && entry.ownerFingerprint === owner ? entry : undefined;
  }
}
