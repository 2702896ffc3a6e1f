/**
 * A state with what has become of it, as makeDelta.ts tells. Nothing is changed in place, and whatever has not changed stays the
 * same object: who draws the state sees by identity what is to be drawn anew. Pure.
 */
import type { LibraryVideo, Snapshot } from "../peer/status";
import type { HostStateDelta, PartsDelta, SnapshotDelta, VideosDelta } from "./stateStream";
import type { HostState } from "./window";

export function applyToHostState(before: HostState, { parts, snapshot }: HostStateDelta): HostState {
  const after = applyToParts(before, parts);
  return snapshot ? { ...after, snapshot: applyToSnapshot(before.snapshot, snapshot) } : after;
}

export function applyToSnapshot(before: Snapshot, { parts, videos }: SnapshotDelta): Snapshot {
  const after = applyToParts(before, parts);
  return videos ? { ...after, videos: applyToVideos(before.videos, videos) } : after;
}

function applyToParts<T extends object>(before: T, delta: PartsDelta<Partial<T>> | undefined): T {
  if (!delta) return before;
  const after = { ...before, ...delta.changed };
  for (const name of delta.gone) delete after[name];
  return after;
}

export function applyToVideos(
  before: readonly LibraryVideo[],
  { changed, removed, order }: VideosDelta,
): LibraryVideo[] {
  const gone = new Set(removed);
  const news = new Map(changed.map((video) => [video.key, video]));
  const stayed = before.filter(({ key }) => !gone.has(key));
  const after = stayed.map((video) => news.get(video.key) ?? video);
  for (const { key } of stayed) news.delete(key);
  after.push(...news.values());
  if (!order) return after;
  const places = new Map(order.map((key, index) => [key, index]));
  return after.sort((a, b) => places.get(a.key)! - places.get(b.key)!);
}
