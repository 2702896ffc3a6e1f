/** What a connected peer who browses gets to see of what is shared here. Pure. */
import type { VideoRecord } from "../wire/records";
import { haystackOf, matchesWords, queryWords } from "../wire/search";
import type { VideoId } from "../wire/types";
import type { CatalogAnswer, CatalogQuery } from "./net/controlConnection";

export interface CatalogAsker {
  isFriend: boolean;
  /** A grant for a video for friends, made out to the asker. */
  grantFor(id: VideoId): Uint8Array;
}

/** Friends get the records of what is for friends, each with a grant; others neither. */
export function answerCatalog(
  shared: readonly { bytes: Uint8Array; record: VideoRecord }[],
  query: CatalogQuery,
  { isFriend, grantFor }: CatalogAsker,
): CatalogAnswer {
  const words = queryWords(query.text ?? "");
  const matching = shared.filter(({ record }) => {
    if (record.audience === "friends" && !isFriend) return false;
    return (!query.owner || record.owner === query.owner) && matchesWords(haystackOf(record), words);
  });
  const from = query.cursor ? Number.parseInt(query.cursor, 10) || 0 : 0;
  const page = matching.slice(from, from + query.limit);
  const next = from + page.length;
  return {
    records: page.map(({ bytes }) => bytes),
    grants: page.flatMap(({ record: { audience, id } }) => (audience === "friends" ? [grantFor(id)] : [])),
    total: matching.length,
    ...(next < matching.length ? { cursor: String(next) } : {}),
  };
}
