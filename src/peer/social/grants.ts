/** Grants (records.ts): those that an owner makes out to friends, and those that one has been given. */
import { type Grant, parseGrant, signGrant } from "../../wire/records";
import { type RecordKey, recordKeyOf } from "../../wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { Identity } from "../identity";

const HOUR_MS = 3_600_000;
/**
 * A friend can go on fetching from other holders over a weekend without the owner; an ended friendship has ended at all of them by then.
 * (At the owner it ends at once.) Less than half of MAX_GRANT_LIFETIME_MS, so that a wrong clock does no harm.
 */
export const GRANT_LIFETIME_MS = 72 * HOUR_MS;
/** Whoever comes once a day never runs out. */
export const GRANT_RENEW_BEFORE_MS = GRANT_LIFETIME_MS / 2;
/** Every video of a large library for every friend of a small circle; a grant that was forgotten costs a signature. */
const MAX_ISSUED = 20_000;
/** As many videos as a list shows. */
const MAX_HELD = 10_000;
/** Of one owner, as many as a catalogue is read for: a stranger who makes out thousands must not push out those of friends. */
const MAX_HELD_OF_OWNER = 2_000;
/** Signatures checked in one go (0.2 ms each) before other work gets its turn. */
const GRANTS_PER_TURN = 20;

/** What a grant must say to be good for one person and one video. */
export interface GrantTerms {
  id: VideoId;
  owner: Fingerprint;
  grantee: Fingerprint;
  /** Milliseconds since the epoch. */
  now: number;
}

/** @param grant one whose signature was verified by `parseGrant` */
export function grantFits(grant: Grant | undefined, { id, owner, grantee, now }: GrantTerms): boolean {
  return grant?.id === id && grant.owner === owner && grant.grantee === grantee && grant.expires > now;
}

/** What a stranger shows: verified, or undefined. Costs the same whoever and whatever it is for. */
export function readGrant(bytes: Uint8Array | undefined, now: number): Grant | undefined {
  if (!bytes) return undefined;
  try {
    return parseGrant(bytes, { now });
  } catch {
    return undefined; // as good as none
  }
}

/** The owner's side: one grant for each video and friend, the same until half of its life is over. */
export class GrantIssuer {
  private readonly issued = new Map<string, { bytes: Uint8Array; expires: number }>();

  constructor(
    private readonly identity: Identity,
    private readonly now: () => number,
  ) {}

  grantFor(id: VideoId, grantee: Fingerprint): Uint8Array {
    const key = `${grantee}:${id}`;
    const known = this.issued.get(key);
    const now = this.now();
    if (known && known.expires - now > GRANT_RENEW_BEFORE_MS) return known.bytes;
    const expires = now + GRANT_LIFETIME_MS;
    const bytes = signGrant({ id, grantee, expires }, this.identity.privateKey, this.identity.spki);
    this.issued.delete(key);
    this.issued.set(key, { bytes, expires });
    const oldest = this.issued.keys().next().value;
    if (this.issued.size > MAX_ISSUED && oldest !== undefined) this.issued.delete(oldest);
    return bytes;
  }
}

export interface HeldGrant {
  bytes: Uint8Array;
  grant: Grant;
}

/** The other side: the newest grant that oneself was given for each video. */
export class HeldGrants {
  private readonly held = new Map<RecordKey, HeldGrant>();
  private readonly counts = new Map<Fingerprint, number>();

  constructor(
    private readonly self: Fingerprint,
    private readonly now: () => number,
    /** There is a newer one for this video. */
    private readonly onTaken: (held: HeldGrant) => void = () => undefined,
  ) {}

  /** Valid now. */
  get(owner: Fingerprint, id: VideoId): HeldGrant | undefined {
    const key = recordKeyOf(owner, id);
    const held = this.held.get(key);
    if (!held || held.grant.expires > this.now()) return held;
    this.delete(key);
    return undefined;
  }

  /** Keeps those that are made out to oneself by `from`, who has sent them; others are somebody's mistake or lie, and are skipped. */
  async takeAll(list: readonly Uint8Array[], from: Fingerprint): Promise<void> {
    for (const [index, bytes] of list.entries()) {
      if (index % GRANTS_PER_TURN === GRANTS_PER_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
      this.take(bytes, from);
    }
  }

  /** True where it is kept, or was already. */
  take(bytes: Uint8Array, from: Fingerprint): boolean {
    const grant = readGrant(bytes, this.now());
    if (!grant || grant.owner !== from || grant.grantee !== this.self) return false;
    const known = this.get(from, grant.id);
    if (known && known.grant.expires >= grant.expires) return true;
    const key = recordKeyOf(from, grant.id);
    this.delete(key);
    if ((this.counts.get(from) ?? 0) >= MAX_HELD_OF_OWNER) this.deleteOldest((owner) => owner === from);
    else if (this.held.size >= MAX_HELD) this.deleteOldest(() => true);
    const held = { bytes, grant };
    this.held.set(key, held);
    this.counts.set(from, (this.counts.get(from) ?? 0) + 1);
    this.onTaken(held);
    return true;
  }

  private deleteOldest(isOf: (owner: Fingerprint) => boolean): void {
    for (const [key, { grant }] of this.held) if (isOf(grant.owner)) return this.delete(key);
  }

  private delete(key: RecordKey): void {
    const owner = this.held.get(key)?.grant.owner;
    if (owner === undefined) return;
    this.held.delete(key);
    const left = (this.counts.get(owner) ?? 0) - 1;
    if (left > 0) this.counts.set(owner, left);
    else this.counts.delete(owner);
  }
}
