/** What has become of a state: the mirror image of applyDelta.ts. Undefined stands for nothing. Pure. */
import type { LibraryVideo, Snapshot } from "../peer/status";
import { applyToVideos } from "./applyDelta";
import type { HostStateDelta, PartsDelta, SnapshotDelta, VideosDelta } from "./stateStream";
import type { HostState } from "./window";

export function deltaOfHostState(before: HostState, after: HostState): HostStateDelta | undefined {
  const { snapshot: snapshotBefore, ...partsBefore } = before;
  const { snapshot: snapshotAfter, ...partsAfter } = after;
  const parts = deltaOfParts(partsBefore, partsAfter);
  const snapshot = deltaOfSnapshot(snapshotBefore, snapshotAfter);
  return parts || snapshot ? { ...(parts ? { parts } : {}), ...(snapshot ? { snapshot } : {}) } : undefined;
}

export function deltaOfSnapshot(before: Snapshot, after: Snapshot): SnapshotDelta | undefined {
  if (before === after) return undefined;
  const { videos: videosBefore, ...partsBefore } = before;
  const { videos: videosAfter, ...partsAfter } = after;
  const parts = deltaOfParts(partsBefore, partsAfter);
  const videos = deltaOfVideos(videosBefore, videosAfter);
  return parts || videos ? { ...(parts ? { parts } : {}), ...(videos ? { videos } : {}) } : undefined;
}

function deltaOfParts<T extends object>(before: T, after: T): PartsDelta<T> | undefined {
  const names = Object.keys({ ...before, ...after }) as (keyof T)[];
  const differing = names.filter((name) => !same(before[name], after[name]));
  if (differing.length === 0) return undefined;
  const gone = differing.filter((name) => after[name] === undefined);
  const there = differing.filter((name) => after[name] !== undefined);
  return { changed: Object.fromEntries(there.map((name) => [name, after[name]])) as Partial<T>, gone };
}

function deltaOfVideos(before: readonly LibraryVideo[], after: readonly LibraryVideo[]): VideosDelta | undefined {
  if (before === after) return undefined;
  const known = new Map(before.map((video) => [video.key, video]));
  const changed = after.filter((video) => !sameVideo(known.get(video.key), video));
  for (const { key } of after) known.delete(key);
  const delta: VideosDelta = { changed, removed: [...known.keys()] };
  const left = applyToVideos(before, delta);
  if (after.some(({ key }, index) => key !== left[index]?.key)) delta.order = after.map(({ key }) => key);
  return changed.length > 0 || delta.removed.length > 0 || delta.order ? delta : undefined;
}

/** Field by field, since all of ten thousand may have changed. */
function sameVideo(a: LibraryVideo | undefined, b: LibraryVideo): boolean {
  if (a === b) return true;
  if (!a) return false;
  const names = Object.keys(a) as (keyof LibraryVideo)[];
  return names.length === Object.keys(b).length && names.every((name) => same(a[name], b[name]));
}

/** States are JSON made by one piece of code, so that the order of their keys does not differ. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const isObject = typeof a === "object" && typeof b === "object" && a !== null && b !== null;
  return isObject && JSON.stringify(a) === JSON.stringify(b);
}
