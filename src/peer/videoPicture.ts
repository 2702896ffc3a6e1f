/** The picture of a video: the one that is kept with it, else what the network has of it. Keeps none itself. */
import { isVideoId } from "../wire/types";
import { thumbnailOf, toThumbnail } from "./media/thumbnails";
import type { RunningPeer } from "./runningPeer";
import type { Thumbnail } from "./status";

/** Of the library entry `key`, else of the newest record of `id`. */
export async function pictureOf(
  { library, catalog }: Pick<RunningPeer, "library" | "catalog">,
  { key, id }: { key?: string; id?: string },
): Promise<Thumbnail | null> {
  const entry = key === undefined ? undefined : library.get(key);
  const kept = thumbnailOf(entry?.thumbnail);
  const videoId = entry?.id ?? id;
  if (kept || !videoId || !isVideoId(videoId)) return kept;
  return toThumbnail(await catalog.thumbnailOf(videoId)) ?? thumbnailOf(library.findById(videoId)?.thumbnail);
}
