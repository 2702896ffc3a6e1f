import type { NetworkVideo } from "../../peer/status";
import { cleanText } from "../../wire/text";
import { reachNetwork } from "../network";
import type { Context } from "../peer";
import { formatDuration, formatSize, formatTable } from "../text";

/** All that `list` and `peers` wait for the network, together (product.md, "Command line"). */
export const NETWORK_WAIT_MS = 5_000;
/** The most that the engine answers at once; a note says how many are left out. */
const MAX_VIDEOS = 10_000;

/** Asks the network afresh, within what is left of NETWORK_WAIT_MS since `startedAt`. */
export async function refreshNetwork(context: Context): Promise<void> {
  const { session, shutdown } = context;
  const startedAt = Date.now();
  await reachNetwork(context, NETWORK_WAIT_MS);
  let timer: NodeJS.Timeout | undefined;
  const rest = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, startedAt + NETWORK_WAIT_MS - Date.now()));
  });
  await shutdown.race(Promise.race([session.refresh(), rest]));
  clearTimeout(timer);
}

export async function list(context: Context, options: { search: string | undefined }): Promise<void> {
  const { session, output, shutdown } = context;
  await refreshNetwork(context);
  const { videos, total } = await shutdown.race(
    session.queryNetwork({ ...(options.search === undefined ? {} : { text: options.search }), limit: MAX_VIDEOS }),
  );
  for (const video of videos) {
    output.event({
      event: "video",
      id: video.id,
      name: video.title,
      owner: video.owner,
      ownerFingerprint: video.ownerFingerprint,
      size: video.size,
      duration: video.duration ?? null,
      sources: video.sources,
      audience: video.audience,
    });
  }
  if (videos.length > 0) for (const text of formatTable([HEAD, ...videos.map(toRow)])) output.line(text);
  else output.line("No videos.");
  if (total > videos.length)
    output.note(`${total - videos.length} more are not shown: narrow them down with --search.`);
}

const HEAD = ["NAME", "SIZE", "LENGTH", "OWNER", "SOURCES", "ID"];

function toRow(video: NetworkVideo): string[] {
  return [
    cleanText(video.title),
    formatSize(video.size),
    video.duration === undefined ? "" : formatDuration(video.duration),
    cleanText(video.owner) + (video.mine ? " (you)" : ""),
    String(video.sources),
    video.id,
  ];
}
