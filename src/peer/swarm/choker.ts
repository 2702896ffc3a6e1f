/**
 * Pure decision: whom to unchoke. While we fetch a video, its slots go to those who give us most of it (tit for tat, BEP 3), and a few
 * to others, to find out what they give and so that newcomers get something to give. Once we have it, everybody gets a turn.
 */

export interface ChokeCandidate<T> {
  peer: T;
  /** The video that it wants: each video that is wanted gets its share of the slots. */
  video: unknown;
  interested: boolean;
  /** What it has now; undefined while choked. */
  turn: Turn | undefined;
  /** Milliseconds; since when it waits for a slot. */
  waitingSince: number;
  /** It has never had a slot. */
  isNew: boolean;
  /** Bytes per second that it gives us of the video; undefined where we have all of it. */
  gives: number | undefined;
}

/** A slot that somebody has. */
export interface Turn {
  /** Milliseconds. */
  since: number;
  /** To find out what it gives: not for what it has given. */
  isOptimistic: boolean;
}

/** BEP 3 recalculates every ten seconds, so that a peer's TCP has time to reach its speed. */
export const TURN_MS = 10_000;
/** BEP 3 as well: long enough to get a piece, to give it on, and to be given something for it. */
export const OPTIMISTIC_TURN_MS = 30_000;
/** One slot in so many is optimistic, and one at least. */
const SLOTS_PER_OPTIMISTIC = 5;
/** BEP 3: "newly connected peers are three times as likely". */
const NEW_WEIGHT = 3;

/**
 * Who shall be unchoked, and what turn they have. Turns that are not over are kept; each slot that is free goes to the video that has
 * fewest.
 */
export function chooseUnchoked<T>(
  candidates: readonly ChokeCandidate<T>[],
  slots: number,
  now: number,
  random: () => number,
): Map<T, Turn> {
  const interested = candidates.filter((c) => c.interested);
  const newcomers = interested.some(({ turn, isNew }) => !turn && isNew);
  const running = interested.filter(({ turn }) => turn && now - turn.since < lengthOf(turn, newcomers));
  const kept = slots > 0 ? running.sort((a, b) => a.turn!.since - b.turn!.since).slice(-slots) : [];
  const chosen = new Map<T, Turn>(kept.map((c) => [c.peer, c.turn!]));
  if (chosen.size >= slots) return chosen;
  const videos = new Map<unknown, VideoSlots<T>>();
  for (const candidate of interested) {
    const video = videos.get(candidate.video) ?? { earned: 0, optimistic: 0, waiting: [] };
    videos.set(candidate.video, video);
    if (!chosen.has(candidate.peer)) video.waiting.push(candidate);
    else if (candidate.turn!.isOptimistic) video.optimistic++;
    else video.earned++;
  }
  const most = Math.max(1, Math.round(slots / Math.max(1, videos.size) / SLOTS_PER_OPTIMISTIC));
  while (chosen.size < slots) {
    const video = fewestSlots(videos.values());
    if (!video) break;
    const { candidate, isOptimistic } = nextOf(video, slots - chosen.size, most, random);
    video.waiting.splice(video.waiting.indexOf(candidate), 1);
    if (isOptimistic) video.optimistic++;
    else video.earned++;
    chosen.set(candidate.peer, { since: now, isOptimistic });
  }
  return chosen;
}

interface VideoSlots<T> {
  earned: number;
  optimistic: number;
  waiting: ChokeCandidate<T>[];
}

/** Whoever waits for a first piece does not wait for others' second chance. */
function lengthOf({ isOptimistic }: Turn, newcomers: boolean): number {
  return isOptimistic && !newcomers ? OPTIMISTIC_TURN_MS : TURN_MS;
}

function fewestSlots<T>(videos: Iterable<VideoSlots<T>>): VideoSlots<T> | undefined {
  let fewest: VideoSlots<T> | undefined;
  for (const video of videos) {
    if (video.waiting.length === 0) continue;
    if (!fewest || video.earned + video.optimistic < fewest.earned + fewest.optimistic) fewest = video;
  }
  return fewest;
}

/** @param free slots that are left, @param most optimistic ones that the video may have */
function nextOf<T>(
  { waiting, optimistic }: VideoSlots<T>,
  free: number,
  most: number,
  random: () => number,
): { candidate: ChokeCandidate<T>; isOptimistic: boolean } {
  const first = waiting.reduce((a, b) => (order(a, b) <= 0 ? a : b));
  if (first.gives === undefined) return { candidate: first, isOptimistic: false };
  const missing = Math.max(0, most - optimistic);
  if (first.gives > 0 && free > missing) return { candidate: first, isOptimistic: false };
  return { candidate: draw(waiting, random), isOptimistic: missing > 0 };
}

/** Who gives most comes first; of those who give nothing, or where nothing is to be got, who waits; then who has waited longest. */
function order<T>(a: ChokeCandidate<T>, b: ChokeCandidate<T>): number {
  const given = (b.gives ?? 0) - (a.gives ?? 0);
  if (given !== 0) return given;
  const held = (a.turn ? 1 : 0) - (b.turn ? 1 : 0);
  if (held !== 0) return held;
  return a.turn && b.turn ? a.turn.since - b.turn.since : a.waitingSince - b.waitingSince;
}

/** Anybody who waits; who has just had a turn only where nobody else does. */
function draw<T>(waiting: readonly ChokeCandidate<T>[], random: () => number): ChokeCandidate<T> {
  const choked = waiting.filter(({ turn }) => !turn);
  const from = choked.length > 0 ? choked : waiting;
  const weight = ({ isNew }: ChokeCandidate<T>) => (isNew ? NEW_WEIGHT : 1);
  let at = random() * from.reduce((sum, candidate) => sum + weight(candidate), 0);
  for (const candidate of from) {
    at -= weight(candidate);
    if (at < 0) return candidate;
  }
  return from[from.length - 1]!;
}
