import { StreamletError } from "../../wire/errors";
import { type Context, watch } from "../peer";
import { locate, NO_SOURCE_TIMEOUT_MS } from "./source";

/**
 * Serves a video to players of this computer while it downloads, until interrupted.
 * Errors: unknown-video, bad-link, no-sources, disk-full, tracker-unreachable ...
 */
export async function play(context: Context, { source: given }: { source: string }): Promise<void> {
  const { session, output, shutdown } = context;
  const { source, network } = await locate(context, given);
  const { key, url } = await shutdown.race(session.openStream(source));
  const found = await watch(
    context,
    ({ videos }) => {
      const video = videos.find((candidate) => candidate.key === key);
      return video && (video.peers > 0 || video.bytesDone > 0 || video.state === "ready") ? true : undefined;
    },
    NO_SOURCE_TIMEOUT_MS,
  );
  if (!found) {
    await network; // a tracker that cannot be reached is the better reason
    throw new StreamletError(
      "no-sources",
      "Nobody who has this video can be reached now: ask its owner to share it, then run the same command again.",
    );
  }
  output.event({ event: "stream", url });
  output.line(url);
  output.line("Open this address in a player, such as mpv or VLC, or in a browser; Ctrl+C stops.");
  // A whole video goes on playing; one that cannot be fetched any further ends the program.
  await shutdown.race(Promise.all([session.downloadResult(key), shutdown.wait()]));
}
