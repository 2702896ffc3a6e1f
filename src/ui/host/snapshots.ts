/** What is shown while the engine has not said anything. */
import { type Snapshot, STOPPED_PEER } from "../../peer/status";
import type { HostState, ProfileFields } from "../../rpc/window";

export function stoppedSnapshot(): Snapshot {
  return {
    peer: STOPPED_PEER,
    videos: [],
    tasks: [],
    networkRevision: 0,
    peersRevision: 0,
    networkKnown: false,
    manual: [],
    contacts: [],
    chats: [],
    chatRevision: 0,
    unreachable: false,
  };
}

export function startingSnapshot({ peerId, trackers }: ProfileFields): Snapshot {
  const stopped = stoppedSnapshot();
  return {
    ...stopped,
    peer: {
      ...stopped.peer,
      state: "starting",
      peerId,
      trackers: trackers.map((address) => ({ address, state: "connecting" })),
    },
  };
}

/** One word for the state of the whole, as views, menus and the status bar tell it apart. */
export type HostPhase = "joining" | "noProfile" | "stopped" | "starting" | "running" | "failed";

export function phaseOf(state: HostState | undefined): HostPhase {
  if (!state) return "joining";
  if (state.profiles.length === 0) return "noProfile";
  if (state.failure) return "failed";
  if (!state.wanted) return "stopped";
  const { state: peer } = state.snapshot.peer;
  if (peer === "failed") return "failed";
  return peer === "running" ? "running" : "starting";
}
