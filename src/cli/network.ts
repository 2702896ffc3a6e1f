import type { TrackerStatus } from "../peer/status";
import { type ErrorCode, LASTING_TRACKER_CODES, StreamletError } from "../wire/errors";
import { formatFingerprint } from "../wire/fingerprint";
import type { Fingerprint } from "../wire/types";
import { type Context, watch } from "./peer";
import { trackerUnreachable } from "./sentences";

/** Waiting again does not help against these: the person has to change something. */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set([...LASTING_TRACKER_CODES, "invalid-argument"]);

/** Why no tracker serves us, as the error to end with; undefined while one does or may still. */
export function trackerFailure(
  trackers: TrackerStatus[],
  options: { timeIsOver: boolean },
): StreamletError | undefined {
  if (trackers.length === 0 || trackers.some((tracker) => tracker.state === "online")) return undefined;
  const final = trackers.map((tracker) => tracker.error).filter((error) => error && FINAL_CODES.has(error.code));
  if (final.length < trackers.length && !options.timeIsOver) return undefined;
  const [first] = final;
  if (first) return new StreamletError(first.code, first.message, first.data ? { data: first.data } : {});
  return trackerUnreachable(trackers.map((tracker) => tracker.address));
}

/** Connects to the peers of --connect. Returns how many answered, with the error of the last that did not. */
async function connectByHand({ session, options, output }: Context): Promise<{ connected: number; error: unknown }> {
  let error: unknown;
  const results = await Promise.allSettled(options.connect.map((address) => session.connect(address)));
  let connected = 0;
  for (const result of results) {
    if (result.status === "rejected") {
      error = result.reason;
      continue;
    }
    connected++;
    // Nobody vouched for this key: the person can compare it with what the other side shows.
    const { peerId, fingerprint, host, port } = result.value;
    output.note(`Connected to ${peerId} at ${host}:${port}, key ${formatFingerprint(fingerprint as Fingerprint)}`);
  }
  return { connected, error };
}

/**
 * Resolves when the network can be asked: every tracker has answered or failed, and at least one tracker or peer is there.
 * Takes at most `timeoutMs`. Errors: tracker-unreachable, what the trackers say (name-taken ...), what --connect met.
 */
export async function reachNetwork(context: Context, timeoutMs: number): Promise<void> {
  const { options, shutdown } = context;
  const deadline = Date.now() + timeoutMs;
  const byHand = options.connect.length > 0 ? shutdown.race(connectByHand(context)) : undefined;
  // It is looked at below, after the trackers; an interruption until then is not unhandled.
  byHand?.catch(() => undefined);
  let last: TrackerStatus[] = [];
  let failure: StreamletError | undefined;
  if (options.trackers.length > 0) {
    const settled = await watch(
      context,
      ({ peer }) => {
        last = peer.trackers;
        failure = trackerFailure(last, { timeIsOver: false });
        if (failure) return true;
        const waiting = last.some((tracker) => tracker.state === "connecting");
        return !waiting && last.some((tracker) => tracker.state === "online") ? true : undefined;
      },
      timeoutMs,
    );
    if (!settled) failure = trackerFailure(last, { timeIsOver: true });
  }
  if (byHand === undefined) {
    if (failure) throw failure;
    return;
  }
  const left = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), Math.max(0, deadline - Date.now())).unref();
  });
  const answer = await Promise.race([byHand, left]);
  if (answer && answer.connected > 0) return;
  if (failure) throw failure;
  if (options.trackers.length > 0) return;
  throw answer?.error ?? new StreamletError("connection-timeout", `Nobody answers at ${options.connect.join(", ")}.`);
}
