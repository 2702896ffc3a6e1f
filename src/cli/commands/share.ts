import { basename, resolve } from "node:path";
import type { Audience, LibraryVideo, Snapshot, TrackerStatus } from "../../peer/status";
import { StreamletError } from "../../wire/errors";
import { formatFingerprint } from "../../wire/fingerprint";
import { cleanText } from "../../wire/text";
import type { Fingerprint } from "../../wire/types";
import { trackerFailure } from "../network";
import { type Context, watch } from "../peer";
import { formatSize } from "../text";

/**
 * How long `share` waits for a first tracker before it gives up with tracker-unreachable: long enough for a tracker that is
 * started by the same script or boots with the same machine. One that goes away later is waited for without end.
 */
const FIRST_TRACKER_TIMEOUT_MS = 10_000;

export interface ShareOptions {
  files: string[];
  name: string | undefined;
  description: string | undefined;
  audience: Audience;
}

/** Seeds until interrupted. Errors: those of the files (not-a-video, file-missing ...), tracker-unreachable and what trackers say. */
export async function share(context: Context, options: ShareOptions): Promise<void> {
  const { output, status, session, shutdown } = context;
  output.event({ event: "ready", port: status.port, fingerprint: status.fingerprint });
  output.line(
    `${status.peerId} listens on port ${status.port}, key ${formatFingerprint(status.fingerprint as Fingerprint)}`,
  );
  const noteTrackers = trackerNotes(context);
  const dispose = session.onDidChange(noteTrackers);
  try {
    const keys: string[] = [];
    // The same file twice on one command line is one video.
    const paths = new Set(options.files.map((file) => resolve(file)));
    await offerOnly(context, paths);
    for (const path of paths) {
      const { key } = await shutdown.race(
        session.upload({
          path,
          ...(options.name === undefined ? {} : { title: options.name }),
          ...(options.description === undefined ? {} : { description: options.description }),
          audience: options.audience,
          share: true,
        }),
      );
      keys.push(key);
    }
    await Promise.all([atLeastOneTracker(context), announceAll(context, keys, options.audience)]);
    output.line("Sharing; Ctrl+C stops.");
    await shutdown.wait();
  } finally {
    dispose();
  }
}

/** What an earlier run shared was shared until that run stopped: only what is named now is offered. */
async function offerOnly({ session, shutdown }: Context, paths: ReadonlySet<string>): Promise<void> {
  const { videos } = await session.snapshot();
  const earlier = videos.filter(({ origin, shared, path }) => origin === "uploaded" && shared && !paths.has(path));
  await shutdown.race(Promise.all(earlier.map(({ key }) => session.unshare(key))));
}

async function atLeastOneTracker(context: Context): Promise<void> {
  if (context.options.trackers.length === 0) return;
  let last: TrackerStatus[] = [];
  const online = await watch(
    context,
    ({ peer }) => {
      last = peer.trackers;
      const failure = trackerFailure(last, { timeIsOver: false });
      if (failure) throw failure;
      return last.some((tracker) => tracker.state === "online") ? true : undefined;
    },
    FIRST_TRACKER_TIMEOUT_MS,
  );
  const failure = online ? undefined : trackerFailure(last, { timeIsOver: true });
  if (failure) throw failure;
}

/** One `shared` event per video, in the order in which they become reachable. */
async function announceAll(context: Context, keys: string[], audience: Audience): Promise<void> {
  const waiting = new Map<string, LibraryVideo | undefined>(keys.map((key) => [key, undefined]));
  const announced = new Set<string>();
  // A friends' video never goes to a tracker, so none can acknowledge it.
  const needsTracker = context.options.trackers.length > 0 && audience !== "friends";
  while (waiting.size > 0) {
    const next = await watch(context, ({ videos }) => {
      followDuplicates(waiting, videos);
      showHashing(context, videos, waiting);
      return videos.find((video) => waiting.has(video.key) && isReachable(video, needsTracker));
    });
    if (next === undefined) return;
    waiting.delete(next.key);
    if (announced.has(next.key)) continue;
    announced.add(next.key);
    await announce(context, next);
  }
}

/** Throws the video's error: a file that changed or vanished while it was read, a record that the trackers refuse. */
function isReachable(video: LibraryVideo, needsTracker: boolean): boolean {
  const { state, error, id, publishedOn } = video;
  if (error && state !== "hashing") {
    throw new StreamletError(error.code, error.message, error.data ? { data: error.data } : {});
  }
  return state === "ready" && id !== undefined && (!needsTracker || publishedOn > 0);
}

/**
 * A file that turns out, once it is read, to be a video that is in the library already (under another path) leaves the
 * library again; the one that stays has the same name and size and is waited for instead.
 */
function followDuplicates(waiting: Map<string, LibraryVideo | undefined>, videos: LibraryVideo[]): void {
  for (const [key, before] of [...waiting]) {
    const now = videos.find((video) => video.key === key);
    if (now) {
      waiting.set(key, now);
      continue;
    }
    waiting.delete(key);
    const twin = videos.find((video) => {
      return video.id !== undefined && video.fileName === before?.fileName && video.size === before.size;
    });
    if (twin === undefined) throw new StreamletError("cancelled", "A video was taken out of the library meanwhile.");
    waiting.set(twin.key, twin);
  }
}

async function announce({ session, output, shutdown }: Context, video: LibraryVideo): Promise<void> {
  const { link, magnet } = await shutdown.race(session.link(video.key));
  const id = video.id as string;
  output.event({ event: "shared", id, link, magnet, name: video.title, size: video.size });
  output.line(`${cleanText(video.title)} (${formatSize(video.size)}) is shared`);
  output.line(`  id      ${id}`);
  output.line(`  link    ${link}`);
  if (magnet !== null) output.line(`  magnet  ${magnet}`);
}

function showHashing({ output }: Context, videos: LibraryVideo[], waiting: ReadonlyMap<string, unknown>): void {
  const video = videos.find(({ key, state }) => waiting.has(key) && state === "hashing");
  if (video) {
    const percent = Math.floor((100 * video.bytesDone) / Math.max(1, video.size));
    output.progress(`Reading ${basename(video.path)}: ${percent} %`);
  }
}

/** Tells on stderr when a tracker goes away or comes back: `share` runs for weeks where nobody watches. */
function trackerNotes({ output }: Context): (snapshot: Snapshot) => void {
  const online = new Map<string, boolean>();
  return ({ peer }) => {
    for (const { address, state, error } of peer.trackers) {
      const before = online.get(address);
      if (state === "online") {
        if (before === false) output.note(`Tracker ${address} is back.`);
        online.set(address, true);
      } else if (state === "failed" && before === true) {
        output.note(`Tracker ${address} is gone (${error?.message ?? "connection lost"}); trying again.`);
        online.set(address, false);
      }
    }
  };
}
