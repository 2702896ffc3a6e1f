/** What keeps the Network view from being useful, as one word per case; decided from the state alone. Pure. */
import type { TrackerStatus } from "../../peer/status";
import type { HostState } from "../../rpc/window";
import { LASTING_TRACKER_CODES } from "../../wire/errors";

/**
 * - loading: nobody has answered yet
 * - noTracker: none of the profile's trackers answers
 * - known: somebody has answered; an empty list means that nobody shares
 */
export type NetworkCondition = "loading" | "noTracker" | "known";

export function networkCondition({ snapshot }: HostState): NetworkCondition {
  const { trackers } = snapshot.peer;
  if (trackers.length > 0 && trackers.every((tracker) => tracker.state === "failed")) return "noTracker";
  return snapshot.networkKnown ? "known" : "loading";
}

/** The tracker whose refusal a person has to hear of, whatever the other trackers do. */
export function refusingTracker({ snapshot }: HostState): TrackerStatus | undefined {
  return snapshot.peer.trackers.find((tracker) => tracker.error && LASTING_TRACKER_CODES.has(tracker.error.code));
}

/** Where a tracker would run on this computer: the port of the first local address of the list. */
export function localTrackerPort(trackers: readonly string[]): number | undefined {
  for (const address of trackers) {
    const match = /^(?:ws:\/\/)?(?:localhost|127\.0\.0\.1|\[::1\]):(\d+)(?:[/?]|$)/i.exec(address);
    if (match) return Number(match[1]);
  }
  return undefined;
}

/** A tracker's address as people know it: its token is nobody's business. */
export function withoutToken(address: string): string {
  return address.replace(/\?.*$/, "");
}
