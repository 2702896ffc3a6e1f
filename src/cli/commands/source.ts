import { isVideoId } from "../../wire/types";
import { reachNetwork } from "../network";
import type { Context } from "../peer";
import { NETWORK_WAIT_MS } from "./list";

/** A source that restarts is back within seconds; after this long without any, whoever waits should be told. */
export const NO_SOURCE_TIMEOUT_MS = 30_000;

/**
 * The source as the engine takes it, once it can be looked for. A link or a torrent may name who has the video; an id by itself
 * means nothing before the network can be asked. `network` says what became of that, when nobody is found.
 * Errors: as `reachNetwork`, for an id.
 */
export async function locate(context: Context, source: string): Promise<{ source: string; network: Promise<void> }> {
  const id = source.toLowerCase();
  const network = reachNetwork(context, NETWORK_WAIT_MS);
  network.catch(() => undefined); // looked at by the caller; until then it is not unhandled
  if (!isVideoId(id)) return { source, network };
  await network;
  return { source: id, network };
}
