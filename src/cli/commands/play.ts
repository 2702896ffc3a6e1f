import { StreamletError } from "../../wire/errors";
import { reachNetwork } from "../network";
import { type Context, watch } from "../peer";
import { NETWORK_WAIT_MS } from "./list";

/** As long as `get` waits for somebody who has the video. */
const NO_SOURCE_TIMEOUT_MS = 30_000;

/**
 * Serves a video to players of this computer while it downloads, until interrupted.
 * Errors: unknown-video, bad-link, no-sources, disk-full, tracker-unreachable ...
 */
export async function play(context: Context, { source }: { source: string }): Promise<void> {
  const { session, output, shutdown } = context;
  const isId = /^[0-9a-f]{64}$/i.test(source);
  const network = reachNetwork(context, NETWORK_WAIT_MS);
  network.catch(() => undefined); // looked at below; until then it is not unhandled
  if (isId) await network;
  const { key, url } = await shutdown.race(session.openStream(isId ? source.toLowerCase() : source));
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
