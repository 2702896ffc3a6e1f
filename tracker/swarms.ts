import type { Fingerprint, VideoId } from "../src/wire/types";
import type { SessionInfo, SwarmMember } from "./store";

/** Hex digits of a v1 info-hash or of a truncated v2 one. */
const SHORT_HASH_CHARS = 40;
/** Videos that one short hash may stand for; honest ones are one, since records name the v1 hash of their own video. */
const MAX_ALIASES = 8;

/** What one session says of one hash. */
export interface Membership {
  have: boolean;
  want: boolean;
}

/** The part of a session that swarms need. */
export interface SwarmSession {
  info: SessionInfo;
}

/** The members of one hash, so laid out that a random part of them is had without looking at all. */
class MemberSet<S> {
  readonly #places = new Map<S, { list: S[]; index: number; membership: Membership }>();
  readonly holders: S[] = [];
  readonly others: S[] = [];

  get size(): number {
    return this.#places.size;
  }

  get(session: S): Membership | undefined {
    return this.#places.get(session)?.membership;
  }

  set(session: S, membership: Membership): void {
    this.delete(session);
    const list = membership.have ? this.holders : this.others;
    this.#places.set(session, { list, index: list.length, membership });
    list.push(session);
  }

  delete(session: S): boolean {
    const place = this.#places.get(session);
    if (!place) return false;
    this.#places.delete(session);
    const last = place.list.pop() as S;
    if (last !== session) {
      place.list[place.index] = last;
      this.#places.get(last)!.index = place.index;
    }
    return true;
  }
}

/**
 * Who holds or wants what. A video goes by three hashes (v2, its first 20 bytes, v1); they are one swarm because every
 * look-up gathers the sets of all of them. v1 hashes are known from records only, and a false one costs its reader some
 * useless connections and nothing else, since content is verified by hash.
 */
export class Swarms<S extends SwarmSession> {
  readonly #members = new Map<string, MemberSet<S>>();
  /** Short hash -> ids, counted by the records and sets that say so. */
  readonly #aliases = new Map<string, Map<VideoId, number>>();
  /** Id -> its v1 hashes, counted by the records that say so. */
  readonly #v1 = new Map<string, Map<string, number>>();

  get(hash: string, session: S): Membership | undefined {
    return this.#members.get(hash)?.get(session);
  }

  set(hash: string, session: S, membership: Membership): void {
    let members = this.#members.get(hash);
    if (!members) {
      members = new MemberSet();
      this.#members.set(hash, members);
      if (hash.length !== SHORT_HASH_CHARS) countUp(this.#aliases, shortHash(hash), hash as VideoId);
    }
    members.set(session, membership);
  }

  delete(hash: string, session: S): void {
    const members = this.#members.get(hash);
    if (!members?.delete(session) || members.size > 0) return;
    this.#members.delete(hash);
    if (hash.length !== SHORT_HASH_CHARS) countDown(this.#aliases, shortHash(hash), hash as VideoId);
  }

  /** A record says that these are one video. */
  addRecord(id: VideoId, v1: string): void {
    countUp(this.#aliases, shortHash(id), id);
    countUp(this.#aliases, v1, id);
    countUp(this.#v1, id, v1);
  }

  deleteRecord(id: VideoId, v1: string): void {
    countDown(this.#aliases, shortHash(id), id);
    countDown(this.#aliases, v1, id);
    countDown(this.#v1, id, v1);
  }

  /** Ids of the videos that a hash may mean. */
  idsOf(hash: string): VideoId[] {
    if (hash.length !== SHORT_HASH_CHARS) return [hash as VideoId];
    return [...(this.#aliases.get(hash)?.keys() ?? [])].slice(0, MAX_ALIASES);
  }

  /** How many sessions hold all or some of it. */
  sources(id: VideoId): number {
    const sets = this.#setsOf(id);
    if (sets.length <= 1) return sets[0]?.holders.length ?? 0;
    return new Set(sets.flatMap((set) => set.holders)).size;
  }

  /** Holders first; each part begins at a random place, so that the first of many is not asked by everyone. */
  find(
    hash: string,
    limit: number,
    except: Fingerprint,
    random: () => number,
  ): { members: SwarmMember[]; total: number } {
    const sets = this.#setsOf(hash);
    const found = new Map<S, Membership>();
    for (const part of ["holders", "others"] as const) {
      for (const set of sets) {
        for (const session of rotated(set[part], limit + 1, random)) {
          if (session.info.fingerprint === except || (found.size >= limit && !found.has(session))) continue;
          const { have, want } = set.get(session) ?? { have: false, want: false };
          const known = found.get(session);
          found.set(session, { have: have || known?.have === true, want: want || known?.want === true });
        }
      }
    }
    const members = [...found].map(([{ info }, membership]) => ({ info, ...membership }));
    // With several hashes in use a session that is in two sets counts twice: a hint, not a promise.
    const total = sets.reduce((sum, set) => sum + set.size, 0);
    return { members, total: Math.max(members.length, total) };
  }

  #setsOf(hash: string): MemberSet<S>[] {
    const hashes = new Set([hash]);
    for (const id of this.idsOf(hash)) {
      hashes.add(id).add(shortHash(id));
      for (const v1 of [...(this.#v1.get(id)?.keys() ?? [])].slice(0, MAX_ALIASES)) hashes.add(v1);
    }
    const sets: MemberSet<S>[] = [];
    for (const each of hashes) {
      const set = this.#members.get(each);
      if (set) sets.push(set);
    }
    return sets;
  }
}

function shortHash(id: string): string {
  return id.slice(0, SHORT_HASH_CHARS);
}

/** Up to `limit` of them from a random place on, round the end. */
function rotated<T>(items: readonly T[], limit: number, random: () => number): T[] {
  const start = Math.floor(random() * items.length);
  const head = items.slice(start, start + limit);
  return head.concat(items.slice(0, Math.min(start, limit - head.length)));
}

function countUp<V extends string>(map: Map<string, Map<V, number>>, key: string, value: V): void {
  let counts = map.get(key);
  if (!counts) {
    counts = new Map();
    map.set(key, counts);
  }
  counts.set(value, (counts.get(value) ?? 0) + 1);
}

function countDown<V extends string>(map: Map<string, Map<V, number>>, key: string, value: V): void {
  const counts = map.get(key);
  const count = counts?.get(value);
  if (!counts || count === undefined) return;
  if (count > 1) counts.set(value, count - 1);
  else counts.delete(value);
  if (counts.size === 0) map.delete(key);
}
