/** What narrows a list of videos: the same at every source, so that their answers can be merged. Pure. */
import { queryWords } from "../../wire/search";
import { MAX_QUERY_TEXT_CHARS, type SortOrder } from "../../wire/trackerMessages";
import type { Fingerprint, VideoId } from "../../wire/types";
import type { NetworkQuery } from "../status";
import type { CachedRecord } from "./recordCache";

/** Each narrows; absent ones do not. */
export interface VideoFilter {
  id?: VideoId;
  text?: string;
  /** Only of these, each once and in order; an empty list matches nothing. */
  owners?: readonly Fingerprint[];
  /** Seconds, both inclusive. */
  minDuration?: number;
  maxDuration?: number;
  /** Pixels. */
  minHeight?: number;
}

/** What is asked of every source: the first `limit` of a list. */
export interface SourceQuery extends VideoFilter {
  sort: SortOrder;
  limit: number;
}

/** Longest list that is given out at once. */
const MAX_LIMIT = 10_000;

/** @param friends whose videos are the friends' */
export function sourceQuery(query: NetworkQuery, friends: Iterable<Fingerprint>): SourceQuery {
  const { id, owner, minDuration, maxDuration, minHeight, sort, limit } = query;
  // Sources refuse what is longer; as code units it is at least as short as they count.
  const text = query.text?.trim().slice(0, MAX_QUERY_TEXT_CHARS);
  const owners = query.friendsOnly
    ? [...new Set(friends)].filter((friend) => !owner || friend === owner).sort()
    : owner && [owner];
  return {
    ...(id ? { id } : {}),
    ...(text ? { text } : {}),
    ...(owners ? { owners } : {}),
    ...(minDuration === undefined ? {} : { minDuration }),
    ...(maxDuration === undefined ? {} : { maxDuration }),
    ...(minHeight === undefined ? {} : { minHeight }),
    sort: sort ?? "newest",
    limit: Math.max(1, Math.min(MAX_LIMIT, limit)),
  };
}

/** As a tracker tests its rows: what is unknown (or 0) passes no bound. */
export function videoTest(filter: VideoFilter): (video: CachedRecord) => boolean {
  const words = queryWords(filter.text);
  const owners = filter.owners && new Set(filter.owners);
  const { id, minDuration, maxDuration, minHeight } = filter;
  return ({ record: { id: video, owner, duration = 0, height = 0 }, matches }) =>
    (!id || video === id) &&
    (!owners || owners.has(owner)) &&
    (minDuration === undefined || (duration > 0 && duration >= minDuration)) &&
    (maxDuration === undefined || (duration > 0 && duration <= maxDuration)) &&
    (minHeight === undefined || (height > 0 && height >= minHeight)) &&
    matches(words);
}
