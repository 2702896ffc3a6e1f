/** What one peer may use at most, where its settings say nothing, and what a setting that is out of all bounds becomes. */
import { StreamletError } from "../wire/errors";

/**
 * Wire connections over all videos. Each costs a socket, TLS state and up to two batches of 1 MiB while it is served: 200 of them
 * stay below what a home router's address translation and the default 1024 file descriptors of a process take (libtorrent's
 * default is 200 as well).
 */
export const DEFAULT_MAX_CONNECTIONS = 200;
/** The listener accepts 512 in all, control connections included. */
const MOST_CONNECTIONS = 500;
/** No video profits from more sources: twenty fill any link, and the rest are in reserve. */
export const MAX_CONNECTIONS_PER_VIDEO = 50;
/**
 * Peers that are given data at the same time, over all videos. More of them would get so little each that they finish later, all
 * of them: a simulated crowd of a hundred takes a tenth longer with 12 (test/sim); fewer leave slow ones to hold up a fast line.
 * (libtorrent's default is 8 as well.)
 */
export const DEFAULT_UPLOAD_SLOTS = 8;
const MOST_UPLOAD_SLOTS = 200;

/** `undefined`, 0 and what is no number stand for the default. */
export function maxConnections(wanted: number | undefined): number {
  return count(wanted, DEFAULT_MAX_CONNECTIONS, MOST_CONNECTIONS);
}

export function uploadSlots(wanted: number | undefined): number {
  return count(wanted, DEFAULT_UPLOAD_SLOTS, MOST_UPLOAD_SLOTS);
}

/** Bytes per second; 0 = no limit, also for what is no number. */
export function rateLimit(wanted: number | undefined): number {
  return wanted !== undefined && Number.isFinite(wanted) && wanted > 0 ? wanted : 0;
}

function count(wanted: number | undefined, standard: number, most: number): number {
  if (!wanted || Number.isNaN(wanted) || wanted < 0) return standard;
  return Math.min(Math.max(1, Math.round(wanted)), most);
}

/** An obtained video, as far as it takes room. */
export interface Obtained {
  origin: "uploaded" | "obtained";
  state: string;
  size: number;
  /** Set until it is whole. */
  partPath?: string | undefined;
  /** Bytes of an unfinished one that are on disk. */
  stored: number;
}

/** Bytes that obtained videos take: whole ones and running downloads their full size, stopped ones what is there of them. */
export function obtainedBytes(videos: Iterable<Obtained>): number {
  let sum = 0;
  for (const { origin, state, size, partPath, stored } of videos) {
    if (origin !== "obtained" || state === "fileMissing") continue;
    const running = state === "downloading" || state === "checking";
    sum += partPath !== undefined && !running ? Math.min(stored, size) : size;
  }
  return sum;
}

/**
 * @param quota bytes, 0 = no limit
 * @param used what all other obtained videos take
 * @throws StreamletError quota-exceeded (data.quota, data.needed, data.used)
 */
export function checkQuota(quota: number, needed: number, used: number): void {
  if (quota === 0 || needed + used <= quota) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  throw new StreamletError(
    "quota-exceeded",
    `The disk quota of ${megabytes(quota)} has no room for these ${megabytes(needed)}: downloads take ${megabytes(used)} already.`,
    { data: { quota, needed, used } },
  );
}
